//! Small plans on insecure rings, and how they are run by all evaluators.

use hecc_grammar::plan::{Params, Plaintexts, Scheme, VerifiedPlan, is_prime};
use hecc_grammar::security::Security;
use hecc_runtime::client::{
    EncryptionKey, PublicKey, RangePolicy, SecretKey, decrypt_slots, encrypt, evaluation_keys,
};
use hecc_runtime::eval::{Evaluator, Options};
use hecc_runtime::ring::SecretRng;
use hecc_runtime::rlwe::{Ciphertext, EvaluationKeys, FreshCiphertext};

pub(crate) use crate::build::Build;

/// Parameters with the largest primes of the given lengths.
pub(crate) fn params(log_n: u32, q_bits: &[u32], p_bits: &[u32], top_scale: f64) -> Params {
    let mut taken = vec![];
    let mut prime = |bits: &u32| {
        let step = 2u64 << log_n;
        let candidates = (1..1 << (bits - log_n - 1)).map(|k| (1 << bits) + 1 - k * step);
        let mut fresh = candidates.filter(|&q| is_prime(q) && !taken.contains(&q));
        let q = fresh.next().expect("there are enough primes of this length");
        taken.push(q);
        q
    };
    let q: Vec<u64> = q_bits.iter().map(&mut prime).collect();
    let p = p_bits.iter().map(&mut prime).collect();
    let (input_level, security) = (q.len() - 1, Security::insecure_for_tests());
    Params { plaintexts: Plaintexts::Ckks { top_scale }, log_n, q, p, input_level, security }
}

/// `n_limbs` ciphertext-modulus primes of 45 bits, `n_special` special primes of 49 bits, scale 2^40.
pub(crate) fn usual(log_n: u32, n_limbs: usize, n_special: usize) -> Params {
    params(log_n, &vec![45; n_limbs], &vec![49; n_special], 40.0)
}

/// Keys, and inputs in slots and encrypted, all drawn from one seed.
pub(crate) struct Setup {
    pub(crate) secret: SecretKey,
    pub(crate) keys: EvaluationKeys,
    pub(crate) slots: Vec<Vec<f64>>,
    pub(crate) fresh: Vec<FreshCiphertext>,
}

/// As [`setup`], the inputs encrypted under the public key.
pub(crate) fn setup_public(plan: &VerifiedPlan, seed: u8) -> Setup {
    let setup = setup(plan, seed);
    let mut rng = SecretRng::from_seed(&[seed ^ 0x40; 32]);
    let public = PublicKey::of(&plan.params, &setup.secret, &mut rng);
    let key = EncryptionKey::Public(&public);
    let fresh = encrypt(&plan.client_part(), key, &mut rng, &setup.slots, RangePolicy::Refuse);
    Setup { fresh: fresh.expect("the test's inputs are in range"), ..setup }
}

pub(crate) fn setup(plan: &VerifiedPlan, seed: u8) -> Setup {
    let secret = SecretKey::from_seed([seed; 32]);
    let mut rng = SecretRng::from_seed(&[seed ^ 0x80; 32]);
    let client = plan.client_part();
    let keys = evaluation_keys(&client.interface, &secret, &mut rng, &|_, _| {});
    let mut state = u64::from(seed) + 1;
    // Numbers in [−1, 1), integers of as many bits as the range has in BFV.
    let mut number = |scale: f64, integer: bool| {
        let x = scale * uniform(&mut state);
        if integer { x.floor() } else { x }
    };
    let integer = plan.params.scheme() == Scheme::Bfv;
    let slots = plan.inputs.iter().map(|input| {
        (0..plan.params.n_slots()).map(|_| number(input.ranges.hull().1, integer)).collect()
    });
    let slots: Vec<Vec<f64>> = slots.collect();
    let key = EncryptionKey::Secret(&secret);
    let fresh = encrypt(&client, key, &mut rng, &slots, RangePolicy::Refuse);
    Setup { secret, keys, slots, fresh: fresh.expect("the test's inputs are in range") }
}

/// A number in [−1, 1).
pub(crate) fn uniform(state: &mut u64) -> f64 {
    next(state) as f64 / (1u64 << 52) as f64 - 1.0
}

/// A number below 2^53 (SplitMix64).
pub(crate) fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) >> 11
}

/// The output ciphertexts of an encrypted run.
pub(crate) fn run(
    plan: &VerifiedPlan,
    setup: &Setup,
    threads: usize,
    cache_bytes: usize,
) -> Vec<Ciphertext> {
    let options = Options { threads, cache_bytes };
    let evaluator = Evaluator::new(plan, &setup.keys, options).expect("the keys are the plan's");
    evaluator
        .run(evaluator.expand(setup.fresh.clone()), &|_, _| {})
        .expect("the inputs are the plan's")
}

/// Slots of the outputs of an encrypted run.
pub(crate) fn run_slots(plan: &VerifiedPlan, setup: &Setup) -> Vec<Vec<f64>> {
    let outputs = run(plan, setup, 1, usize::MAX);
    decrypt_slots(&plan.interface(), &setup.secret, &outputs)
        .expect("the noise is within its bound")
}

/// The largest of numbers that are not negative, or not a number if one is none, which `f64::max` would pass over.
pub(crate) fn largest(numbers: impl Iterator<Item = f64>) -> f64 {
    numbers.fold(0.0, |most, x| if x <= most || most.is_nan() { most } else { x })
}

/// The largest difference, and the root of the mean square.
pub(crate) fn difference(a: &[f64], b: &[f64]) -> (f64, f64) {
    assert_eq!(a.len(), b.len(), "as many slots");
    let errors = || a.iter().zip(b).map(|(a, b)| (a - b).abs());
    let squares: f64 = errors().map(|e| e * e).sum();
    (largest(errors()), (squares / a.len() as f64).sqrt())
}
