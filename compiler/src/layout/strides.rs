//! Whether a matrix slides over its operand, as convolutions and pools do, and in what steps.

use crate::linear::{Matrix, unflatten};

/// For each dimension, log2 of the step in the operand's index for one step of the result's; `None` where all results read
/// the same elements (the channels of a convolution).
pub type Strides = Vec<Option<u32>>;

/// A step that is within this of a power of two is that power: padding cuts windows at the border.
const TOLERANCE: f64 = 0.25;

/// Steps larger than 2^3 are not looked for.
const MAX_LOG: u32 = 3;

/// The steps of a matrix between tensors of these shapes; `None` if it does not slide.
///
/// A step is how far the mean index that results read moves from one half of a dimension to the other. Means over all
/// results are needed: kernels with many zeros read from here and there.
pub fn strides(matrix: &Matrix, input: &[usize], output: &[usize]) -> Option<Strides> {
    if input.len() != output.len() {
        return None;
    }
    let halves = halves(matrix, input, output);
    let stride = |(dim, &n): (usize, &usize)| {
        if n == 1 {
            return Some(Some(0));
        }
        let [low, high] = halves[dim];
        let distance = n - n / 2;
        let step = (high.mean()? - low.mean()?) / distance as f64;
        if step.abs() < TOLERANCE {
            return Some(None);
        }
        let log = (0..=MAX_LOG).find(|&log| (step - f64::from(1u32 << log)).abs() < TOLERANCE);
        log.map(Some)
    };
    let strides: Strides = output.iter().enumerate().map(stride).collect::<Option<_>>()?;
    let slides = strides.iter().zip(output).any(|(stride, &n)| n > 1 && stride.is_some());
    slides.then_some(strides)
}

#[derive(Clone, Copy, Default)]
struct Sum {
    total: f64,
    count: usize,
}

impl Sum {
    fn mean(self) -> Option<f64> {
        (self.count > 0).then(|| self.total / self.count as f64)
    }
}

/// For each dimension, the sums of the indices read by the results in its lower and in its upper half.
fn halves(matrix: &Matrix, input: &[usize], output: &[usize]) -> Vec<[Sum; 2]> {
    let n_dims = input.len();
    let mut halves = vec![[Sum::default(); 2]; n_dims];
    let mut read = vec![0usize; n_dims];
    for o in 0..matrix.n_rows() {
        read.fill(0);
        let mut count = 0;
        for (mut i, _) in matrix.row(o) {
            for (sum, &n) in read.iter_mut().zip(input).rev() {
                *sum += i % n;
                i /= n;
            }
            count += 1;
        }
        for (dim, index) in unflatten(o, output).into_iter().enumerate() {
            let n = output[dim];
            for (half, is_in) in [(0, index < n / 2), (1, index >= n - n / 2)] {
                if is_in {
                    halves[dim][half].total += read[dim] as f64;
                    halves[dim][half].count += count;
                }
            }
        }
    }
    halves
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 3x3 convolution of stride 2 over an 8x8 channel to 4 channels; `zero` says which entries are left out.
    fn strided(zero: impl Fn(usize, usize) -> bool) -> Matrix {
        Matrix::from_rows(4 * 9, 64, |o, row| {
            let (channel, h, w) = (o / 9, o / 3 % 3, o % 3);
            for k in (0..9).filter(|&k| !zero(channel, k)) {
                row.push((((2 * h + k / 3) * 8 + 2 * w + k % 3) as u32, 1.0 + k as f64 + o as f64));
            }
        })
    }

    #[test]
    fn strides_are_read_off_the_matrix() {
        let expected = Some(vec![Some(0), None, Some(1), Some(1)]);
        assert_eq!(strides(&strided(|_, _| false), &[1, 1, 8, 8], &[1, 4, 3, 3]), expected);
        let dense = Matrix::from_rows(6, 6, |_, row| row.extend((0..6).map(|i| (i, 1.0))));
        assert_eq!(strides(&dense, &[1, 6], &[1, 6]), None);
    }

    #[test]
    fn kernels_with_zeros_slide() {
        // Of the kernel of each channel, one corner or another; one channel reads nothing.
        let sparse = strided(|channel, k| channel == 1 || k % 4 != channel);
        let expected = Some(vec![Some(0), None, Some(1), Some(1)]);
        assert_eq!(strides(&sparse, &[1, 1, 8, 8], &[1, 4, 3, 3]), expected);
    }
}
