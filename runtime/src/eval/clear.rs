//! Runs a plan on cleartext slots.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use hecc_grammar::plan::{Scheme, Value, VerifiedPlan};

use super::approximate::{Approximate, ApproximateRun, Noise};
use super::exact::{Exact, ExactRun};
use super::{Backend, Execution, execute};

/// A plan ready to run on cleartext slots; may be shared by threads that run it on different inputs.
pub struct ClearEvaluator<'a> {
    plan: &'a VerifiedPlan,
    bundles: Vec<Range<usize>>,
    prepared: Prepared<'a>,
}

enum Prepared<'a> {
    Ckks(Approximate<'a>),
    Bfv(Exact<'a>),
}

/// Slots that several values may have.
pub(super) type Held<T> = Arc<T>;

/// A run on the slots of some scheme.
pub(super) trait Arithmetic: Sync {
    type Slots: Send + Sync;

    /// The result of an instruction.
    fn compute(&self, value: Value, operands: &[Arc<Held<Self::Slots>>]) -> Held<Self::Slots>;

    /// Shows a result if it is one to be seen.
    fn observe(&self, value: Value, slots: &Self::Slots, observe: &mut impl FnMut(Value, &[f64]));
}

/// Computes instructions in order, and shows results at once.
struct InOrder<A, F> {
    arithmetic: A,
    observe: Mutex<F>,
}

impl<A: Arithmetic, F: FnMut(Value, &[f64]) + Send> Backend for InOrder<A, F> {
    type Data = Held<A::Slots>;

    fn compute(
        &self,
        _: usize,
        bundle: Range<usize>,
        operands: &[Vec<Arc<Self::Data>>],
    ) -> Vec<Self::Data> {
        let compute = |(i, operands): (usize, &Vec<Arc<Self::Data>>)| {
            let value = Value(i as u32);
            let slots = self.arithmetic.compute(value, operands);
            let mut observe = self.observe.lock().expect("one lane does not lock twice");
            self.arithmetic.observe(value, &slots, &mut *observe);
            slots
        };
        bundle.zip(operands).map(compute).collect()
    }
}

/// Runs a plan once on the slots of its input ciphertexts, see [`ClearEvaluator::run`].
///
/// # Panics
/// If the number of inputs or their slots differ from the plan's.
pub fn run_clear(
    plan: &VerifiedPlan,
    inputs: &[Vec<f64>],
    noise: Noise,
    observe: impl FnMut(Value, &[f64]) + Send,
) -> Vec<Vec<f64>> {
    ClearEvaluator::new(plan, 0).run(inputs, noise, observe)
}

impl<'a> ClearEvaluator<'a> {
    /// Prepares a plan; slots of constants are kept from run to run while they take no more than `cache_bytes`.
    pub fn new(plan: &'a VerifiedPlan, cache_bytes: usize) -> ClearEvaluator<'a> {
        let prepared = match plan.params.scheme() {
            Scheme::Ckks => Prepared::Ckks(Approximate::new(plan, cache_bytes)),
            Scheme::Bfv => Prepared::Bfv(Exact::new(plan, cache_bytes)),
        };
        ClearEvaluator { plan, bundles: plan.bundles(), prepared }
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
        observe: impl FnMut(Value, &[f64]) + Send,
    ) -> Vec<Vec<f64>> {
        let (n_inputs, n_slots) = (self.plan.n_input_ciphertexts(), self.plan.params.n_slots());
        assert_eq!(inputs.len(), n_inputs, "one slot vector for each input ciphertext");
        assert!(inputs.iter().all(|x| x.len() == n_slots), "every slot has a number");
        match &self.prepared {
            Prepared::Ckks(of) => {
                let results = self.results(ApproximateRun { of, inputs, noise }, observe);
                results.iter().map(|slots| slots.re.clone()).collect()
            }
            Prepared::Bfv(of) => {
                let results = self.results(ExactRun { of, inputs: of.inputs(inputs) }, observe);
                results.iter().map(|slots| of.integers(slots)).collect()
            }
        }
    }

    fn results<A: Arithmetic>(
        &self,
        arithmetic: A,
        observe: impl FnMut(Value, &[f64]) + Send,
    ) -> Vec<Arc<Held<A::Slots>>> {
        let backend = InOrder { arithmetic, observe: Mutex::new(observe) };
        execute(&backend, Execution::new(self.plan, &self.bundles))
    }
}
