//! Random networks: layers are appended while they have a shape, most of them small, with branches that meet again.

use hecc_compiler::interpret;
use hecc_grammar::model::{Const, Model, Op, Output, Polynomial, Tensor, Window};
use ndarray::{ArrayD, IxDyn};

use crate::choices::Choices;

/// Tensors have no more elements, so that a case takes a fraction of a second.
const MOST_ELEMENTS: usize = 400;

/// Layers and blocks of them.
const MOST_LAYERS: usize = 8;

/// Levels of products and polynomials on a path.
const MOST_DEPTH: usize = 5;

/// Squares on a path over integers, each of which doubles what rounded biases are off by.
const MOST_SQUARES: usize = 2;

/// Inputs in a calibration set.
pub(crate) const N_CALIBRATION: usize = 12;

/// A network with inputs that it is calibrated on.
pub(crate) struct Network {
    pub(crate) model: Model,
    pub(crate) calibration: Vec<ArrayD<f64>>,
}

/// A network from choices. One over integers has convolutions, matrix products, sums and squares only.
pub(crate) fn network(of: &mut Choices, integers: bool) -> Network {
    let model = Model { name: "random".to_owned(), ..Model::default() };
    let mut builder = Builder {
        model,
        calibration: vec![],
        depths: vec![],
        integers,
        state: 1 + of.below(250) as u64,
    };
    for _ in 0..1 + of.below(5) / 4 {
        builder.input(of);
    }
    for _ in 0..MOST_LAYERS {
        if of.more() {
            builder.layer(of);
        }
    }
    builder.finish(of)
}

struct Builder {
    model: Model,
    calibration: Vec<ArrayD<f64>>,
    /// Multiplicative depth of each tensor.
    depths: Vec<usize>,
    integers: bool,
    /// Of the generator of weights.
    state: u64,
}

impl Builder {
    fn input(&mut self, of: &mut Choices) {
        let shape = match of.below(4) {
            0 => vec![1, 1 + of.below(24)],
            1 => vec![1, 1 + of.below(3), 1 + of.below(12)],
            _ => vec![1, 1 + of.below(4), 1 + of.below(9), 1 + of.below(9)],
        };
        let n_inputs = self.calibration.len();
        self.push(Op::Input, &format!("x{n_inputs}"), shape.clone(), 0);
        let batch = [&[N_CALIBRATION], &shape[1..]].concat();
        let array = ArrayD::from_shape_simple_fn(IxDyn(&batch), || self.uniform());
        self.calibration.push(array);
    }

    /// The last tensor, or sometimes an earlier one.
    fn source(&self, of: &mut Choices) -> Tensor {
        let back = if of.below(4) == 0 { of.below(self.model.nodes.len()) } else { 0 };
        Tensor((self.model.nodes.len() - 1 - back) as u32)
    }

    fn layer(&mut self, of: &mut Choices) {
        let x = self.source(of);
        match of.below(if self.integers { 8 } else { 16 }) {
            0 | 1 => self.residual(of, x),
            2 | 3 => {
                self.convolution(of, x);
            }
            4 => self.square(x),
            5 => self.dense(of, x),
            6 => self.sum(of, x),
            7 => self.pool(of, x),
            8 => self.product(of, x),
            9 => self.polynomial(of, x),
            10 => self.scaled(x),
            11 => self.sum_over(of, x),
            12 => self.moved(of, x),
            13 => self.padded(of, x),
            14 => self.gathered(of, x),
            _ => self.joined(of, x),
        }
    }

    /// `convolution(convolution(x)²) + convolution(x)`, the shortcut with the stride of the others together.
    fn residual(&mut self, of: &mut Choices, x: Tensor) {
        let Some(first) = self.convolution(of, x) else { return };
        self.square(first);
        let square = self.last();
        let Some(main) = self.convolution(of, square) else { return };
        let (from, to) = (self.model.shape(x).to_vec(), self.model.shape(main).to_vec());
        if from.len() != to.len() || from.len() < 3 {
            return;
        }
        let strides: Vec<usize> = (2..from.len()).map(|d| from[d].div_ceil(to[d]).max(1)).collect();
        let weight = self.weight(&[&[to[1], from[1]][..], &vec![1; from.len() - 2]].concat());
        let zeros = vec![0; strides.len()];
        let window = Window {
            dilations: vec![1; strides.len()],
            pads_begin: zeros.clone(),
            pads_end: zeros,
            strides,
        };
        let op = Op::Conv { x, weight, bias: None, window, groups: 1 };
        let Some(shortcut) = self.try_push(op, "shortcut", &[], self.depth(x)) else { return };
        if self.model.shape(shortcut) == self.model.shape(main) {
            let depth = self.depth(main).max(self.depth(shortcut));
            self.push(Op::Add(main, shortcut), "join", to, depth);
        }
    }

    fn convolution(&mut self, of: &mut Choices, x: Tensor) -> Option<Tensor> {
        let shape = self.model.shape(x).to_vec();
        if shape.len() < 3 {
            return None;
        }
        let rank = shape.len() - 2;
        let channels = shape[1];
        let groups = match of.below(4) {
            0 => channels,
            1 if channels.is_multiple_of(2) => 2,
            _ => 1,
        };
        let c_out = groups * (1 + of.below(3));
        let kernel: Vec<usize> = (0..rank).map(|_| 1 + of.below(3)).collect();
        let window = Window {
            strides: (0..rank).map(|_| 1 + of.below(3)).collect(),
            dilations: (0..rank).map(|_| 1 + of.below(5) / 4).collect(),
            pads_begin: of.sizes(rank, 3),
            pads_end: of.sizes(rank, 3),
        };
        let weight = self.weight(&[&[c_out, channels / groups][..], &kernel].concat());
        let bias = of.coin().then(|| self.weight(&[c_out]));
        let op = Op::Conv { x, weight, bias, window, groups };
        self.try_push(op, "conv", &[], self.depth(x))
    }

    fn square(&mut self, x: Tensor) {
        let shape = self.model.shape(x).to_vec();
        let most = if self.integers { MOST_SQUARES } else { MOST_DEPTH };
        if self.depth(x) < most {
            self.push(Op::Mul(x, x), "square", shape, self.depth(x) + 1);
        }
    }

    fn dense(&mut self, of: &mut Choices, x: Tensor) {
        let count = self.model.shape(x).iter().product();
        let flat = self.push(Op::Reshape(x), "flatten", vec![1, count], self.depth(x));
        let columns = 1 + of.below(20);
        let weight = self.weight(&[count, columns]);
        self.try_push(Op::MatMul { x: flat, weight }, "dense", &[], self.depth(x));
    }

    /// With another tensor of the shape, if there is one.
    fn sum(&mut self, of: &mut Choices, x: Tensor) {
        let y = self.alike(of, x);
        let depth = self.depth(x).max(self.depth(y));
        self.push(Op::Add(x, y), "sum", self.model.shape(x).to_vec(), depth);
    }

    fn product(&mut self, of: &mut Choices, x: Tensor) {
        let y = self.alike(of, x);
        let depth = self.depth(x).max(self.depth(y)) + 1;
        if depth <= MOST_DEPTH {
            self.push(Op::Mul(x, y), "product", self.model.shape(x).to_vec(), depth);
        }
    }

    fn pool(&mut self, of: &mut Choices, x: Tensor) {
        let rank = self.model.shape(x).len().saturating_sub(2);
        let kernel: Vec<usize> = (0..rank).map(|_| 1 + of.below(3)).collect();
        let window = Window {
            strides: (0..rank).map(|_| 1 + of.below(2)).collect(),
            dilations: vec![1; rank],
            pads_begin: vec![0; rank],
            pads_end: vec![0; rank],
        };
        if rank > 0 {
            let op = Op::AveragePool { x, kernel, window, count_include_pad: of.coin() };
            self.try_push(op, "pool", &[], self.depth(x));
        }
    }

    fn polynomial(&mut self, of: &mut Choices, x: Tensor) {
        let degree = 2 + of.below(6);
        let depth = self.depth(x) + if degree > 3 { 3 } else { 2 };
        if depth > MOST_DEPTH {
            return;
        }
        let (lo, hi) = self.range(x);
        let shape = self.model.shape(x).to_vec();
        if shape.len() > 1 && of.coin() {
            self.channel_polynomials((lo, hi), degree, x);
            return;
        }
        let coefficients: Vec<f64> = (0..=degree).map(|_| self.uniform()).collect();
        let polynomial = Polynomial { lo, hi, coefficients };
        self.push(Op::Polynomial { x, polynomial }, "polynomial", shape, depth);
    }

    /// A polynomial for each channel of `x`, which is within this range, once it is taken to [−1, 1].
    fn channel_polynomials(&mut self, (lo, hi): (f64, f64), degree: usize, x: Tensor) {
        let (shape, before) = (self.model.shape(x).to_vec(), self.depth(x));
        let mut column = vec![1; shape.len() - 1];
        column[0] = shape[1];
        let number = |x: f64| ArrayD::from_elem(IxDyn(&column), x);
        let factor = self.model.constant(number(2.0 / (hi - lo)));
        let offset = self.model.constant(number(-(lo + hi) / (hi - lo)));
        let coefficients =
            ArrayD::from_shape_simple_fn(IxDyn(&[shape[1], degree + 1]), || self.uniform());
        let coefficients = self.model.constant(coefficients);
        let x = self.push(Op::MulConst(x, factor), "interval", shape.clone(), before);
        let x = self.push(Op::AddConst(x, offset), "interval", shape.clone(), before);
        let depth = before + if degree > 3 { 3 } else { 2 };
        self.push(Op::ChannelPolynomials { x, coefficients }, "polynomials", shape, depth);
    }

    fn scaled(&mut self, x: Tensor) {
        let shape = self.model.shape(x).to_vec();
        let last = shape.last().copied().unwrap_or(1);
        let (factor, shift) = (self.weight(&[last]), self.weight(&[]));
        let scaled = self.push(Op::MulConst(x, factor), "scale", shape.clone(), self.depth(x));
        self.push(Op::AddConst(scaled, shift), "shift", shape, self.depth(x));
    }

    fn sum_over(&mut self, of: &mut Choices, x: Tensor) {
        let rank = self.model.shape(x).len();
        let axes: Vec<usize> = (1..rank).filter(|_| of.coin()).collect();
        self.try_push(Op::Sum { x, axes, keepdims: of.coin() }, "reduce", &[], self.depth(x));
    }

    fn moved(&mut self, of: &mut Choices, x: Tensor) {
        let mut perm: Vec<usize> = (0..self.model.shape(x).len()).collect();
        let first = 1.min(perm.len());
        let steps = of.below(perm.len().saturating_sub(1).max(1));
        perm[first..].rotate_left(steps);
        self.try_push(Op::Transpose { x, perm }, "transpose", &[], self.depth(x));
    }

    fn padded(&mut self, of: &mut Choices, x: Tensor) {
        let rank = self.model.shape(x).len();
        let mut sizes = || [&[0][..], &of.sizes(rank - 1, 2)].concat();
        let op = Op::Pad { x, before: sizes(), after: sizes(), value: 0.25 };
        self.try_push(op, "pad", &[], self.depth(x));
    }

    fn gathered(&mut self, of: &mut Choices, x: Tensor) {
        let shape = self.model.shape(x).to_vec();
        let axis = shape.len() - 1;
        let indices = of.sizes(1 + of.clone().below(6), shape[axis]);
        if axis > 0 {
            self.try_push(Op::Gather { x, axis, indices }, "gather", &[], self.depth(x));
        }
    }

    fn joined(&mut self, of: &mut Choices, x: Tensor) {
        let y = self.alike(of, x);
        if self.model.shape(x).len() > 1 {
            let depth = self.depth(x).max(self.depth(y));
            self.try_push(Op::Concat { xs: vec![x, y], axis: 1 }, "concat", &[], depth);
        }
    }

    /// The last tensor is an output, sometimes another one too.
    fn finish(mut self, of: &mut Choices) -> Network {
        let mut outputs = vec![self.last()];
        if of.below(4) == 0 {
            outputs.push(Tensor(of.below(self.model.nodes.len()) as u32));
        }
        outputs.dedup();
        for (i, tensor) in outputs.into_iter().enumerate() {
            self.model.outputs.push(Output { name: format!("y{i}"), tensor, client: vec![] });
        }
        self.model.verify().expect("the generator keeps all promises");
        Network { model: self.model, calibration: self.calibration }
    }

    fn last(&self) -> Tensor {
        Tensor(self.model.nodes.len() as u32 - 1)
    }

    fn depth(&self, x: Tensor) -> usize {
        self.depths[x.index()]
    }

    fn push(&mut self, op: Op, name: &str, shape: Vec<usize>, depth: usize) -> Tensor {
        self.depths.push(depth);
        let name = if matches!(op, Op::Input) {
            name.to_owned()
        } else {
            format!("{name}{}", self.model.nodes.len())
        };
        self.model.push(op, &name, shape)
    }

    /// Appends an operation if it has a shape that is small.
    fn try_push(&mut self, op: Op, name: &str, declared: &[usize], depth: usize) -> Option<Tensor> {
        let shape = op.shape(&self.model, declared).ok()?;
        let count: usize = shape.iter().product();
        (1..=MOST_ELEMENTS).contains(&count).then(|| self.push(op, name, shape, depth))
    }

    fn alike(&self, of: &mut Choices, x: Tensor) -> Tensor {
        let shape = self.model.shape(x);
        let all = self.model.tensors().filter(|(_, node)| node.shape == shape);
        let all: Vec<Tensor> = all.map(|(tensor, _)| tensor).collect();
        of.pick(&all).expect("a tensor has its own shape")
    }

    /// Where a tensor lies on the calibration inputs, and a little more.
    fn range(&self, x: Tensor) -> (f64, f64) {
        let largest = |_, values: &[ArrayD<f64>]| {
            values[x.index()].iter().fold(0.0, |most: f64, v| most.max(v.abs()))
        };
        let largest = interpret::visit(&self.model, &self.calibration, largest).expect("it runs");
        let most = 1.2 * largest.into_iter().fold(1e-3, f64::max);
        (-most, most)
    }

    /// Random weights that keep values near 1, an eighth of them zero, or as many as a pruned network has. Over integers that would
    /// leave results so far below the largest that there could be that rounded biases are no less.
    fn weight(&mut self, shape: &[usize]) -> Const {
        let fan_in: usize = shape.iter().skip(1).product();
        let fan_in = if shape.len() == 2 { shape[0] } else { fan_in };
        let size = 1.5 / (fan_in.max(1) as f64).sqrt();
        let is_pruned = !self.integers && self.state >> 40 & 1 == 0;
        let zeros = if is_pruned { 0.75 } else { 0.125 };
        let array = ArrayD::from_shape_simple_fn(IxDyn(shape), || {
            let x = self.uniform();
            if x.abs() < zeros { 0.0 } else { size * x }
        });
        self.model.constant(array)
    }

    /// Uniform in [−1, 1): a linear congruential generator with the constants of Knuth's MMIX.
    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}
