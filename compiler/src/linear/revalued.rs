//! Maps whose entries have other values than those of another map.

use std::fmt;

use super::{LinearMap, Relation, Structure, unflatten};

/// The new value of an entry: by row, column and old value.
type Value = dyn Fn(usize, usize, f64) -> f64 + Send + Sync;

/// The entries of a map with other values, computed when rows are asked for.
pub(super) struct Revalued {
    map: LinearMap,
    value: Box<Value>,
}

impl Revalued {
    pub(super) fn new(
        map: LinearMap,
        value: impl Fn(usize, usize, f64) -> f64 + Send + Sync + 'static,
    ) -> Revalued {
        Revalued { map, value: Box::new(value) }
    }

    /// The entries (column, value) of row `o`, in ascending order of columns.
    pub(super) fn row(&self, o: usize) -> impl Iterator<Item = (usize, f64)> {
        self.map.row(o).map(move |(i, old)| (i, (self.value)(o, i, old)))
    }
}

impl fmt::Debug for Revalued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revalued").field("map", &self.map).finish_non_exhaustive()
    }
}

impl LinearMap {
    /// The same entries with other values: `value(row, column, old value)`.
    pub fn with_values(
        &self,
        value: impl Fn(usize, usize, f64) -> f64 + Send + Sync + 'static,
    ) -> LinearMap {
        self.revalued(value).with_structure(self.structure().cloned().map(Structure::named))
    }

    /// Every row `o` multiplied by `factors[o]`, of which there is one for each element of the result, which has some shape. What is
    /// known of values stays known if factors differ along one dimension at most.
    pub fn with_rows_scaled(&self, factors: Vec<f64>, shape: &[usize]) -> LinearMap {
        let first = factors.first().copied().unwrap_or(1.0);
        if factors.iter().all(|&factor| factor == first) {
            return self.scaled(first);
        }
        match along_one_dimension(&factors, shape) {
            Some(structure) => {
                LinearMap::diagonal(factors).with_structure(Some(structure)).after(self)
            }
            None => self.with_values(move |o, _, value| factors[o] * value),
        }
    }

    /// Every entry divided by the unit of its row, of which it is a multiple or nearly so, as an integer. What is known of values
    /// stays known if all rows have one unit.
    pub fn in_units(&self, units: Vec<f64>) -> LinearMap {
        let unit = units.first().copied().unwrap_or(1.0);
        let is_one = units.iter().all(|&other| other == unit);
        let structure = self.structure().cloned();
        let structure = structure.map(|structure| match is_one {
            true => structure.in_units(unit),
            false => structure.named(),
        });
        self.revalued(move |o, _, value| (value / units[o]).round()).with_structure(structure)
    }
}

/// The structure of a diagonal whose factors, all but zero, depend on one index only; `None` if they do not.
fn along_one_dimension(factors: &[f64], shape: &[usize]) -> Option<Structure> {
    let depends_on = |dim: usize| {
        let mut by_index = vec![None; shape[dim]];
        let is_alike = factors.iter().enumerate().all(|(o, &factor)| {
            *by_index[unflatten(o, shape)[dim]].get_or_insert(factor) == factor && factor != 0.0
        });
        is_alike.then(|| by_index.into_iter().flatten().collect::<Vec<f64>>())
    };
    let (dim, values) = (0..shape.len()).find_map(|dim| Some((dim, depends_on(dim)?)))?;
    let relation = |(k, &n): (usize, &usize)| match k == dim {
        true => Relation::same(k, k, n).valued(values.iter().copied()),
        false => Relation::same(k, k, n),
    };
    Some(Structure::of(shape.iter().enumerate().map(relation).collect()))
}
