//! Bootstrapping, compiled and run on insecure rings by all evaluators.

mod distance;
mod evaluators;

use hecc_compiler::bootstrap::{Bootstrap, BootstrapParams, Recovered, probe};
use hecc_compiler::emit::Emit;
use hecc_grammar::cost::DEFAULT;
use hecc_grammar::noise;
use hecc_grammar::plan::{Key, Op, Plan, Value, VerifiedPlan};
use hecc_grammar::security::Security;

use distance::distance;
use evaluators::{Outputs, run_all};

/// Levels of the results.
const LEVELS: usize = 3;

/// Largest errors of the bootstrapped numbers.
struct Errors {
    /// Of the plan in the clear: the sine is none of the identity.
    clear: f64,
    /// What simulated noise changes.
    simulated: f64,
    /// What encryption changes.
    encrypted: f64,
    /// The bound on that.
    bound: f64,
}

fn parameters(sine_bits: f64) -> BootstrapParams {
    let standard = BootstrapParams::standard(11, LEVELS, Security::insecure_for_tests());
    let parameters = BootstrapParams { sine_bits, ..standard };
    BootstrapParams { scale_bits: parameters.max_scale(), ..parameters }
}

fn plan(parameters: &BootstrapParams, log_slots: u32, n_inputs: usize) -> VerifiedPlan {
    let chain = parameters.chain().expect("there are primes");
    let plan = probe(&chain, log_slots, n_inputs, LEVELS, &DEFAULT).expect("well typed");
    VerifiedPlan::new(plan).expect("the plan keeps its promises")
}

fn errors(plan: &VerifiedPlan, seed: u8) -> Errors {
    let number =
        |i: usize, k: usize| ((i * 37 + 11 * k + usize::from(seed)) % 101) as f64 / 50.0 - 1.0;
    let tensors: Vec<Vec<f64>> = (plan.inputs.iter().enumerate())
        .map(|(k, input)| (0..input.shape[1]).map(|i| number(i, k)).collect())
        .collect();
    let Outputs { clear, simulated, encrypted } = run_all(plan, &tensors, seed);
    let largest = |a: &[Vec<f64>], b: &[Vec<f64>]| distance(&a.concat(), &b.concat());
    let analysis = noise::analyze(plan);
    let bounds = plan.output_values().map(|value| analysis[value.index()].bound);
    Errors {
        clear: largest(&clear, &tensors),
        simulated: largest(&simulated, &clear),
        encrypted: largest(&encrypted, &clear),
        bound: bounds.fold(0.0, f64::max),
    }
}

#[test]
fn full_and_sparse_slots_and_pairs_are_bootstrapped() {
    for (log_slots, n_inputs) in [(10, 1), (10, 2), (6, 1), (2, 2)] {
        let plan = plan(&parameters(47.0), log_slots, n_inputs);
        let top = plan.output_values().map(|value| plan.ty(value).limbs.len()).min();
        assert_eq!(top, Some(plan.params.input_level + 1), "the result has all levels");
        let errors = errors(&plan, 3);
        // |sin x − x|/x for x = 2π/1024, and the polynomial.
        assert!(errors.clear < 1.3e-5, "2^{log_slots}: {:e}", errors.clear);
        assert!(errors.encrypted < 1e-5, "2^{log_slots}: {:e}", errors.encrypted);
    }
}

#[test]
fn sines_for_few_bits_are_as_exact_as_messages_are_small() {
    // Of the ratio 2^7 the sine's own error is 2^-11.3.
    let sine = BootstrapParams {
        degree: 31,
        doublings: 1,
        overflow_bound: 13,
        ratio_bits: 7.0,
        ..parameters(45.0)
    };
    let plan = plan(&BootstrapParams { scale_bits: sine.max_scale(), ..sine }, 10, 1);
    let errors = errors(&plan, 3);
    assert!(errors.clear < 4.1e-4, "{:e}", errors.clear);
    assert!(errors.encrypted < 1e-4, "{:e}", errors.encrypted);
}

/// Forms of the sine: degree, doublings, multiples of q_0, bits of q_0 over messages.
const SINES: [(usize, usize, u32, f64); 3] =
    [(15, 3, 16, 10.0), (31, 1, 13, 7.0), (15, 2, 13, 3.0)];

#[test]
fn the_bound_on_noise_holds_and_is_useful() {
    for (degree, doublings, overflow_bound, ratio_bits) in SINES {
        // Primes so small that noise is all that matters.
        let sine_bits = 31.0 + ratio_bits;
        let sine = BootstrapParams {
            degree,
            doublings,
            overflow_bound,
            ratio_bits,
            ..parameters(sine_bits)
        };
        bound_holds(&BootstrapParams { scale_bits: sine.max_scale(), ..sine });
    }
}

fn bound_holds(parameters: &BootstrapParams) {
    let plan = plan(parameters, 10, 2);
    let (mut largest, mut bound) = (0.0f64, 0.0);
    for seed in 0..8 {
        let errors = errors(&plan, seed);
        assert!(errors.encrypted < errors.bound, "{:e}, {:e}", errors.encrypted, errors.bound);
        assert!(errors.simulated < errors.bound, "{:e}, {:e}", errors.simulated, errors.bound);
        (largest, bound) = (largest.max(errors.encrypted), errors.bound);
    }
    let bits = (bound / largest).log2();
    assert!(bits < 4.0, "{parameters:?}: the bound is {bits:.1} bits above the largest error");
}

/// With messages up to where the sine turns around.
#[test]
fn sines_are_left_where_they_are_wanted() {
    let sine = BootstrapParams {
        degree: 15,
        doublings: 2,
        overflow_bound: 13,
        ratio_bits: 2.0,
        recovered: Recovered::Sine,
        ..parameters(40.0)
    };
    let plan = plan(&BootstrapParams { scale_bits: sine.max_scale(), ..sine }, 10, 1);
    let tensors: Vec<f64> = (0..1024).map(|i| f64::from(i) / 511.5 - 1.0).collect();
    let Outputs { clear, simulated, encrypted } = run_all(&plan, std::slice::from_ref(&tensors), 3);
    let bound = noise::analyze(&plan)[plan.output_values().next().unwrap().index()].bound;
    for (x, i) in tensors.iter().zip(0..) {
        let expected = (std::f64::consts::FRAC_PI_2 * x).sin();
        assert!((clear[0][i] - expected).abs() < 5e-4, "{x}: {}, expected {expected}", clear[0][i]);
        for found in [simulated[0][i], encrypted[0][i]] {
            // In the clear there are no multiples of q_0, for each of which the polynomial is off by 2^-12 at most.
            assert!(
                (found - clear[0][i]).abs() < bound + 2f64.powi(-11),
                "{x}: {found}, {}, {bound}",
                clear[0][i]
            );
        }
    }
}

#[test]
fn the_key_to_the_sparse_secret_has_a_small_modulus() {
    let plan = plan(&parameters(47.0), 10, 1);
    let keys = plan.keys();
    let key = keys.iter().find(|key| key.key == Key::Encapsulate).expect("it is used");
    assert_eq!((key.limbs.len(), key.n_special), (1, 1));
    assert!(keys.iter().any(|key| key.key == Key::Decapsulate));
}

/// A plan that bootstraps sums of values and what they were bootstrapped to, again and again, as numbers from 0 say.
fn entangled(log_slots: u32, choices: &[usize]) -> VerifiedPlan {
    let standard = BootstrapParams::standard(9, LEVELS, Security::insecure_for_tests());
    let parameters = BootstrapParams { sine_bits: 43.0, ..standard };
    let parameters = BootstrapParams { scale_bits: parameters.max_scale(), ..parameters };
    let chain = parameters.chain().expect("there are primes");
    let mut plan: Plan = probe(&chain, log_slots, 1, LEVELS, &DEFAULT).expect("well typed");
    let bootstrap = Bootstrap { chain: &chain, costs: &DEFAULT, log_slots, level: LEVELS };
    let mut values: Vec<Value> = vec![Value(0)];
    let mut emit = Emit { plan: &mut plan, origin: 0 };
    let op = |emit: &mut Emit<'_>, op| emit.op(op).expect("well typed");
    for &choice in choices {
        let latest = values[values.len() - 1];
        let other = values[choice % values.len()];
        let back = bootstrap.emit(&mut emit, &[latest]).expect("well typed")[0];
        values.push(match choice % 5 {
            0 => {
                let negative = op(&mut emit, Op::Neg(back));
                op(&mut emit, Op::Sub(latest, negative))
            }
            1 => {
                let again = bootstrap.emit(&mut emit, &[latest]).expect("well typed")[0];
                op(&mut emit, Op::Add(again, back))
            }
            2 => op(&mut emit, Op::Sub(other, back)),
            3 => {
                let moved = emit.switch(back, Key::Rotate(1)).expect("well typed");
                op(&mut emit, Op::Add(back, moved))
            }
            _ => op(&mut emit, Op::Add(other, back)),
        });
    }
    plan.outputs[0].slots[0].0 = values[values.len() - 1];
    VerifiedPlan::new(plan).expect("the plan keeps its promises")
}

/// `HECC_ADVERSARIAL_PLANS` tries more, one for a hundred.
#[test]
fn entangled_bootstraps_stay_within_their_bound() {
    let wanted = std::env::var("HECC_ADVERSARIAL_PLANS").ok().and_then(|n| n.parse().ok());
    let count: usize = wanted.map_or(5, |count: usize| count.div_ceil(100));
    for seed in 0..count {
        let choices: Vec<usize> = (0..3).map(|i| (seed * 7 + i * (3 + seed / 5)) % 25).collect();
        let plan = entangled([8, 8, 5][seed % 3], &choices);
        let n = plan.inputs[0].shape[1];
        let tensor = (0..n).map(|i| ((i * 37 + seed) % 101) as f64 / 800.0 - 1.0 / 16.0).collect();
        let Outputs { clear, encrypted, .. } = run_all(&plan, &[tensor], seed as u8);
        let largest = distance(&encrypted[0], &clear[0]);
        let bound = noise::analyze(&plan)[plan.outputs[0].slots[0].0.index()].bound;
        assert!(largest < bound, "{choices:?}: error {largest:e}, bound {bound:e}");
    }
}
