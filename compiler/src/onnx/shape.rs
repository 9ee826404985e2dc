//! Arithmetic on shapes and axes, with every overflow and range checked.

use super::error::{Refused, refuse};
use crate::size::MAX_ENCRYPTED;

/// No tensor of a model may have more elements than this: 2^28 is 4,096 ciphertexts of 2^16 slots.
pub(super) const MAX_ELEMENTS: usize = 1 << 28;
/// No tensor may have more dimensions than this.
pub(super) const MAX_RANK: usize = 16;

/// The number of elements; refused if there are none, or too many.
pub(super) fn elements(shape: &[usize]) -> Result<usize, Refused> {
    match count(shape)? {
        0 => Err(refuse(format!("shape {shape:?} has no elements"))),
        n => Ok(n),
    }
}

/// As [`elements`], of a tensor that would be encrypted.
pub(super) fn encrypted(shape: &[usize]) -> Result<usize, Refused> {
    match elements(shape)? {
        n if n > MAX_ENCRYPTED => Err(refuse(format!(
            "shape {shape:?} has {n} elements, at most {MAX_ENCRYPTED} can be encrypted"
        ))),
        n => Ok(n),
    }
}

/// The number of elements, which may be none; refused if there are too many.
pub(super) fn count(shape: &[usize]) -> Result<usize, Refused> {
    if shape.len() > MAX_RANK {
        return Err(refuse(format!("{} dimensions, expected at most {MAX_RANK}", shape.len())));
    }
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    match count {
        Some(n) if n <= MAX_ELEMENTS => Ok(n),
        _ => Err(refuse(format!("shape {shape:?} has more than {MAX_ELEMENTS} elements"))),
    }
}

/// A dimension's number in `0..rank`; negative ones count from the end.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, Refused> {
    let signed = rank as i64;
    if (-signed..signed).contains(&axis) {
        return Ok(axis.rem_euclid(signed) as usize);
    }
    Err(refuse(format!("axis {axis}, expected {} to {}", -signed, signed - 1)))
}

/// Distinct dimensions, ascending.
pub(super) fn axes(list: &[i64], rank: usize) -> Result<Vec<usize>, Refused> {
    let mut found = list.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
    found.sort_unstable();
    if found.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(refuse(format!("axes {list:?} repeat one")));
    }
    Ok(found)
}

/// The common shape by numpy's rule.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, Refused> {
    let rank = a.len().max(b.len());
    let at =
        |shape: &[usize], d: usize| (d + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    let one = |d| match (at(a, d), at(b, d)) {
        (x, y) if x == y || y == 1 => Ok(x),
        (1, y) => Ok(y),
        _ => Err(refuse(format!("shapes {a:?} and {b:?} do not broadcast"))),
    };
    (0..rank).map(one).collect()
}

/// Whether at most one dimension is longer than 1.
pub(super) fn is_list(shape: &[usize]) -> bool {
    shape.iter().filter(|&&extent| extent != 1).count() <= 1
}

/// Integers that must be dimensions or counts.
pub(super) fn counts(values: &[i64], what: &str) -> Result<Vec<usize>, Refused> {
    let one = |&v: &i64| usize::try_from(v).ok().filter(|&v| v <= MAX_ELEMENTS);
    let all = values.iter().map(one).collect::<Option<Vec<_>>>();
    all.ok_or_else(|| refuse(format!("{what} {values:?}, expected each in 0 to {MAX_ELEMENTS}")))
}

/// Refuses another number of stored elements or bytes than a shape has; `None` is more than can be counted.
pub(super) fn check_len(found: usize, expected: Option<usize>, unit: &str) -> Result<(), Refused> {
    match expected {
        Some(expected) if expected == found => Ok(()),
        Some(expected) => Err(refuse(format!("{found} {unit}, expected {expected}"))),
        None => Err(refuse(format!("{found} {unit}, expected more than fit in memory"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_broadcast_as_in_numpy() {
        assert_eq!(broadcast(&[2, 1, 3], &[4, 1]).unwrap(), [2, 4, 3]);
        assert_eq!(broadcast(&[], &[5]).unwrap(), [5]);
        assert!(broadcast(&[2], &[3]).is_err());
    }

    #[test]
    fn hostile_shapes_are_refused() {
        assert!(elements(&[usize::MAX, 2]).is_err());
        assert!(elements(&[1 << 20, 1 << 20]).is_err());
        assert!(elements(&[3, 0]).is_err());
        assert!(axis(i64::MIN, 3).is_err());
        assert_eq!(axes(&[-1, 0], 3).unwrap(), [0, 2]);
        assert!(axes(&[-1, 2], 3).is_err());
    }
}
