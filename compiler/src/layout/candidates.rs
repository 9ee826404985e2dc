//! Layouts worth considering for an input, and for the result of an affine map.

use std::collections::BTreeSet;

use crate::linear::Slide;

use super::{Bit, Layout, SlotSpace, bits_for};

/// Candidate layouts of an input. Besides the compact ones, where it takes several ciphertexts, tiles: parts that lie in the same slots
/// of these, each of a range of indices, so that neighbors are in different ciphertexts (interleaved, in the terms of tile tensors:
/// Aharoni et al., PoPETs 2023). A convolution of these hardly rotates, whatever its stride.
/// With `tiles`, log2 of their sizes along dimensions longer than 1 and perhaps of copies, only the layout of these.
pub fn of_input(shape: &[usize], space: SlotSpace, tiles: Option<&[usize]>) -> Vec<Layout> {
    if let Some(sizes) = tiles {
        return vec![tiled(shape, space, sizes)];
    }
    let lengths: Vec<usize> = shape.iter().map(|&n| bits_for(n)).collect();
    let mut list = compact(shape, space);
    list.extend(Arrangement::row_major(shape).replicated(shape, space));
    if lengths.iter().sum::<usize>() > space.log_slots() {
        let in_slots = splits(&lengths, space.log_slots());
        list.extend(in_slots.into_iter().map(|in_slots| interleaved(shape, space, &in_slots)));
    }
    distinct(list)
}

/// Tiles of these sizes: below them copies; of a vector elements side by side, of an image ranges of pixels.
fn tiled(shape: &[usize], space: SlotSpace, sizes: &[usize]) -> Layout {
    let long: Vec<usize> = (0..shape.len()).filter(|&dim| shape[dim] > 1).collect();
    let (own, copies) = sizes.split_at(long.len().min(sizes.len()));
    let mut slots = vec![Bit::Replica; copies.iter().sum()];
    let mut ciphertexts = vec![];
    for (&dim, &count) in long.iter().zip(own).rev() {
        let n_bits = bits_for(shape[dim]);
        let bits = (0..n_bits).map(|bit| Bit::Dim { dim: dim as u8, bit: bit as u8 });
        let mut bits: Vec<Bit> = bits.collect();
        let in_slots = count.min(n_bits);
        if long.len() > 1 {
            bits.rotate_left(n_bits - in_slots);
        }
        slots.extend_from_slice(&bits[..in_slots]);
        slots.extend(vec![Bit::Replica; count - in_slots]);
        ciphertexts.extend_from_slice(&bits[in_slots..]);
    }
    slots.resize(space.log_slots(), Bit::Replica);
    Layout { shape: shape.to_vec(), space, bits: [slots, ciphertexts].concat() }
}

/// Candidate layouts for a result of this shape, given how it slides along operands, and their layouts.
///
/// Always the compact layouts (row-major, with copies or gaps above). For each operand that it slides along
/// (convolution, pooling), also those that keep the operand's pixels where they are: a stride leaves gaps in the low
/// bits, which either stay or are filled with channels (multiplexed packing, Lee et al., ICML 2022). For each operand also channels
/// where it has copies, or copies where it has channels ([`Arrangement::across`]). Where there are two rows, all of these also with
/// halves in either. With `in_place` only those that follow from operands' layouts.
pub fn candidates(
    shape: &[usize],
    space: SlotSpace,
    terms: &[(Option<&[Slide]>, &Layout)],
    in_place: bool,
) -> Vec<Layout> {
    let mut list = if in_place { vec![] } else { compact(shape, space) };
    for (slides, input) in terms {
        let arrangement = slides.and_then(|slides| Arrangement::inherited(shape, input, slides));
        let Some(arrangement) = arrangement else {
            list.extend(Arrangement::all_waiting(shape).across(shape, input));
            continue;
        };
        for fill_low in [false, true] {
            let arrangement = arrangement.with_order(fill_low);
            for top in [Bit::Replica, Bit::Gap] {
                list.push(arrangement.filled(shape, space, &arrangement.waiting, top));
            }
        }
        list.extend(arrangement.across(shape, input));
    }
    let split: Vec<Layout> = list.iter().filter_map(Layout::split_over_rows).collect();
    list.extend(split);
    distinct(list)
}

fn compact(shape: &[usize], space: SlotSpace) -> Vec<Layout> {
    [Bit::Replica, Bit::Gap].map(|top| Layout::compact(shape, space, top)).to_vec()
}

fn distinct(mut list: Vec<Layout>) -> Vec<Layout> {
    let mut seen = BTreeSet::new();
    list.retain(|layout| seen.insert(layout.clone()));
    list
}

/// All ways to take `count` bits from dimensions with so many.
fn splits(lengths: &[usize], count: usize) -> Vec<Vec<usize>> {
    let Some((&first, rest)) = lengths.split_first() else {
        return if count == 0 { vec![vec![]] } else { vec![] };
    };
    let with = |own: usize| {
        splits(rest, count - own).into_iter().map(move |rest| [vec![own], rest].concat())
    };
    (0..=first.min(count)).flat_map(with).collect()
}

/// The highest bits of each dimension in slots, so many, and the lowest in the number of the ciphertext.
fn interleaved(shape: &[usize], space: SlotSpace, in_slots: &[usize]) -> Layout {
    let (mut slots, mut ciphertexts) = (vec![], vec![]);
    for (dim, (&n, &own)) in shape.iter().zip(in_slots).enumerate().rev() {
        let bits = (0..bits_for(n)).map(|bit| Bit::Dim { dim: dim as u8, bit: bit as u8 });
        let bits: Vec<Bit> = bits.collect();
        let (low, high) = bits.split_at(bits.len() - own);
        slots.extend_from_slice(high);
        ciphertexts.extend_from_slice(low);
    }
    Layout { shape: shape.to_vec(), space, bits: [slots, ciphertexts].concat() }
}

/// Bits that have their places, and others that wait for one.
#[derive(Clone)]
struct Arrangement {
    /// By place.
    bits: Vec<Option<Bit>>,
    /// Lowest first.
    waiting: Vec<Bit>,
    /// Free places below the last of `bits`, in the order in which they are taken, before those above.
    order: Vec<usize>,
}

impl Arrangement {
    /// Pixels at the lowest places; the channels before them, or the elements of a vector, waiting.
    fn row_major(shape: &[usize]) -> Arrangement {
        let of_dim = |dim: usize| {
            (0..bits_for(shape[dim])).map(move |bit| Bit::Dim { dim: dim as u8, bit: bit as u8 })
        };
        let n_before = shape.len().min(2);
        let pixels = (n_before..shape.len()).rev().flat_map(of_dim);
        let waiting = (0..n_before).rev().flat_map(of_dim).collect();
        Arrangement { bits: pixels.map(Some).collect(), waiting, order: vec![] }
    }

    /// All bits waiting, row-major.
    fn all_waiting(shape: &[usize]) -> Arrangement {
        let dims = shape.iter().enumerate().rev();
        let bits = dims.flat_map(|(dim, &n)| {
            (0..bits_for(n)).map(move |bit| Bit::Dim { dim: dim as u8, bit: bit as u8 })
        });
        Arrangement { bits: vec![], waiting: bits.collect(), order: vec![] }
    }

    /// The result's pixels at the operand's positions; the other dimensions waiting.
    fn inherited(shape: &[usize], input: &Layout, slides: &[Slide]) -> Option<Arrangement> {
        let mut bits: Vec<Option<Bit>> = vec![None; input.bits.len()];
        let mut waiting = vec![];
        for (dim, (&n, slide)) in shape.iter().zip(slides).enumerate() {
            for bit in 0..bits_for(n) as u8 {
                let here = Bit::Dim { dim: dim as u8, bit };
                let place = slide.and_then(|(from, log)| {
                    let there = Bit::Dim { dim: from as u8, bit: bit + log as u8 };
                    input.bits.iter().position(|&b| b == there)
                });
                match place {
                    Some(place) => bits[place] = Some(here),
                    None => waiting.push(here),
                }
            }
        }
        bits.iter().any(Option::is_some).then_some(Arrangement { bits, waiting, order: vec![] })
    }

    /// Free places among the pixels first if `fill_low`, else those above them.
    fn with_order(&self, fill_low: bool) -> Arrangement {
        let highest = self.bits.iter().rposition(Option::is_some).unwrap_or(0);
        let free = |range: std::ops::Range<usize>| {
            range.filter(|&place| self.bits[place].is_none()).collect::<Vec<_>>()
        };
        let (low, high) = (free(0..highest), free(highest + 1..self.bits.len()));
        let order = if fill_low { [low, high].concat() } else { [high, low].concat() };
        Arrangement { order, ..self.clone() }
    }

    /// For an input: copies below its channels, or above some of them, the others in ciphertexts of their own. In any number.
    fn replicated(&self, shape: &[usize], space: SlotSpace) -> Vec<Layout> {
        let free = space.log_slots().saturating_sub(self.bits.len());
        let below = |n_copies: usize| {
            let copies = vec![Bit::Replica; n_copies];
            self.filled(shape, space, &[copies, self.waiting.clone()].concat(), Bit::Replica)
        };
        let above = |n_own: usize| {
            let (own, others) = self.waiting.split_at(n_own);
            let copies = vec![Bit::Replica; free - n_own];
            self.filled(shape, space, &[own, &copies, others].concat(), Bit::Replica)
        };
        let below = (1..=free).map(below);
        below.chain((0..free.min(self.waiting.len())).map(above)).collect()
    }

    /// Channels where an operand has copies between its elements, and copies elsewhere; or copies where it has channels, and channels
    /// elsewhere. Then products of channels are made where these lie, and summed up over slots in the first case, over ciphertexts
    /// in the second, without masks: the two convolutions of HyPHEN (IEEE Access 2024), and fully connected layers on tiles
    /// (Aharoni et al., PoPETs 2023).
    fn across(&self, shape: &[usize], input: &Layout) -> Vec<Layout> {
        let space = input.space;
        let is_free = |place: &usize| self.bits.get(*place).is_none_or(Option::is_none);
        let free: Vec<usize> = (0..space.log_slots()).filter(is_free).collect();
        let held = |place: usize| input.bits[place];
        let inner = input.inner_replicas();
        let swapped = |takes: &dyn Fn(usize) -> bool, keeps: &dyn Fn(usize) -> bool| {
            let mut bits = self.bits.clone();
            bits.resize(bits.len().max(space.log_slots()), None);
            let mut waiting = self.waiting.iter();
            for &place in &free {
                bits[place] = match (takes(place), keeps(place)) {
                    (true, _) => Some(waiting.next().copied().unwrap_or(Bit::Replica)),
                    (false, true) => None,
                    (false, false) => Some(Bit::Replica),
                };
            }
            let own = Arrangement { bits, waiting: waiting.copied().collect(), order: vec![] };
            own.filled(shape, space, &own.waiting, Bit::Gap)
        };
        let is_copy = |place: usize| inner >> place & 1 == 1;
        let is_channel = |place: usize| matches!(held(place), Bit::Dim { .. });
        // Where a stride leaves a gap either channels go or nothing.
        let is_gap = |place: usize| {
            let highest = self.bits.iter().rposition(Option::is_some);
            is_channel(place) && highest.is_some_and(|highest| place < highest)
        };
        let is_above = |place: usize| !is_copy(place) && !is_channel(place);
        let mut list = vec![];
        for fills in [false, true] {
            if inner != 0 {
                list.push(swapped(&|place| is_copy(place) || fills && is_gap(place), &|place| {
                    is_gap(place)
                }));
            }
            list.push(swapped(&|place| is_above(place) || fills && is_gap(place), &|place| {
                is_gap(place)
            }));
        }
        list
    }

    /// These bits at the free places; above the last slot that is taken `top`.
    fn filled(&self, shape: &[usize], space: SlotSpace, waiting: &[Bit], top: Bit) -> Layout {
        let mut bits = self.bits.clone();
        let mut places = self.order.iter();
        for &bit in waiting {
            match places.next() {
                Some(&place) => bits[place] = Some(bit),
                None => bits.push(Some(bit)),
            }
        }
        let log_slots = space.log_slots();
        while bits.len() > log_slots && bits.last() == Some(&None) {
            bits.pop();
        }
        bits.resize(bits.len().max(log_slots), None);
        let last = bits[..space.log_row].iter().rposition(Option::is_some);
        let fill = |(place, bit): (usize, &Option<Bit>)| {
            let is_above = last.is_none_or(|last| place > last) && place < log_slots;
            bit.unwrap_or(if is_above { top } else { Bit::Gap })
        };
        let bits = bits.iter().enumerate().map(fill).collect();
        Layout { shape: shape.to_vec(), space, bits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strided_results_stay_in_place_or_are_multiplexed() {
        let input = Layout::compact(&[1, 1, 8, 8], SlotSpace::one_row(9), Bit::Replica);
        let slides = vec![Some((0, 0)), None, Some((2, 1)), Some((3, 1))];
        let list =
            candidates(&[1, 4, 3, 3], SlotSpace::one_row(9), &[(Some(&slides), &input)], false);
        let texts: Vec<String> = list.iter().map(ToString::to_string).collect();
        for expected in [
            "gap*1 d3[0..2] gap*1 d2[0..2] d1[0..2] copy*1",
            "d1[0..1] d3[0..2] d1[1..2] d2[0..2] copy*3",
        ] {
            assert!(texts.contains(&expected.to_owned()), "{expected} not in {texts:#?}");
        }
    }

    #[test]
    fn tiles_of_an_image_are_interleaved() {
        let list = of_input(&[1, 1, 8, 8], SlotSpace::one_row(3), None);
        let texts: Vec<String> = list.iter().map(ToString::to_string).collect();
        assert!(texts.contains(&"d3[1..3] d2[2..3] | d3[0..1] d2[0..2]".to_owned()), "{texts:?}");
        assert!(texts.contains(&"d3[0..3] | d2[0..3]".to_owned()), "{texts:?}");
        let [one] = &of_input(&[1, 3, 8, 8], SlotSpace::one_row(5), Some(&[1, 1, 2, 1]))[..] else {
            panic!("one layout");
        };
        assert_eq!(
            one.to_string(),
            "copy*1 d3[1..3] d2[2..3] d1[1..2] | d3[0..1] d2[0..2] d1[0..1]"
        );
        let [vector] = &of_input(&[1, 30], SlotSpace::one_row(5), Some(&[2, 3]))[..] else {
            panic!("one layout");
        };
        assert_eq!(vector.to_string(), "copy*3 d1[0..2] | d1[2..5]");
    }
}
