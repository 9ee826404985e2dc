//! Times of the instructions of a plan: `cargo bench -p hecc-runtime --bench primitives [-- THREADS]`.
//!
//! N = 2^14, six limbs of 45 bits, two special primes of 49 bits, as compiled networks have them. For each instruction
//! the fastest of several runs, averaged over the instructions of its kind.

#![expect(clippy::print_stdout, reason = "a benchmark shows its results")]

use std::collections::BTreeMap;
use std::time::Duration;

use hecc_grammar::plan::{
    Constant, ConstantId, Dim, Input, Key, Op, Output, OutputKind, Params, Plaintexts, Plan,
    Profile, Ranges, Run, Runs, Value, VerifiedPlan, View, is_prime,
};
use hecc_grammar::security::Security;
use hecc_runtime::client::{EncryptionKey, RangePolicy, SecretKey, encrypt, evaluation_keys};
use hecc_runtime::eval::{Evaluator, Options};
use hecc_runtime::ring::{Ring, SecretRng};

const LOG_N: u32 = 14;
const REPEATS: u32 = 8;
const TERMS: u32 = 16;
const RUNS: usize = 20;

fn main() {
    let threads = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1);
    let (plan, names) = plan();
    let secret = SecretKey::from_seed([1; 32]);
    let mut rng = SecretRng::from_seed(&[2; 32]);
    let client = plan.client_part();
    let keys = evaluation_keys(&client.interface, &secret, &mut rng, &|_, _| {});
    let numbers = vec![vec![0.5; plan.params.n_slots()]; 2];
    let key = EncryptionKey::Secret(&secret);
    let fresh = encrypt(&client, key, &mut rng, &numbers, RangePolicy::Refuse);
    let ring = Ring::new(&plan.params);
    let inputs: Vec<_> =
        fresh.expect("0.5 is in range").into_iter().map(|fresh| fresh.expand(&ring)).collect();
    println!("N = 2^{LOG_N}, 6 limbs, 2 special primes, {threads} threads");
    for (cached, cache_bytes) in [("plaintexts cached", usize::MAX), ("encoded just in time", 0)] {
        let evaluator = Evaluator::new(&plan, &keys, Options { threads, cache_bytes })
            .expect("the keys are the plan's");
        let mut fastest = vec![Duration::MAX; plan.ops.len()];
        for _ in 0..RUNS {
            let before = evaluator.times();
            evaluator.run(inputs.clone(), &|_, _| {}).expect("the inputs are the plan's");
            for ((best, after), before) in fastest.iter_mut().zip(evaluator.times()).zip(before) {
                *best = (*best).min(after - before);
            }
        }
        let mut by_name = BTreeMap::<&str, Vec<Duration>>::new();
        for (name, time) in names.iter().zip(fastest) {
            by_name.entry(name).or_default().push(time);
        }
        println!("\n{cached}");
        for (name, times) in by_name {
            let mean = times.iter().sum::<Duration>().as_secs_f64() / times.len() as f64;
            println!("{name:<24} {:>9.1} us", 1e6 * mean);
        }
    }
}

/// A plan with several instructions of every kind, and a name for each.
fn plan() -> (VerifiedPlan, Vec<&'static str>) {
    let step = 2u64 << LOG_N;
    let primes = |bits: u32, count: usize| -> Vec<u64> {
        let candidates = (1..).map(|k| (1 << bits) + 1 - k * step);
        candidates.filter(|&q| is_prime(q)).take(count).collect()
    };
    let params = Params {
        plaintexts: Plaintexts::Ckks { top_scale: 40.0 },
        log_n: LOG_N,
        q: primes(45, 6),
        p: primes(49, 2),
        input_level: 5,
        security: Security::Bits128,
    };
    let n_slots = params.n_slots() as u32;
    let all = Runs(vec![Run {
        slot: 0,
        element: 0,
        dims: vec![Dim { count: n_slots, slot_stride: 1, element_stride: 1 }],
    }]);
    let mut plan = Plan::new(params, "every instruction");
    for name in ["x", "y"] {
        plan.inputs.push(Input {
            name: name.to_owned(),
            shape: vec![n_slots as usize],
            ranges: Ranges::all(-1.0, 1.0),
            seen: Profile::default(),
            factor: 1.0,
            quantizer: None,
            slots: vec![all.clone()],
            normalization: None,
        });
    }
    plan.tables.push((0..n_slots).map(|i| (i as f32 * 0.37).sin()).collect());
    // Distinct constants: each is encoded and cached by itself.
    let table = |plan: &mut Plan| {
        let view = View::Table { table: 0, factor: 1.0, runs: all.clone() };
        plan.constants.push(Constant { view, scale: 40.0 });
        ConstantId(plan.constants.len() as u32 - 1)
    };
    let mut names = vec![];
    let mut op = |plan: &mut Plan, name: &'static str, op: Op| {
        names.push(name);
        plan.push(op, 0).expect("the plan is well typed")
    };
    let x = op(&mut plan, "input", Op::Input(0));
    let y = op(&mut plan, "input", Op::Input(1));
    let (mut rotated, mut undivided) = (vec![], vec![]);
    for i in 0..REPEATS {
        op(&mut plan, "add", Op::Add(x, y));
        let product = op(&mut plan, "mul", Op::Mul(x, y));
        let digits = op(&mut plan, "decompose", Op::Decompose(product));
        let switched = op(&mut plan, "apply_key", Op::ApplyKey(digits, Key::Relinearize));
        let product = op(&mut plan, "mod_down", Op::ModDown(switched));
        op(&mut plan, "rescale", Op::Rescale(product));
        op(&mut plan, "neg", Op::Neg(product));
        let digits = op(&mut plan, "decompose", Op::Decompose(x));
        let switched = op(&mut plan, "apply_key", Op::ApplyKey(digits, Key::Rotate(i + 1)));
        rotated.push(op(&mut plan, "mod_down", Op::ModDown(switched)));
        undivided.push(switched);
        op(&mut plan, "mod_up", Op::ModUp(x));
        let c = table(&mut plan);
        let scaled = op(&mut plan, "mul_plain", Op::MulPlain(x, c));
        let digits = op(&mut plan, "decompose", Op::Decompose(scaled));
        let switched = op(&mut plan, "apply_key", Op::ApplyKey(digits, Key::Rotate(i + 1)));
        op(&mut plan, "rescale, QP", Op::Rescale(switched));
        let c = table(&mut plan);
        op(&mut plan, "add_plain", Op::AddPlain(x, c));
    }
    let mut dot = |plan: &mut Plan, name, values: &[Value]| {
        let terms = (0..TERMS as usize).map(|i| (values[i % values.len()], table(plan))).collect();
        op(plan, name, Op::DotPlain(terms));
    };
    for _ in 0..2 {
        dot(&mut plan, "dot_plain, 16 terms, Q", &rotated);
        dot(&mut plan, "dot_plain, 16 terms, QP", &undivided);
    }
    // Values that nothing reads are computed all the same.
    let output = Output {
        name: "z".to_owned(),
        shape: vec![n_slots as usize],
        factor: 1.0,
        element_scales: vec![],
        limit: None,
        magnitude: None,
        seen: Profile::default(),
        slots: vec![(x, all.clone())],
        client: vec![],
        kind: OutputKind::Values,
    };
    plan.outputs.push(output);
    (VerifiedPlan::new(plan).expect("the plan keeps its promises"), names)
}
