//! Layouts worth considering for the result of an affine map.

use crate::linear::{Matrix, unflatten};

use super::{Bit, Layout, bits_for};

/// Candidate layouts for a result of this shape, given the matrices and operand layouts it is computed from.
///
/// Always the compact layouts (row-major, with copies or gaps above). For each operand that the matrix slides over
/// (convolution, pooling), also those that keep the operand's pixels where they are: a stride leaves gaps in the low
/// bits, which either stay or are filled with channels (multiplexed packing, Lee et al., ICML 2022).
pub fn candidates(shape: &[usize], log_slots: usize, terms: &[(&Matrix, &Layout)]) -> Vec<Layout> {
    let mut list = vec![
        Layout::compact(shape, log_slots, Bit::Replica),
        Layout::compact(shape, log_slots, Bit::Gap),
    ];
    for (matrix, input) in terms {
        if let Some(strides) = strides(matrix, &input.shape, shape) {
            for fill_low in [false, true] {
                for top in [Bit::Replica, Bit::Gap] {
                    list.extend(inherited(shape, input, &strides, fill_low, top));
                }
            }
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    list.retain(|layout| seen.insert(layout.clone()));
    list
}

/// log2 of the step in the operand's index for one step of the result's, per dimension; `None` in a dimension whose
/// results all read the same elements (the channels of a convolution). No value at all if nothing slides.
fn strides(matrix: &Matrix, input: &[usize], output: &[usize]) -> Option<Vec<Option<u32>>> {
    if input.len() != output.len() {
        return None;
    }
    let middle: Vec<usize> = output.iter().map(|&n| n.saturating_sub(1) / 2).collect();
    let mean = |index: &[usize], dim: usize| {
        let (mut sum, mut count) = (0.0, 0usize);
        for (i, _) in matrix.row(crate::linear::flatten(index, output)) {
            sum += unflatten(i, input)[dim] as f64;
            count += 1;
        }
        (count > 0).then(|| sum / count as f64)
    };
    let mut strides = vec![];
    for dim in 0..output.len() {
        if output[dim] == 1 {
            strides.push(Some(0));
            continue;
        }
        let mut next = middle.clone();
        next[dim] += 1;
        let step = mean(&next, dim)? - mean(&middle, dim)?;
        let log = (0..4).find(|&log| (step - f64::from(1u32 << log)).abs() < 0.25);
        strides.push(if step.abs() < 0.25 { None } else { Some(log?) });
    }
    let slides = strides.iter().zip(output).any(|(stride, &n)| n > 1 && stride.is_some());
    slides.then_some(strides)
}

/// The result's pixels at the operand's positions; the other dimensions in the bits left free, the low ones first if
/// `fill_low`, else those above the pixels first.
fn inherited(
    shape: &[usize],
    input: &Layout,
    strides: &[Option<u32>],
    fill_low: bool,
    top: Bit,
) -> Option<Layout> {
    let mut bits: Vec<Option<Bit>> = vec![None; input.bits.len()];
    let mut waiting = vec![];
    for (dim, (&n, stride)) in shape.iter().zip(strides).enumerate() {
        for bit in 0..bits_for(n) as u8 {
            let here = Bit::Dim { dim: dim as u8, bit };
            match stride {
                None => waiting.push(here),
                Some(log) => {
                    let there = Bit::Dim { dim: dim as u8, bit: bit + *log as u8 };
                    let position = input.bits.iter().position(|&b| b == there)?;
                    bits[position] = Some(here);
                }
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
    while bits.len() > input.log_slots && bits.last() == Some(&None) {
        bits.pop();
    }
    let last = bits[..input.log_slots].iter().rposition(Option::is_some)?;
    let fill = |(place, bit): (usize, &Option<Bit>)| {
        let empty = if place > last && place < input.log_slots { top } else { Bit::Gap };
        bit.unwrap_or(empty)
    };
    let bits = bits.iter().enumerate().map(fill).collect();
    Some(Layout { shape: shape.to_vec(), log_slots: input.log_slots, bits })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 3x3 convolution of stride 2 over one 8x8 channel to 4 channels.
    fn strided() -> Matrix {
        Matrix::from_rows(4 * 9, 64, |o, row| {
            let (h, w) = (o / 3 % 3, o % 3);
            for k in 0..9 {
                row.push((((2 * h + k / 3) * 8 + 2 * w + k % 3) as u32, 1.0 + k as f64 + o as f64));
            }
        })
    }

    #[test]
    fn strides_are_read_off_the_matrix() {
        let found = strides(&strided(), &[1, 1, 8, 8], &[1, 4, 3, 3]);
        assert_eq!(found, Some(vec![Some(0), None, Some(1), Some(1)]));
        let dense = Matrix::from_rows(6, 6, |_, row| row.extend((0..6).map(|i| (i, 1.0))));
        assert_eq!(strides(&dense, &[1, 6], &[1, 6]), None);
    }

    #[test]
    fn strided_results_stay_in_place_or_are_multiplexed() {
        let input = Layout::compact(&[1, 1, 8, 8], 9, Bit::Replica);
        let matrix = strided();
        let list = candidates(&[1, 4, 3, 3], 9, &[(&matrix, &input)]);
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
