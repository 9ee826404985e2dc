//! Linear maps between tensors, kept as the operators that they came from.
//!
//! Rows are computed when they are asked for: a convolution of two million entries is its kernel.

use std::sync::Arc;

use crate::limits;

use super::sparse::{Sparse, add_up};
use super::{Convolution, MatMul, Pool, Revalued, Structure};

/// A linear map from the elements of one tensor to those of another, both in row-major order.
#[derive(Clone, Debug)]
pub struct LinearMap {
    n_rows: usize,
    n_cols: usize,
    operator: Operator,
    structure: Option<Arc<Structure>>,
}

/// How rows come about.
#[derive(Clone, Debug)]
enum Operator {
    Identity,
    /// A factor for each element.
    Diagonal(Arc<[f64]>),
    /// The element that each result copies, or none.
    Selection(Arc<[Option<u32>]>),
    Convolution(Arc<Convolution>),
    Pool(Arc<Pool>),
    MatMul(Arc<MatMul>),
    /// Entry by entry.
    Sparse(Arc<Sparse>),
    Composition {
        outer: Arc<LinearMap>,
        inner: Arc<LinearMap>,
    },
    Sum(Arc<[LinearMap; 2]>),
    Scaled {
        map: Arc<LinearMap>,
        factor: f64,
    },
    Revalued(Arc<Revalued>),
}

impl LinearMap {
    fn new(n_rows: usize, n_cols: usize, operator: Operator) -> LinearMap {
        LinearMap { n_rows, n_cols, operator, structure: None }
    }

    /// With what is known of the elements read. Its dimensions are those of the shapes of operand and result.
    pub fn with_structure(self, structure: Option<Structure>) -> LinearMap {
        LinearMap { structure: structure.map(Arc::new), ..self }
    }

    /// Spelled out row by row. `row(o, entries)` pushes the entries (column, value) of row `o`, in any order; entries of one
    /// column add up, in the order pushed, and exact zeros are dropped.
    pub fn from_rows(
        n_rows: usize,
        n_cols: usize,
        row: impl FnMut(usize, &mut Vec<(u32, f64)>),
    ) -> LinearMap {
        let sparse = Sparse::from_rows(n_rows, row);
        LinearMap::new(n_rows, n_cols, Operator::Sparse(Arc::new(sparse)))
    }

    /// The map that takes element `source(o)` for result `o`, or zero.
    pub fn selection(
        n_rows: usize,
        n_cols: usize,
        source: impl Fn(usize) -> Option<usize>,
    ) -> LinearMap {
        let sources = (0..n_rows).map(|o| source(o).map(|i| i as u32)).collect();
        LinearMap::new(n_rows, n_cols, Operator::Selection(sources))
    }

    /// The identity on tensors of a shape.
    pub fn identity(shape: &[usize]) -> LinearMap {
        let n = shape.iter().product();
        let map = LinearMap::new(n, n, Operator::Identity);
        map.with_structure(Some(Structure::same(shape)))
    }

    /// The identity on elements, from tensors of one shape to those of another.
    pub fn reshape(input: &[usize], output: &[usize]) -> LinearMap {
        let n = input.iter().product();
        let map = LinearMap::new(n, n, Operator::Identity);
        map.with_structure(Structure::of_reshape(input, output))
    }

    /// A factor for each element.
    pub fn diagonal(factors: Vec<f64>) -> LinearMap {
        let n = factors.len();
        LinearMap::new(n, n, Operator::Diagonal(factors.into()))
    }

    pub(super) fn convolution(convolution: Convolution) -> LinearMap {
        let (n_rows, n_cols) = convolution.size();
        let structure = Some(convolution.structure());
        let operator = Operator::Convolution(Arc::new(convolution));
        LinearMap::new(n_rows, n_cols, operator).with_structure(structure)
    }

    pub(super) fn pool(pool: Pool) -> LinearMap {
        let (n_rows, n_cols) = pool.size();
        let structure = Some(pool.structure());
        let operator = Operator::Pool(Arc::new(pool));
        LinearMap::new(n_rows, n_cols, operator).with_structure(structure)
    }

    pub(super) fn mat_mul(product: MatMul) -> LinearMap {
        let (n_rows, n_cols) = product.size();
        let structure = product.structure();
        let operator = Operator::MatMul(Arc::new(product));
        LinearMap::new(n_rows, n_cols, operator).with_structure(structure)
    }

    /// As [`Self::with_values`], nothing known of which elements results read.
    pub(super) fn revalued(
        &self,
        value: impl Fn(usize, usize, f64) -> f64 + Send + Sync + 'static,
    ) -> LinearMap {
        let operator = Operator::Revalued(Arc::new(Revalued::new(self.clone(), value)));
        LinearMap::new(self.n_rows, self.n_cols, operator)
    }

    /// Number of rows: elements of the result.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of columns: elements of the operand.
    pub fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// Number of entries, zeros not counted.
    pub fn n_entries(&self) -> usize {
        match (self.structure().and_then(Structure::n_entries), &self.operator) {
            (Some(counted), _) => counted,
            (None, Operator::Sparse(sparse)) => sparse.n_entries(),
            (None, _) => (0..self.n_rows).map(|o| self.row(o).len()).sum(),
        }
    }

    /// Whether the composition, first `inner`, then `self`, has more than so many entries; stops counting there.
    pub fn after_exceeds(&self, inner: &LinearMap, most: usize) -> bool {
        let structure = self.structure().zip(inner.structure());
        let counted = structure.and_then(|(outer, inner)| outer.after(inner)?.n_entries());
        if let Some(counted) = counted {
            return counted > most;
        }
        let mut entries = vec![];
        let mut of_row = |o: usize| {
            entries.clear();
            self.row(o).for_each(|(k, value)| inner.push_row(k, value, &mut entries));
            add_up(&mut entries);
            entries.len()
        };
        let mut rest = most;
        (0..self.n_rows).any(|o| match rest.checked_sub(of_row(o)) {
            Some(left) => {
                rest = left;
                false
            }
            None => true,
        })
    }

    /// Which elements results read, if it can be said in terms of dimensions.
    pub fn structure(&self) -> Option<&Structure> {
        self.structure.as_deref()
    }

    /// The entries (column, value) of row `o`, in ascending order of columns.
    pub fn row(&self, o: usize) -> impl ExactSizeIterator<Item = (usize, f64)> + use<> {
        let mut entries = vec![];
        self.push_row(o, 1.0, &mut entries);
        add_up(&mut entries);
        entries.into_iter().map(|(col, value)| (col as usize, value))
    }

    /// Pushes `factor` times the entries of row `o`, in the operator's order.
    fn push_row(&self, o: usize, factor: f64, entries: &mut Vec<(u32, f64)>) {
        match &self.operator {
            Operator::Identity => entries.push((o as u32, factor)),
            Operator::Diagonal(factors) => entries.push((o as u32, factors[o] * factor)),
            Operator::Selection(sources) => entries.extend(sources[o].map(|i| (i, factor))),
            Operator::Sparse(sparse) => {
                entries.extend(sparse.row(o).map(|(i, value)| (i as u32, value * factor)));
            }
            Operator::Scaled { map, factor: own } => map.push_row(o, factor * own, entries),
            Operator::Composition { outer, inner } => {
                for (k, value) in outer.row(o) {
                    inner.push_row(k, value * factor, entries);
                }
            }
            Operator::Sum(summands) => {
                summands.iter().for_each(|summand| summand.push_row(o, factor, entries));
            }
            Operator::Convolution(convolution) => {
                convolution.row(o, |i, value| entries.push((i as u32, value * factor)));
            }
            Operator::Revalued(revalued) => {
                entries.extend(revalued.row(o).map(|(i, value)| (i as u32, value * factor)));
            }
            Operator::Pool(pool) => {
                pool.row(o, |i, value| entries.push((i as u32, value * factor)))
            }
            Operator::MatMul(product) => {
                product.row(o, |i, value| entries.push((i as u32, value * factor)));
            }
        }
    }

    /// Whether this is the identity.
    pub fn is_identity(&self) -> bool {
        let entry_by_entry =
            || self.n_rows == self.n_cols && (0..self.n_rows).all(|o| self.row(o).eq([(o, 1.0)]));
        match &self.operator {
            Operator::Identity => true,
            Operator::Convolution(_) | Operator::Pool(_) | Operator::MatMul(_) => {
                self.n_rows == self.n_cols && self.row(0).eq([(0, 1.0)]) && entry_by_entry()
            }
            Operator::Diagonal(_)
            | Operator::Selection(_)
            | Operator::Sparse(_)
            | Operator::Scaled { .. }
            | Operator::Revalued(_)
            | Operator::Sum(_)
            | Operator::Composition { .. } => entry_by_entry(),
        }
    }

    /// Whether every row only copies (at most one entry, of value 1): a move of elements, not a computation.
    pub fn is_selection(&self) -> bool {
        match &self.operator {
            Operator::Identity | Operator::Selection(_) => true,
            Operator::Diagonal(_)
            | Operator::Convolution(_)
            | Operator::Pool(_)
            | Operator::MatMul(_)
            | Operator::Sparse(_)
            | Operator::Scaled { .. }
            | Operator::Revalued(_)
            | Operator::Sum(_)
            | Operator::Composition { .. } => (0..self.n_rows).all(|o| {
                let mut row = self.row(o);
                row.len() <= 1 && row.all(|(_, value)| value == 1.0)
            }),
        }
    }

    /// The composition: first `inner`, then `self`.
    pub fn after(&self, inner: &LinearMap) -> LinearMap {
        assert_eq!(self.n_cols, inner.n_rows, "composed maps agree on the tensor between them");
        let structure = self.structure.as_ref().zip(inner.structure.as_ref());
        let structure = structure.and_then(|(outer, inner)| outer.after(inner));
        // Where values are known dimension by dimension, rows are hardly asked for.
        let is_known = structure.as_ref().is_some_and(|structure| structure.factor.is_some());
        self.composed(inner, is_known).with_structure(structure)
    }

    /// The composition, entry by entry only where rows would take longer each time and entries are few, and not if that `is_lazy`.
    fn composed(&self, inner: &LinearMap, is_lazy: bool) -> LinearMap {
        let (n_rows, n_cols) = (self.n_rows, inner.n_cols);
        let kept = || {
            let (outer, inner) = (Arc::new(self.clone()), Arc::new(inner.clone()));
            LinearMap::new(n_rows, n_cols, Operator::Composition { outer, inner })
        };
        match (&self.operator, &inner.operator) {
            (Operator::Identity, _) => inner.clone(),
            (_, Operator::Identity) => self.clone(),
            (Operator::Selection(outer), Operator::Selection(inner)) => {
                LinearMap::selection(n_rows, n_cols, |o| {
                    inner[outer[o]? as usize].map(|i| i as usize)
                })
            }
            (Operator::Scaled { map, factor }, _) => map.composed(inner, is_lazy).scaled(*factor),
            (_, Operator::Scaled { map, factor }) => self.composed(map, is_lazy).scaled(*factor),
            // Their rows are as quick to compute as those of one of them.
            (Operator::Selection(_) | Operator::Diagonal(_), _)
            | (_, Operator::Selection(_) | Operator::Diagonal(_)) => kept(),
            _ if is_lazy || self.after_exceeds(inner, limits::SPELLED_OUT) => kept(),
            _ => LinearMap::from_rows(n_rows, n_cols, |o, entries| {
                for (k, value) in self.row(o) {
                    inner.push_row(k, value, entries);
                }
            }),
        }
    }

    /// The sum of two maps between the same tensors.
    pub fn plus(&self, other: &LinearMap) -> LinearMap {
        let size = (self.n_rows, self.n_cols);
        assert_eq!(size, (other.n_rows, other.n_cols), "summands have one size");
        let both = self.structure.as_ref().zip(other.structure.as_ref());
        let structure = both.map(|(a, b)| a.or(b));
        let summands = Operator::Sum(Arc::new([self.clone(), other.clone()]));
        LinearMap { structure: structure.map(Arc::new), ..LinearMap::new(size.0, size.1, summands) }
    }

    /// Every entry multiplied by `factor`.
    pub fn scaled(&self, factor: f64) -> LinearMap {
        if factor == 1.0 {
            return self.clone();
        }
        let structure = self.structure.as_deref().cloned();
        let structure = structure.map(|structure| Arc::new(structure.scaled(factor)));
        if let Operator::Scaled { map, factor: own } = &self.operator {
            return LinearMap { structure, ..map.scaled(own * factor) };
        }
        let map = Arc::new(self.clone());
        let operator = Operator::Scaled { map, factor };
        LinearMap { operator, structure, ..*self }
    }

    /// The product with a vector.
    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        (0..self.n_rows).map(|o| self.row(o).map(|(i, value)| value * x[i]).sum()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(rows: usize, cols: usize, seed: u64) -> LinearMap {
        LinearMap::from_rows(rows, cols, |o, entries| {
            for i in 0..cols {
                let hash = (o as u64 * 31 + i as u64 * 17 + seed) % 5;
                if hash < 2 {
                    entries.push((i as u32, hash as f64 + 0.5));
                }
            }
        })
    }

    fn rows(map: &LinearMap) -> Vec<Vec<(usize, f64)>> {
        (0..map.n_rows()).map(|o| map.row(o).collect()).collect()
    }

    #[test]
    fn composition_is_application_in_turn() {
        let (a, b) = (sample(4, 6, 1), sample(6, 5, 2));
        let x: Vec<f64> = (0..5).map(|i| i as f64 - 2.0).collect();
        let pick = LinearMap::selection(4, 4, |o| (o > 0).then(|| 4 - o));
        let weigh = LinearMap::diagonal(vec![1.0, 2.0, 0.0, -1.0]);
        for outer in [
            LinearMap::identity(&[4]),
            pick.clone(),
            weigh.clone(),
            pick.after(&weigh),
            weigh.after(&pick),
        ] {
            let composed = outer.after(&a).after(&b);
            assert_eq!(composed.apply(&x), outer.apply(&a.apply(&b.apply(&x))));
            assert_eq!(
                composed.scaled(3.0).apply(&x),
                outer.scaled(3.0).after(&a).after(&b).apply(&x)
            );
        }
        assert_eq!(rows(&a.after(&LinearMap::identity(&[6]))), rows(&a));
    }

    #[test]
    fn entries_of_a_column_add_up_and_zeros_vanish() {
        let row = |_, e: &mut Vec<(u32, f64)>| e.extend([(2, 1.0), (0, 3.0), (2, -1.0), (0, 1.0)]);
        let map = LinearMap::from_rows(1, 3, row);
        assert_eq!(rows(&map), [[(0, 4.0)]]);
        assert_eq!(rows(&map.plus(&map.scaled(-1.0))), [[]]);
        assert_eq!(map.plus(&map).n_entries(), 1);
    }

    #[test]
    fn selections_are_told_from_computations() {
        let pick = LinearMap::selection(3, 2, |o| (o < 2).then(|| 1 - o));
        assert!(pick.is_selection());
        assert!(LinearMap::selection(1, 3, |_| Some(2)).after(&pick).is_selection());
        assert!(!LinearMap::identity(&[2]).scaled(2.0).is_selection());
        assert!(LinearMap::identity(&[4]).is_identity());
    }
}
