//! A plan on one set of inputs, by all three evaluators.

use hecc_grammar::plan::VerifiedPlan;
use hecc_runtime::client::{
    EncryptionKey, RangePolicy, SecretKey, decrypt, encrypt, evaluation_keys, place_inputs,
    read_outputs,
};
use hecc_runtime::eval::{Evaluator, Noise, Options, run_clear};
use hecc_runtime::ring::SecretRng;

/// The output tensors, flattened.
pub(crate) struct Outputs {
    pub(crate) clear: Vec<Vec<f64>>,
    pub(crate) simulated: Vec<Vec<f64>>,
    pub(crate) encrypted: Vec<Vec<f64>>,
}

/// Runs a plan on its input tensors; keys and noise are drawn from the seed.
pub(crate) fn run_all(plan: &VerifiedPlan, tensors: &[Vec<f64>], seed: u8) -> Outputs {
    let client = plan.client_part();
    let slots =
        place_inputs(&client, tensors, RangePolicy::Refuse).expect("the inputs are in range");
    let in_the_clear = |noise| read_outputs(&client, &run_clear(plan, &slots, noise, |_, _| {}));
    let secret = SecretKey::from_seed([seed; 32]);
    let mut rng = SecretRng::from_seed(&[seed ^ 0x80; 32]);
    let keys = evaluation_keys(&client.interface, &secret, &mut rng, &|_, _| {});
    let key = EncryptionKey::Secret(&secret);
    let sent = encrypt(&client, key, &mut rng, tensors, RangePolicy::Refuse);
    let options = Options { threads: 2, cache_bytes: 0 };
    let evaluator = Evaluator::new(plan, &keys, options).expect("the keys are the plan's");
    let inputs = evaluator.expand(sent.expect("the inputs are in range"));
    let outputs = evaluator.run(inputs, &|_, _| {}).expect("the inputs are the plan's");
    Outputs {
        clear: in_the_clear(Noise::None),
        simulated: in_the_clear(Noise::Predicted(u64::from(seed))),
        encrypted: decrypt(&client, &secret, &outputs).expect("the results decrypt"),
    }
}
