//! Client parts that were changed by someone who also writes the right checksums: those that are accepted are used without a panic.

use hecc_grammar::envelope::{Fingerprint, Kind, Origin, open_any, seal};
use hecc_grammar::plan::{self, Form, Key, Op, Type, Value, VerifiedClientPart};
use hecc_runtime::client::{
    EncryptionKey, Flood, Precision, PublicKey, RangePolicy, SecretKey, decrypt, encrypt,
    evaluation_keys, place_inputs,
};
use hecc_runtime::ring::SecretRng;
use hecc_runtime::rlwe::{Ciphertext, Poly};

use crate::bfv::{T, bfv};
use crate::common::{Build, next, usual};

/// Larger keys and ciphertexts than this are refused by the command line for want of memory.
const MOST_CIPHERTEXTS: usize = 100;

/// A file with this payload and the fingerprint that it should have.
fn sealed(payload: &[u8]) -> Option<Vec<u8>> {
    let len = u64::from_le_bytes(*payload.first_chunk()?) as usize;
    let (client, rest) = payload.get(8..)?.split_at_checked(len)?;
    let hash = |bytes: &[u8]| *blake3::hash(bytes).as_bytes();
    let fingerprint = hash(&[&hash(client)[..], rest.get(..32)?].concat());
    Some(seal(Kind::ClientPart, Origin::of_plan(Fingerprint(fingerprint)), payload))
}

/// All that a client does.
fn use_part(part: &VerifiedClientPart) {
    let interface = &part.interface;
    let count = interface.keys.len() + interface.n_inputs + interface.results.len();
    let elements = part.inputs.iter().map(|input| input.shape.iter().product::<usize>());
    let elements: Vec<usize> = elements.collect();
    if count > MOST_CIPHERTEXTS
        || interface.params.log_n > 8
        || elements.iter().any(|&n| n > 1 << 16)
    {
        return;
    }
    let secret = SecretKey::from_seed([1; 32]);
    let mut rng = SecretRng::from_seed(&[2; 32]);
    evaluation_keys(interface, &secret, &mut rng, &|_, _| {});
    let public = PublicKey::of(&interface.params, &secret, &mut rng);
    let tensors: Vec<Vec<f64>> = elements.into_iter().map(|n| vec![0.5; n]).collect();
    for key in [EncryptionKey::Secret(&secret), EncryptionKey::Public(&public)] {
        // Numbers may be out of range, and lists empty.
        let _ = encrypt(part, key, &mut rng, &tensors, RangePolicy::Allow);
    }
    let n = interface.params.ring_degree();
    let zero = |result: &plan::ResultType| {
        let polys = vec![Poly::from_data(n, vec![0; n * result.limbs.len()]); 2];
        let (limbs, scale) = (result.limbs, result.scale);
        Ciphertext { polys, ty: Type { form: Form::Q, limbs, scale, degree: 1, ephemeral: false } }
    };
    let instances = 0..interface.params.n_instances();
    let ciphertexts = instances.flat_map(|_| interface.results.iter().map(zero));
    let ciphertexts: Vec<Ciphertext> = ciphertexts.collect();
    let mut results = decrypt(part, &secret, &ciphertexts).expect("zeros have no noise");
    let precision = Precision::of(part);
    let flood = Flood::new(&precision, 1, 10.0);
    for (i, tensor) in results.iter_mut().enumerate() {
        precision.round(i, tensor);
        flood.add(i, tensor, &mut rng);
    }
}

#[test]
fn what_is_accepted_is_used_without_a_panic() {
    let approximate = {
        let mut build = Build::new(usual(6, 3, 1), 2);
        let product = build.op(Op::Mul(Value(0), Value(1)));
        let product = build.switch(product, Key::Relinearize);
        let rotated = build.switch(product, Key::Rotate(3));
        build.finish(&[rotated, product])
    };
    let exact = {
        let mut build = Build::new(bfv(7, 3, 1, &T[..2]), 1);
        let rotated = build.switch(Value(0), Key::Rotate(1));
        build.finish(&[rotated])
    };
    let (mut state, mut accepted) = (5, 0);
    for plan in [approximate, exact] {
        let file = plan::client_to_bytes(&plan).expect("its noise is bounded");
        let payload = open_any(file.into()).expect("it was sealed").payload;
        for _ in 0..2000 {
            let mut changed = payload.to_vec();
            for _ in 0..1 + next(&mut state) % 2 {
                let at = next(&mut state) as usize % changed.len();
                changed[at] = match next(&mut state) % 3 {
                    0 => next(&mut state) as u8,
                    1 => changed[at] ^ 1 << (next(&mut state) % 8),
                    _ => 0xff,
                };
            }
            let Some(file) = sealed(&changed) else { continue };
            if let Ok(file) = plan::client_from_bytes_even_insecure(file.into()) {
                accepted += 1;
                use_part(&file.part);
            }
        }
    }
    assert!(accepted > 500, "{accepted}");
}

#[test]
fn numbers_that_no_encoding_holds_are_refused() {
    let client = Build::new(usual(6, 2, 1), 1).finish(&[Value(0)]).client_part();
    let mut tensor = vec![0.5; client.interface.params.n_slots()];
    for (x, is_taken) in [(1e100, true), (1e200, false), (f64::INFINITY, false), (f64::NAN, false)]
    {
        tensor[3] = x;
        let placed = place_inputs(&client, &[tensor.clone()], RangePolicy::Allow);
        assert_eq!(placed.is_ok(), is_taken, "{x}");
    }
}
