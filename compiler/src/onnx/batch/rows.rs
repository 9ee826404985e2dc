//! Follows the rows of a network's inputs, its first dimension, from node to node: is it a batch of inputs that are
//! computed apart, or do nodes mix rows, so that all of them together are one input?
//!
//! Only where no node mixes rows is the network of one row ([`one_row`]) the same network.

use hecc_grammar::model::{ClientOp, Const, Model, Node, Op, Output, Tensor};
use ndarray::{ArrayD, Axis, Slice};

use super::client_rows;

/// Where the rows of a tensor are: dimension `axis` has `outer · n · inner` elements, of which the factor in the middle
/// counts the `n` rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rows {
    axis: usize,
    outer: usize,
    inner: usize,
}

/// Where rows meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mixed {
    /// Name of the node, or of the output.
    pub(super) node: String,
    /// What it does to the rows.
    pub(super) what: &'static str,
    /// Whether it is a reshape to a single row, which only networks for one row have.
    pub(super) is_for_one: bool,
}

const SUMS: &str = "sums over the rows";
const JOINS: &str = "joins rows with others";
const TAKES: &str = "takes some of the rows, or in another order";
const OWN: &str = "has numbers of its own for each row";
const REPEATS: &str = "makes several rows of one";
const LAST: &str = "does not have the rows as its first dimension";
const COMPARES: &str = "compares rows";
const FOLDS: &str = "puts all rows into one";

/// The network of one row, if the `n` rows of all inputs are computed apart.
pub(super) fn one_row(model: &Model, n: usize) -> Result<Model, Mixed> {
    let follow = Follow { model, n, is_lenient: false };
    let rows = follow.all(&vec![true; model.inputs().count()])?;
    let client = follow.outputs(&rows)?;
    let mut new = model.clone();
    new.outputs.iter_mut().zip(client).for_each(|(output, client)| output.client = client);
    for (tensor, node) in model.tensors() {
        let Some(rows) = rows[tensor.index()] else { continue };
        new.nodes[tensor.index()].shape[rows.axis] /= n;
        if let Op::AddConst(_, c) | Op::MulConst(_, c) = node.op
            && let Some(axis) = follow.axis_of(c, rows, node.shape.len())
        {
            let first = follow.first(model.array(c), axis, rows);
            let first = new.constant(first);
            new.nodes[tensor.index()].op.constants_mut().into_iter().for_each(|c| *c = first);
        }
    }
    Ok(new)
}

/// Whether the `n` rows of those inputs that have any are computed apart.
pub(super) fn check(model: &Model, n: usize, has_rows: &[bool]) -> Result<(), Mixed> {
    let follow = Follow { model, n, is_lenient: false };
    follow.outputs(&follow.all(has_rows)?).map(|_| ())
}

/// Whether a network of one row makes several rows of it: one that was meant for as many.
pub(super) fn check_one(model: &Model, has_rows: &[bool]) -> Result<(), Mixed> {
    Follow { model, n: 1, is_lenient: true }.all(has_rows).map(|_| ())
}

struct Follow<'a> {
    model: &'a Model,
    n: usize,
    /// Whether rows may get lost on the way: a single one can be anywhere.
    is_lenient: bool,
}

impl Follow<'_> {
    /// The rows of every tensor, `None` where there is but one of all rows.
    fn all(&self, has_rows: &[bool]) -> Result<Vec<Option<Rows>>, Mixed> {
        let mut rows: Vec<Option<Rows>> = Vec::with_capacity(self.model.nodes.len());
        let mut inputs = has_rows.iter();
        for (_, node) in self.model.tensors() {
            let found = if matches!(node.op, Op::Input) {
                Ok(inputs.next().filter(|has| **has).map(|_| pure(0)))
            } else {
                self.node(node, &rows)
            };
            rows.push(match found {
                Ok(found) => found,
                Err(what) if self.is_lenient && what != REPEATS => None,
                Err(what) => {
                    let is_for_one = what == FOLDS;
                    return Err(Mixed { node: node.name.clone(), what, is_for_one });
                }
            });
        }
        Ok(rows)
    }

    /// What the client applies to each output of one row.
    fn outputs(&self, rows: &[Option<Rows>]) -> Result<Vec<Vec<ClientOp>>, Mixed> {
        let one = |output: &Output| {
            let to_one = |op: &ClientOp| matches!(op, ClientOp::Reshape { shape } if shape.first() == Some(&1));
            let is_for_one = output.client.iter().any(to_one);
            let mixed = |what| Err(Mixed { node: output.name.clone(), what, is_for_one });
            match rows[output.tensor.index()] {
                None => Ok(output.client.clone()),
                Some(rows) if rows != pure(0) => mixed(LAST),
                Some(_) => {
                    let shape = self.model.shape(output.tensor);
                    let ops = client_rows::one_row(&output.client, shape, self.n);
                    ops.map_or_else(|| mixed(COMPARES), Ok)
                }
            }
        };
        self.model.outputs.iter().map(one).collect()
    }

    /// The rows of a node's result, or what mixes them.
    fn node(&self, node: &Node, rows: &[Option<Rows>]) -> Result<Option<Rows>, &'static str> {
        let operands = node.op.operands();
        match (operands.first(), self.shared(&operands, rows)?) {
            (Some(&x), Some(rows)) => self.through(node, x, rows).map(Some),
            _ => Ok(None),
        }
    }

    /// The rows of the result of a node that reads a tensor with rows, or several with the same.
    fn through(&self, node: &Node, x: Tensor, rows: Rows) -> Result<Rows, &'static str> {
        let from = self.model.shape(x);
        let moved = |axis: usize| Rows { axis, ..rows };
        let only_if = |holds: bool, what| if holds { Ok(rows) } else { Err(what) };
        match &node.op {
            Op::Conv { .. } => only_if(rows.axis == 0, SUMS),
            Op::AveragePool { .. } => only_if(rows.axis < 2, SUMS),
            Op::MatMul { weight, .. } => self.product(node, (x, 1), *weight, rows),
            Op::MatMulLeft { weight, .. } => self.product(node, (x, 2), *weight, rows),
            Op::AddConst(_, c) | Op::MulConst(_, c) => {
                only_if(self.is_shared(*c, rows, from.len()), OWN)
            }
            Op::Expand(_) => {
                let axis = rows.axis + node.shape.len() - from.len();
                if node.shape[axis] == from[rows.axis] { Ok(moved(axis)) } else { Err(REPEATS) }
            }
            Op::Sum { axes, .. } if axes.contains(&rows.axis) => Err(SUMS),
            Op::Sum { axes, keepdims, .. } => {
                let gone = axes.iter().filter(|&&axis| !keepdims && axis < rows.axis).count();
                Ok(moved(rows.axis - gone))
            }
            Op::Reshape(_) => self.reshaped(from, &node.shape, rows),
            Op::Transpose { perm, .. } => {
                let axis = perm.iter().position(|&axis| axis == rows.axis);
                Ok(moved(axis.expect("a permutation has every dimension")))
            }
            Op::Slice { starts, steps, .. } => {
                let axis = rows.axis;
                let all = (starts[axis], steps[axis], node.shape[axis]) == (0, 1, from[axis]);
                only_if(all, TAKES)
            }
            Op::Pad { before, after, .. } => {
                only_if((before[rows.axis], after[rows.axis]) == (0, 0), JOINS)
            }
            Op::Gather { axis, indices, .. } => {
                let all = indices.iter().copied().eq(0..from[*axis]);
                only_if(*axis != rows.axis || all, TAKES)
            }
            Op::Concat { axis, .. } => only_if(rows.axis != *axis, JOINS),
            Op::Add(..)
            | Op::Mul(..)
            | Op::Activation { .. }
            | Op::Polynomial { .. }
            | Op::Sine { .. }
            | Op::FakeQuant { .. } => Ok(rows),
            Op::ChannelPolynomials { .. } => only_if(rows.axis != 1, JOINS),
            Op::Input => unreachable!("an input reads no tensor"),
        }
    }

    /// A product with a constant matrix that sums over the dimension `from_end` of `x`, counted from its end.
    fn product(
        &self,
        node: &Node,
        (x, from_end): (Tensor, usize),
        weight: Const,
        rows: Rows,
    ) -> Result<Rows, &'static str> {
        let rank = self.model.shape(x).len();
        let is_matrix = rows.axis + 2 >= rank;
        if rows.axis + from_end == rank {
            return Err(SUMS);
        }
        let weight = self.model.array(weight);
        let stacked = (rows.axis + weight.ndim()).checked_sub(rank);
        if !is_matrix && stacked.is_some_and(|axis| weight.shape()[axis] != 1) {
            return Err(OWN);
        }
        Ok(Rows { axis: rows.axis + node.shape.len() - rank, ..rows })
    }

    /// The rows that several operands of one shape have in common; one without rows must be the same for all.
    fn shared(&self, xs: &[Tensor], rows: &[Option<Rows>]) -> Result<Option<Rows>, &'static str> {
        let Some(first) = xs.iter().find_map(|x| rows[x.index()]) else { return Ok(None) };
        let fits = |x: &Tensor| match rows[x.index()] {
            Some(other) => other == first,
            None => self.is_repeated(*x, first),
        };
        if xs.iter().all(fits) { Ok(Some(first)) } else { Err(JOINS) }
    }

    /// Whether a tensor is one row, repeated.
    fn is_repeated(&self, x: Tensor, rows: Rows) -> bool {
        let Op::Expand(of) = self.model.node(x).op else { return self.n == 1 };
        let (wide, narrow) = (self.model.shape(x).len(), self.model.shape(of));
        (rows.axis + narrow.len()).checked_sub(wide).is_none_or(|axis| narrow[axis] == 1)
    }

    /// The rows after a reshape: elements keep their order, so the factor of the rows keeps its place in the product of
    /// the dimensions.
    fn reshaped(&self, from: &[usize], to: &[usize], rows: Rows) -> Result<Rows, &'static str> {
        let before = from[..rows.axis].iter().product::<usize>() * rows.outer;
        let mut found = None;
        let mut above = 1;
        for (axis, &extent) in to.iter().enumerate() {
            let (outer, with_rows) = (before / above, before * self.n);
            let below = above * extent;
            if before.is_multiple_of(above) && below.is_multiple_of(with_rows) {
                let candidate = Rows { axis, outer, inner: below / with_rows };
                if candidate == pure(axis) || found.is_none() {
                    found = Some(candidate);
                }
                if candidate == pure(axis) {
                    break;
                }
            }
            above = below;
        }
        match found {
            // A single row may end up anywhere else.
            Some(rows) if self.n == 1 && rows != pure(rows.axis) => Err(JOINS),
            Some(rows) if before == 1 && rows.axis > 0 && self.n > 1 && to[0] == 1 => Err(FOLDS),
            Some(rows) => Ok(rows),
            None => Err(JOINS),
        }
    }

    /// The dimension of a constant that runs along the rows, if it has one.
    fn axis_of(&self, c: Const, rows: Rows, rank: usize) -> Option<usize> {
        let array = self.model.array(c);
        let axis = (rows.axis + array.ndim()).checked_sub(rank)?;
        (array.shape()[axis] != 1).then_some(axis)
    }

    /// Whether a constant that broadcasts to a tensor is the same for all rows.
    fn is_shared(&self, c: Const, rows: Rows, rank: usize) -> bool {
        let Some(axis) = self.axis_of(c, rows, rank) else { return true };
        let array = self.model.array(c);
        let first = self.row(array, axis, rows, 0);
        (1..self.n).all(|row| self.row(array, axis, rows, row) == first)
    }

    fn first(&self, array: &ArrayD<f64>, axis: usize, rows: Rows) -> ArrayD<f64> {
        self.row(array, axis, rows, 0)
    }

    /// The part of an array that is for one row.
    fn row(&self, array: &ArrayD<f64>, axis: usize, rows: Rows, row: usize) -> ArrayD<f64> {
        let part = |outer: usize| {
            let start = (outer * self.n + row) * rows.inner;
            array.slice_axis(Axis(axis), Slice::from(start..start + rows.inner))
        };
        let parts: Vec<_> = (0..rows.outer).map(part).collect();
        ndarray::concatenate(Axis(axis), &parts).expect("the parts of one array have one shape")
    }
}

/// Rows that are a dimension of their own.
fn pure(axis: usize) -> Rows {
    Rows { axis, outer: 1, inner: 1 }
}
