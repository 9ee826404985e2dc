//! What the steps that are left to the client say of an output.

use hecc_grammar::model::{ClientOp, Function, apply_client_ops};
use hecc_grammar::plan::OutputKind;
use ndarray::{ArrayD, IxDyn};

/// Numbers beyond these do not occur.
const FAR: f64 = 1e9;

/// Halvings from twice that far to the last digit of a threshold.
const HALVINGS: usize = 200;

/// What an output is for, if what the client does with it says so.
pub(super) fn said_by_client(shape: &[usize], client: &[ClientOp]) -> Option<OutputKind> {
    let count: usize = shape.iter().product();
    let compares = client.iter().any(|op| matches!(op, ClientOp::Compare { .. }));
    if compares || (count == 1 && client.iter().any(ClientOp::chooses)) {
        return threshold(shape, client).map(|at| OutputKind::Threshold { at });
    }
    // Until elements are moved, axes are those of the output.
    let mut is_moved = false;
    for op in client {
        match op {
            ClientOp::Softmax { axis }
            | ClientOp::LogSoftmax { axis }
            | ClientOp::ArgMax { axis, .. }
            | ClientOp::TopKIndices { axis, .. } => {
                let axis = if is_moved { row_axis(shape)? } else { *axis };
                return (shape[axis] > 1).then_some(OutputKind::Classes { axis });
            }
            ClientOp::Classes { .. } => {
                return row_axis(shape).map(|axis| OutputKind::Classes { axis });
            }
            ClientOp::TopK { .. } => return Some(OutputKind::Values),
            ClientOp::Activation(function) if !is_ascending(*function) => return None,
            ClientOp::Affine { factor, offset } if !is_ascending_map(factor, offset) => {
                return None;
            }
            ClientOp::Reshape { .. } | ClientOp::Pick { .. } => is_moved = true,
            ClientOp::Sum { .. } | ClientOp::Lookup { .. } | ClientOp::Normalize { .. } => {
                return None;
            }
            ClientOp::FakeQuant(_)
            | ClientOp::Activation(_)
            | ClientOp::Affine { .. }
            | ClientOp::Compare { .. }
            | ClientOp::Round(_)
            | ClientOp::Labels { .. } => {}
        }
    }
    None
}

/// The only axis along which there is more than one element.
pub(super) fn row_axis(shape: &[usize]) -> Option<usize> {
    let mut long = (0..shape.len()).filter(|&axis| shape[axis] > 1);
    long.next().filter(|_| long.next().is_none())
}

/// The number at which what the client makes of an output jumps, the same for each element.
fn threshold(shape: &[usize], client: &[ClientOp]) -> Option<f64> {
    let answer = |x: f64| {
        let applied = apply_client_ops(client, ArrayD::from_elem(IxDyn(shape), x));
        applied.iter().copied().collect::<Vec<f64>>()
    };
    let (mut lo, mut hi) = (-FAR, FAR);
    let below = answer(lo);
    if below == answer(hi) {
        return None;
    }
    for _ in 0..HALVINGS {
        let middle = lo + (hi - lo) / 2.0;
        if answer(middle) == below { lo = middle } else { hi = middle }
    }
    Some(lo)
}

/// Whether larger numbers never become smaller ones.
fn is_ascending(function: Function) -> bool {
    match function {
        Function::LeakyRelu { alpha } | Function::HardSigmoid { alpha, .. } => alpha >= 0.0,
        Function::Relu
        | Function::Sigmoid
        | Function::Tanh
        | Function::Elu { .. }
        | Function::Selu { .. }
        | Function::Erf
        | Function::Softplus
        | Function::Softsign
        | Function::Exp
        | Function::Log
        | Function::Sqrt
        | Function::Clip { .. } => true,
        Function::HardSwish
        | Function::Gelu { .. }
        | Function::Mish
        | Function::Swish { .. }
        | Function::Sin
        | Function::Cos => false,
    }
}

/// Whether a map keeps the order of different elements.
fn is_ascending_map(factor: &[f64], offset: &[f64]) -> bool {
    let is_one = |list: &[f64]| list.iter().all(|x| *x == list[0]);
    is_one(factor) && is_one(offset) && factor.first().is_none_or(|&factor| factor > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hecc_grammar::model::Comparison;

    #[test]
    fn thresholds_are_those_of_the_output() {
        let sigmoid = ClientOp::Activation(Function::Sigmoid);
        let above = |with| ClientOp::Compare { comparison: Comparison::Greater, with: vec![with] };
        let at = |client: &[ClientOp], shape: &[usize]| match said_by_client(shape, client) {
            Some(OutputKind::Threshold { at }) => at,
            other => panic!("{other:?}"),
        };
        assert_eq!(at(&[above(2.5)], &[1, 3]), 2.5);
        assert!(at(&[sigmoid.clone(), above(0.5)], &[1, 1]).abs() < 1e-9);
        assert!((at(&[sigmoid, above(0.8)], &[1, 1]) - 4f64.ln()).abs() < 1e-9);
        // Two probabilities from one: 1 - p and p.
        let both = [
            ClientOp::Activation(Function::Sigmoid),
            ClientOp::Pick { positions: vec![0, 0], shape: vec![1, 2] },
            ClientOp::Affine { factor: vec![-1.0, 1.0], offset: vec![1.0, 0.0] },
            ClientOp::ArgMax { axis: 1, keepdims: false },
        ];
        assert!(at(&both, &[1, 1]).abs() < 1e-9);
    }

    #[test]
    fn choices_are_along_their_axis() {
        let arg_max = ClientOp::ArgMax { axis: 1, keepdims: true };
        let softmax = ClientOp::Softmax { axis: 2 };
        let classes = |axis| Some(OutputKind::Classes { axis });
        assert_eq!(said_by_client(&[1, 3, 2, 2], std::slice::from_ref(&arg_max)), classes(1));
        assert_eq!(said_by_client(&[1, 3, 4], std::slice::from_ref(&softmax)), classes(2));
        let flat = ClientOp::Reshape { shape: vec![1, 1, 3] };
        assert_eq!(said_by_client(&[1, 3], &[flat, softmax]), classes(1));
        let negated = ClientOp::Affine { factor: vec![-1.0], offset: vec![0.0] };
        assert_eq!(said_by_client(&[1, 3], &[negated, arg_max]), None);
        assert_eq!(said_by_client(&[1, 3], &[]), None);
        let tanh = ClientOp::Activation(Function::Tanh);
        assert_eq!(said_by_client(&[1, 3], &[tanh]), None);
    }
}
