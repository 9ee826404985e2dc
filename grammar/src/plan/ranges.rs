//! The ranges that the elements of an input may be in.

use crate::text::{Attribute, LineError, Piece, error};

/// Ranges `(lo, hi)`: one for all elements of a tensor, one for each channel (dimension 1), or one for each element.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranges(pub Vec<(f64, f64)>);

/// An end is passed only by more than this part of the largest magnitude of its range: encodings round.
const SLACK: f64 = 1e-6;

impl Ranges {
    /// One range for all elements.
    pub fn all(lo: f64, hi: f64) -> Ranges {
        Ranges(vec![(lo, hi)])
    }

    /// Which range an element of a tensor of that shape has.
    pub fn index(&self, shape: &[usize], element: usize) -> usize {
        let n_elements: usize = shape.iter().product();
        match self.0.len() {
            1 => 0,
            n if n == n_elements => element,
            n => element / shape[2..].iter().product::<usize>() % n,
        }
    }

    /// The range of an element of a tensor of that shape.
    pub fn of(&self, shape: &[usize], element: usize) -> (f64, f64) {
        self.0[self.index(shape, element)]
    }

    /// The smallest range around all of them.
    pub fn hull(&self) -> (f64, f64) {
        let empty = (f64::INFINITY, f64::NEG_INFINITY);
        self.0.iter().fold(empty, |(lo, hi), range| (lo.min(range.0), hi.max(range.1)))
    }

    /// The first element of a tensor of that shape that is outside of its range, or not a number.
    pub fn first_outside(&self, shape: &[usize], tensor: &[f64]) -> Option<usize> {
        let is_inside = |(element, &x): (usize, &f64)| {
            let (lo, hi) = self.of(shape, element);
            let slack = SLACK * lo.abs().max(hi.abs());
            x >= lo - slack && x <= hi + slack
        };
        tensor.iter().enumerate().position(|element| !is_inside(element))
    }

    /// Whether they are finite, ordered, and as many as a tensor of that shape takes.
    pub(super) fn check(&self, shape: &[usize]) -> Result<(), &'static str> {
        let n = self.0.len();
        let is_channels = shape.len() > 1 && n == shape[1] && n > 0;
        if n != 1 && n != shape.iter().product::<usize>() && !is_channels {
            return Err("its ranges are not one for all, for each channel or for each element");
        }
        match self.0.iter().all(|(lo, hi)| lo.is_finite() && hi.is_finite()) {
            true => Ok(()),
            false => Err("a range is not finite"),
        }
    }
}

impl Attribute for Ranges {
    fn read(piece: &Piece<'_>) -> Result<Ranges, LineError> {
        let numbers = Vec::<f64>::read(piece)?;
        match numbers.as_chunks() {
            (pairs, []) => Ok(Ranges(pairs.iter().map(|&[lo, hi]| (lo, hi)).collect())),
            (_, _) => Err(error(piece, "expected an even count of numbers")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_find_their_range() {
        let (shape, ranges) = ([1, 2, 3], Ranges(vec![(0.0, 1.0), (-5.0, 5.0)]));
        assert_eq!(ranges.of(&shape, 2), (0.0, 1.0));
        assert_eq!(ranges.of(&shape, 3), (-5.0, 5.0));
        assert_eq!(ranges.hull(), (-5.0, 5.0));
        let table = Ranges((0..6).map(|i| (0.0, f64::from(i))).collect());
        assert_eq!(table.of(&[1, 6], 4), (0.0, 4.0));
        assert_eq!(Ranges::all(0.0, 1.0).of(&shape, 5), (0.0, 1.0));
    }

    #[test]
    fn what_is_outside_is_found() {
        let ranges = Ranges(vec![(0.0, 1.0), (100.0, 200.0)]);
        assert_eq!(ranges.first_outside(&[1, 2], &[1.0, 150.0]), None);
        assert_eq!(ranges.first_outside(&[1, 2], &[1.0 + 1e-7, 200.0]), None);
        assert_eq!(ranges.first_outside(&[1, 2], &[0.5, 1.0]), Some(1));
        assert_eq!(ranges.first_outside(&[1, 2], &[f64::NAN, 150.0]), Some(0));
    }

    #[test]
    fn there_are_as_many_as_the_shape_takes() {
        let ranges = |n: usize| Ranges(vec![(0.0, 1.0); n]);
        for n in [1, 3, 12] {
            assert_eq!(ranges(n).check(&[1, 3, 4]), Ok(()), "{n}");
        }
        for n in [0, 2, 4, 24] {
            assert!(ranges(n).check(&[1, 3, 4]).is_err(), "{n}");
        }
        assert!(Ranges::all(0.0, f64::NAN).check(&[1]).is_err());
    }
}
