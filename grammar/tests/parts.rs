//! The two parts of a plan: each has what its owner needs and nothing of the other's, and both name the plan that they are of.

mod messages;

use bytes::Bytes;
use hecc_grammar::envelope::{FileError, Kind, open_any, seal};
use hecc_grammar::plan::{self, ClientPart, KeyUse, Plan, VerifiedClientPart, VerifiedPlan};
use hecc_grammar::security::Security;

const SMALL: &str = include_str!("text/small.plan");

fn verified(text: &str) -> VerifiedPlan {
    VerifiedPlan::new(text.parse::<Plan>().expect("a plan")).expect("it keeps its promises")
}

/// All bytes of a file but those that name the plan.
fn content(file: Vec<u8>, len_of_hash: usize) -> Vec<u8> {
    let payload = open_any(file.into()).expect("it was sealed").payload;
    let len = u64::from_le_bytes(*payload.first_chunk().expect("a length")) as usize + 8;
    [&payload[..len], &payload[len + len_of_hash..]].concat()
}

#[test]
fn a_client_part_does_not_depend_on_weights() {
    let (plan, other) = (verified(SMALL), verified(&SMALL.replace("[0.5,-1,0.1]", "[0.25,3,0.7]")));
    let [a, b] = [&plan, &other].map(|plan| plan::client_to_bytes(plan).unwrap());
    assert_ne!(a, b);
    let (a, b) = (content(a, 32), content(b, 32));
    // Bounds on errors follow from weights; nothing else does.
    let bounds = |plan: &VerifiedPlan| plan.client_part().bounds.len() * 8;
    assert_eq!(a[..a.len() - bounds(&plan)], b[..b.len() - bounds(&other)]);
    let has = |bytes: &[u8], x: f32| bytes.windows(4).any(|window| window == x.to_le_bytes());
    for x in [-1.0, 0.1] {
        assert!(has(&plan::server_to_bytes(&plan), x) && !has(&a, x), "{x}");
    }
}

#[test]
fn a_server_part_does_not_depend_on_what_the_client_knows() {
    let plan = verified(SMALL);
    let changed = SMALL.replace("\"x\"", "\"age\"").replace("range=[-1,1]", "range=[-7,9]");
    let changed =
        changed.replace("mean=[0.5]", "mean=[0.75]").replace("center=[0,0,1", "center=[2,0,1");
    let changed = changed
        .replace("| softmax axis=1", "| classes \"well\" \"ill\" \"so\" \"dead\" | softmax axis=1");
    let other = verified(&changed.replace("factor=0.5 kind", "factor=0.25 kind"));
    let [a, b] =
        [&plan, &other].map(|plan| open_any(plan::server_to_bytes(plan).into()).unwrap().payload);
    assert_ne!(a[..32], b[..32], "each names its plan");
    assert_eq!(a[32..], b[32..]);
    let has = |word: &[u8]| b.windows(word.len()).any(|window| window == word);
    assert!(!has(b"age") && !has(b"ill") && !has(&0.75f64.to_le_bytes()) && !has(b"conv1"));
}

#[test]
fn parts_that_were_changed_name_another_plan() {
    let plan = verified(SMALL);
    let file = plan::client_to_bytes(&plan).unwrap();
    let envelope = open_any(Bytes::from(file)).unwrap();
    let at = envelope.payload.windows(8).position(|window| window == (-1f64).to_le_bytes());
    let mut payload = envelope.payload.to_vec();
    payload[at.expect("the range starts there") + 7] ^= 0x80;
    let file = seal(Kind::ClientPart, envelope.origin, &payload);
    let error = plan::client_from_bytes_even_insecure(file.into()).unwrap_err();
    assert!(error.to_string().contains("fingerprint"), "{error}");
}

#[test]
fn insecure_parts_are_refused() {
    let plan = verified(SMALL);
    let client = plan::client_from_bytes(plan::client_to_bytes(&plan).unwrap().into()).unwrap_err();
    let server = plan::server_from_bytes(plan::server_to_bytes(&plan).into()).unwrap_err();
    for error in [client, server] {
        assert!(matches!(error, FileError::Content { .. }));
        assert!(error.to_string().contains("security of 0 bits, expected 128"), "{error}");
    }
}

/// Makes a client part say something else.
type Change<'a> = &'a dyn Fn(&mut ClientPart);

/// What a client part says, changed in one place each time.
#[test]
fn broken_promises_of_client_parts_are_named() {
    let plan = verified(SMALL);
    let refusal = |change: Change<'_>| {
        let mut part = (*plan.client_part()).clone();
        change(&mut part);
        VerifiedClientPart::new(part).map(drop).unwrap_err().to_string()
    };
    let mut unheard = messages::of_source("plan/verify/client_part.rs");
    let cases: [(&str, Change<'_>); 15] = [
        ("keys: not in ascending order", &|part| part.interface.keys.reverse()),
        ("no plan with these parameters", &|part| part.interface.keys[0].n_special = 2),
        ("no plan with these parameters", &|part| part.interface.keys[0].limbs.0 = 0b1001),
        ("no plan with these parameters", &|part| {
            part.interface.keys[1].key = plan::Key::Rotate(1 << 20);
        }),
        ("a ciphertext that no plan has", &|part| part.interface.results[0].scale = 400.0),
        ("a ciphertext that no plan has", &|part| part.interface.results[0].scale = f64::NAN),
        ("a ciphertext that no plan has", &|part| part.interface.results[0].limbs.0 = 0),
        ("a ciphertext that no plan has", &|part| part.interface.results[0].limbs.0 = 1 << 56),
        ("a ciphertext that no plan has", &|part| {
            part.interface.results[0].correction_factors.push(1)
        }),
        ("not as many as its inputs", &|part| part.interface.n_inputs = 2),
        ("not as many as its inputs", &|part| part.bounds.push(1.0)),
        ("a bound on errors that is none", &|part| part.bounds[0] = 0.0),
        ("a bound on errors that is none", &|part| part.bounds[0] = f64::INFINITY),
        ("a batch of 3, expected a power of two", &|part| part.interface.batch = 3),
        ("factor is not finite", &|part| part.outputs[0].factor = f64::NAN),
    ];
    for (expected, change) in cases {
        let refusal = refusal(change);
        assert!(refusal.contains(expected), "{refusal}, expected {expected}");
        unheard.retain(|message| !messages::says(&refusal, message));
    }
    assert!(unheard.is_empty(), "no case for {unheard:?}");
}

/// What a client would publish is held to what its ring carries, under either secret, whatever the part promises.
#[test]
fn client_parts_beyond_their_security_are_refused() {
    let mut part = (*verified(SMALL).client_part()).clone();
    part.interface.params.security = Security::Bits128;
    let refusal =
        |part: &ClientPart| VerifiedClientPart::new(part.clone()).unwrap_err().to_string();
    assert!(refusal(&part).contains("carries at most 106 bits at 128-bit security"));
    part.interface.params.q.truncate(1);
    part.interface.params.input_level = 0;
    let (key, limbs) = (plan::Key::Encapsulate, plan::LimbSet::first(1));
    part.interface.keys = vec![KeyUse { key, limbs, n_special: 1 }];
    assert!(refusal(&part).contains("the key to the sparse secret has a modulus of 80.0 bits"));
}
