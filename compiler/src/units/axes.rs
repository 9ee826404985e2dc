//! Which dimensions of tensors must be permuted alike.
//!
//! A network computes the same where the results of a layer change places, if whatever reads them follows. What is computed
//! elementwise has the order of its operands, so these have one order (Add, Mul, constants for each channel, depthwise
//! convolutions); a flattened image has that of its channels. What a client sees stays in place, and so does what no rule speaks of.

use hecc_grammar::model::{Model, Op, Tensor};

/// How a dimension follows an axis: each unit of the axis is a block of so many elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Along {
    /// The axis.
    pub(crate) axis: usize,
    /// Elements of a unit, one after another.
    pub(crate) block: usize,
}

/// The axes along which units may change places.
#[derive(Debug)]
pub(crate) struct Axes {
    /// Units of each axis.
    pub(crate) sizes: Vec<usize>,
    /// For each tensor, of each dimension.
    of: Vec<Vec<Option<Along>>>,
}

impl Axes {
    /// Those of a model.
    pub(crate) fn of(model: &Model) -> Axes {
        let mut ties = Ties { model, parents: vec![], sizes: vec![], pinned: vec![], of: vec![] };
        for (tensor, _) in model.tensors() {
            let dimensions = ties.result(tensor);
            ties.of.push(dimensions);
        }
        for output in &model.outputs {
            ties.pin_all(output.tensor);
        }
        ties.finish()
    }

    /// The axis that a dimension of a tensor follows, if it may be permuted.
    pub(crate) fn along(&self, tensor: Tensor, dim: usize) -> Option<Along> {
        self.of[tensor.index()][dim]
    }
}

/// Axes while it is found out which of them are one.
struct Ties<'a> {
    model: &'a Model,
    /// For each axis another one that it is one with, or itself.
    parents: Vec<usize>,
    sizes: Vec<usize>,
    /// Whether an axis stays in place; asked of those that are their own parents.
    pinned: Vec<bool>,
    of: Vec<Vec<Option<Along>>>,
}

impl Ties<'_> {
    /// What the dimensions of a node's result follow.
    fn result(&mut self, tensor: Tensor) -> Vec<Option<Along>> {
        let (node, model) = (self.model.node(tensor), self.model);
        let shape = &node.shape;
        match &node.op {
            Op::Input => vec![None; shape.len()],
            Op::AddConst(x, _)
            | Op::MulConst(x, _)
            | Op::Activation { x, .. }
            | Op::Polynomial { x, .. }
            | Op::ChannelPolynomials { x, .. }
            | Op::Sine { x, .. }
            | Op::FakeQuant { x, .. } => self.of[x.index()].clone(),
            Op::Add(a, b) | Op::Mul(a, b) => self.tied(*a, *b),
            Op::Conv { x, groups, .. } => self.convolution(*x, shape, *groups),
            Op::MatMul { x, weight } if model.array(*weight).ndim() == 2 => {
                let mut dimensions = self.of[x.index()].clone();
                if let Some(last) = dimensions.last_mut() {
                    *last = self.fresh(shape[shape.len() - 1]);
                }
                dimensions
            }
            Op::AveragePool { x, .. } => self.passed(*x, shape.len(), |dim| dim < 2),
            Op::Slice { x, starts, steps } => {
                let from = model.shape(*x);
                let is_whole = |d: usize| starts[d] == 0 && steps[d] == 1 && from[d] == shape[d];
                self.passed(*x, shape.len(), is_whole)
            }
            Op::Pad { x, before, after, .. } => {
                self.passed(*x, shape.len(), |dim| before[dim] == 0 && after[dim] == 0)
            }
            Op::Gather { x, axis, .. } => self.passed(*x, shape.len(), |dim| dim != *axis),
            Op::Concat { xs, axis } => self.joined(xs, *axis, shape.len()),
            Op::Transpose { x, perm } => perm.iter().map(|&d| self.of[x.index()][d]).collect(),
            Op::Sum { x, axes, keepdims } => self.summed(*x, axes, *keepdims),
            Op::Reshape(x) => self.reshaped(*x, shape),
            Op::MatMul { x, .. } | Op::MatMulLeft { x, .. } | Op::Expand(x) => {
                self.pin_all(*x);
                vec![None; shape.len()]
            }
        }
    }

    /// A new axis; a single unit has no other place.
    fn fresh(&mut self, size: usize) -> Option<Along> {
        let axis = self.parents.len();
        (size > 1).then(|| {
            self.parents.push(axis);
            self.sizes.push(size);
            self.pinned.push(false);
            Along { axis, block: 1 }
        })
    }

    fn root(&self, mut axis: usize) -> usize {
        while self.parents[axis] != axis {
            axis = self.parents[axis];
        }
        axis
    }

    fn pin(&mut self, along: Option<Along>) {
        if let Some(Along { axis, .. }) = along {
            let root = self.root(axis);
            self.pinned[root] = true;
        }
    }

    fn pin_all(&mut self, tensor: Tensor) {
        for along in self.of[tensor.index()].clone() {
            self.pin(along);
        }
    }

    /// Makes two axes one if their units are alike, else pins both.
    fn tie(&mut self, a: Option<Along>, b: Option<Along>) -> Option<Along> {
        if let (Some(one), Some(other)) = (a, b)
            && one.block == other.block
            && self.sizes[one.axis] == self.sizes[other.axis]
        {
            let (root, other) = (self.root(one.axis), self.root(other.axis));
            self.pinned[root] |= self.pinned[other];
            self.parents[other] = root;
            return a;
        }
        self.pin(a);
        self.pin(b);
        None
    }

    fn tied(&mut self, a: Tensor, b: Tensor) -> Vec<Option<Along>> {
        let pairs = self.of[a.index()].clone().into_iter().zip(self.of[b.index()].clone());
        pairs.map(|(a, b)| self.tie(a, b)).collect()
    }

    /// Dimensions that are as they were where `is_whole` says so; the others stay in place.
    fn passed(
        &mut self,
        x: Tensor,
        rank: usize,
        is_whole: impl Fn(usize) -> bool,
    ) -> Vec<Option<Along>> {
        let pass = |dim: usize| {
            let own = self.of[x.index()][dim];
            if is_whole(dim) {
                return own;
            }
            self.pin(own);
            None
        };
        (0..rank).map(pass).collect()
    }

    fn convolution(&mut self, x: Tensor, shape: &[usize], groups: usize) -> Vec<Option<Along>> {
        let (n_in, n_out) = (self.model.shape(x)[1], shape[1]);
        let is_depthwise = groups == n_in && groups == n_out;
        let mixes = groups == 1 || is_depthwise;
        let mut dimensions = self.passed(x, shape.len(), |dim| dim == 1 && mixes);
        if !is_depthwise {
            dimensions[1] = if mixes { self.fresh(n_out) } else { None };
        }
        dimensions
    }

    /// Tensors joined along a dimension, which stays in place.
    fn joined(&mut self, xs: &[Tensor], axis: usize, rank: usize) -> Vec<Option<Along>> {
        let along = |dim: usize| {
            let all: Vec<Option<Along>> = xs.iter().map(|x| self.of[x.index()][dim]).collect();
            if dim == axis {
                all.into_iter().for_each(|along| self.pin(along));
                return None;
            }
            all.into_iter().reduce(|a, b| self.tie(a, b)).flatten()
        };
        (0..rank).map(along).collect()
    }

    /// What is summed up stays in place: then only weights mix units.
    fn summed(&mut self, x: Tensor, axes: &[usize], keepdims: bool) -> Vec<Option<Along>> {
        let rank = self.of[x.index()].len();
        let all = self.passed(x, rank, |dim| !axes.contains(&dim));
        let left = all.into_iter().enumerate().filter(|(dim, _)| keepdims || !axes.contains(dim));
        left.map(|(_, along)| along).collect()
    }

    /// Dimensions that stay whole, or are flattened behind that which is permuted.
    fn reshaped(&mut self, x: Tensor, to: &[usize]) -> Vec<Option<Along>> {
        let from = self.model.shape(x);
        let mut dimensions = vec![None; to.len()];
        let (mut i, mut o) = (0, 0);
        while i < from.len() && o < to.len() {
            let (first_in, first_out) = (i, o);
            let (mut n_in, mut n_out) = (from[i], to[o]);
            (i, o) = (i + 1, o + 1);
            while n_in != n_out {
                if n_in < n_out {
                    n_in *= from[i];
                    i += 1;
                } else {
                    n_out *= to[o];
                    o += 1;
                }
            }
            let own = |dims: std::ops::Range<usize>, shape: &[usize]| -> Vec<usize> {
                dims.filter(|&dim| shape[dim] > 1).collect()
            };
            let (inner, outer) = (own(first_in..i, from), own(first_out..o, to));
            let along: Vec<Option<Along>> =
                inner.iter().map(|&dim| self.of[x.index()][dim]).collect();
            let rest: usize = inner.iter().skip(1).map(|&dim| from[dim]).product();
            let n_pinned = if outer.len() == 1 { 1 } else { 0 };
            along.iter().skip(n_pinned).for_each(|&along| self.pin(along));
            if let [only] = outer[..] {
                let first = along.first().copied().flatten();
                dimensions[only] =
                    first.map(|Along { axis, block }| Along { axis, block: block * rest });
            }
        }
        dimensions
    }

    /// Axes by their numbers among those that are free.
    fn finish(self) -> Axes {
        let mut sizes = vec![];
        let number = |axis: usize| {
            (self.root(axis) == axis && !self.pinned[axis]).then(|| {
                sizes.push(self.sizes[axis]);
                sizes.len() - 1
            })
        };
        let numbers: Vec<Option<usize>> = (0..self.parents.len()).map(number).collect();
        let free = |along: &Option<Along>| {
            let Along { axis, block } = (*along)?;
            Some(Along { axis: numbers[self.root(axis)]?, block })
        };
        let of = self.of.iter().map(|own| own.iter().map(free).collect()).collect();
        Axes { sizes, of }
    }
}
