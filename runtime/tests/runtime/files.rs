//! Files of keys and ciphertexts: they come back as they went, have the predicted size, and no damage gets through.

use std::sync::{Arc, Mutex};

use crate::checkpoints::All;
use crate::common::{Build, Setup, difference, next, run, run_slots, setup, usual};
use bytes::Bytes;
use hecc_grammar::cost;
use hecc_grammar::envelope::{
    FileError, Fingerprint, KeyId, Kind, Origin, ReadError, open, open_any, seal,
};
use hecc_grammar::plan::{Interface, Key, Op, Value, VerifiedPlan};
use hecc_runtime::client::{
    EncryptionKey, PublicKey, RangePolicy, SecretKey, encrypt, public_key_bytes, read_public_key,
    read_secret_key, secret_key_bytes, write_public_key, write_secret_key,
};
use hecc_runtime::eval::{Evaluator, Options, Snapshot};
use hecc_runtime::file::{
    Ciphertexts, Contents, describe, evaluation_keys_bytes, input_bytes, open_evaluation_keys,
    output_bytes, read_evaluation_keys, read_inputs, read_outputs, write_evaluation_keys,
    write_inputs, write_outputs,
};
use hecc_runtime::ring::SecretRng;
use hecc_runtime::rlwe::{EvaluationKeys, FreshCiphertext, KeyDigit, KeySwitchKey, ReadAt};

const PLAN: Fingerprint = Fingerprint([3; 32]);
/// Those of a key of a seed alone.
const KEY: KeyId = KeyId([0; 16]);
const ORIGIN: Origin = Origin { plan: PLAN, key: KEY };

fn sent<T>(sets: Vec<Vec<T>>) -> Ciphertexts<T> {
    Ciphertexts { key: KEY, n_examples: sets.len(), sets }
}

fn small_plan() -> (VerifiedPlan, Setup) {
    let mut build = Build::new(usual(6, 4, 2), 2);
    let product = build.op(Op::Mul(Value(0), Value(1)));
    let product = build.switch(product, Key::Relinearize);
    let product = build.op(Op::Rescale(product));
    let rotated = build.switch(product, Key::Rotate(3));
    let conjugate = build.switch(Value(0), Key::Conjugate);
    let plan = build.finish(&[rotated, conjugate]);
    let setup = setup(&plan, 1);
    (plan, setup)
}

/// A public key, and inputs under it.
fn public(
    plan: &VerifiedPlan,
    secret: &SecretKey,
    slots: &[Vec<f64>],
) -> (PublicKey, Vec<FreshCiphertext>) {
    let mut rng = SecretRng::from_seed(&[77; 32]);
    let key = PublicKey::of(&plan.params, secret, &mut rng);
    let under = EncryptionKey::Public(&key);
    let sent = encrypt(&plan.client_part(), under, &mut rng, slots, RangePolicy::Refuse);
    (key, sent.expect("the test's inputs are in range"))
}

/// Both ways to read keys: into memory, and to leave them where they are.
fn keys_from(interface: &Interface, file: Bytes) -> Result<[EvaluationKeys; 2], FileError> {
    let len = file.len() as u64;
    let held = read_evaluation_keys(interface, ORIGIN, &file[..], len);
    let stored = open_evaluation_keys(interface, ORIGIN, Box::new(file), len);
    match (held, stored) {
        (Ok((held, checksum)), Ok((stored, same))) if checksum == same => Ok([held, stored]),
        (Err(ReadError::File(error)), Err(ReadError::File(same))) => {
            assert_eq!(error.to_string(), same.to_string());
            Err(error)
        }
        (held, stored) => panic!("{:?} and {:?}", held.err(), stored.err()),
    }
}

/// A whole file and how it is read; `Err` carries the message.
struct Case {
    name: &'static str,
    file: Vec<u8>,
    read: Box<dyn Fn(Bytes) -> Result<(), FileError>>,
}

fn cases() -> Vec<Case> {
    let (plan, setup) = small_plan();
    let interface = plan.interface();
    let mut keys = vec![];
    write_evaluation_keys(&interface, PLAN, &setup.keys, &mut keys).expect("a Vec takes all bytes");
    let outputs = run(&plan, &setup, 1, 0);
    let inputs = write_inputs(&interface, PLAN, &sent(vec![setup.fresh.clone(), setup.fresh]));
    let outputs = write_outputs(&interface, PLAN, &sent(vec![outputs]));
    let secret = write_secret_key(&plan.params, PLAN, &setup.secret).to_vec();
    let (public, under_it) = public(&plan, &setup.secret, &setup.slots);
    let under_it = write_inputs(&interface, PLAN, &sent(vec![under_it]));
    let public = write_public_key(&plan.params, PLAN, &public);
    let [a, b, c, d, e, f] = std::array::from_fn(|_| interface.clone());
    vec![
        Case {
            name: "secret key",
            file: secret,
            read: Box::new(move |file| read_secret_key(&a.params, PLAN, file).map(drop)),
        },
        Case {
            name: "evaluation keys",
            file: keys,
            read: Box::new(move |file| keys_from(&b, file).map(drop)),
        },
        Case {
            name: "inputs",
            file: inputs,
            read: Box::new(move |file| read_inputs(&c, PLAN, file).map(drop)),
        },
        Case {
            name: "outputs",
            file: outputs,
            read: Box::new(move |file| read_outputs(&d, ORIGIN, file).map(drop)),
        },
        Case {
            name: "public key",
            file: public,
            read: Box::new(move |file| read_public_key(&e.params, PLAN, file).map(drop)),
        },
        Case {
            name: "inputs under the public key",
            file: under_it,
            read: Box::new(move |file| read_inputs(&f, PLAN, file).map(drop)),
        },
    ]
}

#[test]
fn files_round_trip_and_have_the_predicted_size() {
    let (plan, setup) = small_plan();
    let interface = plan.interface();
    let expected = run(&plan, &setup, 1, 0);

    let mut file = vec![];
    write_evaluation_keys(&interface, PLAN, &setup.keys, &mut file).unwrap();
    assert_eq!(file.len() as u64, evaluation_keys_bytes(&interface));
    let described = describe(&open_any(file.clone().into()).unwrap()).unwrap();
    let Contents::EvaluationKeys { params, sections } = described else {
        panic!("{described:?}");
    };
    assert_eq!(params, plan.params);
    assert_eq!(sections.len(), plan.keys().len());
    assert!(sections.windows(2).all(|pair| pair[0].offset + pair[0].bytes == pair[1].offset));
    assert!(cost::stored_key_bytes(&plan) < file.len() as u64);
    assert!(file.len() as u64 - cost::stored_key_bytes(&plan) < 4096, "the rest is a table");
    let [held, stored] = keys_from(&interface, file.into()).unwrap();
    let is_held = |key: &KeySwitchKey| {
        key.digits.values().all(|digit| matches!(digit, KeyDigit::Held { .. }))
    };
    assert!(held.keys.values().all(is_held) && !stored.keys.values().any(is_held));

    let inputs_sent = sent(vec![setup.fresh.clone(), setup.fresh.clone()]);
    let file = write_inputs(&interface, PLAN, &inputs_sent);
    assert_eq!(file.len() as u64, input_bytes(&interface, 2, true));
    let described = describe(&open_any(file.clone().into()).unwrap()).unwrap();
    let Contents::Ciphertexts { n_examples, ciphertexts, .. } = described else {
        panic!("{described:?}");
    };
    assert_eq!((n_examples, ciphertexts.len()), (2, 2));
    let inputs = read_inputs(&interface, PLAN, file.into()).unwrap();
    assert_eq!(inputs, inputs_sent);

    let file = write_secret_key(&plan.params, PLAN, &setup.secret);
    assert_eq!(file.len() as u64, secret_key_bytes(&plan.params));
    let secret = read_secret_key(&plan.params, PLAN, file.to_vec().into()).unwrap();
    assert_eq!((secret.id(), secret.seed()), (KEY, setup.secret.seed()));

    // Keys and inputs that went through files give the same bits.
    let fresh = inputs.sets.into_iter().next_back().unwrap();
    let setup = Setup { secret, keys: held, slots: vec![], fresh };
    let outputs = run(&plan, &setup, 2, 0);
    assert_eq!(outputs, expected);
    assert_eq!(run(&plan, &Setup { keys: stored, ..setup }, 2, 0), expected);
    let results = sent(vec![outputs]);
    let file = write_outputs(&interface, PLAN, &results);
    assert_eq!(file.len() as u64, output_bytes(&interface, 1));
    assert_eq!(read_outputs(&interface, ORIGIN, file.into()).unwrap(), results);
}

#[test]
fn what_is_encrypted_under_a_public_key_is_for_its_owner() {
    let (plan, setup) = small_plan();
    let interface = plan.interface();
    let (key, fresh) = public(&plan, &setup.secret, &setup.slots);
    let file = write_public_key(&plan.params, PLAN, &key);
    assert_eq!(file.len() as u64, public_key_bytes(&plan.params));
    let described = describe(&open_any(file.clone().into()).unwrap()).unwrap();
    assert_eq!(described, Contents::PublicKey { params: plan.params.clone() });
    let read = read_public_key(&plan.params, PLAN, file.clone().into()).unwrap();
    assert_eq!(write_public_key(&plan.params, PLAN, &read), file);
    assert_eq!(read.id(), KEY);

    let inputs = sent(vec![fresh.clone()]);
    let file = write_inputs(&interface, PLAN, &inputs);
    assert_eq!(file.len() as u64, input_bytes(&interface, 1, false));
    assert_eq!(read_inputs(&interface, PLAN, file.into()).unwrap(), inputs);
    let expected = run_slots(&plan, &setup);
    let found = run_slots(&plan, &Setup { fresh, ..setup });
    for (expected, found) in expected.iter().zip(&found) {
        assert!(difference(expected, found).0 < 1e-6);
    }
}

#[test]
fn files_of_another_plan_or_kind_are_refused() {
    let cases = cases();
    for case in &cases {
        let (kind, payload) = content(&case.file);
        let other = seal(kind, Origin { plan: Fingerprint([4; 32]), key: KEY }, &payload);
        assert!(matches!((case.read)(other.into()), Err(FileError::OtherPlan { .. })));
        let other = seal(kind, Origin { plan: PLAN, key: KeyId([4; 16]) }, &payload);
        match ((case.read)(other.into()), kind) {
            // These say which key it is.
            (Ok(()), Kind::SecretKey | Kind::PublicKey | Kind::Input) => {}
            (Err(FileError::OtherKey { .. }), Kind::EvaluationKeys | Kind::Result) => {}
            (result, _) => panic!("{}: {result:?}", case.name),
        }
        for wrong in cases.iter().filter(|wrong| content(&wrong.file).0 != kind) {
            assert!((case.read)(wrong.file.clone().into()).is_err(), "{}", case.name);
        }
    }
}

#[test]
fn damaged_files_are_refused() {
    let mut state = 1;
    for case in cases() {
        let len = case.file.len();
        for _ in 0..1500 {
            let mut file = case.file.clone();
            let bit = next(&mut state) as usize % (8 * len);
            file[bit / 8] ^= 1 << (bit % 8);
            assert!((case.read)(file.into()).is_err(), "{}: bit {bit} flipped", case.name);
        }
        for _ in 0..200 {
            let end = next(&mut state) as usize % len;
            let file = Bytes::copy_from_slice(&case.file[..end]);
            assert!((case.read)(file).is_err(), "{}: cut at {end}", case.name);
        }
    }
}

/// Payloads changed by someone who also writes the right checksum: never a panic, and an error wherever something
/// other than a residue or a seed is touched.
#[test]
fn hostile_payloads_are_refused() {
    let mut state = 2;
    for case in cases() {
        let (kind, payload) = content(&case.file);
        let sealed = |payload: &[u8]| (case.read)(seal(kind, ORIGIN, payload).into());
        // Everything before the first seed, key table or ciphertext table included.
        let head = match kind {
            Kind::SecretKey => payload.len() - 32,
            Kind::EvaluationKeys | Kind::Input | Kind::Result | Kind::PublicKey => 24 + 6 * 8,
            Kind::Plan | Kind::ClientPart | Kind::ServerPart | Kind::Checkpoint => {
                unreachable!("no case is one of these")
            }
        };
        for at in 0..head {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = payload.clone();
                if changed[at] != value {
                    changed[at] = value;
                    assert!(sealed(&changed).is_err(), "{}: byte {at} is {value}", case.name);
                }
            }
        }
        for _ in 0..2000 {
            let mut changed = payload.clone();
            // Mostly the head and the tables.
            let limit = if next(&mut state).is_multiple_of(4) { payload.len() } else { 200 };
            for _ in 0..1 + next(&mut state) % 3 {
                let at = next(&mut state) as usize % limit.min(payload.len());
                changed[at] = next(&mut state) as u8;
            }
            let _: Result<(), FileError> = sealed(&changed);
            let end = next(&mut state) as usize % payload.len();
            assert!(sealed(&payload[..end]).is_err(), "{}: cut at {end}", case.name);
        }
        let longer = [&payload[..], &[0]].concat();
        assert!(sealed(&longer).is_err(), "{}: one byte longer", case.name);
    }
}

#[test]
fn residues_that_are_not_reduced_are_refused() {
    for case in cases().into_iter().skip(1) {
        let (kind, mut payload) = content(&case.file);
        // The last bytes of every payload are residues.
        let end = payload.len();
        payload[end - 16..].fill(0xff);
        let error = (case.read)(seal(kind, ORIGIN, &payload).into()).expect_err("not reduced");
        assert!(error.to_string().contains("residue"), "{error}");
    }
}

#[test]
fn sets_are_counted_before_anything_is_allocated() {
    let (plan, setup) = small_plan();
    let interface = plan.interface();
    let file = write_inputs(&interface, PLAN, &sent(vec![setup.fresh]));
    let (kind, payload) = content(&file);
    let at = 36 + 6 * 8;
    for n_sets in [0u32, 2, 3, 1 << 20, u32::MAX] {
        let mut changed = payload.clone();
        changed[at..at + 4].copy_from_slice(&n_sets.to_le_bytes());
        let error = read_inputs(&interface, PLAN, seal(kind, ORIGIN, &changed).into()).unwrap_err();
        assert!(error.to_string().contains(&format!("{n_sets} examples")), "{error}");
    }
}

fn content(file: &[u8]) -> (Kind, Vec<u8>) {
    let kind = hecc_grammar::envelope::kind_of(file).expect("the file is whole");
    let envelope = open(Bytes::copy_from_slice(file), kind).expect("the file is whole");
    (kind, envelope.payload.to_vec())
}

/// A file that somebody writes to, or takes away.
#[derive(Clone)]
struct Unsteady(Arc<Mutex<Option<Vec<u8>>>>);

impl ReadAt for Unsteady {
    fn read_at(&self, out: &mut [u8], offset: u64) -> std::io::Result<()> {
        let bytes = self.0.lock().expect("no panic under this lock");
        let bytes = bytes.as_ref().ok_or_else(|| std::io::Error::other("it is gone"))?;
        Bytes::from(bytes.clone()).read_at(out, offset)
    }
}

#[test]
fn keys_that_are_not_what_they_were_give_no_result() {
    let (plan, setup) = small_plan();
    let interface = plan.interface();
    let mut file = vec![];
    write_evaluation_keys(&interface, PLAN, &setup.keys, &mut file).unwrap();
    let len = file.len() as u64;
    let options = Options { threads: 2, cache_bytes: 0 };
    for (changed, expected) in
        [(None, "it is gone"), (Some(vec![0xff; file.len()]), "it has changed")]
    {
        let unsteady = Unsteady(Arc::new(Mutex::new(Some(file.clone()))));
        let (keys, _) =
            open_evaluation_keys(&interface, ORIGIN, Box::new(unsteady.clone()), len).unwrap();
        let evaluator = Evaluator::new(&plan, &keys, options).unwrap();
        *unsteady.0.lock().unwrap() = changed;
        let keeper = All::default();
        let inputs = evaluator.expand(setup.fresh.clone());
        let start = Snapshot::default();
        let error = evaluator.run_from(start, inputs, &|_, _| {}, Some(&keeper)).unwrap_err();
        let message = format!("the file of evaluation keys cannot be read any more: {expected}");
        assert_eq!(error.to_string(), message);
        let kept = keeper.0.into_inner().unwrap();
        let first_key = plan.ops.iter().position(|op| matches!(op, Op::ApplyKey(..))).unwrap();
        assert!(!kept.is_empty() && kept.iter().all(|snapshot| !snapshot.done[first_key]));
    }
}
