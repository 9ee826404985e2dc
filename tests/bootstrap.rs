//! Bootstrapping, compiled and run, on insecure rings and in all ways.

use hecc_compiler::bootstrap::{Recipe, probe};
use hecc_grammar::cost::DEFAULT;
use hecc_grammar::noise;
use hecc_grammar::plan::VerifiedPlan;
use hecc_grammar::security::Security;
use hecc_runtime::client::{RangePolicy, SecretKey, decrypt, encrypt, evaluation_keys, place_inputs, read_outputs};
use hecc_runtime::eval::{Evaluator, Noise, Options, run_clear};
use hecc_runtime::ring::{Ring, SecretRng};

fn errors(recipe: &Recipe, log_slots: u32, n_inputs: usize, seed: u8) -> (f64, f64, f64, f64) {
    let chain = recipe.chain().expect("there are primes");
    let plan = VerifiedPlan::new(probe(&chain, log_slots, n_inputs, recipe.levels, &DEFAULT).unwrap()).unwrap();
    let secret = SecretKey::from_seed([seed; 32]);
    let mut rng = SecretRng::from_seed([seed ^ 0x80; 32]);
    let keys = evaluation_keys(&plan, &secret, &mut rng, &|_, _| {});
    let n = 1usize << log_slots;
    let tensors: Vec<Vec<f64>> = (0..n_inputs)
        .map(|k| (0..n).map(|i| ((i * 37 + 11 * k + 5) % 101) as f64 / 50.0 - 1.0).collect())
        .collect();
    let fresh = encrypt(&plan, &secret, &mut rng, &tensors, RangePolicy::Refuse).unwrap();
    let ring = Ring::new(&plan.params);
    let inputs = fresh.iter().map(|x| x.expand(&ring)).collect();
    let evaluator = Evaluator::new(&plan, &keys, Options { threads: 2, cache_bytes: 0 }).unwrap();
    let outputs = evaluator.run(inputs, &|_, _| {}).unwrap();
    let result = decrypt(&plan, &secret, &outputs);
    let largest = |found: &[Vec<f64>]| {
        let pairs = found.iter().flatten().zip(tensors.iter().flatten());
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    let slots = place_inputs(&plan, &tensors, RangePolicy::Refuse).unwrap();
    let of = |noise| largest(&read_outputs(&plan, &run_clear(&plan, &slots, noise, |_, _| {})));
    let predicted = noise::analyse(&plan);
    let deviation = plan.output_values().map(|v| predicted[v.index()].total).fold(0.0, f64::max);
    (of(Noise::None), of(Noise::Predicted(u64::from(seed))), largest(&result), deviation)
}

#[test]
fn slots_are_refreshed() {
    for (log_slots, n_inputs) in [(10, 1), (10, 2), (6, 1)] {
        let recipe = Recipe { n_special: 4, ..Recipe::standard(11, 3, Security::Insecure) };
        let (clear, simulated, encrypted, deviation) = errors(&recipe, log_slots, n_inputs, 3);
        println!("{log_slots} {n_inputs}: clear 2^{:.1} simulated 2^{:.1} encrypted 2^{:.1} predicted deviation 2^{:.1}", clear.log2(), simulated.log2(), encrypted.log2(), deviation.log2());
    }
}
