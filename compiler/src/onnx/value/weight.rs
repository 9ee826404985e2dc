//! Constant factors, as convolutions and products take them.

use ndarray::ArrayD;

use super::constant::Constant;

/// A constant factor of a convolution or a product.
pub(in crate::onnx) struct Weight {
    /// Integers, if there is a scale.
    pub(in crate::onnx) array: ArrayD<f64>,
    /// What the result is to be multiplied by; of the array's rank.
    pub(in crate::onnx) scale: Option<ArrayD<f64>>,
}

impl Weight {
    /// Keeps integers and scales apart where the scales are the same along the dimensions `summed`.
    pub(in crate::onnx) fn of(constant: Constant, summed: &[usize]) -> Weight {
        match &constant.grid {
            Some(grid) if summed.iter().all(|&axis| grid.scale().shape()[axis] == 1) => Weight {
                array: grid.integers.clone().into_owned(),
                scale: Some(grid.scale().clone().into_owned()),
            },
            Some(_) | None => Weight { array: constant.into_array(), scale: None },
        }
    }

    /// Numbers that are on no grid.
    pub(in crate::onnx) fn plain(array: ArrayD<f64>) -> Weight {
        Weight { array, scale: None }
    }

    /// The result times `factor`.
    pub(in crate::onnx) fn times(self, factor: f64) -> Weight {
        match (factor == 1.0, self.scale) {
            (true, scale) => Weight { scale, ..self },
            (false, Some(scale)) => Weight { array: self.array, scale: Some(scale * factor) },
            (false, None) => Weight { array: self.array * factor, scale: None },
        }
    }

    /// Changes the dimensions of both arrays.
    pub(in crate::onnx) fn map(self, map: impl Fn(ArrayD<f64>) -> ArrayD<f64>) -> Weight {
        Weight { array: map(self.array), scale: self.scale.map(map) }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::super::grid::Grid;
    use super::*;

    #[test]
    fn scales_leave_the_sum_where_they_can() {
        let integers = || array![[1.0, 2.0], [3.0, 4.0]].into_dyn();
        let grid = || Grid::new(integers(), array![0.5, 0.25].into_dyn()).unwrap();
        let columns = || Constant::on_grid(grid());
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
