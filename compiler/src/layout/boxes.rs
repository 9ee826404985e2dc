//! Diagonals as strided boxes.
//!
//! Where a map's entries are products over dimensions, moves, slots and numbers are sums over them. So the pairs of each
//! relation are sorted by how they move slots, and a diagonal is made of products of such lists: no entry is looked at alone,
//! and a convolution takes as long as its kernel.

use std::collections::BTreeMap;

use hecc_grammar::plan::{Dim, Run, Runs};

use crate::linear::{Product, Relation, Structure};

use super::moves::Geometry;
use super::{Layout, Pair, Shift, SlotSpace};

/// The boxes of every diagonal: first slots, and numbers of weights.
pub type Boxes = BTreeMap<Pair, BTreeMap<Shift, Vec<Run>>>;

/// The weights of a map and the boxes of its diagonals; `None` if values are not known dimension by dimension, with one
/// dimension at most along which they change.
pub fn boxes(structure: &Structure, input: &Layout, output: &Layout) -> Option<(Vec<f64>, Boxes)> {
    let Numbers { weights, of_products } = Numbers::new(structure, structure.factor?)?;
    let by_dimension = ByDimension { geometry: Geometry::new(input, output), input, output };
    let mut boxes = Boxes::new();
    for (product, numbers) in structure.products.iter().zip(&of_products) {
        for ((pair, shift), runs) in by_dimension.of_product(product, numbers) {
            boxes.entry(pair).or_default().entry(shift).or_default().extend(runs);
        }
    }
    Some((weights, boxes))
}

/// Which number each pair of a product's one relation with values has.
struct OfProduct {
    relation: Option<usize>,
    /// An earlier product with the same values, as all taps of a pool have.
    like: Option<usize>,
    /// By pair; without such a relation the 0.
    numbers: Vec<u32>,
}

struct Numbers {
    weights: Vec<f64>,
    of_products: Vec<OfProduct>,
}

impl Numbers {
    /// Weights of a kernel in its order, those of one pair of channels side by side: so views of them are short.
    fn new(structure: &Structure, factor: f64) -> Option<Numbers> {
        let mut of_products = vec![];
        for Product(relations) in &structure.products {
            let mut valued = (0..relations.len()).filter(|&r| relations[r].values.is_some());
            let (relation, None) = (valued.next(), valued.next()) else { return None };
            let valued = |of: &OfProduct, p: usize| Some(&structure.products[p].0[of.relation?]);
            let own = relation.map(|relation| &relations[relation]);
            let is_like = |other: Option<&Relation>| {
                let both = own.zip(other);
                both.is_some_and(|(a, b)| a.values == b.values && a.pairs == b.pairs)
            };
            let like = (0..of_products.len()).find(|&p| is_like(valued(&of_products[p], p)));
            let count = own.map_or(1, |own| own.pairs.len());
            of_products.push(OfProduct { relation, like, numbers: vec![0; count] });
        }
        // The first weight is that of all products without values, so that their plaintexts are the same.
        let mut weights = vec![factor];
        let mut number = |of: &mut OfProduct, p: usize, k: usize| {
            let Some(relation) = of.relation else { return };
            of.numbers[k] = weights.len() as u32;
            weights.push(factor * structure.products[p].0[relation].value(k));
        };
        if let [one] = &mut of_products[..] {
            (0..one.numbers.len()).for_each(|k| number(one, 0, k));
        } else {
            let places = in_order_of_kernel(structure, &of_products);
            places.into_iter().for_each(|(p, k)| number(&mut of_products[p], p, k));
        }
        for p in 0..of_products.len() {
            if let Some(like) = of_products[p].like {
                of_products[p].numbers = of_products[like].numbers.clone();
            }
        }
        Some(Numbers { weights, of_products })
    }
}

/// Products with values and pairs of theirs, pair by pair.
fn in_order_of_kernel(structure: &Structure, of_products: &[OfProduct]) -> Vec<(usize, usize)> {
    let mut places: Vec<((u32, u32), u32, u32)> = vec![];
    for (p, (Product(relations), of)) in structure.products.iter().zip(of_products).enumerate() {
        let (Some(relation), None) = (of.relation, of.like) else { continue };
        let mut k = 0;
        relations[relation].pairs.for_each(|o, i| {
            places.push(((o as u32, i as u32), p as u32, k));
            k += 1;
        });
    }
    places.sort_unstable();
    places.into_iter().map(|(_, p, k)| (p as usize, k as usize)).collect()
}

/// Entries that move alike.
type Part = ((Pair, Shift), Vec<Run>);

struct ByDimension<'a> {
    geometry: Geometry,
    input: &'a Layout,
    output: &'a Layout,
}

impl ByDimension<'_> {
    fn of_product(&self, Product(relations): &Product, of: &OfProduct) -> Vec<Part> {
        let numbers = |r: usize| (of.relation == Some(r)).then_some(&of.numbers[..]);
        let mut factors: Vec<Vec<Part>> =
            relations.iter().enumerate().map(|(r, x)| self.of_relation(x, numbers(r))).collect();
        factors.push(self.of_copies());
        factors.sort_by_key(|parts| smallest_stride(parts));
        let start = Run { slot: 0, element: 0, dims: vec![] };
        let mut all: BTreeMap<(Pair, Shift), Vec<Run>> = BTreeMap::new();
        all.insert(Default::default(), vec![start]);
        for parts in &factors {
            let mut next: BTreeMap<(Pair, Shift), Vec<Run>> = BTreeMap::new();
            for (&(pair, shift), runs) in &all {
                for ((own_pair, own), outer) in parts {
                    let pair = (pair.0 + own_pair.0, pair.1 + own_pair.1);
                    let steps = (shift.steps + own.steps) % self.geometry.n_steps() as u32;
                    // The row is one bit of one dimension at most, of operand and result.
                    let shift = Shift { swap: shift.swap ^ own.swap, steps };
                    let joined = next.entry((pair, shift)).or_default();
                    for (run, outer) in runs.iter().flat_map(|x| outer.iter().map(move |y| (x, y)))
                    {
                        join(run, outer, joined);
                    }
                }
            }
            all = next;
        }
        let placed = |((pair, shift), runs): Part| {
            let runs = match self.geometry.unmoved_by(shift) {
                Some((by, length)) => moved(runs, self.input.space, by, length, false),
                None => runs,
            };
            ((pair, shift), runs)
        };
        all.into_iter().map(placed).collect()
    }

    fn of_relation(&self, relation: &Relation, numbers: Option<&[u32]>) -> Vec<Part> {
        let (to, from) = (self.output.offsets(relation.to), self.input.offsets(relation.from));
        let mut entries = vec![];
        relation.pairs.for_each(|o, i| {
            let number = numbers.map_or(0, |numbers| numbers[entries.len()]);
            entries.push((to[o], from[i], number));
        });
        self.parts(entries)
    }

    /// The copies of a result, as a dimension of its own.
    fn of_copies(&self) -> Vec<Part> {
        self.parts(self.geometry.copies().iter().map(|&copy| (copy, 0, 0)).collect())
    }

    /// Entries, of the results at some positions from operands at others, by how they move.
    fn parts(&self, entries: Vec<(usize, usize, u32)>) -> Vec<Part> {
        let mut by_move: BTreeMap<(Pair, Shift), Vec<(u32, u32)>> = BTreeMap::new();
        for (to, from, number) in entries {
            let slot = self.geometry.unmoved(to, from);
            by_move.entry(self.geometry.place(to, from)).or_default().push((slot, number));
        }
        let part = |(by, mut pairs): ((Pair, Shift), Vec<(u32, u32)>)| {
            pairs.sort_unstable();
            (by, Runs::from_pairs(&pairs).0)
        };
        by_move.into_iter().map(part).collect()
    }
}

/// The smallest distance of slots.
fn smallest_stride(parts: &[Part]) -> u32 {
    let runs = parts.iter().flat_map(|(_, runs)| runs);
    let strides = runs.flat_map(|run| run.dims.iter().map(|dim| dim.slot_stride.unsigned_abs()));
    strides.min().unwrap_or(u32::MAX)
}

/// Pushes the product of two runs, the dimensions of the first inside.
fn join(inner: &Run, outer: &Run, joined: &mut Vec<Run>) {
    let mut dims = inner.dims.clone();
    let mut own = &outer.dims[..];
    // One that continues the last of those inside makes that longer.
    if let (Some(last), Some((first, rest))) = (dims.last_mut(), own.split_first()) {
        let continues = |last_stride: i32, stride: i32| {
            i64::from(last.count) * i64::from(last_stride) == i64::from(stride)
        };
        if continues(last.slot_stride, first.slot_stride)
            && continues(last.element_stride, first.element_stride)
        {
            last.count *= first.count;
            own = rest;
        }
    }
    let (fits, spelled) = own.split_at(own.len().min(Run::MAX_DIMS - dims.len()));
    dims.extend_from_slice(fits);
    let starts = Run { slot: outer.slot, element: outer.element, dims: spelled.to_vec() };
    starts.for_each(|slot, element| {
        let (slot, element) = (inner.slot + slot as u32, inner.element + element as u32);
        joined.push(Run { slot, element, dims: dims.clone() });
    });
}

/// Runs of slots whose columns are below `columns`, moved cyclically `by` columns to higher ones; then rows change places if they
/// `swap`.
pub fn moved(runs: Vec<Run>, space: SlotSpace, by: usize, columns: usize, swap: bool) -> Vec<Run> {
    let mut rows = Sides::default();
    match space.two_rows {
        true => runs.into_iter().for_each(|run| rows.add(run, space.row_length() as u32)),
        false => rows.below = runs,
    }
    let lower = rotated(rows.below, by, columns);
    let upper = rotated(rows.beyond, by, columns);
    let (first, second) = if swap { (upper, lower) } else { (lower, upper) };
    let raised = |run: Run| Run { slot: run.slot + space.row_length() as u32, ..run };
    first.into_iter().chain(second.into_iter().map(raised)).collect()
}

/// Runs of slots below `length`, moved cyclically to higher ones.
fn rotated(runs: Vec<Run>, by: usize, length: usize) -> Vec<Run> {
    let mut sides = Sides::default();
    for run in runs {
        let slot = run.slot + by as u32;
        sides.add(Run { slot, ..run }, length as u32);
    }
    let Sides { mut below, beyond } = sides;
    below.extend(beyond);
    below
}

/// Runs of slots below a border, and of those beyond it, which is subtracted from them.
#[derive(Default)]
struct Sides {
    below: Vec<Run>,
    beyond: Vec<Run>,
}

impl Sides {
    fn add(&mut self, run: Run, length: u32) {
        let (border, [(lowest, highest), _]) = (i64::from(length), run.bounds());
        if highest < border {
            return self.below.push(run);
        }
        if lowest >= border {
            return self.beyond.push(Run { slot: run.slot - length, ..run });
        }
        let widest = (0..run.dims.len()).max_by_key(|&d| run.dims[d].slot_stride.unsigned_abs());
        let widest = widest.expect("a run across a border has a dimension");
        let Dim { count, slot_stride, element_stride } = run.dims[widest];
        let mut inner = run.dims.clone();
        inner.remove(widest);
        // Positions along it, by whether the rest of the run lies below, across or beyond.
        let start = |k: u32| {
            let along = |from: u32, stride: i32| {
                (i64::from(from) + i64::from(k) * i64::from(stride)) as u32
            };
            let (slot, element) =
                (along(run.slot, slot_stride), along(run.element, element_stride));
            Run { slot, element, dims: inner.clone() }
        };
        let side = |k: u32| {
            let [(lowest, highest), _] = start(k).bounds();
            (highest >= border, lowest >= border)
        };
        let mut k = 0;
        while k < count {
            let own = side(k);
            let is_across = own == (true, false);
            let alike = (k + 1..count).take_while(|&next| !is_across && side(next) == own).count();
            let mut part = start(k);
            if alike > 0 {
                let dim = Dim { count: alike as u32 + 1, slot_stride, element_stride };
                part.dims.insert(widest, dim);
            }
            self.add(part, length);
            k += alike as u32 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::layout::{candidates, diagonals, of_input};
    use crate::linear::{LinearMap, affine_of};

    const OPERATORS: &str = r#"
model 1 "operators"
c0 : [6,3,3,3] = [CONV]
c1 : [2,3,3,3] = [GROUPED]
c2 : [96,5] = [MATRIX]
t0 = input : [1,3,8,8] "x"
t1 = conv t0, c0 strides=[1,1] pads_begin=[1,1] pads_end=[1,1] dilations=[1,1] groups=1 : [1,6,8,8] "padded"
t2 = conv t1, c1 strides=[2,2] pads_begin=[1,0] pads_end=[1,1] dilations=[1,1] groups=2 : [1,2,4,4] "grouped"
t3 = average_pool t1 kernel=[2,2] strides=[2,2] pads_begin=[0,0] pads_end=[0,0] dilations=[1,1] count_include_pad=false : [1,6,4,4] "pool"
t4 = transpose t3 perm=[0,2,3,1] : [1,4,4,6] "transpose"
t5 = reshape t4 : [1,96] "flatten"
t6 = matmul t5, c2 : [1,5] "dense"
t7 = pad t2 before=[0,1,0,0] after=[0,0,2,0] value=0 : [1,3,6,4] "pad"
t8 = sum t1 axes=[2,3] keepdims=true : [1,6,1,1] "sum"
output "a" t6
output "b" t7
output "c" t8
"#;

    /// Positive numbers that differ, a few of them zero.
    fn numbers(count: usize) -> String {
        let number = |k: usize| match k % 11 {
            7 => "0".to_owned(),
            _ => format!("{}", k as f64 / 8.0 + 0.125),
        };
        (0..count).map(number).collect::<Vec<_>>().join(",")
    }

    /// Slots and weights of every diagonal, from boxes or entry by entry.
    type Spelled = BTreeMap<(Pair, Shift), BTreeMap<u32, f64>>;

    fn spelled(weights: &[f64], boxes: Boxes) -> Spelled {
        let mut all = Spelled::new();
        for (pair, shifts) in boxes {
            for (shift, runs) in shifts {
                let slots = all.entry((pair, shift)).or_default();
                for run in runs {
                    assert!(run.dims.len() <= Run::MAX_DIMS);
                    run.for_each(|slot, number| {
                        let before = slots.insert(slot as u32, weights[number as usize]);
                        assert_eq!(before, None, "slot {slot} is taken twice");
                    });
                }
            }
        }
        all
    }

    fn entry_by_entry(map: &LinearMap, input: &Layout, output: &Layout) -> Spelled {
        let entries = (0..map.n_rows()).flat_map(|o| map.row(o));
        let values: Vec<f64> = entries.map(|(_, value)| value).collect();
        let mut all = Spelled::new();
        for (pair, shifts) in diagonals(map, input, output) {
            for (shift, entries) in shifts {
                let entries = entries.into_iter().map(|(slot, k)| (slot, values[k as usize]));
                all.insert((pair, shift), entries.collect());
            }
        }
        all
    }

    #[test]
    fn boxes_are_the_diagonals_of_all_operators_between_all_kinds_of_layouts() {
        let text = OPERATORS
            .replace("CONV", &numbers(6 * 27))
            .replace("GROUPED", &numbers(2 * 27))
            .replace("MATRIX", &numbers(96 * 5));
        let model = hecc_grammar::model::parse(&text, &mut |_| None).expect("it is a model");
        let (mut compared, mut shared, mut in_two_rows) = (0, 0, 0);
        for (tensor, node) in model.tensors() {
            for (x, map) in affine_of(&model, tensor).map_or(vec![], |affine| affine.terms) {
                let structure = map.structure().cloned();
                // From few ciphertexts with many copies to many without.
                let rows = [3, 6, 8, 11].map(|log_row| [(log_row, false), (log_row, true)]);
                for (log_row, two_rows) in rows.concat() {
                    let space = SlotSpace { log_row, two_rows, log_batch: 0 };
                    for input in of_input(model.shape(x), space, None) {
                        let slides = structure.as_ref().and_then(|s| s.slides(node.shape.len()));
                        let outputs =
                            candidates(&node.shape, space, &[(slides.as_deref(), &input)], false);
                        for output in outputs {
                            let Some(structure) = &structure else { continue };
                            let Some((weights, boxes)) = boxes(structure, &input, &output) else {
                                continue;
                            };
                            shared += usize::from(input.period() != output.period());
                            let expected = entry_by_entry(&map, &input, &output);
                            let what = format!("{}: {input} to {output}", node.name);
                            assert_eq!(spelled(&weights, boxes), expected, "{what}");
                            compared += 1;
                            in_two_rows += usize::from(two_rows);
                        }
                    }
                }
            }
        }
        assert!(compared > 300 && shared > 50, "{compared} compared, {shared} with two periods");
        assert!(in_two_rows > 150, "{in_two_rows} of {compared} in two rows");
    }

    #[test]
    fn runs_that_are_moved_around_the_end_are_split() {
        let dim = |(count, slot_stride, element_stride)| Dim { count, slot_stride, element_stride };
        let dims = [[(5, 1, 1), (3, 16, 7), (2, 6, -3)], [(4, 16, 0), (2, 3, 5), (3, -1, 2)]];
        for (by, dims) in (0..64).flat_map(|by| dims.iter().map(move |dims| (by, dims))) {
            let run = Run { slot: 4, element: 9, dims: dims.map(dim).to_vec() };
            let mut expected = vec![];
            run.for_each(|slot, element| expected.push(((slot + by) % 64, element)));
            let mut found = vec![];
            for run in rotated(vec![run], by as usize, 64) {
                run.for_each(|slot, element| found.push((slot, element)));
            }
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected, "by {by}");
        }
    }
}
