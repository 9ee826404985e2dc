//! Random plans: instructions are appended while they are well typed and their scale fits.

use hecc_grammar::plan::{
    Accuracy, Better, Constant, ConstantId, Dim, EmbeddingDiagonal, ErrorSize, Input, Key, Layer,
    LimbSet, Magnitude, Normalization, Op, Output, OutputErrors, OutputKind, Params, Plan, Profile,
    Ranges, Run, Runs, Scheme, Share, Type, Validation, Value, VerifiedPlan, View, is_prime,
};
use hecc_grammar::security::Security;
use proptest::prelude::*;

use super::Choices;
use super::model::{client, quantizer};

/// Plans that verify.
pub(crate) fn plans() -> impl Strategy<Value = VerifiedPlan> {
    Choices::strategy(600).prop_map(|mut choices| {
        let plan = plan(&mut choices);
        VerifiedPlan::new(plan).expect("the generator keeps all promises")
    })
}

fn plan(of: &mut Choices) -> Plan {
    let mut plan = Plan::new(params(of), &of.name());
    for _ in 0..1 + of.below(2) {
        plan.inputs.push(input(of, plan.params.n_slots()));
    }
    for _ in 0..1 + of.below(3) {
        let count = 1 + of.below(20);
        plan.tables.push(of.numbers(count).into_iter().map(single).collect());
    }
    let n_layers = of.below(4);
    for index in 0..plan.n_input_ciphertexts() as u32 {
        push(&mut plan, Op::Input(index), 0);
    }
    while of.more() {
        let origin = of.below(n_layers) as u32;
        if let Some(op) = instruction(of, &mut plan) {
            push(&mut plan, op, origin);
        }
    }
    plan.layers = (0..n_layers).map(|_| layer(of, &plan)).collect();
    plan.outputs = (0..of.below(3)).map(|_| output(of, &plan)).collect();
    plan.validation = of.coin().then(|| validation(of, plan.outputs.len()));
    plan
}

fn single(x: f64) -> f32 {
    Some(x as f32).filter(|x| x.is_finite()).unwrap_or(-0.1)
}

fn params(of: &mut Choices) -> Params {
    let log_n = 3 + of.below(6) as u32;
    let mut primes = (0..).map(|k| (1u64 << 49) + 1 + (k << (log_n + 1))).filter(|&n| is_prime(n));
    // Special primes are the larger ones, so that each digit is small enough.
    let (n_q, n_p) = (1 + of.below(6), of.below(3));
    let mut q: Vec<u64> = primes.by_ref().take(n_q).collect();
    q.reverse();
    let p = primes.take(n_p).collect();
    let top_scale = [40.0, 30.25, 21.000_000_000_000_057][of.below(3)];
    let (input_level, security) = (of.below(q.len()), Security::insecure_for_tests());
    Params { scheme: Scheme::Ckks, log_n, q, t: vec![], p, input_level, top_scale, security }
}

/// Appends an instruction if it is well typed and its scale fits its modulus.
fn push(plan: &mut Plan, op: Op, origin: u32) {
    if let Ok(ty) = op.infer(plan) {
        let log_q: f64 = ty.limbs.iter().map(|limb| plan.params.log_q(limb)).sum();
        if ty.scale + 1.0 <= log_q {
            plan.push(op, origin).expect("it was typed above");
        }
    }
}

fn instruction(of: &mut Choices, plan: &mut Plan) -> Option<Op> {
    let values: Vec<Value> = plan.values().map(|(value, _)| value).collect();
    let a = of.pick(&values)?;
    let alike: Vec<Value> =
        values.iter().copied().filter(|&value| plan.ty(value) == plan.ty(a)).collect();
    let b = of.pick(&alike)?;
    let steps = 1 + of.below(plan.params.n_slots() - 1) as u32;
    let limbs = LimbSet(of.below(256) as u64);
    let Type { scale, .. } = plan.ty(a);
    Some(match of.below(15) {
        0 => Op::Add(a, b),
        1 => Op::Sub(a, b),
        2 => Op::Neg(a),
        3 => Op::AddPlain(a, constant(of, plan, scale)),
        4 => Op::MulPlain(a, constant(of, plan, 10.5)),
        5 => {
            let count = 1 + of.below(4);
            let mut term = || Some((of.pick(&alike)?, constant(of, plan, 9.125)));
            Op::DotPlain((0..count).map(|_| term()).collect::<Option<_>>()?)
        }
        6 => Op::Mul(a, b),
        7 => Op::Rescale(a),
        8 => Op::Drop(a, limbs),
        9 => Op::Decompose(a),
        10 => {
            let key = [
                Key::Relinearize,
                Key::Rotate(steps),
                Key::Conjugate,
                Key::Encapsulate,
                Key::Decapsulate,
            ][of.below(5)];
            Op::ApplyKey(a, key)
        }
        11 => Op::ModUp(a),
        12 => Op::ModDown(a),
        13 => Op::ModRaise(a, plan.params.all_limbs()),
        _ => Op::Drop(a, plan.ty(a).limbs.without_last()),
    })
}

fn constant(of: &mut Choices, plan: &mut Plan, scale: f64) -> ConstantId {
    let view = if of.coin() {
        View::Splat(of.number())
    } else if of.coin() {
        View::Imaginary(of.number())
    } else if of.coin() {
        View::Embedding(diagonal(of, plan.params.log_n))
    } else {
        let table = of.below(plan.tables.len());
        let runs = runs(of, plan.params.n_slots(), plan.tables[table].len());
        View::Table { table: table as u32, factor: of.number(), runs }
    };
    plan.constants.push(Constant { view, scale });
    ConstantId(plan.constants.len() as u32 - 1)
}

fn diagonal(of: &mut Choices, log_n: u32) -> EmbeddingDiagonal {
    let log_slots = 1 + of.below(log_n as usize - 1) as u32;
    let low = of.below(log_slots as usize) as u32;
    let bits = (low, low + 1 + of.below((log_slots - low) as usize) as u32);
    let (rotation, shift) = (of.below(1 << log_slots) as u32, of.below(1 << log_slots) as u32);
    EmbeddingDiagonal { log_slots, inverse: of.coin(), bits, rotation, shift, factor: of.number() }
}

/// A map of some slots to any elements.
fn runs(of: &mut Choices, n_slots: usize, n_elements: usize) -> Runs {
    let stride = 1 + of.below(3) as u32;
    let slots = (0..n_slots as u32).step_by(stride as usize).take(of.below(20));
    let pairs: Vec<(u32, u32)> = slots.map(|slot| (slot, of.below(n_elements) as u32)).collect();
    Runs::from_pairs(&pairs)
}

/// A map of the first slots to all elements, in one run.
fn identity(n_elements: usize) -> Runs {
    let dim = Dim { count: n_elements as u32, slot_step: 1, element_step: -1 };
    let dims = if n_elements > 1 { vec![dim] } else { vec![] };
    Runs(vec![Run { slot: 0, element: n_elements as u32 - 1, dims }])
}

fn input(of: &mut Choices, n_slots: usize) -> Input {
    let shape = vec![1, 1 + of.below(4)];
    let normalization =
        of.coin().then(|| Normalization { mean: vec![of.number()], std: vec![0.25] });
    let slots = (0..1 + of.below(2)).map(|_| runs(of, n_slots, shape[1])).collect();
    let n_ranges = if of.coin() { 1 } else { shape[1] };
    let ranges = Ranges((0..n_ranges).map(|_| (of.number(), of.number())).collect());
    let seen = profile(of, shape[1]);
    let quantizer = of.coin().then(|| quantizer(of));
    Input {
        name: of.name(),
        shape,
        ranges,
        seen,
        factor: of.number(),
        quantizer,
        slots,
        normalization,
    }
}

fn quantiles(of: &mut Choices) -> Vec<f64> {
    let count = [0, 2, 5][of.below(3)];
    let mut quantiles = of.numbers(count);
    quantiles.sort_by(f64::total_cmp);
    quantiles
}

fn layer(of: &mut Choices, plan: &Plan) -> Layer {
    let shape = vec![1, 2, 1 + of.below(3)];
    let n_elements = shape.iter().product();
    let values: Vec<Value> = plan.values().map(|(value, _)| value).collect();
    let slots = (0..of.below(3)).filter_map(|_| of.pick(&values));
    let values: Vec<Value> = slots.collect();
    Layer {
        name: of.name(),
        kind: of.name(),
        tensor: of.coin().then(|| of.below(256) as u32),
        shape,
        factor: of.number(),
        offset: of.number(),
        slots: values
            .into_iter()
            .map(|v| (v, runs(of, plan.params.n_slots(), n_elements)))
            .collect(),
        layout: of.name(),
        degree: of.below(30) as u32,
        quantiles: quantiles(of),
        range: (of.number(), of.number()),
    }
}

fn output(of: &mut Choices, plan: &Plan) -> Output {
    let shape = vec![1, 1 + of.below(4)];
    let last = Value(plan.n_input_ciphertexts() as u32 - 1);
    let client = client(of, &shape);
    let slots = vec![(last, identity(shape[1]))];
    let limit = of.coin().then(|| of.number());
    let steps = if of.coin() { vec![] } else { (0..shape[1]).map(|_| of.number()).collect() };
    let kinds = [
        OutputKind::Values,
        OutputKind::Classes { axis: 1 },
        OutputKind::Scores { axis: 0 },
        OutputKind::Threshold { at: of.number() },
    ];
    let kind = kinds[of.below(4)];
    let magnitude =
        of.coin().then(|| Magnitude { calibrated: of.number(), certified: of.number() });
    let seen = profile(of, shape[1]);
    let (name, factor) = (of.name(), of.number());
    Output { name, shape, factor, steps, limit, magnitude, seen, slots, client, kind }
}

fn validation(of: &mut Choices, n_outputs: usize) -> Validation {
    let share = |of: &mut Choices| Share { count: of.below(65) as u64, of: 64 };
    let agreement = of.coin().then(|| share(of));
    let right = Accuracy::Classes { original: share(of), compiled: share(of) };
    let values = Accuracy::Values { original: 0.5, compiled: of.number().min(1.0) };
    let accuracy = [None, Some(right), Some(values)][of.below(3)];
    let size = |of: &mut Choices| ErrorSize { largest: of.number().abs(), rms: 0.25 };
    let outputs = (0..n_outputs).map(|_| OutputErrors {
        least_spread: of.number().abs().max(1e-9),
        spread: 2.0,
        approximation: size(of),
        rounding: size(of),
        total: ErrorSize { largest: f64::INFINITY, rms: f64::INFINITY },
    });
    let outputs = outputs.collect();
    let better = of.coin().then(|| Better {
        degrees: vec![7; of.below(4)],
        time: of.number().abs(),
        agreement: of.coin().then_some(0.975),
        rms: 0.125,
    });
    Validation { n_inputs: of.below(200) as u64, agreement, accuracy, outputs, better }
}

fn profile(of: &mut Choices, n: usize) -> Profile {
    let ranges =
        if of.coin() { vec![] } else { (0..n).map(|_| (of.number(), of.number())).collect() };
    if of.coin() {
        return Profile { ranges, ..Profile::default() };
    }
    let mut numbers = |count: usize| (0..count).map(|_| of.number()).collect::<Vec<f64>>();
    let (center, whitening) = (numbers(n), numbers(n * (n + 1) / 2));
    Profile { ranges, center, whitening, farthest: of.number().abs() }
}
