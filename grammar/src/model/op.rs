//! The operations of the tensor graph. Few on purpose: importers lower to these.

use std::fmt::{self, Display, Formatter};

use super::function::Function;
use super::ids::{Const, Tensor};
use super::operand::{Argument, ArgumentMut, Operand};
use super::parameter::{Parameter, record};
use super::quantizer::Quantizer;
use super::statement::{Kind, Statement};
use crate::text::LineError;

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

record!(Window { strides, pads_begin, pads_end, dilations });
record!(Polynomial { lo, hi, coefficients });

/// How the elements of an operation's result depend on those of its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It has no operands.
    Input,
    /// Each is one of them, moved or repeated.
    Moves,
    /// Each is the one in its place, times a constant, plus a constant.
    Scales,
    /// Each is a sum of them times constants, plus a constant.
    Affine,
    /// Each is a product of them.
    Product,
    /// Each is a function of the one in its place.
    Function,
}

/// Reads one operation behind its word.
type Reader = fn(&mut Statement<'_>) -> Result<Op, LineError>;

/// Defines the operations: class, word in text, operands, and behind a semicolon parameters. From this derive operands
/// and constants, to be read or replaced, and the text form both ways.
macro_rules! operations {
    ($(#[$doc:meta])* pub enum Op { $(
        $(#[$variant_doc:meta])*
        $variant:ident $class:ident $word:literal
        $(($($place:ident: $place_type:ty),*))?
        $({
            $($(#[$operand_doc:meta])* $operand:ident: $operand_type:ty),*;
            $($(#[$parameter_doc:meta])* $parameter:ident: $type:ty),* $(,)?
        })?
    ),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum Op {
            $(
                $(#[$variant_doc])*
                $variant $(($($place_type),*))? $({
                    $($(#[$operand_doc])* $operand: $operand_type,)*
                    $($(#[$parameter_doc])* $parameter: $type),*
                })?
            ),*
        }

        /// Words, what operands stand behind them, and how the operation is read.
        const READERS: &[(&str, &[Kind], Reader)] = &[$((
            $word,
            &[$($(<$place_type>::KIND),*)? $($(<$operand_type>::KIND),*)?],
            |of| of.whole(|_of| Ok(Op::$variant
                $(($(<$place_type>::read(_of)?),*))?
                $({
                    $($operand: Operand::read(_of)?,)*
                    $($parameter: Parameter::read(stringify!($parameter), _of)?),*
                })?
            )),
        )),*];

        impl Op {
            /// How the result's elements depend on those of the operands.
            pub fn class(&self) -> Class {
                match self {
                    $(Op::$variant { .. } => Class::$class),*
                }
            }

            /// Its word in text, empty where a parameter gives it.
            fn word(&self) -> &'static str {
                match self {
                    $(Op::$variant { .. } => $word),*
                }
            }

            /// The tensors and constants read, in order.
            fn arguments(&self) -> Vec<Argument> {
                let mut list = vec![];
                match self {
                    $(Op::$variant $(($($place),*))? $({ $($operand,)* .. })? => {
                        $($($place.list(&mut list);)*)?
                        $($($operand.list(&mut list);)*)?
                    })*
                }
                list
            }

            /// As `arguments`, to be replaced.
            fn arguments_mut(&mut self) -> Vec<ArgumentMut<'_>> {
                let mut list = vec![];
                match self {
                    $(Op::$variant $(($($place),*))? $({ $($operand,)* .. })? => {
                        $($($place.list_mut(&mut list);)*)?
                        $($($operand.list_mut(&mut list);)*)?
                    })*
                }
                list
            }

            fn write_parameters(&self, f: &mut Formatter<'_>) -> fmt::Result {
                match self {
                    $(Op::$variant { $($($parameter,)*)? .. } => {
                        $($($parameter.write(stringify!($parameter), f)?;)*)?
                    })*
                }
                Ok(())
            }
        }
    };
}

operations! {
    /// One operation of the tensor graph. The first dimension is the batch (1 in compiled models).
    pub enum Op {
        /// An encrypted input.
        Input Input "input",
        /// Convolution `[n, c_in, spatial..] -> [n, c_out, spatial..]`.
        Conv Affine "conv" {
            /// The data.
            x: Tensor,
            /// `[c_out, c_in / groups, kernel..]`.
            weight: Const,
            /// `[c_out]`.
            bias: Option<Const>;
            /// Strides, pads, dilations.
            window: Window,
            /// Number of channel groups.
            groups: usize,
        },
        /// Average over windows, per channel.
        AveragePool Affine "average_pool" {
            /// The data, `[n, c, spatial..]`.
            x: Tensor;
            /// Kernel extent per spatial dimension.
            kernel: Vec<usize>,
            /// Strides, pads, dilations.
            window: Window,
            /// Whether padding counts in the divisor.
            count_include_pad: bool,
        },
        /// `x · weight` over the last dimension of `x`: `[.., k] · [k, n] -> [.., n]`; `weight` may have leading
        /// dimensions, which broadcast against those of `x` as in numpy's `matmul`.
        MatMul Affine "matmul" {
            /// The data, rank at least 1.
            x: Tensor,
            /// The matrix (or stack of matrices).
            weight: Const;
        },
        /// `weight · x` over the last but one dimension of `x`, as in numpy's `matmul`.
        MatMulLeft Affine "matmul" {
            /// The matrix (or stack of matrices).
            weight: Const,
            /// The data.
            x: Tensor;
        },
        /// Elementwise sum; equal shapes.
        Add Affine "add" (a: Tensor, b: Tensor),
        /// Elementwise product; equal shapes. `Mul(x, x)` is the square.
        Mul Product "mul" (a: Tensor, b: Tensor),
        /// Adds a constant that broadcasts to the shape of the tensor.
        AddConst Scales "add" (x: Tensor, c: Const),
        /// Multiplies by a constant that broadcasts to the shape of the tensor.
        MulConst Scales "mul" (x: Tensor, c: Const),
        /// Broadcasts to the node's shape, by numpy's rule.
        Expand Moves "expand" (x: Tensor),
        /// Sum over axes, which stay with length 1 if `keepdims`.
        Sum Affine "sum" {
            /// The data.
            x: Tensor;
            /// Axes, ascending and distinct.
            axes: Vec<usize>,
            /// Whether summed axes stay.
            keepdims: bool,
        },
        /// Same elements in row-major order under the node's shape.
        Reshape Moves "reshape" (x: Tensor),
        /// `out[i_0, ..] = x[..]` with output dimension `k` taken from dimension `perm[k]` of `x`.
        Transpose Moves "transpose" {
            /// The data.
            x: Tensor;
            /// Permutation of the dimensions.
            perm: Vec<usize>,
        },
        /// Takes elements `starts[d] + i·steps[d]` in every dimension `d`; the counts are the node's shape.
        Slice Moves "slice" {
            /// The data.
            x: Tensor;
            /// First index per dimension.
            starts: Vec<usize>,
            /// Step per dimension, nonzero, possibly negative.
            steps: Vec<isize>,
        },
        /// Adds elements of value `value` around the data.
        Pad Affine "pad" {
            /// The data.
            x: Tensor;
            /// Elements added before, per dimension.
            before: Vec<usize>,
            /// Elements added after, per dimension.
            after: Vec<usize>,
            /// What they hold.
            value: f64,
        },
        /// Takes the listed indices of one dimension (covers `Gather` and the non-constant modes of `Pad`).
        Gather Moves "gather" {
            /// The data.
            x: Tensor;
            /// The dimension.
            axis: usize,
            /// Which elements, in order; may repeat.
            indices: Vec<usize>,
        },
        /// Joins along a dimension.
        Concat Moves "concat" {
            /// The data, at least one.
            xs: Vec<Tensor>;
            /// The dimension.
            axis: usize,
        },
        /// An elementwise function, not yet approximated.
        Activation Function "" {
            /// The data.
            x: Tensor;
            /// The function.
            function: Function,
        },
        /// An elementwise polynomial.
        Polynomial Function "polynomial" {
            /// The data.
            x: Tensor;
            /// The polynomial.
            polynomial: Polynomial,
        },
        /// An elementwise polynomial for each channel, of arguments within [−1, 1].
        ChannelPolynomials Function "polynomials" {
            /// The data, `[n, channels, ..]`.
            x: Tensor,
            /// Chebyshev coefficients, constant first: `[channels, degree + 1]`.
            coefficients: Const;
        },
        /// `sin(2π·x/ratio)`, which bootstrapping makes of a value: of arguments within [−1, 1], mostly.
        Sine Function "sine" {
            /// The data.
            x: Tensor;
            /// Its period.
            ratio: f64,
        },
        /// Rounding of every element to a grid: values stay what they mean, integers times the quantizer's scale.
        FakeQuant Function "fake_quant" {
            /// The data.
            x: Tensor;
            /// The grid.
            quantizer: Quantizer,
        },
    }
}

impl Op {
    /// The tensors read, in order.
    pub fn operands(&self) -> Vec<Tensor> {
        self.arguments().into_iter().filter_map(Argument::tensor).collect()
    }

    /// The constants read, in order.
    pub fn constants(&self) -> Vec<Const> {
        self.arguments().into_iter().filter_map(Argument::constant).collect()
    }

    /// The tensors read, in order, to be replaced.
    pub fn operands_mut(&mut self) -> Vec<&mut Tensor> {
        self.arguments_mut().into_iter().filter_map(ArgumentMut::tensor).collect()
    }

    /// The constants read, in order, to be replaced.
    pub fn constants_mut(&mut self) -> Vec<&mut Const> {
        self.arguments_mut().into_iter().filter_map(ArgumentMut::constant).collect()
    }

    /// Reads an operation. Of several with one word it is the one that more of the operands fit, or else the last.
    pub(super) fn read(mut of: Statement<'_>) -> Result<Op, LineError> {
        let word = of.word.as_str();
        let named = READERS.iter().filter(|(name, ..)| *name == word);
        match named.max_by_key(|(_, kinds, _)| of.fit(kinds)) {
            Some((_, _, read)) => read(&mut of),
            None => of.whole(|of| {
                let function = Function::read("function", of)?;
                Ok(Op::Activation { x: Operand::read(of)?, function })
            }),
        }
    }
}

/// Prints the operation with its operands and parameters.
impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let word =
            if let Op::Activation { function, .. } = self { function.name() } else { self.word() };
        f.write_str(word)?;
        for (i, argument) in self.arguments().into_iter().enumerate() {
            write!(f, "{}{argument}", if i == 0 { " " } else { ", " })?;
        }
        self.write_parameters(f)
    }
}
