//! Random plans of both schemes, some of them for batches.

use hecc_grammar::plan::{
    Accuracy, Better, Dim, ErrorSize, Input, Layer, Magnitude, Normalization, Op, Output,
    OutputErrors, OutputKind, Params, Plaintexts, Plan, Profile, Ranges, Run, Runs, Scheme, Share,
    Validation, Value, VerifiedPlan, is_prime,
};
use hecc_grammar::security::Security;
use proptest::prelude::*;

use super::Choices;
use super::instructions::{instruction, push, switch};
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
    if of.below(3) == 1 {
        plan.batch = plan.params.n_slots();
    }
    for _ in 0..1 + of.below(2) {
        plan.inputs.push(input(of, &plan));
    }
    for _ in 0..1 + of.below(3) {
        let count = 1 + of.below(20);
        plan.tables.push(table(of, plan.params.scheme(), count));
    }
    let n_layers = of.below(4);
    for index in 0..plan.n_input_ciphertexts() as u32 {
        push(&mut plan, Op::Input(index), 0);
    }
    while of.more() {
        let origin = of.below(n_layers) as u32;
        if of.below(4) == 1 {
            switch(of, &mut plan, origin);
        } else if let Some(op) = instruction(of, &mut plan) {
            push(&mut plan, op, origin);
        }
    }
    bundle(of, &mut plan);
    plan.layers = (0..n_layers).map(|_| layer(of, &plan)).collect();
    plan.outputs = (0..of.below(3)).map(|_| output(of, &plan)).collect();
    plan.validation = of.coin().then(|| validation(of, plan.outputs.len()));
    plan
}

/// Has some neighbors computed in one pass that can be.
fn bundle(of: &mut Choices, plan: &mut Plan) {
    let mut first = Value(0);
    for i in 1..plan.ops.len() {
        let value = Value(i as u32);
        plan.joined[i] = plan.keeps_apart(first, value).is_none() && of.coin();
        if !plan.joined[i] {
            first = value;
        }
    }
}

fn table(of: &mut Choices, scheme: Scheme, count: usize) -> Vec<f32> {
    let single = |x: f64| Some(x as f32).filter(|x| x.is_finite()).unwrap_or(-0.1);
    match scheme {
        Scheme::Ckks => of.numbers(count).into_iter().map(single).collect(),
        Scheme::Bfv => (0..count).map(|_| of.integer() as f32).collect(),
    }
}

fn params(of: &mut Choices) -> Params {
    let log_n = 3 + of.below(6) as u32;
    let primes =
        |from: u64| (0..).map(move |k| from + 1 + (k << (log_n + 1))).filter(|&n| is_prime(n));
    let mut large = primes(1 << 49);
    // Special primes are the larger ones, so that each digit is small enough.
    let (n_q, n_p) = (1 + of.below(6), of.below(3));
    let mut q: Vec<u64> = large.by_ref().take(n_q).collect();
    q.reverse();
    let p = large.take(n_p).collect();
    let plaintexts = if of.coin() {
        Plaintexts::Bfv { t: primes(1 << 12).take(1 + of.below(2)).collect() }
    } else {
        Plaintexts::Ckks { top_scale: [40.0, 30.25, 21.000_000_000_000_057][of.below(3)] }
    };
    let (input_level, security) = (of.below(q.len()), Security::insecure_for_tests());
    Params { plaintexts, log_n, q, p, input_level, security }
}

/// A map of some slots to any elements.
pub(super) fn runs(of: &mut Choices, n_slots: usize, n_elements: usize) -> Runs {
    let stride = 1 + of.below(3) as u32;
    let slots = (0..n_slots as u32).step_by(stride as usize).take(of.below(20));
    let pairs: Vec<(u32, u32)> = slots.map(|slot| (slot, of.below(n_elements) as u32)).collect();
    Runs::from_pairs(&pairs)
}

/// A map of some slots to any elements; in batches of slot 0 to one of them.
fn places(of: &mut Choices, plan: &Plan, n_elements: usize) -> Runs {
    match plan.batch {
        1 => runs(of, plan.params.n_slots(), n_elements),
        _ => Runs::from_pairs(&[(0, of.below(n_elements) as u32)]),
    }
}

/// A map of the first slots to all elements, in one run.
fn identity(n_elements: usize) -> Runs {
    let dim = Dim { count: n_elements as u32, slot_stride: 1, element_stride: -1 };
    let dims = if n_elements > 1 { vec![dim] } else { vec![] };
    Runs(vec![Run { slot: 0, element: n_elements as u32 - 1, dims }])
}

fn input(of: &mut Choices, plan: &Plan) -> Input {
    let shape = vec![1, 1 + of.below(4)];
    let normalization =
        of.coin().then(|| Normalization { mean: vec![of.number()], std: vec![0.25] });
    let slots = (0..1 + of.below(2)).map(|_| places(of, plan, shape[1])).collect();
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
        slots: values.into_iter().map(|v| (v, places(of, plan, n_elements))).collect(),
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
    let slots = match plan.batch {
        1 => vec![(last, identity(shape[1]))],
        _ => (0..shape[1] as u32).map(|i| (last, Runs::from_pairs(&[(0, i)]))).collect(),
    };
    let limit = of.coin().then(|| of.number());
    let element_scales =
        if of.coin() { vec![] } else { (0..shape[1]).map(|_| of.number()).collect() };
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
    Output { name, shape, factor, element_scales, limit, magnitude, seen, slots, client, kind }
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
