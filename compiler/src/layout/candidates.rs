//! Layouts worth considering for the result of an affine map.

use crate::linear::Slide;

use super::{Bit, Layout, SlotSpace, bits_for};

/// Candidate layouts for a result of this shape, given how it slides along operands, and their layouts.
///
/// Always the compact layouts (row-major, with copies or gaps above). For each operand that it slides along
/// (convolution, pooling), also those that keep the operand's pixels where they are: a stride leaves gaps in the low
/// bits, which either stay or are filled with channels (multiplexed packing, Lee et al., ICML 2022). Where there are two
/// rows, all of these also with halves in either.
pub fn candidates(
    shape: &[usize],
    space: SlotSpace,
    terms: &[(Option<&[Slide]>, &Layout)],
) -> Vec<Layout> {
    let mut list =
        vec![Layout::compact(shape, space, Bit::Replica), Layout::compact(shape, space, Bit::Gap)];
    for (slides, input) in terms {
        for fill_low in [false, true] {
            for top in [Bit::Replica, Bit::Gap] {
                list.extend(slides.and_then(|s| inherited(shape, input, s, fill_low, top)));
            }
        }
    }
    let split: Vec<Layout> = list.iter().filter_map(Layout::split_over_rows).collect();
    list.extend(split);
    let mut seen = std::collections::BTreeSet::new();
    list.retain(|layout| seen.insert(layout.clone()));
    list
}

/// The result's pixels at the operand's positions; the other dimensions in the bits left free, the low ones first if
/// `fill_low`, else those above the pixels first.
fn inherited(
    shape: &[usize],
    input: &Layout,
    slides: &[Slide],
    fill_low: bool,
    top: Bit,
) -> Option<Layout> {
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
    let highest = bits.iter().rposition(Option::is_some)?;
    let free =
        |range: std::ops::Range<usize>| range.filter(|&p| bits[p].is_none()).collect::<Vec<_>>();
    let (low, high) = (free(0..highest), free(highest + 1..bits.len()));
    let order: Vec<usize> = if fill_low { [low, high].concat() } else { [high, low].concat() };
    let mut places = order.into_iter();
    for bit in waiting {
        match places.next() {
            Some(place) => bits[place] = Some(bit),
            None => bits.push(Some(bit)),
        }
    }
    let SlotSpace { log_row, .. } = input.space;
    let log_slots = input.space.log_slots();
    while bits.len() > log_slots && bits.last() == Some(&None) {
        bits.pop();
    }
    let last = bits[..log_row].iter().rposition(Option::is_some)?;
    let fill = |(place, bit): (usize, &Option<Bit>)| {
        let empty = if place > last && place < log_slots { top } else { Bit::Gap };
        bit.unwrap_or(empty)
    };
    let bits = bits.iter().enumerate().map(fill).collect();
    Some(Layout { shape: shape.to_vec(), space: input.space, bits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strided_results_stay_in_place_or_are_multiplexed() {
        let input = Layout::compact(&[1, 1, 8, 8], SlotSpace::one_row(9), Bit::Replica);
        let slides = vec![Some((0, 0)), None, Some((2, 1)), Some((3, 1))];
        let list = candidates(&[1, 4, 3, 3], SlotSpace::one_row(9), &[(Some(&slides), &input)]);
        let texts: Vec<String> = list.iter().map(ToString::to_string).collect();
        assert!(
            texts.contains(&"gap*1 d3[0..2] gap*1 d2[0..2] d1[0..2] copy*1".to_owned()),
            "{texts:?}"
        );
        assert!(
            texts.contains(&"d1[0..1] d3[0..2] d1[1..2] d2[0..2] copy*3".to_owned()),
            "{texts:?}"
        );
    }
}
