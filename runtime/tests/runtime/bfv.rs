//! BFV: encrypted results equal those in the clear bit for bit, and noise stays within its bound.

use hecc_grammar::model::{Quantizer, Rounding};
use hecc_grammar::noise::{EXACT_TAIL, analyze_exact};
use hecc_grammar::plan::{
    Key, LimbSet, Op, Params, Plaintexts, PlanError, Ranges, Value, VerifiedPlan,
};
use hecc_runtime::client::{
    EncryptionKey, Outside, RangePolicy, decrypt, decrypt_slots, encrypt, measure_noise, outside,
};
use hecc_runtime::error::RunError;
use hecc_runtime::eval::{Noise, run_clear};
use hecc_runtime::ring::SecretRng;

use crate::common::{Build, Setup, next, params, run, run_slots, setup, setup_public};

/// Largest integer in inputs.
pub(crate) const RANGE: f64 = 1000.0;

pub(crate) fn bfv(log_n: u32, n_limbs: usize, n_special: usize, t: &[u64]) -> Params {
    let params = params(log_n, &vec![45; n_limbs], &vec![49; n_special], 0.0);
    Params { plaintexts: Plaintexts::Bfv { t: t.to_vec() }, ..params }
}

/// Plaintext primes ≡ 1 mod 2^12.
pub(crate) const T: [u64; 3] = [12289, 40961, 1099511480321];

/// Sums of a value and its own rotations, which gather noise in few coefficients, and what they are multiplied by.
fn sums_over_slots(params: Params) -> (Build, Vec<Value>) {
    let (n_slots, row) = (params.n_slots(), params.row_length() as u32);
    let mut build = build(params, 1);
    let mut state = 3;
    let table = build.table(&weights(n_slots, &mut state), 0.0);
    // Repeats every four slots.
    let few = weights(4, &mut state).repeat(n_slots / 4);
    let few = build.table(&few, 0.0);
    let ones = build.splat(1.0, 0.0);
    let mut sum = build.op(Op::MulPlain(Value(0), table));
    let mut outputs = vec![];
    for steps in std::iter::successors(Some(row / 2), |steps| Some(steps / 2)) {
        if steps == 2 {
            break;
        }
        let rotated = build.switch(sum, Key::Rotate(steps));
        sum = build.op(Op::Add(sum, rotated));
        outputs.push(sum);
    }
    outputs.push(build.op(Op::MulPlain(sum, few)));
    outputs.push(build.op(Op::MulPlain(sum, table)));
    let product = build.op(Op::Mul(sum, sum));
    outputs.push(build.switch(product, Key::Relinearize));
    let product = build.op(Op::MulBgv(sum, Value(0)));
    outputs.push(build.switch(product, Key::Relinearize));
    // All at once, and the same with the rows changed.
    let mut terms = vec![(Value(0), ones)];
    for step in (1..row / 4).map(|i| 4 * i) {
        terms.push((build.switch(Value(0), Key::Rotate(step)), ones));
    }
    let sum = build.op(Op::DotPlain(terms));
    let swapped = build.switch(sum, Key::Conjugate);
    outputs.extend([sum, build.op(Op::Add(sum, swapped))]);
    (build, outputs)
}

/// BGV's products in a chain of two squares, between them numbers added, and vectors that others were multiplied by.
fn bgv_products(params: Params) -> (Build, Vec<Value>) {
    let (n_slots, n_limbs) = (params.n_slots(), params.q.len());
    let mut build = build(params, 2);
    let (x, y) = (Value(0), Value(1));
    let mut state = 11;
    let table = build.table(&weights(n_slots, &mut state), 0.0);
    let splat = build.splat(-12.0, 0.0);
    let product = build.op(Op::MulBgv(x, y));
    let mut chain = build.switch(product, Key::Relinearize);
    let mut outputs = vec![chain];
    for left in (1..n_limbs).rev().take(2) {
        let product = build.op(Op::MulPlain(chain, table));
        let switched = build.op(Op::ModSwitch(product, LimbSet::first(left)));
        let shifted = build.op(Op::AddPlain(switched, table));
        let shifted = build.op(Op::AddPlain(shifted, splat));
        let square = build.op(Op::MulBgv(shifted, shifted));
        chain = build.switch(square, Key::Relinearize);
        outputs.push(chain);
    }
    // Both kinds of product, of messages with different correction factors.
    let low = build.op(Op::ModSwitch(x, LimbSet::first(n_limbs - 2)));
    let mixed = build.op(Op::Mul(chain, low));
    outputs.push(build.switch(mixed, Key::Relinearize));
    (build, outputs)
}

fn build(params: Params, n_inputs: u32) -> Build {
    let mut build = Build::new(params, n_inputs);
    build.plan.inputs.iter_mut().for_each(|input| input.ranges = Ranges::all(-RANGE, RANGE));
    build
}

pub(crate) fn weights(n: usize, state: &mut u64) -> Vec<f64> {
    (0..n).map(|_| (next(state) % 15) as f64 - 7.0).collect()
}

/// Every instruction, and a chain of two squares between linear maps with switches of modulus.
fn everything(params: Params) -> (Build, Vec<Value>) {
    let (n_slots, n_limbs) = (params.n_slots(), params.q.len());
    let row = params.row_length() as u32;
    let mut build = build(params, 2);
    let (x, y) = (Value(0), Value(1));
    let mut state = 7;
    let table = build.table(&weights(n_slots, &mut state), 0.0);
    let sparse = build.table(&weights(5, &mut state), 0.0);
    let splat = build.splat(-12.0, 0.0);
    let mut outputs = vec![
        build.op(Op::Add(x, y)),
        build.op(Op::Add(x, x)),
        build.op(Op::Sub(x, y)),
        build.op(Op::Neg(x)),
        build.op(Op::AddPlain(x, table)),
        build.op(Op::AddPlain(x, splat)),
        build.op(Op::MulPlain(x, table)),
        build.op(Op::MulPlain(x, splat)),
        build.op(Op::DotPlain(vec![(x, table), (y, splat), (y, sparse)])),
        build.switch(x, Key::Rotate(5)),
        build.switch(x, Key::Rotate(row - 1)),
        build.switch(x, Key::Conjugate),
        build.op(Op::ModSwitch(x, LimbSet::first(n_limbs - 2))),
    ];
    let product = build.op(Op::Mul(x, y));
    outputs.push(build.switch(product, Key::Relinearize));
    // One number, several times, and more vectors than are encoded at once.
    let mut terms = vec![(product, splat); 20];
    for step in 1..20 {
        let moved = build.switch(y, Key::Rotate(step));
        terms.push((build.op(Op::Mul(x, moved)), table));
    }
    let sum = build.op(Op::DotPlain(terms));
    outputs.push(build.switch(sum, Key::Relinearize));
    let digits = build.op(Op::Decompose(x));
    let up = build.op(Op::ModUp(x));
    let one = build.op(Op::ApplyKey(digits, Key::Rotate(1)));
    let two = build.op(Op::ApplyKey(digits, Key::Rotate(2)));
    let sum = build.op(Op::DotPlain(vec![(up, table), (one, splat), (two, table)]));
    let mut chain = build.op(Op::ModDown(sum));
    outputs.push(chain);
    for left in (1..n_limbs).rev().take(2) {
        let square = build.op(Op::Mul(chain, chain));
        let linear = build.switch(square, Key::Relinearize);
        let product = build.op(Op::MulPlain(linear, table));
        chain = build.op(Op::ModSwitch(product, LimbSet::first(left)));
        outputs.push(chain);
    }
    (build, outputs)
}

/// Encrypted results equal those in the clear, for inputs under either key, and their noise is below its bound but not far.
pub(crate) fn check(plan: &VerifiedPlan, seeds: std::ops::Range<u8>, slack: f64) {
    let bounds: Vec<f64> = {
        let noise = analyze_exact(plan);
        plan.output_values().map(|v| noise[v.index()] + EXACT_TAIL.log2()).collect()
    };
    let mut largest = vec![f64::NEG_INFINITY; bounds.len()];
    let both: [fn(&VerifiedPlan, u8) -> Setup; 2] = [setup, setup_public];
    for (seed, setup) in seeds.flat_map(|seed| both.map(|setup| (seed, setup))) {
        let setup = setup(plan, seed);
        let clear = run_clear(plan, &setup.slots, Noise::None, |_, _| {});
        assert_eq!(run_slots(plan, &setup), clear);
        let outputs = run(plan, &setup, 2, 0);
        let noise = measure_noise(&plan.params, &setup.secret, &outputs[..bounds.len()]);
        largest.iter_mut().zip(noise).for_each(|(most, noise)| *most = noise.max(*most));
    }
    for (i, (&measured, &bound)) in largest.iter().zip(&bounds).enumerate() {
        assert!(
            measured < bound && bound - slack <= measured,
            "output {i}: measured 2^{measured:.1}, bound 2^{bound:.1}"
        );
    }
}

#[test]
fn encrypted_equals_clear_with_one_prime_and_with_several() {
    for (t, n_limbs, n_special) in [(&T[..1], 6, 1), (&T[2..], 8, 2), (&T[..], 8, 3)] {
        let (build, outputs) = everything(bfv(10, n_limbs, n_special, t));
        let plan = build.finish(&outputs);
        // Of several primes the first is measured, the bound is that of the largest.
        check(&plan, 0..3, if t.len() > 1 { f64::INFINITY } else { 6.0 });
    }
}

#[test]
fn noise_of_sums_over_slots_gathers_in_few_coefficients() {
    let (build, outputs) = sums_over_slots(bfv(10, 5, 1, &T[..1]));
    check(&build.finish(&outputs), 0..8, 6.0);
}

#[test]
fn products_in_the_least_significant_bits_are_exact() {
    for (t, n_limbs, n_special) in [(&T[..1], 5, 1), (&T[1..2], 6, 2), (&T[..2], 5, 1)] {
        let (build, outputs) = bgv_products(bfv(10, n_limbs, n_special, t));
        let plan = build.finish(&outputs);
        check(&plan, 0..3, if t.len() > 1 { f64::INFINITY } else { 6.0 });
    }
}

#[test]
fn messages_with_different_factors_are_not_added() {
    let mut build = build(bfv(10, 4, 1, &T[..1]), 1);
    let square = build.op(Op::MulBgv(Value(0), Value(0)));
    let square = build.switch(square, Key::Relinearize);
    let sum = build.op(Op::Add(square, Value(0)));
    let error = VerifiedPlan::new(build.plan).unwrap_err();
    assert_eq!(error, PlanError::CorrectionFactors(sum));
}

#[test]
fn results_wrap_around_modulo_the_primes() {
    let params = bfv(10, 4, 1, &T[..2]);
    let modulus = (T[0] * T[1]) as f64;
    let mut build = build(params, 1);
    let square = build.op(Op::Mul(Value(0), Value(0)));
    let square = build.switch(square, Key::Relinearize);
    let factor = build.splat(700.0, 0.0);
    let product = build.op(Op::MulPlain(square, factor));
    let plan = build.finish(&[product]);
    let setup = setup(&plan, 3);
    let expected = setup.slots[0].iter().map(|x| {
        let y = (x * x * 700.0) % modulus;
        if y > modulus / 2.0 { y - modulus } else { y }
    });
    let expected: Vec<f64> = expected.collect();
    assert!(expected.iter().any(|&y| y < 0.0));
    assert_eq!(run_slots(&plan, &setup)[0], expected);
}

#[test]
fn damaged_ciphertexts_and_results_beyond_their_limit_are_told() {
    let params = bfv(10, 3, 1, &T[..1]);
    let build = build(params, 1);
    let mut plan = build.finish(&[Value(0)]).into_inner();
    plan.outputs[0].limit = Some(RANGE / 2.0);
    let plan = VerifiedPlan::new(plan).unwrap();
    let Setup { secret, slots, keys, fresh } = setup(&plan, 3);
    let outputs = run(&plan, &Setup { secret, slots, keys, fresh }, 1, 0);
    let secret = hecc_runtime::client::SecretKey::from_seed([3; 32]);
    let client = plan.client_part();
    let results = decrypt(&client, &secret, &outputs).unwrap();
    let found = outside(&plan.outputs[0], &results[0]);
    assert!(matches!(found, Some(Outside::Overflow { .. })), "{found:?}");
    let other = hecc_runtime::client::SecretKey::from_seed([4; 32]);
    let error = decrypt_slots(&client.interface, &other, &outputs).unwrap_err();
    assert!(matches!(error, RunError::Noise), "{error}");
}

#[test]
fn inputs_are_quantized_as_the_network_does() {
    let mut build = build(bfv(10, 3, 1, &T[..1]), 1);
    build.plan.inputs[0].factor = 2.0;
    let (zero_point, rounding) = (2, Rounding::HalfEven);
    let quantizer = Quantizer { scale: 0.5, zero_point, q_min: 1, q_max: 5, rounding };
    build.plan.inputs[0].quantizer = Some(quantizer);
    let plan = build.finish(&[Value(0)]);
    let mut tensor = vec![0.0; plan.params.n_slots()];
    tensor[..6].copy_from_slice(&[0.25, 0.75, 0.8, 5.0, -0.3, -7.0]);
    let secret = hecc_runtime::client::SecretKey::from_seed([1; 32]);
    let mut rng = SecretRng::from_seed(&[2; 32]);
    let (client, key) = (plan.client_part(), EncryptionKey::Secret(&secret));
    let sent = encrypt(&client, key, &mut rng, &[tensor], RangePolicy::Refuse).unwrap();
    let ring = hecc_runtime::ring::Ring::new(&plan.params);
    let slots =
        decrypt_slots(&client.interface, &secret, &[sent[0].clone().expand(&ring)]).unwrap();
    assert_eq!(slots[0][..6], [0.0, 2.0, 2.0, 3.0, -1.0, -1.0]);
}
