//! Rounds a trained network's weights to integers of few bits and its inputs to a grid (post-training quantization).
//!
//! Before: a float model. After: the form that quantized models are imported to, which is the weights of convolutions and
//! products integers, their scale in a `MulConst` behind the product, biases in an `AddConst` behind that, a `FakeQuant`
//! behind every input. Scales are one number for each weight, chosen to minimize the squared error, as in Banner et al.
//! (NeurIPS 2019), but by trying. All else stays.

use hecc_grammar::model::{Const, Model, Node, Op, Quantizer, Rewriter, Rounding, Tensor};
use ndarray::{ArrayD, IxDyn};

use crate::calibrate::Stats;
use crate::error::CompileError;

/// How many bits numbers are rounded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuantizeBits {
    /// Bits of weights, sign included: `b` bits hold `±(2^(b−1) − 1)`. From 2 to 16.
    pub weights: u32,
    /// Bits of inputs, sign included where there is one. From 1 (2 with a sign) to 16.
    pub inputs: u32,
}

/// More bits than this are no gain over floats.
const MAX_BITS: u32 = 16;

/// Scales that are tried are these parts of the one at which no weight is clipped.
const CLIP_RATIOS: std::ops::RangeInclusive<u32> = 20..=100;

/// Returns the model with integer weights and rounded inputs; `stats` are those of the model. Weights that are integers
/// of `bits.weights` bits already stay as they are.
///
/// # Errors
/// If an input has no range, or no scale fits the weights of a layer.
pub fn quantize(model: &Model, stats: &Stats, bits: QuantizeBits) -> Result<Model, CompileError> {
    check_bits("weights", bits.weights, 2)?;
    check_bits("inputs", bits.inputs, 1)?;
    let mut new = Rewriter::new(model);
    for (tensor, _) in model.tensors() {
        let node = new.node(tensor);
        let made = match node.op == Op::Input {
            true => input(new.model(), node, stats.ranges[tensor.index()], bits.inputs)?,
            false => weighted(&mut new, node, bits.weights),
        };
        new.define(made);
    }
    Ok(new.finish())
}

/// The constant factor of a convolution or a product.
fn weight(op: &mut Op) -> Option<&mut Const> {
    if let Op::Conv { weight, .. } | Op::MatMul { weight, .. } | Op::MatMulLeft { weight, .. } = op
    {
        Some(weight)
    } else {
        None
    }
}

fn check_bits(what: &str, bits: u32, least: u32) -> Result<(), CompileError> {
    match (least..=MAX_BITS).contains(&bits) {
        true => Ok(()),
        false => Err(CompileError::Quantization(format!(
            "{bits} bits for {what}, expected {least} to {MAX_BITS}"
        ))),
    }
}

/// An input and its rounding.
fn input(
    new: &mut Model,
    node: Node,
    range: (f64, f64),
    bits: u32,
) -> Result<Tensor, CompileError> {
    let Node { name, shape, .. } = node;
    let quantizer = input_quantizer(range, bits)
        .map_err(|what| CompileError::Quantization(format!("input `{name}`: {what}")))?;
    let x = new.push(Op::Input, &name, shape.clone());
    Ok(new.push(Op::FakeQuant { x, quantizer }, &name, shape))
}

/// A node of the new model, with integer weights, the scale behind them and its bias behind that, if it has weights that are no such
/// integers yet.
fn weighted(new: &mut Rewriter<'_>, mut node: Node, bits: u32) -> Tensor {
    let Some(weight) = weight(&mut node.op) else { return new.push(node) };
    let found = new.model().array(*weight);
    let largest = largest_integer(bits);
    if found.iter().all(|w| w.fract() == 0.0 && w.abs() <= largest) {
        return new.push(node);
    }
    let scale = best_scale(found, largest);
    let whole = integers(found, scale, largest);
    let new = new.model();
    *weight = new.constant(whole);
    let bias = if let Op::Conv { bias, .. } = &mut node.op { bias.take() } else { None };
    let Node { op, name, shape } = node;
    let mut y = new.push(op, &name, shape.clone());
    let scale = new.constant(ArrayD::from_elem(IxDyn(&[]), scale));
    y = new.push(Op::MulConst(y, scale), &name, shape.clone());
    if let Some(bias) = bias {
        let bias = new.array(bias);
        let mut per_channel = vec![1; shape.len()];
        per_channel[1] = bias.len();
        let bias = ArrayD::from_shape_fn(per_channel, |index| bias[[index[1]]]);
        let bias = new.constant(bias);
        y = new.push(Op::AddConst(y, bias), &name, shape);
    }
    y
}

/// Integers from the smallest to the largest input that was seen, on both sides of 0 if any was negative.
fn input_quantizer((lo, hi): (f64, f64), bits: u32) -> Result<Quantizer, String> {
    if !(lo.is_finite() && hi.is_finite() && lo <= hi) {
        return Err(format!("range [{lo}, {hi}], expected numbers from calibration"));
    }
    let (q_min, q_max) = match (lo < 0.0, bits) {
        (true, 1) => return Err("1 bit for numbers of both signs, expected 2 or more".to_owned()),
        (true, _) => (1 - (1 << (bits - 1)), (1 << (bits - 1)) - 1),
        (false, _) => (0, (1 << bits) - 1),
    };
    let reach = hi.max(-lo);
    let scale = if reach > 0.0 { reach / q_max as f64 } else { 1.0 };
    Ok(Quantizer { scale, zero_point: 0, q_min, q_max, rounding: Rounding::HalfEven })
}

/// The largest integer of a signed type that has as many on either side of 0.
fn largest_integer(bits: u32) -> f64 {
    f64::from((1u32 << (bits - 1)) - 1)
}

fn integers(weights: &ArrayD<f64>, scale: f64, largest: f64) -> ArrayD<f64> {
    weights.mapv(|w| (w / scale).round_ties_even().clamp(-largest, largest))
}

/// The scale with the smallest squared error among those at which some of the weights are clipped. 1 for zeros.
fn best_scale(weights: &ArrayD<f64>, largest: f64) -> f64 {
    let reach = weights.iter().fold(0.0f64, |reach, w| reach.max(w.abs()));
    let candidates = CLIP_RATIOS.map(|percent| reach * f64::from(percent) / 100.0 / largest);
    let errors = candidates.filter(|scale| *scale > 0.0).map(|scale| {
        let rounded = integers(weights, scale, largest);
        // For these integers, the scale of least squares.
        let (product, square) = (weights * &rounded)
            .iter()
            .zip(&rounded)
            .fold((0.0, 0.0), |(product, square), (p, q)| (product + p, square + q * q));
        let scale = if square > 0.0 { product / square } else { scale };
        (error(weights, scale, largest), scale)
    });
    errors.min_by(|a, b| a.0.total_cmp(&b.0)).map_or(1.0, |(_, scale)| scale)
}

fn error(weights: &ArrayD<f64>, scale: f64, largest: f64) -> f64 {
    let rounded = integers(weights, scale, largest) * scale;
    weights.iter().zip(&rounded).map(|(w, q)| (w - q).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::Calibration;
    use crate::interpret;
    use hecc_grammar::model::{Function, Output, Window};
    use ndarray::array;

    /// Numbers between −1 and 1 that look random.
    fn numbers(shape: &[usize], seed: usize) -> ArrayD<f64> {
        let count: usize = shape.iter().product();
        let number = |i: usize| ((i * 7919 + seed * 104_729 + 13) % 1009) as f64 / 504.5 - 1.0;
        ArrayD::from_shape_vec(shape, (0..count).map(number).collect()).unwrap()
    }

    /// A convolution with bias, a ReLU, a product.
    fn network() -> Model {
        let mut model = Model { name: "network".to_owned(), ..Model::default() };
        let x = model.push(Op::Input, "x", vec![1, 1, 4, 4]);
        let (weight, bias) = (model.constant(numbers(&[2, 1, 3, 3], 1)), numbers(&[2], 2));
        let bias = Some(model.constant(bias));
        let window = Window {
            strides: vec![1, 1],
            pads_begin: vec![0, 0],
            pads_end: vec![0, 0],
            dilations: vec![1, 1],
        };
        let conv = Op::Conv { x, weight, bias, window, groups: 1 };
        let x = model.push(conv, "conv", vec![1, 2, 2, 2]);
        let relu = Op::Activation { x, function: Function::Relu };
        let x = model.push(relu, "relu", vec![1, 2, 2, 2]);
        let x = model.push(Op::Reshape(x), "flat", vec![1, 8]);
        let weight = model.constant(numbers(&[8, 3], 3));
        let tensor = model.push(Op::MatMul { x, weight }, "fc", vec![1, 3]);
        model.outputs.push(Output { name: "y".to_owned(), tensor, client: vec![] });
        model
    }

    fn quantized(model: &Model, images: &ArrayD<f64>, weights: u32, inputs: u32) -> Model {
        let stats = Stats::collect(model, &Calibration::from_data(vec![images.clone()])).unwrap();
        let quantized = quantize(model, &stats, QuantizeBits { weights, inputs }).unwrap();
        quantized.verify().unwrap();
        quantized
    }

    #[test]
    fn weights_become_integers_with_their_scale_behind() {
        let model = quantized(&network(), &numbers(&[5, 1, 4, 4], 4), 4, 8);
        let text = model.text(0).to_string();
        let nodes = text.lines().filter(|line| line.starts_with('t'));
        let ops: Vec<&str> = nodes.map(|line| line.split_whitespace().nth(2).unwrap()).collect();
        let want =
            ["input", "fake_quant", "conv", "mul", "add", "relu", "reshape", "matmul", "mul"];
        assert_eq!(ops, want);
        for (_, node) in model.tensors() {
            if let Op::Conv { weight, .. } | Op::MatMul { weight, .. } = node.op {
                let weights = model.array(weight);
                assert!(weights.iter().all(|w| w.fract() == 0.0 && w.abs() <= 7.0));
                assert!(weights.iter().any(|w| w.abs() == 7.0));
            }
        }
        let Op::AddConst(_, bias) = model.nodes[4].op else { panic!("the bias") };
        assert_eq!(model.array(bias).shape(), [1, 2, 1, 1]);
    }

    #[test]
    fn more_bits_stray_less() {
        let (model, images) = (network(), numbers(&[20, 1, 4, 4], 4));
        let want = interpret::run(&model, std::slice::from_ref(&images)).unwrap().remove(0);
        let strays = |bits| {
            let found = quantized(&model, &images, bits, bits);
            let found = interpret::run(&found, std::slice::from_ref(&images)).unwrap().remove(0);
            (&found - &want).into_iter().map(f64::abs).max_by(f64::total_cmp).unwrap()
        };
        let strays = [3, 5, 8, 12].map(strays);
        assert!(strays.is_sorted_by(|a, b| a > b), "{strays:?}");
        assert!(strays[3] < 0.01, "{strays:?}");
    }

    #[test]
    fn inputs_are_rounded_on_the_side_that_they_have() {
        let grid = |range, bits| input_quantizer(range, bits).map(|q| (q.scale, q.q_min, q.q_max));
        assert_eq!(grid((0.0, 1.0), 2), Ok((1.0 / 3.0, 0, 3)));
        assert_eq!(grid((0.25, 1.0), 1), Ok((1.0, 0, 1)));
        assert_eq!(grid((-0.5, 3.5), 4), Ok((0.5, -7, 7)));
        assert_eq!(grid((0.0, 0.0), 8), Ok((1.0, 0, 255)));
        assert!(grid((-1.0, 1.0), 1).unwrap_err().contains("1 bit for numbers of both signs"));
        assert!(grid((f64::INFINITY, f64::NEG_INFINITY), 8).is_err());
    }

    #[test]
    fn outliers_are_clipped() {
        let mut weights = numbers(&[1000], 5).mapv(|w| w * 0.1);
        weights[[0]] = 1.0;
        let (largest, unclipped) = (3.0, 1.0 / 3.0);
        let scale = best_scale(&weights, largest);
        assert!(scale < 0.5 * unclipped, "{scale}");
        assert!(error(&weights, scale, largest) < 0.5 * error(&weights, unclipped, largest));
        assert_eq!(best_scale(&ArrayD::zeros(vec![3]), largest), 1.0);
        // What is on a grid stays on it.
        let on_grid = array![-0.75, 0.25, 0.5].into_dyn();
        assert!((best_scale(&on_grid, largest) - 0.25).abs() < 1e-15);
    }

    #[test]
    fn integers_stay() {
        let mut model = network();
        model.constants[0] = numbers(&[2, 1, 3, 3], 1).mapv(|w| (w * 7.0).round());
        let found = quantized(&model, &numbers(&[5, 1, 4, 4], 4), 4, 8);
        assert!(matches!(found.nodes[2].op, Op::Conv { bias: Some(_), .. }));
        assert_eq!(found.nodes.len(), model.nodes.len() + 2);
    }

    #[test]
    fn impossible_widths_are_refused() {
        let model = network();
        let calibration = Calibration::assumed(&model, 0.0, 1.0);
        let stats = Stats::collect(&model, &calibration).unwrap();
        let error = |weights, inputs| {
            quantize(&model, &stats, QuantizeBits { weights, inputs }).unwrap_err().to_string()
        };
        assert_eq!(error(1, 8), "quantization: 1 bits for weights, expected 2 to 16");
        assert_eq!(error(8, 17), "quantization: 17 bits for inputs, expected 1 to 16");
    }
}
