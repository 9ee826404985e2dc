//! `Gather` with known indices.

use hecc_grammar::model::ClientOp;

use crate::onnx::builder::Builder;
use crate::onnx::client::LastNodes;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::value::Value;

pub(super) const GATHER: Importer = Importer {
    op_type: "Gather",
    since: 7,
    supported: "`axis`; constant indices; a list of constants at the indices that the client finds",
    refused: "encrypted indices",
    import,
};

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let axis = node.attr::<i64>("axis")?.unwrap_or(0);
    if let Some(chain) = LastNodes::begun(node, 1) {
        let table = node.value(0).ok_or_else(|| refuse("input 0 is missing"))?;
        return Ok(vec![look_up(chain, table)?.value(node, model)?]);
    }
    let indices = node.constant(1).map_err(|r| {
        r.instead("one-hot encode the indices before encryption and multiply by the table")
    })?;
    let list = indices.to_integers()?;
    let x = node.tensor(0, model)?;
    let from = model.shape(x);
    let axis = shape::axis(axis, from.len())?;
    let extent = from[axis] as i64;
    if let Some(bad) = list.iter().find(|i| !(-extent..extent).contains(i)) {
        return Err(refuse(format!("index {bad}, expected {} to {}", -extent, extent - 1)));
    }
    let list = list.iter().map(|i| i.rem_euclid(extent) as usize).collect();
    let taken = model.gather(x, axis, list)?;
    let to = [&from[..axis], indices.shape(), &from[axis + 1..]].concat();
    Ok(vec![model.reshape(taken, to)?.into()])
}

/// What the client's indices stand for in a list.
pub(super) fn look_up(chain: LastNodes, table: Value) -> Result<LastNodes, Refused> {
    match table {
        Value::Strings(names) if shape::is_list(&names.shape) => {
            Ok(chain.then(ClientOp::Labels { names: names.names.to_vec() }))
        }
        Value::Constant(table) if shape::is_list(table.shape()) => {
            let values = table.to_vec();
            let keys: Vec<f64> = (0..values.len()).map(|i| i as f64).collect();
            let default = values.first().copied().unwrap_or(0.0);
            let in_order = values == keys;
            Ok(match in_order {
                true => chain,
                false => chain.then(ClientOp::Lookup { keys, values, default }),
            })
        }
        Value::Constant(_)
        | Value::Strings(_)
        | Value::Tensor(_)
        | Value::Client { .. }
        | Value::Quantized(_)
        | Value::Unknown
        | Value::Absent(_) => {
            Err(refuse("the client's indices look up something else than a list of constants")
                .instead("end the network with the indices"))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    #[test]
    fn indices_may_be_negative_and_repeat() {
        let case = Case::new(13, &[1, 3]).ints("i", &[-1, 0, -1]);
        let case = case.node("Gather", "x i", "y", &[("axis", Attr::Int(1))]);
        assert_eq!(case.result(&[1.0, 2.0, 3.0]), (vec![1, 3], vec![3.0, 1.0, 3.0]));
    }

    #[test]
    fn indices_are_known_and_inside() {
        let outside = Case::new(13, &[3]).ints("i", &[3]).node("Gather", "x i", "y", &[]);
        assert!(outside.error().contains("index 3, expected -3 to 2"));
        let table =
            Case::new(13, &[1]).floats("t", &[3], &[1.0; 3]).node("Gather", "t x", "y", &[]);
        assert!(table.error().contains("instead: one-hot encode"));
        let floats = Case::new(13, &[3]).floats("i", &[1], &[1.0]).node("Gather", "x i", "y", &[]);
        assert!(floats.error().contains("holds floats, expected integers"));
    }
}
