//! Files of our own: plans, keys, ciphertexts, checkpoints, texts.

use std::borrow::Cow;
use std::sync::Mutex;

use bytes::Bytes;
use hecc_grammar::envelope::{
    Envelope, FileError, Fingerprint, KeyId, Kind, Origin, ReadError, open_any, seal,
};
use hecc_grammar::model;
use hecc_grammar::plan::{self, Interface, Key, Op, Plan, Value, VerifiedPlan};
use hecc_runtime::client::{
    PublicKey, read_public_key, read_secret_key, write_public_key, write_secret_key,
};
use hecc_runtime::eval::{Evaluator, Keeper, Options, Snapshot};
use hecc_runtime::file::{
    Checkpoint, Ciphertexts, RunSource, describe, read_checkpoint, read_evaluation_keys,
    read_inputs, read_outputs, write_checkpoint, write_evaluation_keys, write_inputs,
    write_outputs,
};
use hecc_runtime::ring::SecretRng;

use super::{Read, Reader, as_it_is};
use crate::common::{Build, Setup, run, setup, setup_public, usual};
use crate::resealed::sealed;

const PLAN: Fingerprint = Fingerprint([3; 32]);
/// That of a key of a seed alone.
const KEY: KeyId = KeyId([0; 16]);
const ORIGIN: Origin = Origin { plan: PLAN, key: KEY };

/// Memory for the ciphertexts that a server part says it takes, 262,144 at most.
const PLACES: usize = 8 << 20;

/// Texts of plans.
const PLANS: [&str; 3] = [
    include_str!("../../../grammar/tests/text/small.plan"),
    include_str!("../../../grammar/tests/text/integers.plan"),
    include_str!("../../../grammar/tests/text/instructions.plan"),
];

pub(super) fn all() -> Vec<Reader> {
    plans().into_iter().chain([texts(), networks()]).chain(of_plan()).collect()
}

fn sentence(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Plans, and the parts that client and server get.
fn plans() -> Vec<Reader> {
    let network = "model 1 \"tiny\"\nt0 = input : [1,4] \"x\"\nt1 = mul t0, t0 : [1,4] \"sq\"\noutput \"y\" t1\n";
    let source = model::parse(network, &mut |_| None).unwrap();
    let verified = PLANS.map(|text| text.parse::<Plan>().unwrap()).into_iter();
    let verified: Vec<VerifiedPlan> =
        verified.filter_map(|plan| VerifiedPlan::new(plan).ok()).collect();
    let payloads = |write: &dyn Fn(&VerifiedPlan) -> Option<Vec<u8>>| {
        let payload = |file| open_any(Bytes::from(file)).unwrap().payload.to_vec();
        verified.iter().filter_map(write).map(payload).collect()
    };
    // What only says that it is secure would be read by no command.
    let plan = |file: Bytes| {
        let _ = plan::from_bytes(file.clone()).map_err(sentence);
        plan::from_bytes_even_insecure(file).map(drop)
    };
    let client = |file: Bytes| {
        let _ = plan::client_from_bytes(file.clone()).map_err(sentence);
        plan::client_from_bytes_even_insecure(file).map(drop)
    };
    let server = |file: Bytes| {
        let _ = plan::server_from_bytes(file.clone()).map_err(sentence);
        plan::server_from_bytes_even_insecure(file).map(drop)
    };
    let reader = |name, seeds, file, read: fn(Bytes) -> Result<(), FileError>| {
        let read = move |file: &[u8]| read(Bytes::copy_from_slice(file)).map_err(sentence);
        Reader { name, seeds, file, read: Box::new(read), announced: 0 }
    };
    vec![
        reader(
            "plan",
            payloads(&|plan| Some(plan::to_bytes(plan, Some(&source)))),
            |content| sealed(Kind::Plan, content),
            plan,
        ),
        reader(
            "client-part",
            payloads(&|plan| plan::client_to_bytes(plan).ok()),
            |content| sealed(Kind::ClientPart, content),
            client,
        ),
        Reader {
            announced: PLACES,
            ..reader(
                "server-part",
                payloads(&|plan| Some(plan::server_to_bytes(plan))),
                |content| sealed(Kind::ServerPart, content),
                server,
            )
        },
    ]
}

fn texts() -> Reader {
    let read = |file: &[u8]| {
        let text = std::str::from_utf8(file).map_err(sentence)?;
        text.parse::<Plan>().map(drop).map_err(sentence)
    };
    Reader {
        name: "plan-text",
        seeds: PLANS.map(|text| text.as_bytes().to_vec()).to_vec(),
        file: as_it_is,
        read: Box::new(read),
        announced: 0,
    }
}

fn networks() -> Reader {
    let seeds = [
        include_str!("../../../grammar/tests/text/small.hecc"),
        include_str!("../../../grammar/tests/text/functions.hecc"),
        include_str!("../../../grammar/tests/text/operations.hecc"),
    ];
    let read = |file: &[u8]| {
        let text = std::str::from_utf8(file).map_err(sentence)?;
        let constant = |_: &str| Some(ndarray::ArrayD::zeros(vec![2, 2]));
        model::parse(text, &mut { constant }).map(drop).map_err(sentence)
    };
    let whole = |text: &&str| model::parse(text, &mut |_| None).is_ok();
    Reader {
        name: "network-text",
        seeds: seeds
            .iter()
            .filter(|text| whole(text))
            .map(|text| text.as_bytes().to_vec())
            .collect(),
        file: as_it_is,
        read: Box::new(read),
        announced: 0,
    }
}

/// A plan with all kinds of keys, its files, and a checkpoint in its middle.
fn of_plan() -> Vec<Reader> {
    let mut build = Build::new(usual(6, 4, 2), 2);
    let product = build.op(Op::Mul(Value(0), Value(1)));
    let product = build.switch(product, Key::Relinearize);
    let product = build.op(Op::Rescale(product));
    let rotated = build.switch(product, Key::Rotate(3));
    let conjugate = build.switch(Value(0), Key::Conjugate);
    let plan = build.finish(&[rotated, conjugate]);
    let setup = setup(&plan, 1);
    let mut keys = vec![];
    let interface = &plan.interface();
    write_evaluation_keys(interface, PLAN, &setup.keys, &mut keys).unwrap();
    let outputs = run(&plan, &setup, 1, 0);
    let inputs = Ciphertexts { key: KEY, n_examples: 1, sets: vec![setup.fresh.clone()] };
    let outputs = Ciphertexts { key: KEY, n_examples: 1, sets: vec![outputs] };
    let secret = write_secret_key(&plan.params, PLAN, &setup.secret).to_vec();
    let mut rng = SecretRng::from_seed(&[5; 32]);
    let public = PublicKey::of(&plan.params, &setup.secret, &mut rng);
    let under_it = setup_public(&plan, 1).fresh;
    let under_it = Ciphertexts { key: KEY, n_examples: 1, sets: vec![under_it] };
    let under_it = write_inputs(interface, PLAN, &under_it);
    let public = write_public_key(&plan.params, PLAN, &public);
    let checkpoints = checkpoints(&plan, &setup);
    let inputs = write_inputs(interface, PLAN, &inputs);
    let outputs = write_outputs(interface, PLAN, &outputs);
    let reader = |name, files: Vec<Vec<u8>>, file, read: ReadWithPlan| {
        let payload = |file| open_any(Bytes::from(file)).unwrap().payload.to_vec();
        let plan = plan.clone();
        let read: Read = Box::new(move |file: &[u8]| {
            let described =
                open_any(Bytes::copy_from_slice(file)).and_then(|file: Envelope| describe(&file));
            let _ = described.map_err(sentence);
            read(&plan, Bytes::copy_from_slice(file)).map_err(sentence)
        });
        Reader { name, seeds: files.into_iter().map(payload).collect(), file, read, announced: 0 }
    };
    vec![
        reader(
            "secret-key",
            vec![secret],
            |content| seal(Kind::SecretKey, ORIGIN, content),
            |plan, file| read_secret_key(&plan.params, PLAN, file).map(drop),
        ),
        reader(
            "public-key",
            vec![public],
            |content| seal(Kind::PublicKey, ORIGIN, content),
            |plan, file| read_public_key(&plan.params, PLAN, file).map(drop),
        ),
        reader(
            "evaluation-keys",
            vec![keys],
            |content| seal(Kind::EvaluationKeys, ORIGIN, content),
            |plan, file| read_keys(&plan.interface(), &file),
        ),
        reader(
            "input",
            vec![inputs, under_it],
            |content| seal(Kind::Input, ORIGIN, content),
            |plan, file| read_inputs(&plan.interface(), PLAN, file).map(drop),
        ),
        reader(
            "result",
            vec![outputs],
            |content| seal(Kind::Result, ORIGIN, content),
            |plan, file| read_outputs(&plan.interface(), ORIGIN, file).map(drop),
        ),
        reader(
            "checkpoint",
            checkpoints,
            |content| seal(Kind::Checkpoint, ORIGIN, content),
            |plan, file| read_checkpoint(plan, ORIGIN, 2, file).map(drop),
        ),
    ]
}

fn read_keys(interface: &Interface, file: &[u8]) -> Result<(), FileError> {
    match read_evaluation_keys(interface, ORIGIN, file, file.len() as u64) {
        Ok(_) => Ok(()),
        Err(ReadError::File(error)) => Err(error),
        Err(ReadError::Io(error)) => panic!("a slice is as long as it is: {error}"),
    }
}

type ReadWithPlan = fn(&VerifiedPlan, Bytes) -> Result<(), FileError>;

/// Keeps a snapshot after every instruction.
struct All(Mutex<Vec<Snapshot>>);

impl Keeper for All {
    fn is_due(&self) -> bool {
        true
    }

    fn keep(&self, snapshot: Snapshot) {
        self.0.lock().unwrap().push(snapshot);
    }
}

fn checkpoints(plan: &VerifiedPlan, setup: &Setup) -> Vec<Vec<u8>> {
    let options = Options { threads: 1, cache_bytes: 0 };
    let evaluator = Evaluator::new(plan, &setup.keys, options).unwrap();
    let all = All(Mutex::new(vec![]));
    let inputs = evaluator.expand(setup.fresh.clone());
    evaluator.run_from(Snapshot::default(), inputs, &|_, _| {}, Some(&all)).unwrap();
    let source = RunSource { input: Fingerprint([1; 32]), keys: Fingerprint([2; 32]) };
    let file = |snapshot| {
        let checkpoint = Checkpoint { source, finished: Cow::Borrowed(&[][..]), snapshot };
        let mut file = vec![];
        write_checkpoint(plan, ORIGIN, &checkpoint, &mut file).unwrap();
        file
    };
    all.0.into_inner().unwrap().into_iter().step_by(4).map(file).collect()
}
