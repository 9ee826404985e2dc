//! Constants on a grid: integers and their scales, kept apart so that a quantized network's weights stay integers.

use ndarray::{ArcArray, ArrayD, Axis, IxDyn, Slice};

use crate::onnx::error::{Refused, refuse};
use crate::onnx::finite;

/// `integers · scale`, elementwise; zero points are subtracted already.
#[derive(Clone, Debug)]
pub(in crate::onnx) struct Grid {
    pub(in crate::onnx) integers: ArcArray<f64, IxDyn>,
    /// Of the same rank; where a dimension does not matter it has length 1.
    scale: ArcArray<f64, IxDyn>,
}

impl Grid {
    /// `scale` broadcasts to the shape of the integers.
    pub(in crate::onnx) fn new(integers: ArrayD<f64>, scale: ArrayD<f64>) -> Result<Grid, Refused> {
        finite::check(&integers)?;
        finite::check(&scale)?;
        let (found, expected) = (scale.shape().to_vec(), integers.shape().to_vec());
        let mut scale = scale;
        while scale.ndim() < expected.len() {
            scale = scale.insert_axis(Axis(0));
        }
        let fits = |(&n, &m): (&usize, &usize)| n == m || n == 1;
        if scale.ndim() > expected.len() || !scale.shape().iter().zip(&expected).all(fits) {
            return Err(refuse(format!("scales {found:?} do not broadcast to {expected:?}")));
        }
        let scale = (0..scale.ndim()).fold(scale, |scale, axis| without_repeats(scale, Axis(axis)));
        Ok(Grid { integers: integers.into_shared(), scale: scale.into_shared() })
    }

    /// The scales; where a dimension does not matter it has length 1.
    pub(super) fn scale(&self) -> &ArcArray<f64, IxDyn> {
        &self.scale
    }

    /// The numbers that are meant.
    pub(in crate::onnx) fn values(&self) -> ArrayD<f64> {
        &self.integers * &self.scale
    }

    /// The scales in the shape of the integers, so that both can be moved alike.
    pub(in crate::onnx) fn wide_scale(&self) -> ArrayD<f64> {
        let wide = self.scale.broadcast(self.integers.raw_dim());
        wide.expect("a grid's scales broadcast to its integers").to_owned()
    }
}

/// Length 1 in place of a dimension along which all elements are equal.
fn without_repeats(array: ArrayD<f64>, axis: Axis) -> ArrayD<f64> {
    let first = array.slice_axis(axis, Slice::from(0..array.len_of(axis).min(1))).to_owned();
    let equal = array.axis_iter(axis).all(|slice| slice.insert_axis(axis) == first);
    if equal { first } else { array }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn grid(scale: ArrayD<f64>) -> Grid {
        Grid::new(array![[1.0, 2.0], [3.0, 4.0]].into_dyn(), scale).unwrap()
    }

    #[test]
    fn scales_shrink_to_what_varies() {
        let shape = |scale: ArrayD<f64>| grid(scale).scale.shape().to_vec();
        assert_eq!(shape(array![0.5, 0.5].into_dyn()), [1, 1]);
        assert_eq!(shape(array![0.5, 0.25].into_dyn()), [1, 2]);
        assert_eq!(shape(array![[0.5, 0.5], [0.25, 0.25]].into_dyn()), [2, 1]);
        assert_eq!(shape(array![[0.5, 0.5], [0.25, 0.5]].into_dyn()), [2, 2]);
        let wide = grid(array![[0.5], [0.25]].into_dyn());
        assert_eq!(wide.values(), array![[0.5, 1.0], [0.75, 1.0]].into_dyn());
        assert_eq!(wide.wide_scale(), array![[0.5, 0.5], [0.25, 0.25]].into_dyn());
        assert!(Grid::new(array![1.0].into_dyn(), array![1.0, 2.0].into_dyn()).is_err());
        assert!(Grid::new(array![1.0].into_dyn(), array![f64::NAN].into_dyn()).is_err());
    }
}
