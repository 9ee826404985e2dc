//! How much the elements of an output vary: the unit of their errors.

use ndarray::ArrayD;

/// An element that varies by less than this part of its size is a constant.
const CONSTANT: f64 = 1e-3;

/// An element that varies by less than this part of what is usual for its output, such as a pixel at the edge of an image, is
/// not judged by its own spread.
const LEAST_SHARE: f64 = 0.01;

/// The standard deviation of each element; of a constant what is usual for the others, or else its size. Never 0.
pub(super) fn spreads<'a>(seen: impl Iterator<Item = &'a ArrayD<f64>> + Clone) -> Vec<f64> {
    let count = seen.clone().count().max(1) as f64;
    let n = seen.clone().next().map_or(0, ArrayD::len);
    // The first row is subtracted, so that a large offset does not cost all digits.
    let first: Vec<f64> = seen.clone().take(1).flatten().copied().collect();
    let (mut sums, mut squares, mut sizes) = (vec![0.0; n], vec![0.0; n], vec![0.0f64; n]);
    for row in seen {
        for (i, &x) in row.iter().enumerate() {
            let shifted = x - first[i];
            sums[i] += shifted;
            squares[i] += shifted * shifted;
            sizes[i] = sizes[i].max(x.abs());
        }
    }
    let deviation = |i: usize| (squares[i] / count - (sums[i] / count).powi(2)).max(0.0).sqrt();
    let deviations: Vec<Option<f64>> = (0..n)
        .map(|i| Some(deviation(i)).filter(|&d| d > CONSTANT * sizes[i] && d.is_finite()))
        .collect();
    let mut varying: Vec<f64> = deviations.iter().copied().flatten().collect();
    varying.sort_by(f64::total_cmp);
    let usual = varying.get(varying.len().saturating_sub(1) / 2).copied();
    let of = |i: usize| match (deviations[i], usual) {
        (Some(own), usual) => own.max(LEAST_SHARE * usual.unwrap_or(0.0)),
        (None, Some(usual)) => usual,
        (None, None) => Some(sizes[i]).filter(|&x| x > 0.0 && x.is_finite()).unwrap_or(1.0),
    };
    (0..n).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: [[f64; 3]; 2]) -> Vec<f64> {
        let rows = rows.map(|row| ndarray::arr1(&row).into_dyn());
        spreads(rows.iter())
    }

    #[test]
    fn each_element_has_its_own() {
        assert_eq!(of([[0.0, 0.0, 0.0], [2.0, 200.0, 2000.0]]), [1.0, 100.0, 1000.0]);
        // Far from 0 as well.
        assert_eq!(of([[500.0, -3.0, 1e5], [502.0, 3.0, 1.1e5]]), [1.0, 3.0, 5000.0]);
    }

    #[test]
    fn constants_have_one_too() {
        assert_eq!(of([[7.0, 0.0, 0.0], [7.0, 2.0, 4.0]]), [1.0, 1.0, 2.0]);
        assert_eq!(of([[7.0, 0.0, -3.0], [7.0, 0.0, -3.0]]), [7.0, 1.0, 3.0]);
        assert_eq!(of([[0.0, 0.0, 0.0], [1e-9, 2.0, 4.0]]), [0.01, 1.0, 2.0]);
    }
}
