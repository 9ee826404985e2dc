//! Values of polynomials in the Chebyshev basis, by Clenshaw's recurrence.

use hecc_grammar::model::Polynomial;
use ndarray::ArrayViewMutD;

/// So many values go through the recurrence side by side.
const LANES: usize = 32;

/// `Σ c_k·T_k(t)`.
pub fn chebyshev(coefficients: &[f64], t: f64) -> f64 {
    let (mut b1, mut b2) = (0.0, 0.0);
    for &c in coefficients.iter().skip(1).rev() {
        (b1, b2) = (2.0 * t * b1 - b2 + c, b1);
    }
    coefficients.first().copied().unwrap_or(0.0) + t * b1 - b2
}

/// The value of a polynomial.
pub fn value(polynomial: &Polynomial, x: f64) -> f64 {
    let Polynomial { lo, hi, coefficients } = polynomial;
    chebyshev(coefficients, (2.0 * x - lo - hi) / (hi - lo))
}

/// Puts the value of a polynomial in place of every number.
pub fn apply(polynomial: &Polynomial, mut numbers: ArrayViewMutD<'_, f64>) {
    match numbers.as_slice_mut() {
        Some(numbers) => {
            let (blocks, rest) = numbers.as_chunks_mut::<LANES>();
            blocks.iter_mut().for_each(|block| apply_to_block(polynomial, block));
            rest.iter_mut().for_each(|x| *x = value(polynomial, *x));
        }
        None => numbers.mapv_inplace(|x| value(polynomial, x)),
    }
}

fn apply_to_block(polynomial: &Polynomial, block: &mut [f64; LANES]) {
    let Polynomial { lo, hi, coefficients } = polynomial;
    let t = block.map(|x| (2.0 * x - lo - hi) / (hi - lo));
    let (mut b1, mut b2) = ([0.0; LANES], [0.0; LANES]);
    for &c in coefficients.iter().skip(1).rev() {
        for i in 0..LANES {
            (b1[i], b2[i]) = (2.0 * t[i] * b1[i] - b2[i] + c, b1[i]);
        }
    }
    let first = coefficients.first().copied().unwrap_or(0.0);
    for (i, x) in block.iter_mut().enumerate() {
        *x = first + t[i] * b1[i] - b2[i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ArrayD;

    #[test]
    fn series_are_sums() {
        // 1 + 2·T1(t) + 3·T2(t) with t = x/2 on [-2, 2].
        let p = Polynomial { lo: -2.0, hi: 2.0, coefficients: vec![1.0, 2.0, 3.0] };
        let t: f64 = 0.6;
        let want = 1.0 + 2.0 * t + 3.0 * (2.0 * t * t - 1.0);
        assert!((value(&p, 1.2) - want).abs() < 1e-14);
        assert_eq!(chebyshev(&[], 0.5), 0.0);
    }

    #[test]
    fn many_values_are_those_one_by_one() {
        let p = Polynomial { lo: -1.0, hi: 3.0, coefficients: vec![0.5, -1.0, 2.0, 0.25] };
        let x = ArrayD::from_shape_fn(vec![3, 25], |at| at[0] as f64 - 0.07 * at[1] as f64);
        let mut y = x.clone();
        apply(&p, y.view_mut());
        let mut transposed = x.clone();
        apply(&p, transposed.view_mut().reversed_axes());
        for ((x, y), z) in x.iter().zip(&y).zip(&transposed) {
            assert_eq!((*y, *z), (value(&p, *x), value(&p, *x)));
        }
    }
}
