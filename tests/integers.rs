//! Networks over integers: compiled for BFV, and equal to their model in all evaluators.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod evaluators;

use hecc_compiler::calibrate::Calibration;
use hecc_compiler::config::{Config, SchemeChoice};
use hecc_compiler::interpret;
use hecc_compiler::layout::Batch;
use hecc_compiler::pass::lift_quantizers::Effect;
use hecc_compiler::pipeline::{Compiled, compile};
use hecc_grammar::model::Model;
use hecc_grammar::plan::{Key, Op, Scheme};
use ndarray::{Array1, ArrayD, Axis, IxDyn};

use evaluators::run_all;

/// Two convolutions and a matrix product with squares between them, for inputs in two bits; `$wide` is a factor on the last
/// weights.
fn network(wide: i64, middle: &str) -> Model {
    let text = format!(
        "model 1 \"integers\"
c0 : [2,1,2,2] = [1, -2, 0, 3, 2, 1, -1, 1]
c1 : [2,2,2,2] = [1, 0, -1, 2, 3, -3, 1, 1, 0, 1, 2, -1, -2, 0, 1, 1]
c2 : [8,3] = [{weights}]
c3 : [] = [0.25]
c4 : [1,2,1,1] = [0.5, -0.125]
c5 : [3] = [0.3, -0.7, 0]
t0 = input : [1,1,6,6] \"x\"
t1 = fake_quant t0 scale=0.25 zero_point=0 q_min=0 q_max=3 rounding=half_even : [1,1,6,6] \"quantizer\"
t2 = conv t1, c0 strides=[1,1] pads_begin=[0,0] pads_end=[0,0] dilations=[1,1] groups=1 : [1,2,5,5] \"conv1\"
t3 = mul t2, c3 : [1,2,5,5] \"conv1\"
t4 = add t3, c4 : [1,2,5,5] \"conv1\"
t5 = {middle} : [1,2,5,5] \"middle\"
t6 = mul t5, t5 : [1,2,5,5] \"square1\"
t7 = conv t6, c1 strides=[2,2] pads_begin=[0,0] pads_end=[0,0] dilations=[1,1] groups=1 : [1,2,2,2] \"conv2\"
t8 = mul t7, t7 : [1,2,2,2] \"square2\"
t9 = reshape t8 : [1,8] \"flatten\"
t10 = matmul t9, c2 : [1,3] \"fc\"
t11 = mul t10, c3 : [1,3] \"fc\"
t12 = add t11, c5 : [1,3] \"fc\"
output \"y\" t12
",
        weights =
            (0..24i64).map(|i| (wide * (i * 7 % 5 - 2)).to_string()).collect::<Vec<_>>().join(", ")
    );
    text.parse().unwrap()
}

/// Inputs on and off the grid, reproducible.
fn images(n: usize) -> ArrayD<f64> {
    let numbers: Array1<f64> = (0..n * 36).map(|i| (i * 37 % 101) as f64 / 100.0).collect();
    numbers.into_shape_with_order(IxDyn(&[n, 1, 6, 6])).unwrap()
}

fn config() -> Config {
    Config { scheme: SchemeChoice::Bfv, ..Config::standard() }
}

fn compiled(model: &Model, config: &Config) -> Compiled {
    compile(model, &Calibration::from_data(vec![images(40)]), config).unwrap()
}

/// What the model says, image by image.
fn expected(model: &Model, images: &ArrayD<f64>) -> Vec<f64> {
    interpret::run(model, std::slice::from_ref(images)).unwrap()[0].iter().copied().collect()
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "as many results as expected");
    let scale = expected.iter().fold(1.0f64, |most, x| most.max(x.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance * scale, "{found}, expected {expected}");
    }
}

/// All evaluators give the same integers, which are those of the model.
fn check(model: &Model, compiled: &Compiled, tolerance: f64) {
    let image = images(3).index_axis_move(Axis(0), 2).insert_axis(Axis(0));
    let outputs = run_all(&compiled.plan, &[image.iter().copied().collect()], 5);
    assert_eq!(outputs.clear, outputs.encrypted);
    assert_eq!(outputs.clear, outputs.simulated);
    assert_near(&outputs.clear[0], &expected(model, &image), tolerance);
}

#[test]
fn one_plaintext_prime() {
    let model = network(1, "reshape t4");
    // On a smaller ring two primes would do.
    let config = Config { log_n: Some(14), ..config() };
    let compiled = compiled(&model, &config);
    assert_eq!(compiled.plan.params.scheme(), Scheme::Bfv);
    assert_eq!(compiled.plan.params.t().len(), 1);
    // Biases are rounded to the quantization scale of what they are added to, 2^−12 here.
    check(&model, &compiled, 1e-4);
    let report = compiled.integers.unwrap();
    let mut text = compiled.graph.to_string();
    for width in &report.widths {
        let widths = [width.format, width.certified, width.calibrated];
        let widths = widths.map(|bits| format!("{bits:.2}")).join(" >= ");
        text += &format!("{} ({}): {widths}\n", width.name, width.kind);
        assert!(width.format >= width.certified - 1e-9, "{width:?}");
        assert!(width.certified >= width.calibrated - 1e-9, "{width:?}");
    }
    insta::with_settings!({ snapshot_path => "model", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("integers", text);
    });
}

#[test]
fn several_plaintext_primes() {
    // Weights of 20 bits: no ring of a small plan has room for the noise of one prime.
    let model = network(1 << 20, "reshape t4");
    let config = Config { certify: true, log_n: Some(13), ..config() };
    let compiled = compiled(&model, &config);
    assert!(compiled.plan.params.t().len() > 1, "{:?}", compiled.plan.params.t());
    check(&model, &compiled, 1e-4);
}

#[test]
fn a_batch_computes_every_input_in_its_slot() {
    let model = network(1, "reshape t4");
    let compiled = compiled(&model, &Config { batch: Batch::Slots, ..config() });
    assert_eq!(compiled.plan.batch, compiled.plan.params.n_slots());
    // The 32 and 8 squares that are read are relinearized in the 8 and 3 sums that they go into.
    let count = |is: fn(&Op) -> bool| compiled.plan.ops.iter().filter(|op| is(op)).count();
    assert_eq!(count(|op| matches!(op, Op::Mul(..) | Op::MulBgv(..))), 40);
    assert_eq!(count(|op| matches!(op, Op::ApplyKey(_, Key::Relinearize))), 11);
    let images = images(5);
    let outputs = run_all(&compiled.plan, &[images.iter().copied().collect()], 5);
    assert_eq!(outputs.clear, outputs.encrypted);
    assert_near(&outputs.clear[0][..15], &expected(&model, &images), 1e-4);
}

#[test]
fn some_inputs_share_ciphertexts() {
    let model = network(1, "reshape t4");
    for scheme in [SchemeChoice::Bfv, SchemeChoice::Ckks] {
        for log in [1, 4, 7] {
            let compiled =
                compiled(&model, &Config { batch: Batch::Log2(log), scheme, ..config() });
            let batch = 1 << log;
            assert_eq!(compiled.plan.batch, batch);
            let moves = |op: &Op| matches!(op, Op::ApplyKey(_, Key::Rotate(_)));
            assert!(compiled.plan.ops.iter().any(moves));
            let images = images(batch);
            let outputs = run_all(&compiled.plan, &[images.iter().copied().collect()], 5);
            assert_near(&outputs.encrypted[0], &expected(&model, &images), 1e-3);
            if scheme == SchemeChoice::Bfv {
                assert_eq!(outputs.clear, outputs.encrypted);
            }
        }
    }
}

#[test]
fn a_batch_fits_the_ring() {
    let model = network(1, "reshape t4");
    let config = Config { batch: Batch::Log2(12), log_n: Some(12), ..config() };
    let calibration = Calibration::from_data(vec![images(40)]);
    let error = compile(&model, &calibration, &config).err().unwrap().to_string();
    assert_eq!(
        error,
        "a batch of 4096 inputs: a ciphertext of the ring N = 2^12 holds 2048 at most"
    );
}

#[test]
fn approximate_numbers_compute_batches_too() {
    let model = network(1, "reshape t4");
    let config = Config { batch: Batch::Slots, scheme: SchemeChoice::Ckks, ..config() };
    let compiled = compiled(&model, &config);
    assert_eq!(compiled.plan.batch, compiled.plan.params.n_slots());
    let images = images(3);
    let outputs = run_all(&compiled.plan, &[images.iter().copied().collect()], 5);
    assert_near(&outputs.encrypted[0][..9], &expected(&model, &images), 1e-3);
}

#[test]
fn rounding_between_layers_is_dropped_and_said_so() {
    let grid = "scale=0.0625 zero_point=0 q_min=-128 q_max=127 rounding=half_even";
    let compiled = compiled(&network(1, &format!("fake_quant t4 {grid}")), &config());
    let [dropped] = &compiled.dropped[..] else { panic!("{:?}", compiled.dropped) };
    assert_eq!((dropped.node.as_str(), dropped.effect), ("middle", Effect::Rounds));
    check(&network(1, "reshape t4"), &compiled, 1e-4);
}

#[test]
fn a_quantizer_that_stands_for_an_activation_is_no_ring_operation() {
    let grid = "scale=0.0625 zero_point=0 q_min=0 q_max=20 rounding=half_even";
    let model = network(1, &format!("fake_quant t3 {grid}"));
    let calibration = Calibration::from_data(vec![images(40)]);
    let error = compile(&model, &calibration, &config()).err().unwrap().to_string();
    assert!(error.contains("node `middle` (Relu)"), "{error}");
    let config = Config { scheme: SchemeChoice::Auto, ..config() };
    let compiled = compile(&model, &calibration, &config).unwrap();
    assert_eq!(compiled.plan.params.scheme(), Scheme::Ckks);
    assert!(compiled.other_scheme.unwrap().unwrap_err().contains("middle"));
}

/// A layer of four neurons on four inputs of two bits with the quantization scale `scale`, in t2, and what follows.
fn layer(scale: f64, weights: &str, constants: &str, rest: &str) -> Model {
    let text = format!(
        "model 1 \"layer\"
c0 : [4,4] = [{weights}]
{constants}
t0 = input : [1,4] \"x\"
t1 = fake_quant t0 scale={scale} zero_point=0 q_min=0 q_max=3 rounding=half_even : [1,4] \"quantizer\"
t2 = matmul t1, c0 : [1,4] \"fc\"
{rest}
"
    );
    text.parse().unwrap()
}

const WEIGHTS: &str = "1, -2, 0, 3, 2, 1, -1, 1, 0, 1, 1, -1, 2, 0, -3, 1";

/// Forty inputs of [`layer`].
fn vectors() -> ArrayD<f64> {
    let x: Array1<f64> = (0..160).map(|i| (i * 37 % 101) as f64 / 100.0).collect();
    x.into_shape_with_order(IxDyn(&[40, 4])).unwrap()
}

fn compiled_layer(model: &Model, config: &Config) -> Compiled {
    compile(model, &Calibration::from_data(vec![vectors()]), config).unwrap()
}

/// All evaluators on some of [`vectors`]; the largest error allowed is `tolerance`.
fn check_layer(model: &Model, compiled: &Compiled, tolerance: f64) {
    for i in [0, 7, 23u8] {
        let x = vectors().index_axis_move(Axis(0), i.into()).insert_axis(Axis(0));
        let outputs = run_all(&compiled.plan, &[x.iter().copied().collect()], i);
        assert_eq!(outputs.clear, outputs.encrypted);
        assert_near(&outputs.clear[0], &expected(model, &x), tolerance);
    }
}

#[test]
fn steps_without_a_common_measure_are_approximated_and_said_so() {
    // The square is added to its operand, whose quantization scale is another: 0.3·0.25 against its square.
    let rest = "t3 = mul t2, c1 : [1,4] \"fc\"
t4 = mul t3, t3 : [1,4] \"square\"
t5 = add t3, t4 : [1,4] \"add\"
output \"y\" t5";
    let model = layer(0.25, WEIGHTS, "c1 : [] = [0.3]", rest);
    let compiled = compiled_layer(&model, &config());
    let [(node, error)] = &compiled.integers.as_ref().unwrap().approximations[..] else {
        panic!("{:?}", compiled.integers)
    };
    assert!(node == "add" && *error > 0.0 && *error < 0.02, "{node}: {error}");
    // BGV's product would multiply one summand's message by a factor that the other has not.
    assert!(compiled.plan.ops.iter().any(|op| matches!(op, Op::Mul(..))));
    check_layer(&model, &compiled, 0.02);
}

#[test]
fn neurons_without_weights_change_nothing() {
    // Training for few bits leaves some. Their integers have no quantization scale of their own, nor has what is
    // multiplied by zero.
    let sparse = "1, 0, 0, 3, 2, 0, -1, 1, 0, 0, 1, -1, 2, 0, -3, 1";
    let rest = "t3 = mul t2, c1 : [1,4] \"scale\"
t4 = mul t3, t3 : [1,4] \"square\"
t5 = matmul t4, c2 : [1,2] \"last\"
output \"y\" t5";
    for factors in ["c1 : [] = [0.3]", "c1 : [4] = [0.3, 0.3, 0, 0.3]"] {
        let constants = format!("{factors}\nc2 : [4,2] = [1, 2, -1, 3, 0, 1, 2, -2]");
        let model = layer(0.3, sparse, &constants, rest);
        let compiled = compiled_layer(&model, &config());
        assert_eq!(compiled.integers.as_ref().unwrap().approximations, []);
        check_layer(&model, &compiled, 1e-12);
    }
}

#[test]
fn elements_of_a_result_keep_their_own_scales() {
    // As weights with one scale for each output channel leave them.
    let rest = "t3 = mul t2, c1 : [1,4] \"scale\"\noutput \"y\" t3";
    let model = layer(0.25, WEIGHTS, "c1 : [4] = [0.3, 0.0171, 1.9, -0.5]", rest);
    let compiled = compiled_layer(&model, &Config { certify: true, ..config() });
    let report = compiled.integers.as_ref().unwrap();
    assert!(report.approximations.is_empty() && report.required < 6.0, "{report:?}");
    check_layer(&model, &compiled, 1e-12);
}

#[test]
fn post_training_quantization_gives_an_integer_network() {
    // The same network with weights that are no integers.
    let text = network(1, "reshape t4").to_string();
    let text = text
        .replace("[1, -2, 0, 3, 2, 1, -1, 1]", "[0.11, -0.2, 0.013, 0.3, 0.22, 0.1, -0.1, 0.07]");
    let text =
        text.lines().filter(|line| !line.contains("fake_quant")).collect::<Vec<_>>().join("\n");
    let text =
        text.replace("t2 = conv t1", "t1 = reshape t0 : [1,1,6,6] \"same\"\nt2 = conv t1") + "\n";
    let model: Model = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    let quantize = hecc_compiler::pass::quantize::QuantizeBits { weights: 8, inputs: 8 };
    let compiled = compiled(&model, &Config { quantize: Some(quantize), ..config() });
    assert_eq!(compiled.plan.params.scheme(), Scheme::Bfv);
    // Eight bits of weights and inputs, squared twice.
    check(&model, &compiled, 0.1);
}
