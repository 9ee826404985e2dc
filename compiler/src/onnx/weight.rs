//! Constants on a grid: integers and their scales, kept apart so that a quantized network's weights stay integers.

use ndarray::{ArcArray, ArrayD, Axis, IxDyn, Slice};

use super::error::{Refused, refuse};
use super::finite;
use super::value::Constant;

/// `integers · scale`, elementwise; zero points are subtracted already.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    pub(super) integers: ArcArray<f64, IxDyn>,
    /// Of the same rank; where a dimension does not matter it has length 1.
    scale: ArcArray<f64, IxDyn>,
}

impl Grid {
    /// `scale` broadcasts to the shape of the integers.
    pub(super) fn new(integers: ArrayD<f64>, scale: ArrayD<f64>) -> Result<Grid, Refused> {
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

    /// The numbers that are meant.
    pub(super) fn values(&self) -> ArrayD<f64> {
        &self.integers * &self.scale
    }

    /// The scales in the shape of the integers, so that both can be moved alike.
    pub(super) fn wide_scale(&self) -> ArrayD<f64> {
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

/// A constant factor of a convolution or a product.
pub(super) struct Weight {
    /// Integers, if there is a scale.
    pub(super) array: ArrayD<f64>,
    /// What the result is to be multiplied by; of the array's rank.
    pub(super) scale: Option<ArrayD<f64>>,
}

impl Weight {
    /// Keeps integers and scales apart where the scales are the same along the dimensions `summed`.
    pub(super) fn of(constant: Constant, summed: &[usize]) -> Weight {
        match &constant.grid {
            Some(grid) if summed.iter().all(|&axis| grid.scale.shape()[axis] == 1) => Weight {
                array: grid.integers.clone().into_owned(),
                scale: Some(grid.scale.clone().into_owned()),
            },
            Some(_) | None => Weight { array: constant.into_array(), scale: None },
        }
    }

    /// Numbers that are on no grid.
    pub(super) fn plain(array: ArrayD<f64>) -> Weight {
        Weight { array, scale: None }
    }

    /// The result times `factor`.
    pub(super) fn times(self, factor: f64) -> Weight {
        match (factor == 1.0, self.scale) {
            (true, scale) => Weight { scale, ..self },
            (false, Some(scale)) => Weight { array: self.array, scale: Some(scale * factor) },
            (false, None) => Weight { array: self.array * factor, scale: None },
        }
    }

    /// Changes the dimensions of both arrays.
    pub(super) fn map(self, map: impl Fn(ArrayD<f64>) -> ArrayD<f64>) -> Weight {
        Weight { array: map(self.array), scale: self.scale.map(map) }
    }
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

    #[test]
    fn scales_leave_the_sum_where_they_can() {
        let columns = || Constant::on_grid(grid(array![0.5, 0.25].into_dyn()));
        let weight = Weight::of(columns(), &[0]);
        assert_eq!(weight.array, array![[1.0, 2.0], [3.0, 4.0]].into_dyn());
        assert_eq!(weight.scale, Some(array![[0.5, 0.25]].into_dyn()));
        let weight = Weight::of(columns(), &[1]);
        assert_eq!(weight.array, array![[0.5, 0.5], [1.5, 1.0]].into_dyn());
        assert!(weight.scale.is_none());
        let doubled = Weight::of(columns(), &[0]).times(2.0);
        assert_eq!(doubled.scale, Some(array![[1.0, 0.5]].into_dyn()));
    }
}
