//! Layouts worth considering for an input, and for the result of an affine map.

use std::collections::BTreeSet;

use crate::linear::Slide;

use super::arrangement::Arrangement;
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
/// where it has copies, or copies where it has channels (`Arrangement::across`). Where there are two rows, all of these also with
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
