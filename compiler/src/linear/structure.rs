//! Which elements of the operand results read, dimension by dimension.
//!
//! A convolution reads, for each tap of its kernel, some channels for each channel, one row for each row, one column for each
//! column: a product of small relations. Layouts are sums over dimensions as well, so diagonals follow from these
//! relations without a look at every entry.

use std::sync::Arc;

/// Products of larger relations, or more of them, are not kept.
const MOST_PAIRS: usize = 1 << 22;

/// See [`MOST_PAIRS`].
const MOST_PRODUCTS: usize = 1 << 12;

/// A union of products of relations between dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct Structure(pub Vec<Product>);

/// Relations between dimensions, all independent. Dimensions of neither side are in more than one; those in none have the index 0
/// only.
#[derive(Clone, Debug, PartialEq)]
pub struct Product(pub Vec<Relation>);

/// Which indices of one dimension of the operand are read for which of one dimension of the result.
#[derive(Clone, Debug, PartialEq)]
pub struct Relation {
    /// Dimension of the result; `None` if all results read the same.
    pub to: Option<usize>,
    /// Dimension of the operand; `None` for index 0.
    pub from: Option<usize>,
    /// Index of the result, index of the operand.
    pub pairs: Pairs,
    /// log2 of the step in the operand's index for one step of the result's, if it moves in even steps.
    pub slide: Option<u32>,
}

/// Pairs of indices.
#[derive(Clone, Debug, PartialEq)]
pub enum Pairs {
    /// Every index of the result with every one of the operand.
    All {
        /// Indices of the result.
        n_out: usize,
        /// Indices of the operand.
        n_in: usize,
    },
    /// These.
    List(Arc<[(u32, u32)]>),
}

/// Where a dimension of the result lies along the operand: its dimension, and log2 of the step in it.
pub type Slide = Option<(usize, u32)>;

impl Pairs {
    /// The listed pairs.
    pub fn list(pairs: impl IntoIterator<Item = (usize, usize)>) -> Pairs {
        Pairs::List(pairs.into_iter().map(|(o, i)| (o as u32, i as u32)).collect())
    }

    /// Every index with itself.
    pub fn same(n: usize) -> Pairs {
        Pairs::list((0..n).map(|i| (i, i)))
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        match self {
            Pairs::All { n_out, n_in } => n_out * n_in,
            Pairs::List(list) => list.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `f(index of the result, index of the operand)` for every pair.
    pub fn for_each(&self, mut f: impl FnMut(usize, usize)) {
        match self {
            Pairs::All { n_out, n_in } => {
                (0..*n_out).for_each(|o| (0..*n_in).for_each(|i| f(o, i)));
            }
            Pairs::List(list) => list.iter().for_each(|&(o, i)| f(o as usize, i as usize)),
        }
    }

    /// The pairs `(o, i)` with some `m` between them; `None` if there are too many.
    fn after(&self, inner: &Pairs) -> Option<Pairs> {
        let mut by_middle: Vec<Vec<u32>> = vec![];
        inner.for_each(|m, i| {
            if by_middle.len() <= m {
                by_middle.resize(m + 1, vec![]);
            }
            by_middle[m].push(i as u32);
        });
        let mut joined: Vec<(u32, u32)> = vec![];
        let mut too_many = false;
        self.for_each(|o, m| {
            let read = by_middle.get(m).map_or(&[][..], Vec::as_slice);
            too_many |= joined.len() + read.len() > MOST_PAIRS;
            if !too_many {
                joined.extend(read.iter().map(|&i| (o as u32, i)));
            }
        });
        joined.sort_unstable();
        joined.dedup();
        (!too_many).then(|| Pairs::List(joined.into()))
    }

    fn filtered(&self, keep: impl Fn(usize, usize) -> bool) -> Pairs {
        let mut kept = vec![];
        self.for_each(|o, i| {
            if keep(o, i) {
                kept.push((o as u32, i as u32));
            }
        });
        Pairs::List(kept.into())
    }
}

impl Relation {
    /// Between a dimension of the result and one of the operand, without even steps.
    pub fn new(to: usize, from: usize, pairs: Pairs) -> Relation {
        Relation { to: Some(to), from: Some(from), pairs, slide: None }
    }

    /// Every index of `n` with itself.
    pub fn same(to: usize, from: usize, n: usize) -> Relation {
        Relation { slide: Some(0), ..Relation::new(to, from, Pairs::same(n)) }
    }

    /// With even steps, if that is a power of two.
    pub fn sliding(self, step: usize) -> Relation {
        Relation { slide: step.is_power_of_two().then(|| step.trailing_zeros()), ..self }
    }
}

impl Structure {
    /// One product.
    pub fn of(relations: Vec<Relation>) -> Structure {
        Structure(vec![Product(relations)])
    }

    /// Every element of a shape with itself.
    pub fn same(shape: &[usize]) -> Structure {
        let relation = |(dim, &n)| Relation::same(dim, dim, n);
        Structure::of(shape.iter().enumerate().map(relation).collect())
    }

    /// A reshape; `None` if it does more than add or drop dimensions of size 1.
    pub fn of_reshape(input: &[usize], output: &[usize]) -> Option<Structure> {
        let long = |shape: &[usize]| -> Vec<(usize, usize)> {
            shape.iter().copied().enumerate().filter(|(_, n)| *n > 1).collect()
        };
        let (long_in, long_out) = (long(input), long(output));
        let alike = long_in.iter().map(|(_, n)| n).eq(long_out.iter().map(|(_, n)| n));
        let relations = long_out
            .iter()
            .zip(&long_in)
            .map(|((to, n), (from, _))| Relation::same(*to, *from, *n));
        alike.then(|| Structure::of(relations.collect()))
    }

    /// What the composition reads, `inner` first; `None` if that takes too many pairs to say.
    pub fn after(&self, inner: &Structure) -> Option<Structure> {
        if self.0.len() * inner.0.len() > MOST_PRODUCTS {
            return None;
        }
        let pairs = self.0.iter().flat_map(|outer| inner.0.iter().map(move |inner| (outer, inner)));
        let joined = pairs.map(|(outer, inner)| outer.after(inner));
        Some(Structure(joined.collect::<Option<_>>()?))
    }

    /// What either reads.
    pub fn or(&self, other: &Structure) -> Structure {
        let mut products = self.0.clone();
        products.extend(other.0.iter().filter(|product| !self.0.contains(product)).cloned());
        Structure(products)
    }

    /// For each of the result's dimensions, how it slides along the operand; `None` if none does.
    pub fn slides(&self, n_dims: usize) -> Option<Vec<Slide>> {
        let Product(relations) = self.0.first()?;
        let of_dim = |dim: usize| {
            let relation = relations.iter().find(|relation| relation.to == Some(dim))?;
            relation.from.zip(relation.slide)
        };
        let slides: Vec<Slide> = (0..n_dims).map(of_dim).collect();
        slides.iter().any(Option::is_some).then_some(slides)
    }
}

impl Product {
    fn after(&self, inner: &Product) -> Option<Product> {
        let mut joined = vec![];
        for outer in &self.0 {
            let Some(middle) = outer.from else {
                joined.push(outer.clone());
                continue;
            };
            let relation = match inner.0.iter().find(|inner| inner.to == Some(middle)) {
                Some(inner) => Relation {
                    to: outer.to,
                    from: inner.from,
                    pairs: outer.pairs.after(&inner.pairs)?,
                    slide: outer.slide.zip(inner.slide).map(|(a, b)| a + b),
                },
                None => Relation {
                    from: None,
                    pairs: outer.pairs.filtered(|_, middle| middle == 0),
                    slide: None,
                    ..outer.clone()
                },
            };
            joined.push(relation);
        }
        for inner in &self.unread(inner) {
            let pairs = match inner.to {
                Some(_) => inner.pairs.filtered(|middle, _| middle == 0),
                None => inner.pairs.clone(),
            };
            joined.push(Relation { to: None, pairs, slide: None, ..inner.clone() });
        }
        Some(Product(joined))
    }

    /// The relations of `inner` whose results are in none of these.
    fn unread(&self, inner: &Product) -> Vec<Relation> {
        let is_read = |to: usize| self.0.iter().any(|outer| outer.from == Some(to));
        inner.0.iter().filter(|inner| !inner.to.is_some_and(is_read)).cloned().collect()
    }
}
