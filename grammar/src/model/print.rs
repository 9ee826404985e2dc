//! Models as text, one item a line; [`super::parse`] reads it back.

use std::fmt::{self, Display, Formatter};

use ndarray::ArrayD;

use super::{Const, Function, Model, Node, Op, Output, Polynomial, Quantizer, Tensor, Window};
use crate::text::{ClientChain, Number, list};

/// Prints all numbers of all constants: a text that is complete.
impl Display for Model {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.text(usize::MAX).fmt(f)
    }
}

impl Model {
    /// The text with the numbers of constants of at most `max_inline` elements; larger ones are named `npz "c3"`, for
    /// an archive beside the text.
    pub fn text(&self, max_inline: usize) -> impl Display {
        fmt::from_fn(move |f| {
            writeln!(f, "model 1 {:?}", self.name)?;
            for (i, array) in self.constants.iter().enumerate() {
                write_constant(f, Const(i as u32), array, max_inline)?;
            }
            self.tensors().try_for_each(|(tensor, node)| write_node(f, tensor, node))?;
            self.outputs.iter().try_for_each(|Output { name, tensor, client }| {
                writeln!(f, "output {name:?} {tensor}{}", ClientChain(client))
            })
        })
    }
}

fn write_constant(
    f: &mut Formatter<'_>,
    constant: Const,
    array: &ArrayD<f64>,
    max_inline: usize,
) -> fmt::Result {
    let shape = list(array.shape());
    if array.len() > max_inline {
        return writeln!(f, "{constant} : {shape} = npz \"{constant}\"");
    }
    writeln!(f, "{constant} : {shape} = {}", list(array.iter().map(|&x| Number(x))))
}

fn write_node(f: &mut Formatter<'_>, tensor: Tensor, node: &Node) -> fmt::Result {
    writeln!(f, "{tensor} = {} : {} {:?}", node.op, list(&node.shape), node.name)
}

/// Prints the operation with its operands and attributes.
impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Op::Input => f.write_str("input"),
            Op::Conv { x, weight, bias, window, groups } => {
                write!(f, "conv {x}, {weight}")?;
                bias.iter().try_for_each(|bias| write!(f, ", {bias}"))?;
                write!(f, " {window} groups={groups}")
            }
            Op::AveragePool { x, kernel, window, count_include_pad } => {
                let kernel = list(kernel);
                write!(f, "average_pool {x} kernel={kernel} {window}")?;
                write!(f, " count_include_pad={count_include_pad}")
            }
            Op::MatMul { x, weight } => write!(f, "matmul {x}, {weight}"),
            Op::MatMulLeft { weight, x } => write!(f, "matmul {weight}, {x}"),
            Op::Add(a, b) => write!(f, "add {a}, {b}"),
            Op::Mul(a, b) => write!(f, "mul {a}, {b}"),
            Op::AddConst(x, c) => write!(f, "add {x}, {c}"),
            Op::MulConst(x, c) => write!(f, "mul {x}, {c}"),
            Op::Expand(x) => write!(f, "expand {x}"),
            Op::Sum { x, axes, keepdims } => {
                write!(f, "sum {x} axes={} keepdims={keepdims}", list(axes))
            }
            Op::Reshape(x) => write!(f, "reshape {x}"),
            Op::Transpose { x, perm } => write!(f, "transpose {x} perm={}", list(perm)),
            Op::Slice { x, starts, steps } => {
                write!(f, "slice {x} starts={} steps={}", list(starts), list(steps))
            }
            Op::Pad { x, before, after, value } => {
                let (before, after, value) = (list(before), list(after), Number(*value));
                write!(f, "pad {x} before={before} after={after} value={value}")
            }
            Op::Gather { x, axis, indices } => {
                write!(f, "gather {x} axis={axis} indices={}", list(indices))
            }
            Op::Concat { xs, axis } => {
                f.write_str("concat")?;
                xs.iter()
                    .enumerate()
                    .try_for_each(|(i, x)| write!(f, "{}{x}", if i == 0 { " " } else { ", " }))?;
                write!(f, " axis={axis}")
            }
            Op::Activation { x, function } => {
                write!(f, "{} {x}", function.name())?;
                write_parameters(f, *function)
            }
            Op::Polynomial { x, polynomial: Polynomial { lo, hi, coefficients } } => {
                let coefficients = list(coefficients.iter().map(|&c| Number(c)));
                let (lo, hi) = (Number(*lo), Number(*hi));
                write!(f, "polynomial {x} lo={lo} hi={hi} coefficients={coefficients}")
            }
            Op::FakeQuant { x, quantizer } => write!(f, "fake_quant {x} {quantizer}"),
        }
    }
}

impl Display for Window {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Window { strides, pads_begin, pads_end, dilations } = self;
        write!(f, "strides={} pads_begin={}", list(strides), list(pads_begin))?;
        write!(f, " pads_end={} dilations={}", list(pads_end), list(dilations))
    }
}

/// Prints the attributes of a `fake_quant`.
impl Display for Quantizer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Quantizer { scale, zero_point, q_min, q_max, rounding } = *self;
        let (scale, rounding) = (Number(scale), rounding.name());
        write!(f, "scale={scale} zero_point={zero_point} q_min={q_min} q_max={q_max}")?;
        write!(f, " rounding={rounding}")
    }
}

impl Function {
    /// What it is called in text.
    pub fn name(self) -> &'static str {
        match self {
            Function::Relu => "relu",
            Function::LeakyRelu { .. } => "leaky_relu",
            Function::Sigmoid => "sigmoid",
            Function::Tanh => "tanh",
            Function::HardSigmoid { .. } => "hard_sigmoid",
            Function::HardSwish => "hard_swish",
            Function::Elu { .. } => "elu",
            Function::Selu { .. } => "selu",
            Function::Gelu { .. } => "gelu",
            Function::Erf => "erf",
            Function::Softplus => "softplus",
            Function::Softsign => "softsign",
            Function::Swish { .. } => "swish",
            Function::Mish => "mish",
            Function::Exp => "exp",
            Function::Log => "log",
            Function::Sqrt => "sqrt",
            Function::Sin => "sin",
            Function::Cos => "cos",
            Function::Clip { .. } => "clip",
        }
    }
}

fn write_parameters(f: &mut Formatter<'_>, function: Function) -> fmt::Result {
    let n = Number::<f64>;
    match function {
        Function::LeakyRelu { alpha } | Function::Elu { alpha } | Function::Swish { alpha } => {
            write!(f, " alpha={}", n(alpha))
        }
        Function::HardSigmoid { alpha, beta } => write!(f, " alpha={} beta={}", n(alpha), n(beta)),
        Function::Selu { alpha, gamma } => write!(f, " alpha={} gamma={}", n(alpha), n(gamma)),
        Function::Gelu { tanh } => write!(f, " tanh={tanh}"),
        Function::Clip { lo, hi } => write!(f, " lo={} hi={}", n(lo), n(hi)),
        Function::Relu
        | Function::Sigmoid
        | Function::Tanh
        | Function::HardSwish
        | Function::Erf
        | Function::Softplus
        | Function::Softsign
        | Function::Mish
        | Function::Exp
        | Function::Log
        | Function::Sqrt
        | Function::Sin
        | Function::Cos => Ok(()),
    }
}

/// Prints name and parameters: `leaky_relu alpha=0.1`.
impl Display for Function {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        write_parameters(f, *self)
    }
}
