//! Slice, pad and gather: elements that move.

use ndarray::{ArrayD, Axis, IxDyn, SliceInfoElem};

/// Elements `starts[d] + i·steps[d]` of every dimension, as many as `shape` says.
pub(super) fn slice(
    x: &ArrayD<f64>,
    starts: &[usize],
    steps: &[isize],
    shape: &[usize],
) -> ArrayD<f64> {
    if shape.contains(&0) {
        return ArrayD::zeros(shape);
    }
    let mut view = x.view();
    for (d, ((&start, &step), &count)) in starts.iter().zip(steps).zip(shape).enumerate() {
        let last = start as isize + (count as isize - 1) * step;
        let (low, high) = (last.min(start as isize), last.max(start as isize));
        // ndarray takes a negative step from the end of the range.
        view.slice_axis_inplace(Axis(d), ndarray::Slice::new(low, Some(high + 1), step));
    }
    view.as_standard_layout().into_owned()
}

/// `x` at offset `before` in an array of the given shape that is `fill` elsewhere.
pub(super) fn pad(x: &ArrayD<f64>, before: &[usize], fill: f64, shape: &[usize]) -> ArrayD<f64> {
    let mut out = ArrayD::from_elem(IxDyn(shape), fill);
    let inner: Vec<SliceInfoElem> = before
        .iter()
        .zip(x.shape())
        .map(|(&start, &extent)| (start..start + extent).into())
        .collect();
    out.slice_mut(&inner[..]).assign(x);
    out
}

/// The listed elements of one dimension.
pub(super) fn gather(x: &ArrayD<f64>, axis: usize, indices: &[usize]) -> ArrayD<f64> {
    x.select(Axis(axis), indices).as_standard_layout().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn negative_steps_start_where_they_say() {
        let x = array![0.0, 1.0, 2.0, 3.0, 4.0, 5.0].into_dyn();
        assert_eq!(slice(&x, &[4], &[-2], &[2]), array![4.0, 2.0].into_dyn());
        assert_eq!(slice(&x, &[5], &[-2], &[3]), array![5.0, 3.0, 1.0].into_dyn());
        assert_eq!(slice(&x, &[1], &[3], &[2]), array![1.0, 4.0].into_dyn());
    }

    #[test]
    fn padding_surrounds() {
        let x = array![[1.0, 2.0]].into_dyn();
        assert_eq!(
            pad(&x, &[1, 0], 9.0, &[2, 3]),
            array![[9.0, 9.0, 9.0], [1.0, 2.0, 9.0]].into_dyn()
        );
    }
}
