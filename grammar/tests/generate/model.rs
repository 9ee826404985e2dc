//! Random models: operations are appended while they have a shape.

use hecc_grammar::model::{
    ClientOp, Comparison, Const, Function, Integral, Model, Norm, Op, Output, Polynomial,
    Quantizer, Rounding, Tensor, Window,
};
use ndarray::{ArrayD, IxDyn};
use proptest::prelude::*;

use super::Choices;

/// Models that verify.
pub(crate) fn models() -> impl Strategy<Value = Model> {
    Choices::strategy(400).prop_map(|mut choices| {
        let model = model(&mut choices);
        model.verify().expect("the generator keeps all promises");
        model
    })
}

fn model(of: &mut Choices) -> Model {
    let mut model = Model { name: of.name(), ..Model::default() };
    let rank = 1 + of.below(4);
    let shape = of.sizes(rank, 5).into_iter().map(|extent| extent + 1).collect();
    model.push(Op::Input, &of.name(), shape);
    while of.more() {
        let n_constants = model.constants.len();
        let (op, declared) = operation(of, &mut model);
        match op.shape(&model, &declared) {
            Ok(shape) if shape.iter().product::<usize>() < 1000 => {
                model.push(op, &of.name(), shape);
            }
            _ => model.constants.truncate(n_constants),
        }
    }
    for _ in 0..of.below(3) {
        let tensor = Tensor(of.below(model.nodes.len()) as u32);
        let client = client(of, model.shape(tensor));
        model.outputs.push(Output { name: of.name(), tensor, client });
    }
    model
}

/// What a client may apply to an output of the shape: a few of everything, in an order that fits.
pub(super) fn client(of: &mut Choices, shape: &[usize]) -> Vec<ClientOp> {
    let count: usize = shape.iter().product();
    let mut client = vec![];
    if of.coin() {
        client.push(ClientOp::FakeQuant(quantizer(of)));
    }
    if of.coin() {
        let (factor, offset) = (of.numbers(count), of.numbers(1));
        client.push(ClientOp::Affine { factor, offset });
        client.push(ClientOp::Activation(function(of)));
    }
    if of.coin() {
        let comparison = Comparison::ALL[of.below(Comparison::ALL.len())];
        client.push(ClientOp::Compare { comparison, with: of.numbers(count) });
        client.push(ClientOp::Round(Integral::ALL[of.below(Integral::ALL.len())]));
    }
    if of.coin() {
        client.push(ClientOp::Lookup { keys: of.numbers(2), values: of.numbers(2), default: 0.5 });
        client.push(ClientOp::Reshape { shape: shape.to_vec() });
        let positions = (0..count).rev().collect();
        client.push(ClientOp::Pick { positions, shape: shape.to_vec() });
    }
    if !shape.is_empty() {
        let axis = of.below(shape.len());
        let (largest, keepdims) = (of.coin(), of.coin());
        let all = [
            ClientOp::Softmax { axis },
            ClientOp::LogSoftmax { axis },
            ClientOp::Normalize { axis, norm: Norm::ALL[of.below(Norm::ALL.len())] },
            ClientOp::TopK { axis, k: 1, largest },
            ClientOp::TopKIndices { axis, k: 1, largest },
            if of.coin() {
                ClientOp::ArgMax { axis, keepdims }
            } else {
                ClientOp::Sum { axis, keepdims }
            },
        ];
        client.extend_from_slice(&all[..of.below(7)]);
    }
    let shape = client.iter().try_fold(shape.to_vec(), |shape, op: &ClientOp| op.shape(&shape));
    let count = shape.expect("chains that fit").last().copied().unwrap_or(1);
    match of.below(3) {
        0 => client.push(ClientOp::Classes { names: (0..count).map(|_| of.name()).collect() }),
        1 => client.push(ClientOp::Labels { names: vec![of.name(), of.name()] }),
        _ => {}
    }
    client
}

/// An operation that may have a shape, and one that its node may declare.
fn operation(of: &mut Choices, model: &mut Model) -> (Op, Vec<usize>) {
    let x = Tensor(of.below(model.nodes.len()) as u32);
    let mut shape = model.shape(x).to_vec();
    let (rank, count) = (shape.len(), shape.iter().product::<usize>());
    let axis = of.below(rank);
    let op = match of.below(20) {
        0 => Op::Input,
        1 => conv(of, model, x),
        2 => {
            let kernel: Vec<usize> = (2..rank).map(|_| 1 + of.below(2)).collect();
            let window = window(of, kernel.len());
            Op::AveragePool { x, kernel, window, count_include_pad: of.coin() }
        }
        3 => {
            let columns = 1 + of.below(3);
            let weight = constant(of, model, &[shape.last().copied().unwrap_or(1), columns]);
            Op::MatMul { x, weight }
        }
        4 => {
            let (rows, k) = (1 + of.below(3), shape[rank.saturating_sub(2).min(rank)..].first());
            let weight = [rows, k.copied().unwrap_or(1)];
            Op::MatMulLeft { weight: constant(of, model, &weight), x }
        }
        5 => Op::Add(x, same_shape(of, model, x)),
        6 => Op::Mul(x, same_shape(of, model, x)),
        7 => Op::AddConst(x, constant(of, model, &shape[axis.min(rank)..])),
        8 => Op::MulConst(x, constant(of, model, &[])),
        9 => {
            shape.insert(0, 1 + of.below(2));
            Op::Expand(x)
        }
        10 => {
            let axes = (0..rank).filter(|_| of.coin()).collect();
            Op::Sum { x, axes, keepdims: of.coin() }
        }
        11 => {
            shape = vec![1, count, 1];
            Op::Reshape(x)
        }
        12 => {
            let mut perm: Vec<usize> = (0..rank).collect();
            perm.rotate_left(axis);
            Op::Transpose { x, perm }
        }
        13 => {
            let starts: Vec<usize> = shape.iter().map(|&extent| of.below(extent)).collect();
            let steps = starts.iter().map(|_| of.below(7) as isize - 3).collect();
            shape = starts.iter().map(|_| 1 + of.below(2)).collect();
            Op::Slice { x, starts, steps }
        }
        14 => {
            let (before, after) = (of.sizes(rank, 3), of.sizes(rank, 3));
            Op::Pad { x, before, after, value: of.number() }
        }
        15 => {
            let extent = shape.get(axis).copied().unwrap_or(1);
            let count = 1 + of.below(3);
            Op::Gather { x, axis, indices: of.sizes(count, extent) }
        }
        16 => {
            let xs = (0..1 + of.below(3)).map(|_| same_shape(of, model, x)).collect();
            Op::Concat { xs, axis }
        }
        17 => Op::FakeQuant { x, quantizer: quantizer(of) },
        18 => Op::Sine { x, ratio: 0.1 + of.below(9) as f64 },
        _ if of.coin() => Op::Activation { x, function: function(of) },
        _ if of.coin() => {
            let channels = shape.get(1).copied().unwrap_or(1);
            let n_coefficients = 1 + of.below(4);
            let coefficients = constant(of, model, &[channels, n_coefficients]);
            Op::ChannelPolynomials { x, coefficients }
        }
        _ => {
            let count = 1 + of.below(5);
            let polynomial = Polynomial { lo: -0.1, hi: 1e10, coefficients: of.numbers(count) };
            Op::Polynomial { x, polynomial }
        }
    };
    (op, shape)
}

fn conv(of: &mut Choices, model: &mut Model, x: Tensor) -> Op {
    let shape = model.shape(x).to_vec();
    let channels = shape.get(1).copied().unwrap_or(1);
    let groups = if channels % 2 == 0 { 1 + of.below(2) } else { 1 };
    let c_out = groups * (1 + of.below(2));
    let spatial: Vec<usize> = (2..shape.len()).map(|_| 1 + of.below(3)).collect();
    let weight = constant(of, model, &[&[c_out, channels / groups], &spatial[..]].concat());
    let bias = of.coin().then(|| constant(of, model, &[c_out]));
    Op::Conv { x, weight, bias, window: window(of, spatial.len()), groups }
}

fn window(of: &mut Choices, rank: usize) -> Window {
    let mut positive = || of.sizes(rank, 2).into_iter().map(|n| n + 1).collect();
    let (strides, dilations) = (positive(), positive());
    Window { strides, pads_begin: of.sizes(rank, 3), pads_end: of.sizes(rank, 3), dilations }
}

fn constant(of: &mut Choices, model: &mut Model, shape: &[usize]) -> Const {
    model.constant(ArrayD::from_shape_simple_fn(IxDyn(shape), || of.number()))
}

fn same_shape(of: &mut Choices, model: &Model, x: Tensor) -> Tensor {
    let alike: Vec<Tensor> =
        model.tensors().filter(|(_, node)| node.shape == model.shape(x)).map(|(t, _)| t).collect();
    of.pick(&alike).expect("a tensor has its own shape")
}

pub(crate) fn quantizer(of: &mut Choices) -> Quantizer {
    let scale = Some(of.number().abs()).filter(|&scale| scale > 0.0).unwrap_or(0.25);
    let q_min = [-(1 << 31), -128, -1, 0, 5][of.below(5)];
    let q_max = q_min + 1 + [0, 1, 14, 255, (1 << 31) - 6][of.below(5)];
    let zero_point = of.below(256) as i64 - 128;
    let rounding = Rounding::ALL[of.below(Rounding::ALL.len())];
    Quantizer { scale, zero_point, q_min, q_max, rounding }
}

fn function(of: &mut Choices) -> Function {
    let (alpha, beta) = (of.number(), of.number());
    let lo = if of.coin() { f64::NEG_INFINITY } else { alpha };
    let hi = if of.coin() { f64::INFINITY } else { beta };
    let all = [
        Function::Relu,
        Function::LeakyRelu { alpha },
        Function::Sigmoid,
        Function::Tanh,
        Function::HardSigmoid { alpha, beta },
        Function::HardSwish,
        Function::Elu { alpha },
        Function::Selu { alpha, gamma: beta },
        Function::Gelu { tanh: of.coin() },
        Function::Erf,
        Function::Softplus,
        Function::Softsign,
        Function::Swish { alpha },
        Function::Mish,
        Function::Exp,
        Function::Log,
        Function::Sqrt,
        Function::Sin,
        Function::Cos,
        Function::Clip { lo, hi },
    ];
    all[of.below(all.len())]
}
