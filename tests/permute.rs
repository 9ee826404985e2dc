//! Pruned networks: units are permuted and left out where that makes plans cheaper, and results are the same.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod evaluators;

use hecc_compiler::calibrate::Calibration;
use hecc_compiler::config::{Config, SchemeChoice};
use hecc_compiler::interpret;
use hecc_compiler::permute::Method;
use hecc_compiler::pipeline::{Compiled, compile};
use hecc_grammar::cost;
use hecc_grammar::model::{Model, Op as ModelOp, Output, Tensor};
use hecc_grammar::plan::{Op, to_bytes};
use ndarray::{ArrayD, IxDyn};

use evaluators::{Outputs, run_all};

/// Units of every layer.
const N: usize = 32;

/// Units of a block; weights are zero outside of blocks.
const BLOCK: usize = 4;

/// Three layers with squares between them; `weight(layer, o, i)` is one of them, `rounds` whether inputs are in two bits.
fn network(rounds: bool, weight: impl Fn(usize, usize, usize) -> f64) -> Model {
    let mut model = Model { name: "pruned".to_owned(), ..Model::default() };
    let mut x = model.push(ModelOp::Input, "x", vec![1, N]);
    if rounds {
        let text = "model 1 \"q\"\nt0 = input : [1,1] \"x\"\nt1 = fake_quant t0 scale=0.5 zero_point=0 q_min=0 q_max=3 \
                    rounding=half_even : [1,1] \"q\"\noutput \"y\" t1\n";
        let ModelOp::FakeQuant { quantizer, .. } = text.parse::<Model>().unwrap().nodes[1].op
        else {
            panic!("the text rounds");
        };
        x = model.push(ModelOp::FakeQuant { x, quantizer }, "q", vec![1, N]);
    }
    for layer in 0..3 {
        let numbers = (0..N * N).map(|k| weight(layer, k % N, k / N)).collect();
        let matrix = model.constant(ArrayD::from_shape_vec(IxDyn(&[N, N]), numbers).unwrap());
        let bias = (0..N).map(|o| if rounds { (o % 3) as f64 } else { 0.1 * (o % 3) as f64 });
        let bias = model.constant(ArrayD::from_shape_vec(IxDyn(&[N]), bias.collect()).unwrap());
        x = model.push(ModelOp::MatMul { x, weight: matrix }, &format!("fc{layer}"), vec![1, N]);
        x = model.push(ModelOp::AddConst(x, bias), &format!("fc{layer}"), vec![1, N]);
        if layer < 2 {
            x = model.push(ModelOp::Mul(x, x), &format!("square{layer}"), vec![1, N]);
        }
    }
    output(&mut model, x);
    model.verify().unwrap();
    model
}

fn output(model: &mut Model, tensor: Tensor) {
    model.outputs.push(Output { name: "y".to_owned(), tensor, client: vec![] });
}

/// The place of a unit between layers, which is as good as random.
fn shuffled(unit: usize) -> usize {
    (unit * 11 + 5) % N
}

/// Blocks along the diagonal, of units that are not in that order between layers.
fn blocks(layer: usize, o: usize, i: usize) -> f64 {
    let o_block = if layer < 2 { shuffled(o) } else { o } / BLOCK;
    let i_block = if layer > 0 { shuffled(i) } else { i } / BLOCK;
    if o_block == i_block { ((o * 3 + i * 5) % 4) as f64 - 1.5 } else { 0.0 }
}

fn compiled(model: &Model, scheme: SchemeChoice, permute: Option<Method>) -> Compiled {
    let inputs = (0..40 * N).map(|i| (i * 37 % 101) as f64 / 100.0).collect();
    let inputs = ArrayD::from_shape_vec(IxDyn(&[40, N]), inputs).unwrap();
    let config = Config { scheme, permute, ..Config::standard() };
    compile(model, &Calibration::from_data(vec![inputs]), &config).unwrap()
}

fn results(compiled: &Compiled) -> Outputs {
    let input: Vec<f64> = (0..N).map(|i| (i * 13 % 17) as f64 / 17.0).collect();
    run_all(&compiled.plan, &[input], 3)
}

fn n_products(compiled: &Compiled) -> usize {
    let terms = |op: &Op| if let Op::DotPlain(terms) = op { terms.len() } else { 0 };
    compiled.plan.ops.iter().map(terms).sum()
}

fn n_rotations(compiled: &Compiled) -> usize {
    compiled.plan.ops.iter().filter(|op| matches!(op, Op::ApplyKey(..))).count()
}

fn seconds(compiled: &Compiled) -> f64 {
    cost::repeated_seconds(&Config::standard().costs, &compiled.plan)
}

fn assert_near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "as many results as expected");
    let scale = expected.iter().fold(1e-6f64, |most, x| most.max(x.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-3 * scale, "{found}, expected {expected}");
    }
}

#[test]
fn zeros_gather_and_cost_nothing() {
    let weight = |layer, o, i| blocks(layer, o, i) / 8.0;
    let model = network(false, weight);
    let given = compiled(&model, SchemeChoice::Ckks, None);
    let clusters = compiled(&model, SchemeChoice::Ckks, Some(Method::Clusters));
    let found = compiled(&model, SchemeChoice::Ckks, Some(Method::Search));
    assert!(n_products(&clusters) <= n_products(&given));
    let (left, all) = (n_products(&found), n_products(&given));
    assert!(left < all, "{left} of {all}");
    assert!(seconds(&found) < seconds(&given));
    assert!(n_rotations(&found) < n_rotations(&given));
    assert!(found.plan.keys().len() <= given.plan.keys().len());
    // Every plaintext and every rotation is of a group that is left.
    let schedules = found.packing.schedules.iter().flatten();
    assert_eq!(n_products(&found), schedules.map(|schedule| schedule.n_products).sum::<usize>());
    let (one, other) = (results(&given), results(&found));
    for found in [&other.clear, &other.simulated, &other.encrypted] {
        assert_near(&found[0], &one.clear[0]);
    }
}

#[test]
fn integers_are_the_same_bit_for_bit() {
    let weight = |layer, o, i| (2.0 * blocks(layer, o, i)).clamp(-1.0, 1.0);
    let model = network(true, weight);
    let given = compiled(&model, SchemeChoice::Bfv, None);
    let found = compiled(&model, SchemeChoice::Bfv, Some(Method::Search));
    assert!(n_products(&found) < n_products(&given), "{}", n_products(&found));
    let (one, other) = (results(&given), results(&found));
    assert_eq!(one.clear, other.clear);
    assert_eq!(one.encrypted, other.encrypted);
}

#[test]
fn dead_units_and_constant_ones_are_left_out() {
    // Of the first layer's units every other one is read, and of these every third is a number.
    let weight = |layer: usize, o: usize, i: usize| match layer {
        0 if o.is_multiple_of(6) => 0.0,
        1 if i % 2 == 1 => 0.0,
        _ => ((o * 7 + i * 5) % 9) as f64 / 32.0 - 0.1,
    };
    let model = network(false, weight);
    let given = compiled(&model, SchemeChoice::Ckks, None);
    let found = compiled(&model, SchemeChoice::Ckks, Some(Method::Search));
    let n_elements = |compiled: &Compiled| compiled.graph.nodes[1].shape.iter().product::<usize>();
    assert_eq!((n_elements(&given), n_elements(&found)), (N, 10));
    assert!(n_products(&found) < n_products(&given));
    let (one, other) = (results(&given), results(&found));
    for found in [&other.clear, &other.simulated, &other.encrypted] {
        assert_near(&found[0], &one.clear[0]);
    }
}

#[test]
fn layers_name_the_elements_of_the_network_that_was_given() {
    let model = network(false, |layer, o, i| blocks(layer, o, i) / 8.0);
    let found = compiled(&model, SchemeChoice::Ckks, Some(Method::Search));
    let input: Vec<f64> = (0..N).map(|i| (i * 13 % 17) as f64 / 17.0).collect();
    let array = ArrayD::from_shape_vec(IxDyn(&[1, N]), input.clone()).unwrap();
    let expected = interpret::run_all(&model, &[array]).unwrap();
    let slots = hecc_runtime::client::place_inputs(
        &found.plan.client_part(),
        &[input],
        hecc_runtime::client::RangePolicy::Allow,
    );
    let mut n_compared = 0;
    let noise = hecc_runtime::eval::Noise::None;
    hecc_runtime::eval::run_clear(&found.plan, &slots.unwrap(), noise, |value, slots| {
        for layer in &found.plan.layers {
            let tensor = layer.tensor.unwrap() as usize;
            for (_, runs) in layer.slots.iter().filter(|(own, _)| *own == value) {
                for (slot, element) in runs.pairs() {
                    let own = layer.factor * slots[slot as usize] + layer.offset;
                    let wanted = expected[tensor].iter().nth(element as usize).unwrap();
                    assert!((own - wanted).abs() < 1e-3 * wanted.abs().max(1.0), "{}", layer.name);
                    n_compared += 1;
                }
            }
        }
    });
    assert_eq!(n_compared, N * found.plan.layers.len());
}

#[test]
fn networks_without_zeros_have_the_same_plan() {
    let weight =
        |layer: usize, o: usize, i: usize| ((o * 7 + i * 5 + layer) % 9) as f64 / 32.0 + 0.01;
    let model = network(false, weight);
    let bytes = |permute| to_bytes(&compiled(&model, SchemeChoice::Ckks, permute).plan, None);
    assert_eq!(bytes(None), bytes(Some(Method::Search)));
}
