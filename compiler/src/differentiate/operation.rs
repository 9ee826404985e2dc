//! One operation of a network, forwards and backwards.

use hecc_grammar::model::{Function, Model, Node, Op, Polynomial, Tensor};
use ndarray::{Array2, ArrayView2, ArrayView3, linalg::general_mat_mul, s};

use crate::interpret::Grid;
use crate::linear::{LinearMap, affine_of};
use crate::poly::value;

/// One operation.
pub(super) enum Operation {
    /// The input with this number.
    Input(usize),
    /// A convolution.
    Conv(Conv),
    /// Sums.
    Linear(Linear),
    /// A product.
    Mul(Tensor, Tensor),
    /// An activation: of the network that was given its function, of an approximated one the curve with its number.
    Activation { x: Tensor, function: Function, number: usize },
    /// A polynomial that was given.
    Polynomial(Tensor, Polynomial),
}

/// A convolution as matrix products.
pub(super) struct Conv {
    pub(super) x: Tensor,
    /// `[c_out, c_in / groups · taps]`.
    weight: Array2<f32>,
    bias: Option<Vec<f32>>,
    /// Channels, height and width of the operand.
    shape: [usize; 3],
    grid: Grid,
    groups: usize,
}

/// `Σ map · operand + bias`.
pub(super) struct Linear {
    pub(super) terms: Vec<(Tensor, Rows)>,
    bias: Vec<f32>,
}

/// A linear map.
pub(super) enum Rows {
    Identity,
    /// Row by row its entries, and where each row ends.
    Sparse {
        entries: Vec<(u32, f32)>,
        ends: Vec<u32>,
    },
}

impl Operation {
    /// The operation of a node; `None` if its derivative is not known. `number` is that of the next activation.
    pub(super) fn new(
        model: &Model,
        (tensor, node): (Tensor, &Node),
        number: usize,
    ) -> Option<Operation> {
        match &node.op {
            Op::Input => Some(Operation::Input(
                model.inputs().take_while(|(input, _)| *input < tensor).count(),
            )),
            Op::Conv { .. } => Some(Operation::Conv(Conv::new(model, node)?)),
            Op::Mul(a, b) => Some(Operation::Mul(*a, *b)),
            Op::Activation { x, function } => {
                Some(Operation::Activation { x: *x, function: *function, number })
            }
            Op::Polynomial { x, polynomial } => Some(Operation::Polynomial(*x, polynomial.clone())),
            Op::ChannelPolynomials { .. } | Op::Sine { .. } | Op::FakeQuant { .. } => None,
            Op::AveragePool { .. }
            | Op::MatMul { .. }
            | Op::MatMulLeft { .. }
            | Op::Add(..)
            | Op::AddConst(..)
            | Op::MulConst(..)
            | Op::Expand(_)
            | Op::Sum { .. }
            | Op::Reshape(_)
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::Pad { .. }
            | Op::Gather { .. }
            | Op::Concat { .. } => {
                let affine = affine_of(model, tensor)?;
                let bias = affine.bias.unwrap_or_default().iter().map(|&b| b as f32).collect();
                let terms = affine.terms.iter().map(|(x, map)| (*x, Rows::new(map))).collect();
                Some(Operation::Linear(Linear { terms, bias }))
            }
        }
    }

    /// The products of two numbers that it takes.
    pub(super) fn n_products(&self) -> usize {
        match self {
            Operation::Conv(conv) => conv.weight.len() * conv.grid.pixels(),
            Operation::Linear(linear) => {
                linear.terms.iter().map(|(_, rows)| rows.n_entries()).sum()
            }
            Operation::Input(_)
            | Operation::Mul(..)
            | Operation::Activation { .. }
            | Operation::Polynomial(..) => 0,
        }
    }
}

/// A function of the network that was given.
pub(super) fn exact(function: Function, x: &[f32]) -> Vec<f32> {
    if function == Function::Relu {
        return x.iter().map(|x| x.max(0.0)).collect();
    }
    x.iter().map(|&x| function.eval(f64::from(x)) as f32).collect()
}

/// A polynomial that was given.
pub(super) fn given(polynomial: &Polynomial, x: &[f32]) -> Vec<f32> {
    x.iter().map(|&x| value(polynomial, f64::from(x)) as f32).collect()
}

impl Conv {
    fn new(model: &Model, node: &Node) -> Option<Conv> {
        let Op::Conv { x, weight, bias, window, groups } = &node.op else { return None };
        let two = |shape: &[usize], first: usize| match *shape {
            [only] => [first, only],
            _ => [shape[0], shape[1]],
        };
        let (weight, shape) = (model.array(*weight), model.shape(*x));
        let size = two(&shape[2..], 1);
        let grid = Grid::new(size, two(&weight.shape()[2..], 1), window);
        let numbers = weight.iter().map(|&w| w as f32).collect();
        let (rows, columns) = (weight.shape()[0], weight.shape()[1] * grid.taps());
        let bias = bias.map(|bias| model.array(bias).iter().map(|&b| b as f32).collect());
        Some(Conv {
            x: *x,
            weight: Array2::from_shape_vec((rows, columns), numbers).ok()?,
            bias,
            shape: [shape[1], size[0], size[1]],
            grid,
            groups: *groups,
        })
    }

    pub(super) fn forwards(&self, x: &[f32]) -> Vec<f32> {
        let x = ArrayView3::from_shape(self.shape, x).expect("the operand has its shape");
        let mut out = Array2::zeros((self.weight.nrows(), self.grid.pixels()));
        for (rows, channels) in self.parts() {
            let columns = self.grid.columns(x.slice(s![channels, .., ..]));
            let weight = self.weight.slice(s![rows.clone(), ..]);
            general_mat_mul(1.0, &weight, &columns, 0.0, &mut out.slice_mut(s![rows, ..]));
        }
        if let Some(bias) = &self.bias {
            out.outer_iter_mut().zip(bias).for_each(|(mut row, b)| row += *b);
        }
        out.into_raw_vec_and_offset().0
    }

    pub(super) fn backwards(&self, to_values: &[f32], to_operand: &mut [f32]) {
        let pixels = self.grid.pixels();
        let g = ArrayView2::from_shape((self.weight.nrows(), pixels), to_values)
            .expect("one number for each value");
        let plane = self.shape[1] * self.shape[2];
        for (rows, channels) in self.parts() {
            let weight = self.weight.slice(s![rows.clone(), ..]);
            let mut columns = Array2::zeros((self.weight.ncols(), pixels));
            let g = g.slice(s![rows, ..]);
            general_mat_mul(1.0, &weight.t(), &g, 0.0, &mut columns);
            let part = &mut to_operand[channels.start * plane..channels.end * plane];
            self.grid.add_columns(&columns, [self.shape[1], self.shape[2]], part);
        }
    }

    /// For each group its rows of the weight and its channels of the operand.
    fn parts(&self) -> impl Iterator<Item = (std::ops::Range<usize>, std::ops::Range<usize>)> {
        let (rows, channels) = (self.weight.nrows() / self.groups, self.shape[0] / self.groups);
        (0..self.groups).map(move |g| (g * rows..(g + 1) * rows, g * channels..(g + 1) * channels))
    }
}

impl Linear {
    pub(super) fn forwards(&self, values: &[Vec<f32>], n: usize) -> Vec<f32> {
        let mut y = if self.bias.is_empty() { vec![0.0; n] } else { self.bias.clone() };
        for (x, rows) in &self.terms {
            rows.add(&values[x.index()], &mut y);
        }
        y
    }
}

impl Rows {
    fn new(map: &LinearMap) -> Rows {
        if map.is_identity() {
            return Rows::Identity;
        }
        let (mut entries, mut ends) = (vec![], vec![]);
        for o in 0..map.n_rows() {
            entries.extend(map.row(o).map(|(i, value)| (i as u32, value as f32)));
            ends.push(entries.len() as u32);
        }
        Rows::Sparse { entries, ends }
    }

    fn n_entries(&self) -> usize {
        match self {
            Rows::Identity => 0,
            Rows::Sparse { entries, .. } => entries.len(),
        }
    }

    fn rows(entries: &[(u32, f32)], ends: &[u32]) -> impl Iterator<Item = (usize, u32, f32)> {
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let rows = starts.zip(ends).enumerate();
        rows.flat_map(move |(o, (start, &end))| {
            entries[start as usize..end as usize].iter().map(move |&(i, value)| (o, i, value))
        })
    }

    fn add(&self, x: &[f32], y: &mut [f32]) {
        match self {
            Rows::Identity => y.iter_mut().zip(x).for_each(|(y, x)| *y += x),
            Rows::Sparse { entries, ends } => {
                Rows::rows(entries, ends).for_each(|(o, i, value)| y[o] += value * x[i as usize]);
            }
        }
    }

    /// Adds the transposed map of `y` to `x`.
    pub(super) fn add_transposed(&self, y: &[f32], x: &mut [f32]) {
        match self {
            Rows::Identity => x.iter_mut().zip(y).for_each(|(x, y)| *x += y),
            Rows::Sparse { entries, ends } => {
                Rows::rows(entries, ends).for_each(|(o, i, value)| x[i as usize] += value * y[o]);
            }
        }
    }
}
