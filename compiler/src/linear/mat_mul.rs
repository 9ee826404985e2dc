//! Products with a constant matrix, by numpy's rules.

use ndarray::ArrayD;

use super::{Pairs, Relation, Structure, unflatten};

/// Which operand of the product is the constant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Side {
    Left,
    Right,
}

/// A product with a constant.
#[derive(Clone, Debug)]
pub(super) struct MatMul {
    side: Side,
    /// Shapes of both factors, with the dimension that a vector gains where it is summed over.
    left: Vec<usize>,
    right: Vec<usize>,
    /// Shape of the stack of matrices.
    batch: Vec<usize>,
    weight: Vec<f64>,
    /// Rank of the operand and of the result.
    ranks: (usize, usize),
}

impl MatMul {
    /// The product of a tensor of shape `input` with `weight`, whose result has the shape `output`.
    pub(super) fn new(
        input: &[usize],
        output: &[usize],
        weight: &ArrayD<f64>,
        side: Side,
    ) -> MatMul {
        let as_matrix = |shape: &[usize], is_left: bool| match (shape, is_left) {
            (&[n], true) => vec![1, n],
            (&[n], false) => vec![n, 1],
            _ => shape.to_vec(),
        };
        let (left, right) = match side {
            Side::Right => (as_matrix(input, true), as_matrix(weight.shape(), false)),
            Side::Left => (as_matrix(weight.shape(), true), as_matrix(input, false)),
        };
        let batch = broadcast_shape(&left[..left.len() - 2], &right[..right.len() - 2]);
        let ranks = (input.len(), output.len());
        MatMul { side, left, right, batch, weight: weight.iter().copied().collect(), ranks }
    }

    /// Rows of the left factor, elements summed, columns of the right one.
    fn sizes(&self) -> (usize, usize, usize) {
        let (a, b) = (&self.left, &self.right);
        (a[a.len() - 2], a[a.len() - 1], b[b.len() - 1])
    }

    /// Elements of the result and of the operand.
    pub(super) fn size(&self) -> (usize, usize) {
        let (rows, _, cols) = self.sizes();
        let operand = if self.side == Side::Right { &self.left } else { &self.right };
        (self.batch.iter().product::<usize>() * rows * cols, operand.iter().product())
    }

    /// Calls `entry(operand's element, weight)` for row `o`.
    pub(super) fn row(&self, o: usize, mut entry: impl FnMut(usize, f64)) {
        let (rows, inner, cols) = self.sizes();
        let index = unflatten(o / (rows * cols), &self.batch);
        let (r, c) = (o / cols % rows, o % cols);
        let a_start = offset(&index, &self.left) * rows * inner;
        let b_start = offset(&index, &self.right) * inner * cols;
        for k in 0..inner {
            let (a, b) = (a_start + r * inner + k, b_start + k * cols + c);
            match self.side {
                Side::Right => entry(a, self.weight[b]),
                Side::Left => entry(b, self.weight[a]),
            }
        }
    }

    /// A single matrix applied to each row or column of the operand; `None` for stacks of them.
    pub(super) fn structure(&self) -> Option<Structure> {
        let (rows, inner, cols) = self.sizes();
        let (constant, (rank_in, rank_out)) = match self.side {
            Side::Right => (&self.right, self.ranks),
            Side::Left => (&self.left, self.ranks),
        };
        if constant.len() > 2 || rank_in < 2 || rank_in != rank_out {
            return None;
        }
        let last = rank_in - 1;
        let (summed, kept) =
            if self.side == Side::Right { (last, last - 1) } else { (last - 1, last) };
        let n_kept = if self.side == Side::Right { rows } else { cols };
        let mut relations: Vec<Relation> =
            self.batch.iter().enumerate().map(|(dim, &n)| Relation::same(dim, dim, n)).collect();
        relations.push(Relation::same(kept, kept, n_kept));
        let n_out = if self.side == Side::Right { cols } else { rows };
        let weight = |o: usize, i: usize| match self.side {
            Side::Right => self.weight[i * cols + o],
            Side::Left => self.weight[o * inner + i],
        };
        let read = |o: usize| (0..inner).filter(move |&i| weight(o, i) != 0.0);
        let all = || (0..n_out).flat_map(|o| read(o).map(move |i| (o, i)));
        let pairs = match self.weight.contains(&0.0) {
            true => Pairs::list(all()),
            false => Pairs::All { n_out, n_in: inner },
        };
        let weights = all().map(|(o, i)| weight(o, i));
        relations.push(Relation::new(summed, summed, pairs).valued(weights));
        Some(Structure::of(relations))
    }
}

/// The position of a stack's matrix in one that broadcasts.
fn offset(index: &[usize], dims: &[usize]) -> usize {
    let dims = &dims[..dims.len() - 2];
    let skipped = index.len() - dims.len();
    let place = |flat: usize, (&i, &n): (&usize, &usize)| flat * n + if n == 1 { 0 } else { i };
    index[skipped..].iter().zip(dims).fold(0, place)
}

fn broadcast_shape(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let dim = |s: &[usize], d: usize| (d + s.len()).checked_sub(rank).map_or(1, |i| s[i]);
    (0..rank).map(|d| dim(a, d).max(dim(b, d))).collect()
}
