//! Activations that exporters write out as products.
//!
//! As one function they cost one approximation; as a product of two factors they would cost one and a multiplication,
//! and the factor would be approximated where the product is not sensitive to it.

use hecc_grammar::model::{Const, Function, Model, Op, Tensor};

/// Constants are often rounded to f32.
const TOLERANCE: f64 = 1e-6;

/// If `a·b = factor · function(x)`, returns function, `x` and factor.
pub(super) fn product(model: &Model, a: Tensor, b: Tensor) -> Option<(Function, Tensor, f64)> {
    one_way(model, a, b).or_else(|| one_way(model, b, a))
}

/// As [`product`], with `line` a multiple of `x` and `gate` a function of `x`.
fn one_way(model: &Model, line: Tensor, gate: Tensor) -> Option<(Function, Tensor, f64)> {
    let lines = Affine::steps(model, line).into_iter().filter(|line| line.offset == 0.0);
    let gates = Affine::steps(model, gate);
    let gate = gates.last()?;
    let Op::Activation { x: inner, function } = model.node(gate.tensor).op else { return None };
    let mut candidates = lines.filter_map(|line| {
        let (function, factor) = gated(model, line.tensor, gate, function, inner)?;
        Some((function, line.tensor, line.factor * factor))
    });
    candidates.next()
}

/// If `x · gate` is `factor · f(x)`, where `gate` holds `function(inner)`, returns `f` and the factor.
fn gated(
    model: &Model,
    x: Tensor,
    gate: &Affine,
    function: Function,
    inner: Tensor,
) -> Option<(Function, f64)> {
    let is_inner = |tensor, factor, offset| {
        let is = |step: Affine| {
            step.tensor == x && close(step.factor, factor) && close(step.offset, offset)
        };
        Affine::steps(model, tensor).into_iter().any(is)
    };
    match function {
        // x·(1 + erf(x/√2)) = 2·gelu(x)
        Function::Erf if close(gate.factor, gate.offset) && is_inner(inner, 0.5f64.sqrt(), 0.0) => {
            Some((Function::Gelu { tanh: false }, 2.0 * gate.factor))
        }
        // x·clip(x + 3, 0, 6) = 6·hardswish(x)
        Function::Clip { lo: 0.0, hi: 6.0 } if gate.offset == 0.0 && is_inner(inner, 1.0, 3.0) => {
            Some((Function::HardSwish, 6.0 * gate.factor))
        }
        Function::HardSigmoid { alpha, beta }
            if gate.offset == 0.0
                && close(alpha, 1.0 / 6.0)
                && beta == 0.5
                && is_inner(inner, 1.0, 0.0) =>
        {
            Some((Function::HardSwish, gate.factor))
        }
        // x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) = 2·gelu(x)
        Function::Tanh if close(gate.factor, gate.offset) && is_cubic(model, inner, x) => {
            Some((Function::Gelu { tanh: true }, 2.0 * gate.factor))
        }
        // x·σ(alpha·x)
        Function::Sigmoid if gate.offset == 0.0 => {
            let of_x = |step: &Affine| step.tensor == x && step.offset == 0.0;
            let step = Affine::steps(model, inner).into_iter().find(of_x)?;
            Some((Function::Swish { alpha: step.factor }, gate.factor))
        }
        // x·tanh(softplus(x))
        Function::Tanh if gate.offset == 0.0 => {
            let softplus = Op::Activation { x, function: Function::Softplus };
            (model.node(inner).op == softplus).then_some((Function::Mish, gate.factor))
        }
        Function::Erf
        | Function::Clip { .. }
        | Function::HardSigmoid { .. }
        | Function::Tanh
        | Function::Sigmoid
        | Function::Relu
        | Function::LeakyRelu { .. }
        | Function::HardSwish
        | Function::Elu { .. }
        | Function::Selu { .. }
        | Function::Gelu { .. }
        | Function::Softplus
        | Function::Softsign
        | Function::Swish { .. }
        | Function::Exp
        | Function::Log
        | Function::Sqrt
        | Function::Sin
        | Function::Cos
        | Function::Mish => None,
    }
}

/// Whether `tensor` is the argument of the tangent in the approximation of GELU, however it is written.
fn is_cubic(model: &Model, tensor: Tensor, x: Tensor) -> bool {
    let wanted = |v: f64| std::f64::consts::FRAC_2_PI.sqrt() * (v + 0.044715 * v.powi(3));
    let is_there =
        |v: f64| value_at(model, tensor, (x, v), MOST_STEPS).is_some_and(|y| close(y, wanted(v)));
    [-2.0, -0.7, 0.3, 1.1, 2.5].into_iter().all(is_there)
}

/// Operations that an elementwise function is followed through.
const MOST_STEPS: usize = 12;

/// The elements of `tensor` where those of another one are all `v`, if it depends on nothing else.
fn value_at(model: &Model, tensor: Tensor, (x, v): (Tensor, f64), steps: usize) -> Option<f64> {
    if tensor == x {
        return Some(v);
    }
    let of = |tensor| value_at(model, tensor, (x, v), steps.checked_sub(1)?);
    if let Op::Add(a, b) = model.node(tensor).op {
        return Some(of(a)? + of(b)?);
    }
    if let Op::Mul(a, b) = model.node(tensor).op {
        return Some(of(a)? * of(b)?);
    }
    if let Op::AddConst(y, c) = model.node(tensor).op {
        return Some(of(y)? + uniform(model, c)?);
    }
    if let Op::MulConst(y, c) = model.node(tensor).op {
        return Some(of(y)? * uniform(model, c)?);
    }
    None
}

/// `z` if `x` is `1 + e^z`.
pub(super) fn one_plus_exp(model: &Model, x: Tensor) -> Option<Tensor> {
    let Op::AddConst(exp, one) = model.node(x).op else { return None };
    if let Op::Activation { x: z, function: Function::Exp } = model.node(exp).op
        && uniform(model, one) == Some(1.0)
    {
        return Some(z);
    }
    None
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= TOLERANCE * b.abs()
}

/// `factor · tensor + offset`, with one number each for all elements.
#[derive(Clone, Copy)]
struct Affine {
    tensor: Tensor,
    factor: f64,
    offset: f64,
}

impl Affine {
    /// The tensor as itself, then as what it is a multiple or an offset of, and so on; a few steps, as exporters write.
    fn steps(model: &Model, tensor: Tensor) -> Vec<Affine> {
        let mut steps = vec![Affine { tensor, factor: 1.0, offset: 0.0 }];
        while steps.len() < 4 {
            let last = steps[steps.len() - 1];
            let op = &model.node(last.tensor).op;
            // The operand, and what it is multiplied by and added to.
            let (x, factor, offset) = if let Op::MulConst(x, c) = *op {
                (x, uniform(model, c), Some(0.0))
            } else if let Op::AddConst(x, c) = *op {
                (x, Some(1.0), uniform(model, c))
            } else {
                break;
            };
            let (Some(factor), Some(offset)) = (factor, offset) else { break };
            if model.shape(x) != model.shape(tensor) {
                break;
            }
            let offset = last.offset + last.factor * offset;
            steps.push(Affine { tensor: x, factor: last.factor * factor, offset });
        }
        steps
    }
}

fn uniform(model: &Model, c: Const) -> Option<f64> {
    let array = model.array(c);
    let first = array.iter().next().copied();
    first.filter(|first| array.iter().all(|v| v == first))
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::Case;

    #[test]
    fn gates_that_exporters_write_out() {
        let case = || {
            Case::new(17, &[1, 3])
                .floats("a", &[], &[1.702])
                .floats("c", &[], &[0.044_715])
                .floats("root", &[], &[0.797_884_6])
                .floats("half", &[], &[0.5])
                .floats("one", &[], &[1.0])
                .floats("three", &[], &[3.0])
        };
        let silu = case().node("Sigmoid", "x", "s", &[]).node("Mul", "x s", "y", &[]);
        assert_eq!(silu.client(), "swish alpha=1");
        let quick = case().node("Mul", "x a", "m", &[]).node("Sigmoid", "m", "s", &[]);
        let quick = quick.node("Mul", "s x", "y", &[]).client();
        assert!(quick.starts_with("swish alpha=1.70"), "{quick}");
        let cubes = [
            case().node("Pow", "x three", "p", &[]).node("Mul", "p c", "k", &[]),
            case().node("Mul", "x x", "q", &[]).node("Mul", "q x", "p", &[]).node(
                "Mul",
                "c p",
                "k",
                &[],
            ),
        ];
        for cube in cubes {
            let gelu = cube
                .node("Add", "x k", "i", &[])
                .node("Mul", "i root", "r", &[])
                .node("Tanh", "r", "t", &[])
                .node("Add", "t one", "g", &[])
                .node("Mul", "x half", "h", &[])
                .node("Mul", "h g", "y", &[]);
            let found = gelu.client();
            assert!(found.starts_with("gelu tanh=true"), "{found}");
        }
    }
}
