//! How large a network may be: one that no plan could hold is refused before any work is done on it.

use hecc_grammar::model::{Model, Op};

use crate::error::CompileError;

/// No encrypted tensor has more elements: 2^22 are 128 ciphertexts of the largest ring. The largest tensors of networks for
/// photographs have some 2^20 to 2^21.
pub const MAX_ENCRYPTED: usize = 1 << 22;

/// Activations and products on one path: each takes a level or more, and a thousand of them days.
const MAX_DEPTH: usize = 1000;

/// Checks the size of a network.
///
/// # Errors
/// If a tensor is too large, or a path too long.
pub fn check(model: &Model) -> Result<(), CompileError> {
    let mut depths: Vec<usize> = Vec::with_capacity(model.nodes.len());
    for node in &model.nodes {
        let too_large = |what: String| CompileError::TooLarge { node: node.name.clone(), what };
        let elements: usize = node.shape.iter().product();
        if elements > MAX_ENCRYPTED {
            let what = format!("has {elements} elements, at most {MAX_ENCRYPTED} can be encrypted");
            return Err(too_large(what));
        }
        let before = node.op.operands().into_iter().map(|operand| depths[operand.index()]);
        let depth = before.max().unwrap_or(0) + usize::from(takes_a_level(&node.op));
        if depth > MAX_DEPTH {
            return Err(too_large(format!(
                "more than {MAX_DEPTH} activations and products follow each other up to here"
            )));
        }
        depths.push(depth);
    }
    Ok(())
}

/// Levels that a network takes at least, whatever the polynomials are: two for an activation and one for the map that follows.
pub fn least_levels(model: &Model) -> usize {
    let mut depths: Vec<usize> = Vec::with_capacity(model.nodes.len());
    for node in &model.nodes {
        let is_activation = matches!(node.op, Op::Activation { .. });
        let own = if is_activation { 3 } else { usize::from(takes_a_level(&node.op)) };
        let before = node.op.operands().into_iter().map(|operand| depths[operand.index()]);
        depths.push(before.max().unwrap_or(0) + own);
    }
    depths.into_iter().max().unwrap_or(0)
}

fn takes_a_level(op: &Op) -> bool {
    match op {
        Op::Mul(..)
        | Op::Activation { .. }
        | Op::Polynomial { .. }
        | Op::ChannelPolynomials { .. } => true,
        Op::Input
        | Op::Add(..)
        | Op::Concat { .. }
        | Op::AddConst(..)
        | Op::MulConst(..)
        | Op::Expand(_)
        | Op::Reshape(_)
        | Op::Conv { .. }
        | Op::AveragePool { .. }
        | Op::MatMul { .. }
        | Op::MatMulLeft { .. }
        | Op::Sum { .. }
        | Op::Transpose { .. }
        | Op::Slice { .. }
        | Op::Gather { .. }
        | Op::Pad { .. }
        | Op::Sine { .. }
        | Op::FakeQuant { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squares(count: usize, n: usize) -> Model {
        let mut model = Model::default();
        let mut x = model.push(Op::Input, "x", vec![1, n]);
        for i in 0..count {
            x = model.push(Op::Mul(x, x), &format!("square{i}"), vec![1, n]);
        }
        model
    }

    #[test]
    fn activations_take_two_levels_and_a_map() {
        let mut model = squares(2, 4);
        let function = hecc_grammar::model::Function::Relu;
        let x = hecc_grammar::model::Tensor(2);
        model.push(Op::Activation { x, function }, "relu", vec![1, 4]);
        assert_eq!(least_levels(&model), 5);
    }

    #[test]
    fn networks_that_no_plan_holds_are_refused() {
        assert!(check(&squares(MAX_DEPTH, MAX_ENCRYPTED)).is_ok());
        let error = check(&squares(20_000, 4)).unwrap_err().to_string();
        assert!(error.starts_with("node `square1000`: more than 1000 activations"), "{error}");
        let error = check(&squares(0, MAX_ENCRYPTED + 1)).unwrap_err().to_string();
        assert!(error.starts_with("node `x`: has 4194305 elements"), "{error}");
    }
}
