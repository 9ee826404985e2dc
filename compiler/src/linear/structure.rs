//! Which elements of the operand results read, dimension by dimension.
//!
//! A convolution reads, for each tap of its kernel, some channels for each channel, one row for each row, one column for each
//! column: a product of small relations. Layouts are sums over dimensions as well, so diagonals follow from these
//! relations without a look at every entry.
//!
//! Where every entry is in one product only its value may be said as well: a number times one for the pair in each relation. Then the
//! map is a sum of Kronecker products of small matrices.

use std::collections::BTreeSet;
use std::sync::Arc;

/// Products of larger relations, or more of them, are not kept.
const MOST_PAIRS: usize = 1 << 22;

/// See [`MOST_PAIRS`].
const MOST_PRODUCTS: usize = 1 << 12;

/// A union of products of relations between dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct Structure {
    /// The products.
    pub products: Vec<Product>,
    /// If values are known: every entry is in one product only, and is this times what the relations say of its pairs. Without
    /// it relations say nothing of values.
    pub factor: Option<f64>,
}

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
    /// Index of the result, index of the operand; no pair twice.
    pub pairs: Pairs,
    /// What entries of each pair are multiplied by, in the order of the pairs; 1 if there are none.
    pub values: Option<Arc<[f64]>>,
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

    /// Whether every index of the result has one of the operand at most.
    fn is_function(&self) -> bool {
        match self {
            Pairs::All { n_in, .. } => *n_in <= 1,
            Pairs::List(list) => are_distinct(list.iter().map(|pair| pair.0)),
        }
    }

    /// Whether every index of the operand has one of the result at most.
    fn is_injective(&self) -> bool {
        match self {
            Pairs::All { n_out, .. } => *n_out <= 1,
            Pairs::List(list) => are_distinct(list.iter().map(|pair| pair.1)),
        }
    }
}

fn are_distinct(indices: impl Iterator<Item = u32>) -> bool {
    let mut indices: Vec<u32> = indices.collect();
    indices.sort_unstable();
    indices.windows(2).all(|pair| pair[0] != pair[1])
}

impl Relation {
    /// Between a dimension of the result and one of the operand, without even steps.
    pub fn new(to: usize, from: usize, pairs: Pairs) -> Relation {
        Relation { to: Some(to), from: Some(from), pairs, values: None, slide: None }
    }

    /// With values.
    pub fn valued(self, values: impl IntoIterator<Item = f64>) -> Relation {
        let values: Arc<[f64]> = values.into_iter().collect();
        debug_assert_eq!(values.len(), self.pairs.len());
        Relation { values: Some(values), ..self }
    }

    /// The value of the `k`-th pair.
    pub fn value(&self, k: usize) -> f64 {
        self.values.as_ref().map_or(1.0, |values| values[k])
    }

    /// The pairs `(o, i)` with some `m` between them, and the sums of products of values over all of those; `None` if there are too
    /// many.
    fn joined(&self, inner: &Relation) -> Option<(Pairs, Option<Arc<[f64]>>)> {
        let mut by_middle: Vec<Vec<(u32, f64)>> = vec![];
        let mut k = 0;
        inner.pairs.for_each(|m, i| {
            if by_middle.len() <= m {
                by_middle.resize(m + 1, vec![]);
            }
            by_middle[m].push((i as u32, inner.value(k)));
            k += 1;
        });
        let mut joined: Vec<((u32, u32), f64)> = vec![];
        let (mut too_many, mut k) = (false, 0);
        self.pairs.for_each(|o, m| {
            let read = by_middle.get(m).map_or(&[][..], Vec::as_slice);
            too_many |= joined.len() + read.len() > MOST_PAIRS;
            if !too_many {
                let own = self.value(k);
                joined.extend(read.iter().map(|&(i, value)| ((o as u32, i), own * value)));
            }
            k += 1;
        });
        if too_many {
            return None;
        }
        joined.sort_by_key(|(pair, _)| *pair);
        joined.dedup_by(|(pair, value), (kept, sum)| {
            let is_same = pair == kept;
            if is_same {
                *sum += *value;
            }
            is_same
        });
        let is_valued = joined.iter().any(|(_, value)| *value != 1.0);
        let values = is_valued.then(|| joined.iter().map(|(_, value)| *value).collect());
        Some((Pairs::List(joined.into_iter().map(|(pair, _)| pair).collect()), values))
    }

    /// Some of the pairs, with what belongs to them.
    fn filtered(&self, keep: impl Fn(usize, usize) -> bool) -> Relation {
        let (mut pairs, mut values, mut k) = (vec![], vec![], 0);
        self.pairs.for_each(|o, i| {
            if keep(o, i) {
                pairs.push((o as u32, i as u32));
                values.push(self.value(k));
            }
            k += 1;
        });
        let values = self.values.as_ref().map(|_| values.into());
        Relation { pairs: Pairs::List(pairs.into()), values, slide: None, ..*self }
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
    /// One product, whose values are known.
    pub fn of(relations: Vec<Relation>) -> Structure {
        Structure { products: vec![Product(relations)], factor: Some(1.0) }
    }

    /// Number of entries, if every one is in one product only.
    pub fn n_entries(&self) -> Option<usize> {
        let of_product = |Product(relations): &Product| -> usize {
            relations.iter().map(|relation| relation.pairs.len()).product()
        };
        self.factor.map(|_| self.products.iter().map(of_product).sum())
    }

    /// Without values.
    pub fn named(self) -> Structure {
        let mut products = self.products;
        for relation in products.iter_mut().flat_map(|product| &mut product.0) {
            relation.values = None;
        }
        Structure { products, factor: None }
    }

    /// Values multiplied by a number.
    pub fn scaled(self, factor: f64) -> Structure {
        match factor {
            0.0 => self.named(),
            _ => Structure { factor: self.factor.map(|own| own * factor), ..self },
        }
    }

    /// Values divided by a unit that they are multiples of, or nearly so, as integers. They stay known if those of each product are
    /// in one relation.
    pub fn in_units(self, unit: f64) -> Structure {
        let Some(factor) = self.factor else { return self };
        let whole = |value: f64| (factor * value / unit).round();
        let mut products = self.products;
        for Product(relations) in &mut products {
            let valued = relations.iter().filter(|relation| relation.values.is_some()).count();
            let at = relations.iter().position(|relation| relation.values.is_some()).unwrap_or(0);
            match relations.get_mut(at) {
                Some(one) if valued <= 1 => {
                    let values = (0..one.pairs.len()).map(|k| whole(one.value(k))).collect();
                    one.values = Some(values);
                }
                _ => return Structure { products, factor: None }.named(),
            }
        }
        Structure { products, factor: Some(1.0) }
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

    /// What the composition reads, `inner` first; `None` if that takes too many pairs to say. Values are known if entries stay in one
    /// product each.
    pub fn after(&self, inner: &Structure) -> Option<Structure> {
        if self.products.len() * inner.products.len() > MOST_PRODUCTS {
            return None;
        }
        let pairs =
            self.products.iter().flat_map(|outer| inner.products.iter().map(move |x| (outer, x)));
        let joined = pairs.map(|(outer, inner)| outer.after(inner));
        let products = joined.collect::<Option<_>>()?;
        let factor = self.factor.zip(inner.factor).map(|(a, b)| a * b);
        let joined = Structure { products, factor };
        Some(if factor.is_some() && self.stays_apart(inner) { joined } else { joined.named() })
    }

    /// Whether no two products of the composition have an entry in common: where products of one side differ, the other side is one
    /// product in which nothing joins. Then what is in between is the same for both, or in one of them not read.
    fn stays_apart(&self, inner: &Structure) -> bool {
        let (to, from) = (|relation: &Relation| relation.to, |relation: &Relation| relation.from);
        inner.differing(to).into_iter().all(|dim| self.is_one(dim, from, Pairs::is_function))
            && self
                .differing(from)
                .into_iter()
                .all(|dim| inner.is_one(dim, to, Pairs::is_injective))
    }

    /// The dimensions of one side whose relations are not the same in all products.
    fn differing(&self, side: impl Fn(&Relation) -> Option<usize>) -> BTreeSet<usize> {
        let of = |product: &Product, dim: usize| -> Option<(_, _, Pairs)> {
            let own = product.0.iter().find(|relation| side(relation) == Some(dim))?;
            Some((own.to, own.from, own.pairs.clone()))
        };
        let dims = self.products.iter().flat_map(|product| product.0.iter().filter_map(&side));
        let dims: BTreeSet<usize> = dims.collect();
        let differs =
            |&dim: &usize| self.products.windows(2).any(|two| of(&two[0], dim) != of(&two[1], dim));
        dims.into_iter().filter(differs).collect()
    }

    /// Whether there is one product, and something holds of its pairs in a dimension of one side.
    fn is_one(
        &self,
        dim: usize,
        side: impl Fn(&Relation) -> Option<usize>,
        holds: impl Fn(&Pairs) -> bool,
    ) -> bool {
        let [Product(relations)] = &self.products[..] else { return false };
        relations.iter().filter(|own| side(own) == Some(dim)).all(|own| holds(&own.pairs))
    }

    /// What either reads.
    pub fn or(&self, other: &Structure) -> Structure {
        let (mut all, other) = (self.clone().named(), other.clone().named());
        let new = other.products.into_iter().filter(|product| !self.names(product));
        all.products.extend(new.collect::<Vec<_>>());
        all
    }

    /// Whether one of the products has these pairs.
    fn names(&self, other: &Product) -> bool {
        let named = |a: &Relation| Relation { values: None, ..a.clone() };
        self.products.iter().any(|own| own.0.iter().map(named).eq(other.0.iter().cloned()))
    }

    /// For each of the result's dimensions, how it slides along the operand; `None` if none does.
    pub fn slides(&self, n_dims: usize) -> Option<Vec<Slide>> {
        let Product(relations) = self.products.first()?;
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
                Some(inner) => {
                    let (pairs, values) = outer.joined(inner)?;
                    let slide = outer.slide.zip(inner.slide).map(|(a, b)| a + b);
                    Relation { to: outer.to, from: inner.from, pairs, values, slide }
                }
                None => Relation { from: None, ..outer.filtered(|_, middle| middle == 0) },
            };
            joined.push(relation);
        }
        for inner in &self.unread(inner) {
            let read = match inner.to {
                Some(_) => inner.filtered(|middle, _| middle == 0),
                None => Relation { slide: None, ..inner.clone() },
            };
            joined.push(Relation { to: None, ..read });
        }
        Some(Product(joined))
    }

    /// The relations of `inner` whose results are in none of these.
    fn unread(&self, inner: &Product) -> Vec<Relation> {
        let is_read = |to: usize| self.0.iter().any(|outer| outer.from == Some(to));
        inner.0.iter().filter(|inner| !inner.to.is_some_and(is_read)).cloned().collect()
    }
}
