//! How far results are from what they should be.

/// The largest difference; infinite if one is not a number, which `f64::max` would pass over.
pub(crate) fn distance(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len(), "{found:?}, expected {expected:?}");
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    differences.map(|x| if x.is_nan() { f64::INFINITY } else { x }).fold(0.0, f64::max)
}
