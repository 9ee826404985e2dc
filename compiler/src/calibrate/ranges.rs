//! The ranges that inputs may be in, from those that were observed.

use hecc_grammar::plan::{Normalization, Ranges};
use ndarray::ArrayD;

use super::groups::{Grouping, rows};
use super::tail::beyond;

/// How often a usual value may be outside of its range.
const CHANCE: f64 = 1e-6;

/// Ranges are widened by at least this factor where their ends are no bounds.
const LEAST_MARGIN: f64 = 1.25;

/// An end is a bound, beyond which there is nothing, if this share of all values, but at least `LEAST_AT_BOUND` and at
/// most `MOST_AT_BOUND` of them, lie on it.
const SHARE_AT_BOUND: f64 = 0.02;
const LEAST_AT_BOUND: f64 = 3.0;
const MOST_AT_BOUND: f64 = 100.0;

/// What was observed of a group of elements.
#[derive(Clone, Copy, Debug)]
struct Observed {
    lo: f64,
    hi: f64,
    /// Values, and how many of them are the ends.
    count: usize,
    at_lo: usize,
    at_hi: usize,
}

impl Observed {
    const NOTHING: Observed =
        Observed { lo: f64::INFINITY, hi: f64::NEG_INFINITY, count: 0, at_lo: 0, at_hi: 0 };

    fn add(&mut self, x: f64) {
        self.count += 1;
        if x < self.lo {
            (self.lo, self.at_lo) = (x, 0);
        }
        if x > self.hi {
            (self.hi, self.at_hi) = (x, 0);
        }
        self.at_lo += usize::from(x == self.lo);
        self.at_hi += usize::from(x == self.hi);
    }

    /// The range with room for what is rare.
    fn widened(&self) -> (f64, f64) {
        let enough =
            (self.count as f64 * SHARE_AT_BOUND).clamp(LEAST_AT_BOUND, MOST_AT_BOUND) as usize;
        let margin = beyond(self.count, 1, CHANCE).max(LEAST_MARGIN);
        let room = (self.hi - self.lo) / 2.0 * (margin - 1.0);
        let lo = if self.at_lo >= enough { self.lo } else { self.lo - room };
        (lo, if self.at_hi >= enough { self.hi } else { self.hi + room })
    }
}

/// The ranges of an input of some shape, of which a batch was observed, and of which normalized pixels are known.
pub fn input_ranges(
    shape: &[usize],
    batch: &ArrayD<f64>,
    normalization: Option<&Normalization>,
) -> Ranges {
    let grouping = Grouping::of(shape);
    let groups = grouping.index(shape);
    let mut observed = vec![Observed::NOTHING; grouping.len(shape)];
    for row in rows(shape, batch) {
        row.iter().zip(&groups).for_each(|(&&x, &group)| observed[group].add(x));
    }
    let mut ranges: Vec<(f64, f64)> = observed.iter().map(Observed::widened).collect();
    if grouping == Grouping::Channel {
        for (channel, range) in ranges.iter_mut().enumerate() {
            *range = within_pixels(*range, observed[channel], pixel_range(normalization, channel));
        }
    }
    let ends: Vec<(f64, f64)> = observed.iter().map(|group| (group.lo, group.hi)).collect();
    for (range, is_pixel) in ranges.iter_mut().zip(pixels(&ends)) {
        if let Some((lo, hi)) = is_pixel {
            *range = (range.0.min(lo), range.1.max(hi));
        }
    }
    let first = ranges.first().copied().unwrap_or((0.0, 0.0));
    if ranges.iter().all(|&range| range == first) {
        Ranges::all(first.0, first.1)
    } else {
        Ranges(ranges)
    }
}

/// The range of pixels of a channel.
fn pixel_range(normalization: Option<&Normalization>, channel: usize) -> (f64, f64) {
    let Some(Normalization { mean, std }) = normalization else { return (0.0, 1.0) };
    let of_channel = |list: &[f64]| list[channel % list.len()];
    let (mean, std) = (of_channel(mean), of_channel(std));
    (-mean / std, (1.0 - mean) / std)
}

/// A widened range without what no pixel can be, if all that was observed may be pixels.
fn within_pixels(
    range: (f64, f64),
    seen: Observed,
    (darkest, brightest): (f64, f64),
) -> (f64, f64) {
    let slack = 1e-6 * (brightest - darkest);
    match seen.lo >= darkest - slack && seen.hi <= brightest + slack {
        true => (range.0.max(darkest.min(seen.lo)), range.1.min(brightest.max(seen.hi))),
        false => range,
    }
}

/// Fewer groups are not compared.
const LEAST_PIXELS: usize = 8;
/// Upper ends this near to the largest, in parts of its range, are like it.
const NEAR: f64 = 0.1;

/// The common range of groups that are in one unit, such as the pixels of an image in a row, or indicators: at least half
/// of all groups have the same lower end, and at least a third of those the same upper end, nearly. What such a group was
/// not seen to be, another one was.
fn pixels(ends: &[(f64, f64)]) -> Vec<Option<(f64, f64)>> {
    let alike = |lo: f64| ends.iter().filter(move |end| end.0 == lo);
    let lower = ends.iter().map(|end| end.0).max_by_key(|&lo| alike(lo).count());
    let Some(lower) = lower.filter(|_| ends.len() >= LEAST_PIXELS) else {
        return vec![None; ends.len()];
    };
    let upper = alike(lower).fold(lower, |most, end| most.max(end.1));
    let near = alike(lower).filter(|end| end.1 >= upper - NEAR * (upper - lower)).count();
    let count = alike(lower).count();
    let is_unit = 2 * count >= ends.len() && 3 * near >= count && upper > lower;
    ends.iter().map(|end| (is_unit && end.0 == lower).then_some((lower, upper))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch of rows of `n` features, from their number and that of the row.
    fn batch(n: usize, of: impl Fn(usize, usize) -> f64) -> ArrayD<f64> {
        ArrayD::from_shape_fn(vec![100, n], |index| of(index[0], index[1]))
    }

    /// Numbers in [0, 1) that look random.
    fn noise(row: usize, feature: usize) -> f64 {
        ((row * 7919 + feature * 104_729 + 13) % 1009) as f64 / 1009.0
    }

    #[test]
    fn features_have_ranges_of_their_own() {
        let scales = [1.0, 1000.0, 1e-3];
        let data = batch(3, |row, feature| scales[feature] * (noise(row, feature) + 1.0));
        let ranges = input_ranges(&[1, 3], &data, None);
        assert_eq!(ranges.0.len(), 3);
        for ((lo, hi), scale) in ranges.0.iter().zip(scales) {
            assert!(*lo > 0.2 * scale && *lo < scale, "{lo}");
            assert!(*hi > 2.0 * scale && *hi < 2.8 * scale, "{hi}");
        }
    }

    #[test]
    fn bounds_are_not_passed() {
        // An indicator, a number cut off at 0, a constant.
        let data = batch(3, |row, feature| match feature {
            0 => f64::from(row % 10 == 0),
            1 => (noise(row, 1) - 0.5).max(0.0),
            _ => 7.0,
        });
        let Ranges(ranges) = input_ranges(&[1, 3], &data, None);
        assert_eq!((ranges[0], ranges[2]), ((0.0, 1.0), (7.0, 7.0)));
        assert!(ranges[1].0 == 0.0 && ranges[1].1 > 0.55, "{ranges:?}");
    }

    #[test]
    fn pixels_have_their_own_range() {
        let images = ArrayD::from_shape_fn(vec![2, 1, 4, 4], |index| {
            0.1 + 0.8 * noise(index[0] * 4 + index[2], index[3])
        });
        assert_eq!(input_ranges(&[1, 1, 4, 4], &images, None), Ranges::all(0.0, 1.0));
        let by = Normalization { mean: vec![0.5], std: vec![0.25] };
        let normalized = (images - 0.5) / 0.25;
        assert_eq!(input_ranges(&[1, 1, 4, 4], &normalized, Some(&by)), Ranges::all(-2.0, 2.0));
    }

    #[test]
    fn dark_pixels_may_be_bright() {
        // Pixels in a row, the first two of which are dark.
        let pixel = |row: usize, feature: usize| (noise(row, feature) * 16.0).floor().min(15.0);
        let data = batch(16, |row, feature| if feature < 2 { 0.0 } else { pixel(row, feature) });
        assert_eq!(input_ranges(&[1, 16], &data, None), Ranges::all(0.0, 15.0));
        let image = data.into_shape_with_order(vec![100, 1, 4, 4]).unwrap();
        assert_eq!(input_ranges(&[1, 1, 4, 4], &image, None), Ranges::all(0.0, 15.0));
    }
}
