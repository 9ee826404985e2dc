//! The operations of the tensor graph. Few on purpose: importers lower to these.

use super::{Const, Function, Quantizer, Tensor};

/// How a kernel slides over the spatial dimensions; one entry per spatial dimension (1 or 2 of them).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Steps between applications, at least 1.
    pub strides: Vec<usize>,
    /// Zeros added before the first element.
    pub pads_begin: Vec<usize>,
    /// Zeros added after the last element.
    pub pads_end: Vec<usize>,
    /// Steps between kernel elements, at least 1.
    pub dilations: Vec<usize>,
}

/// A polynomial in the Chebyshev basis of an interval: `Σ c_k·T_k((2x − lo − hi)/(hi − lo))`.
#[derive(Clone, Debug, PartialEq)]
pub struct Polynomial {
    /// Lower end of the interval that the polynomial was fitted on.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
    /// Chebyshev coefficients, constant first; degree is the length minus one.
    pub coefficients: Vec<f64>,
}

/// One operation of the tensor graph. The first dimension is the batch (1 in compiled models).
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// An encrypted input.
    Input,
    /// Convolution `[n, c_in, spatial..] -> [n, c_out, spatial..]`.
    Conv {
        /// The data.
        x: Tensor,
        /// `[c_out, c_in / groups, kernel..]`.
        weight: Const,
        /// `[c_out]`.
        bias: Option<Const>,
        /// Strides, pads, dilations.
        window: Window,
        /// Number of channel groups.
        groups: usize,
    },
    /// Average over windows, per channel.
    AveragePool {
        /// The data, `[n, c, spatial..]`.
        x: Tensor,
        /// Kernel extent per spatial dimension.
        kernel: Vec<usize>,
        /// Strides, pads, dilations.
        window: Window,
        /// Whether padding counts in the divisor.
        count_include_pad: bool,
    },
    /// `x · weight` over the last dimension of `x`: `[.., k] · [k, n] -> [.., n]`; `weight` may have leading
    /// dimensions, which broadcast against those of `x` as in numpy's `matmul`.
    MatMul {
        /// The data, rank at least 1.
        x: Tensor,
        /// The matrix (or stack of matrices).
        weight: Const,
    },
    /// `weight · x` over the last but one dimension of `x`, as in numpy's `matmul`.
    MatMulLeft {
        /// The matrix (or stack of matrices).
        weight: Const,
        /// The data.
        x: Tensor,
    },
    /// Elementwise sum; equal shapes.
    Add(Tensor, Tensor),
    /// Elementwise product; equal shapes. `Mul(x, x)` is the square.
    Mul(Tensor, Tensor),
    /// Adds a constant that broadcasts to the shape of the tensor.
    AddConst(Tensor, Const),
    /// Multiplies by a constant that broadcasts to the shape of the tensor.
    MulConst(Tensor, Const),
    /// Broadcasts to the node's shape, by numpy's rule.
    Expand(Tensor),
    /// Sum over axes, which stay with length 1 if `keepdims`.
    Sum {
        /// The data.
        x: Tensor,
        /// Axes, ascending and distinct.
        axes: Vec<usize>,
        /// Whether summed axes stay.
        keepdims: bool,
    },
    /// Same elements in row-major order under the node's shape.
    Reshape(Tensor),
    /// `out[i_0, ..] = x[..]` with output dimension `k` taken from dimension `perm[k]` of `x`.
    Transpose {
        /// The data.
        x: Tensor,
        /// Permutation of the dimensions.
        perm: Vec<usize>,
    },
    /// Takes elements `starts[d] + i·steps[d]` in every dimension `d`; the counts are the node's shape.
    Slice {
        /// The data.
        x: Tensor,
        /// First index per dimension.
        starts: Vec<usize>,
        /// Step per dimension, nonzero, possibly negative.
        steps: Vec<isize>,
    },
    /// Adds elements of value `value` around the data.
    Pad {
        /// The data.
        x: Tensor,
        /// Elements added before, per dimension.
        before: Vec<usize>,
        /// Elements added after, per dimension.
        after: Vec<usize>,
        /// What they hold.
        value: f64,
    },
    /// Takes the listed indices of one dimension (covers `Gather` and the non-constant modes of `Pad`).
    Gather {
        /// The data.
        x: Tensor,
        /// The dimension.
        axis: usize,
        /// Which elements, in order; may repeat.
        indices: Vec<usize>,
    },
    /// Joins along a dimension.
    Concat {
        /// The data, at least one.
        xs: Vec<Tensor>,
        /// The dimension.
        axis: usize,
    },
    /// An elementwise function, not yet approximated.
    Activation {
        /// The data.
        x: Tensor,
        /// The function.
        function: Function,
    },
    /// An elementwise polynomial.
    Polynomial {
        /// The data.
        x: Tensor,
        /// The polynomial.
        polynomial: Polynomial,
    },
    /// Rounding of every element to a grid: values stay what they mean, integers times the quantizer's scale.
    FakeQuant {
        /// The data.
        x: Tensor,
        /// The grid.
        quantizer: Quantizer,
    },
}

impl Op {
    /// The tensors read, in order.
    pub fn operands(&self) -> Vec<Tensor> {
        match self {
            Op::Input => vec![],
            Op::Add(a, b) | Op::Mul(a, b) => vec![*a, *b],
            Op::Concat { xs, .. } => xs.clone(),
            Op::AddConst(x, _) | Op::MulConst(x, _) | Op::Expand(x) | Op::Reshape(x) => vec![*x],
            Op::Conv { x, .. }
            | Op::AveragePool { x, .. }
            | Op::MatMul { x, .. }
            | Op::MatMulLeft { x, .. }
            | Op::Sum { x, .. }
            | Op::Transpose { x, .. }
            | Op::Slice { x, .. }
            | Op::Pad { x, .. }
            | Op::Gather { x, .. }
            | Op::Activation { x, .. }
            | Op::Polynomial { x, .. }
            | Op::FakeQuant { x, .. } => vec![*x],
        }
    }

    /// The constants read, in order.
    pub fn constants(&self) -> Vec<Const> {
        match self {
            Op::Conv { weight, bias, .. } => std::iter::once(*weight).chain(*bias).collect(),
            Op::MatMul { weight, .. } | Op::MatMulLeft { weight, .. } => vec![*weight],
            Op::AddConst(_, c) | Op::MulConst(_, c) => vec![*c],
            Op::Input
            | Op::AveragePool { .. }
            | Op::Add(..)
            | Op::Mul(..)
            | Op::Expand(_)
            | Op::Sum { .. }
            | Op::Reshape(_)
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::Pad { .. }
            | Op::Gather { .. }
            | Op::Concat { .. }
            | Op::Activation { .. }
            | Op::Polynomial { .. }
            | Op::FakeQuant { .. } => vec![],
        }
    }

    /// The tensors read, in order, to be replaced.
    pub fn operands_mut(&mut self) -> Vec<&mut Tensor> {
        match self {
            Op::Input => vec![],
            Op::Add(a, b) | Op::Mul(a, b) => vec![a, b],
            Op::Concat { xs, .. } => xs.iter_mut().collect(),
            Op::AddConst(x, _) | Op::MulConst(x, _) | Op::Expand(x) | Op::Reshape(x) => vec![x],
            Op::Conv { x, .. }
            | Op::AveragePool { x, .. }
            | Op::MatMul { x, .. }
            | Op::MatMulLeft { x, .. }
            | Op::Sum { x, .. }
            | Op::Transpose { x, .. }
            | Op::Slice { x, .. }
            | Op::Pad { x, .. }
            | Op::Gather { x, .. }
            | Op::Activation { x, .. }
            | Op::Polynomial { x, .. }
            | Op::FakeQuant { x, .. } => vec![x],
        }
    }

    /// The constants read, in order, to be replaced.
    pub fn constants_mut(&mut self) -> Vec<&mut Const> {
        match self {
            Op::Conv { weight, bias, .. } => std::iter::once(weight).chain(bias).collect(),
            Op::MatMul { weight, .. } | Op::MatMulLeft { weight, .. } => vec![weight],
            Op::AddConst(_, c) | Op::MulConst(_, c) => vec![c],
            Op::Input
            | Op::AveragePool { .. }
            | Op::Add(..)
            | Op::Mul(..)
            | Op::Expand(_)
            | Op::Sum { .. }
            | Op::Reshape(_)
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::Pad { .. }
            | Op::Gather { .. }
            | Op::Concat { .. }
            | Op::Activation { .. }
            | Op::Polynomial { .. }
            | Op::FakeQuant { .. } => vec![],
        }
    }
}
