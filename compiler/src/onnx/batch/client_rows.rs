//! What is left to the client for one row of an output, if it treats rows apart; see [`super::rows`].

use hecc_grammar::model::ClientOp;

/// The same operations for one of the `n` rows of a tensor of this shape; `None` if they mix rows.
pub(super) fn one_row(ops: &[ClientOp], shape: &[usize], n: usize) -> Option<Vec<ClientOp>> {
    let mut shape = shape.to_vec();
    let mut found = Vec::with_capacity(ops.len());
    for op in ops {
        let to = op.shape(&shape).ok()?;
        if to.first() != Some(&n) {
            return None;
        }
        found.push(of_one_row(op, &shape, n)?);
        shape = to;
    }
    Some(found)
}

fn of_one_row(op: &ClientOp, from: &[usize], n: usize) -> Option<ClientOp> {
    let per_row = from.iter().product::<usize>() / n;
    let first = |numbers: &[f64]| match numbers.len() {
        1 => Some(numbers.to_vec()),
        _ => {
            let row = &numbers[..per_row];
            numbers.chunks(per_row).all(|other| other == row).then(|| row.to_vec())
        }
    };
    match op {
        ClientOp::Softmax { axis }
        | ClientOp::LogSoftmax { axis }
        | ClientOp::ArgMax { axis, .. }
        | ClientOp::TopK { axis, .. }
        | ClientOp::TopKIndices { axis, .. }
        | ClientOp::Normalize { axis, .. }
        | ClientOp::Sum { axis, .. } => (*axis > 0).then(|| op.clone()),
        ClientOp::FakeQuant(_)
        | ClientOp::Activation(_)
        | ClientOp::Round(_)
        | ClientOp::Lookup { .. }
        | ClientOp::Labels { .. } => Some(op.clone()),
        ClientOp::Classes { .. } => (from.len() > 1).then(|| op.clone()),
        ClientOp::Affine { factor, offset } => {
            Some(ClientOp::Affine { factor: first(factor)?, offset: first(offset)? })
        }
        ClientOp::Compare { comparison, with } => {
            Some(ClientOp::Compare { comparison: *comparison, with: first(with)? })
        }
        ClientOp::Reshape { shape } => Some(ClientOp::Reshape { shape: with_one(shape) }),
        ClientOp::Pick { positions, shape } => {
            let length = positions.len() / n;
            let row = &positions[..length];
            let is_shifted =
                |(i, at): (usize, &usize)| *at == row[i % length] + i / length * per_row;
            let apart =
                row.iter().all(|&at| at < per_row) && positions.iter().enumerate().all(is_shifted);
            apart.then(|| ClientOp::Pick { positions: row.to_vec(), shape: with_one(shape) })
        }
    }
}

fn with_one(shape: &[usize]) -> Vec<usize> {
    [&[1], &shape[1..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_treated_apart() {
        let one = |op: ClientOp| one_row(&[op], &[2, 3], 2).map(|mut ops| ops.remove(0));
        let softmax = |axis| ClientOp::Softmax { axis };
        assert_eq!(one(softmax(1)), Some(softmax(1)));
        assert_eq!(one(softmax(0)), None);
        assert_eq!(one(ClientOp::ArgMax { axis: 0, keepdims: false }), None);
        let affine =
            |factor: &[f64]| ClientOp::Affine { factor: factor.to_vec(), offset: vec![1.0] };
        assert_eq!(one(affine(&[2.0])), Some(affine(&[2.0])));
        let repeated = affine(&[1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
        assert_eq!(one(repeated), Some(affine(&[1.0, 2.0, 3.0])));
        assert_eq!(one(affine(&[1.0, 2.0, 3.0, 1.0, 2.0, 4.0])), None);
        let pick = |positions: &[usize], shape: &[usize]| ClientOp::Pick {
            positions: positions.to_vec(),
            shape: shape.to_vec(),
        };
        assert_eq!(one(pick(&[2, 0, 5, 3], &[2, 2])), Some(pick(&[2, 0], &[1, 2])));
        assert_eq!(one(pick(&[3, 0, 0, 3], &[2, 2])), None);
        assert_eq!(one(pick(&[0, 3, 1, 4], &[2, 2])), None);
        let reshape = |shape: &[usize]| ClientOp::Reshape { shape: shape.to_vec() };
        assert_eq!(one(reshape(&[2, 1, 3])), Some(reshape(&[1, 1, 3])));
        assert_eq!(one(reshape(&[3, 2])), None);
    }
}
