//! Applies an operator's importer to a node, whatever its inputs are.

use crate::onnx::builder::Builder;
use crate::onnx::client::{self, LastNodes};
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::ops;
use crate::onnx::value::{Constant, Grid, Kind, Quantized, Value};

/// The node's outputs, of which trailing ones may be missing. What only moves elements moves those of the client, those
/// that are about to be rounded, and integers with their scales.
pub(super) fn apply(
    importer: &Importer,
    mut node: Node<'_>,
    model: &mut Builder,
) -> Result<Vec<Value>, Refused> {
    let moved = if ops::moves(importer.op_type) { node.value(0) } else { None };
    let split = if importer.op_type == "Split" { node.value(0) } else { None };
    if let Some(Value::Client { tensor, ops, .. }) = moved.clone().or(split) {
        return move_client(importer, node, LastNodes { tensor, ops }, model);
    }
    match moved {
        Some(Value::Quantized(q)) => move_quantized(importer, node, q, model),
        Some(Value::Constant(Constant { grid: Some(grid), .. })) if node.is_constant() => {
            move_grid(importer, &node, &grid, model)
        }
        _ => lower(importer, node, model),
    }
}

fn lower(
    importer: &Importer,
    mut node: Node<'_>,
    model: &mut Builder,
) -> Result<Vec<Value>, Refused> {
    let results = if node.is_constant() {
        fold(importer, &mut node, model)
    } else {
        (importer.import)(&mut node, model)
    }?;
    node.finish()?;
    Ok(results)
}

/// Elements that are moved before they are rounded are the same as after.
fn move_quantized(
    importer: &Importer,
    node: Node<'_>,
    q: Quantized,
    model: &mut Builder,
) -> Result<Vec<Value>, Refused> {
    let mut results = lower(importer, node.with_first(q.source()), model)?;
    if let Some(Value::Tensor(tensor)) = results.first() {
        results[0] = Value::Quantized(Quantized { tensor: *tensor, ..q });
    }
    Ok(results)
}

/// Lets the client move elements: where they go is what the operator makes of their positions.
fn move_client(
    importer: &Importer,
    node: Node<'_>,
    chain: LastNodes,
    model: &mut Builder,
) -> Result<Vec<Value>, Refused> {
    let positions = client::constant_positions(&chain.shape(model)?)?;
    let parts = lower(importer, node.with_first(positions.into()), model)?;
    let part = |part| match part {
        Value::Constant(to) => chain.clone().then_move(&to.into_array()).value(&node, model),
        Value::Tensor(_)
        | Value::Client { .. }
        | Value::Quantized(_)
        | Value::Strings(_)
        | Value::Unknown
        | Value::Absent(_) => Err(refuse("what is computed from constants is not a constant")),
    };
    parts.into_iter().map(part).collect()
}

/// Moves integers and scales alike.
fn move_grid(
    importer: &Importer,
    node: &Node<'_>,
    grid: &Grid,
    model: &mut Builder,
) -> Result<Vec<Value>, Refused> {
    let mut part = |array| {
        let part = Constant::new(array, Kind::Float);
        match lower(importer, node.with_first(part.into()), model)?.into_iter().next() {
            Some(Value::Constant(moved)) => Ok(moved.into_array()),
            _ => Err(refuse("what is computed from constants is not a constant")),
        }
    };
    let integers = part(grid.integers.clone().into_owned())?;
    Ok(vec![Constant::on_grid(Grid::new(integers, part(grid.wide_scale())?)?).into()])
}

/// A node whose inputs are all known: lowered to a model of its own, which is evaluated at once.
fn fold(
    importer: &Importer,
    node: &mut Node<'_>,
    model: &mut Builder,
) -> Result<Vec<Value>, Refused> {
    let (kind, format) = node.value(0).map_or((Kind::Float, None), |value| match value {
        Value::Constant(constant) => (constant.kind, constant.format),
        Value::Tensor(_)
        | Value::Client { .. }
        | Value::Quantized(_)
        | Value::Strings(_)
        | Value::Unknown
        | Value::Absent(_) => (Kind::Float, None),
    });
    let constant = |array| Value::from(Constant::new(array, kind).stored_as(format));
    let mut scratch = model.scratch();
    let results = (importer.import)(node, &mut scratch)?;
    let arrays = model.evaluate(scratch)?;
    let known = |value| match value {
        Value::Tensor(t) => constant(arrays[t.index()].clone()),
        Value::Client { tensor, ops, .. } => {
            let array = arrays[tensor.index()].clone();
            constant(hecc_grammar::model::apply_client_ops(&ops, array))
        }
        Value::Constant(_)
        | Value::Quantized(_)
        | Value::Strings(_)
        | Value::Unknown
        | Value::Absent(_) => value,
    };
    let results: Vec<Value> = results.into_iter().map(known).collect();
    for result in &results {
        if let Value::Constant(constant) = result {
            model.spend(constant.array.len())?;
        }
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    #[test]
    fn shapes_are_computed_at_import() {
        let case = Case::new(13, &[1, 2, 3])
            .ints("zero", &[0])
            .ints("rest", &[-1])
            .node("Shape", "x", "shape", &[])
            .node("Gather", "shape zero", "n", &[])
            .node("Concat", "n rest", "target", &[("axis", Attr::Int(0))])
            .node("Cast", "target", "float", &[("to", Attr::Int(1))])
            .node("Cast", "float", "whole", &[("to", Attr::Int(7))])
            .node("Reshape", "x whole", "y", &[]);
        let model = case.import().unwrap();
        assert_eq!(model.shape(model.outputs[0].tensor), [1, 6]);
        assert_eq!(model.nodes.len(), 2);
    }

    #[test]
    fn small_files_cannot_ask_for_much_memory() {
        let huge = [1 << 14, 1 << 14];
        let case = || Case::new(13, &[1]).ints("s", &huge).floats("one", &[], &[1.0]);
        let error =
            case().node("ConstantOfShape", "s", "c", &[]).node("Add", "x c", "y", &[]).error();
        assert!(error.contains("constants would have more than 8388608 elements"), "{error}");
        let error = case().node("Expand", "one s", "c", &[]).node("Add", "x c", "y", &[]).error();
        assert!(error.contains("constants would have more than"), "{error}");
        // Each is small enough, all together are not.
        let mut many = Case::new(13, &[1]).ints("s", &[1 << 21]);
        for i in 0..8 {
            let name = format!("c{i}");
            many = many.node("ConstantOfShape", "s", &name, &[]).node(
                "Add",
                &format!("x {name}"),
                "y",
                &[],
            );
            many.graph().node.last_mut().unwrap().output[0] = format!("y{i}");
        }
        assert!(many.error().contains("constants would have more than"));
    }
}
