//! `GatherElements` and `GatherND` with known indices: elements picked one by one, or slice by slice.

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::value::{Constant, Value};

pub(super) const GATHER_ELEMENTS: Importer = Importer {
    op_type: "GatherElements",
    since: 11,
    supported: "`axis`; constant indices",
    refused: "encrypted indices",
    import: gather_elements,
};
pub(super) const GATHER_ND: Importer = Importer {
    op_type: "GatherND",
    since: 11,
    supported: "`batch_dims`; constant indices",
    refused: "encrypted indices",
    import: gather_nd,
};

fn gather_elements(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let axis = node.attr::<i64>("axis")?.unwrap_or(0);
    let (x, indices) = (node.tensor(0, model)?, indices(node)?);
    let (from, to) = (model.shape(x), indices.shape().to_vec());
    let axis = shape::axis(axis, from.len())?;
    let fits = to.len() == from.len() && (0..to.len()).all(|d| d == axis || to[d] <= from[d]);
    if !fits {
        return Err(refuse(format!(
            "indices of shape {to:?} into data of shape {from:?} along axis {axis}"
        )));
    }
    let steps = strides(&from);
    let position = |(at, index): (ndarray::IxDyn, &f64)| {
        let chosen = wrap(*index, from[axis])?;
        let place = |d: usize| if d == axis { chosen } else { at[d] };
        Ok((0..from.len()).map(|d| place(d) * steps[d]).sum())
    };
    let positions: Result<Vec<usize>, Refused> =
        indices.array.indexed_iter().map(position).collect();
    Ok(vec![model.pick(x, positions?, to)?.into()])
}

fn gather_nd(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let batch = node.attr::<i64>("batch_dims")?.unwrap_or(0);
    let (x, indices) = (node.tensor(0, model)?, indices(node)?);
    let (from, list) = (model.shape(x), indices.shape().to_vec());
    let depth = list.last().copied().unwrap_or(0);
    let batch = usize::try_from(batch).ok().filter(|b| {
        *b < list.len() && b + depth <= from.len() && from[..*b] == list[..*b] && depth > 0
    });
    let Some(batch) = batch else {
        return Err(refuse(format!("indices of shape {list:?} into data of shape {from:?}")));
    };
    let steps = strides(&from);
    let (tail, outer) = (&from[batch + depth..], &list[..list.len() - 1]);
    let slice: usize = tail.iter().product();
    let to = [outer, tail].concat();
    let mut positions = Vec::with_capacity(shape::count(&to)?);
    let tuples = indices.to_vec();
    // Batch dimensions come first in both, so their slices follow each other alike.
    let per_batch = outer[batch..].iter().product::<usize>().max(1);
    let batch_step: usize = from[batch..].iter().product();
    for (i, tuple) in tuples.chunks(depth).enumerate() {
        let mut start = i / per_batch * batch_step;
        for (k, &index) in tuple.iter().enumerate() {
            start += wrap(index, from[batch + k])? * steps[batch + k];
        }
        positions.extend(start..start + slice);
    }
    Ok(vec![model.pick(x, positions, to)?.into()])
}

fn indices(node: &mut Node<'_>) -> Result<Constant, Refused> {
    let indices = node.constant(1).map_err(|r| {
        r.instead("one-hot encode the indices before encryption and multiply by the table")
    })?;
    indices.to_integers()?;
    Ok(indices)
}

/// An index in `0..extent`; negative ones count from the end.
fn wrap(index: f64, extent: usize) -> Result<usize, Refused> {
    let (index, n) = (index as i64, extent as i64);
    if (-n..n).contains(&index) {
        return Ok(index.rem_euclid(n) as usize);
    }
    Err(refuse(format!("index {index}, expected {} to {}", -n, n - 1)))
}

/// What a step in each dimension is in row-major order.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut steps = vec![1; shape.len()];
    for d in (1..shape.len()).rev() {
        steps[d - 1] = steps[d] * shape[d];
    }
    steps
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case, DataType};

    #[test]
    fn elements_one_by_one() {
        let case = |indices: &[i32]| {
            let shape = [1, indices.len() as i64];
            let case = Case::new(13, &[1, 3]).stored("i", DataType::Int32, &shape, indices);
            case.node("GatherElements", "x i", "y", &[("axis", Attr::Int(1))])
        };
        let x = [1.0, 2.0, 3.0];
        assert_eq!(case(&[-1, 0, 0, 1]).result(&x), (vec![1, 4], vec![3.0, 1.0, 1.0, 2.0]));
        assert!(case(&[3]).error().contains("index 3, expected -3 to 2"));
        let encrypted =
            Case::new(13, &[3]).input("i", &[3]).node("GatherElements", "x i", "y", &[]);
        assert!(encrypted.error().contains("instead: one-hot encode"));
    }

    #[test]
    fn slices_by_tuples_of_indices() {
        let case = |batch, shape: &[i64], indices: &[i32]| {
            let case = Case::new(13, &[2, 2, 2]).stored("i", DataType::Int32, shape, indices);
            case.node("GatherND", "x i", "y", &[("batch_dims", Attr::Int(batch))])
        };
        let x: Vec<f64> = (0..8).map(f64::from).collect();
        let y = case(0, &[2, 2], &[0, 1, 1, -2]).result(&x);
        assert_eq!(y, (vec![2, 2], vec![2.0, 3.0, 4.0, 5.0]));
        let y = case(1, &[2, 1], &[1, 0]).result(&x);
        assert_eq!(y, (vec![2, 2], vec![2.0, 3.0, 4.0, 5.0]));
        assert!(case(1, &[1, 1], &[1]).error().contains("indices of shape [1, 1]"));
        assert!(case(0, &[1, 4], &[0, 0, 0, 0]).error().contains("indices of shape [1, 4]"));
    }
}
