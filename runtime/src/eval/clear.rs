//! Runs a plan on cleartext slots.

use hecc_grammar::plan::{Scheme, Value, VerifiedPlan};

use super::approximate::{Approximate, Noise};
use super::exact::Exact;

/// A plan ready to run on cleartext slots; may be shared by threads that run it on different inputs.
pub struct ClearEvaluator<'a> {
    plan: &'a VerifiedPlan,
    arithmetic: Arithmetic<'a>,
}

enum Arithmetic<'a> {
    Ckks(Approximate<'a>),
    Bfv(Exact<'a>),
}

/// Runs a plan once on the slots of its input ciphertexts, see [`ClearEvaluator::run`].
///
/// # Panics
/// If the number of inputs or their slots differ from the plan's.
pub fn run_clear(
    plan: &VerifiedPlan,
    inputs: &[Vec<f64>],
    noise: Noise,
    observe: impl FnMut(Value, &[f64]),
) -> Vec<Vec<f64>> {
    ClearEvaluator::new(plan, 0).run(inputs, noise, observe)
}

impl<'a> ClearEvaluator<'a> {
    /// Prepares a plan; slots of constants are kept from run to run while they take no more than `cache_bytes`.
    pub fn new(plan: &'a VerifiedPlan, cache_bytes: usize) -> ClearEvaluator<'a> {
        let arithmetic = match plan.params.scheme() {
            Scheme::Ckks => Arithmetic::Ckks(Approximate::new(plan, cache_bytes)),
            Scheme::Bfv => Arithmetic::Bfv(Exact::new(plan, cache_bytes)),
        };
        ClearEvaluator { plan, arithmetic }
    }

    /// Runs the plan on the slots of its input ciphertexts. `observe` sees slots as soon as they are computed: in CKKS the
    /// real parts of every value; in BFV, of values that a layer names, the integers of least magnitude modulo the product
    /// of the plaintext primes, rounded to doubles beyond 2^53.
    ///
    /// # Panics
    /// If the number of inputs or their slots differ from the plan's.
    pub fn run(
        &self,
        inputs: &[Vec<f64>],
        noise: Noise,
        observe: impl FnMut(Value, &[f64]),
    ) -> Vec<Vec<f64>> {
        let (n_inputs, n_slots) = (self.plan.n_input_ciphertexts(), self.plan.params.n_slots());
        assert_eq!(inputs.len(), n_inputs, "one slot vector for each input ciphertext");
        assert!(inputs.iter().all(|x| x.len() == n_slots), "every slot has a number");
        match &self.arithmetic {
            Arithmetic::Ckks(evaluator) => evaluator.run(inputs, noise, observe),
            Arithmetic::Bfv(evaluator) => evaluator.run(inputs, observe),
        }
    }
}
