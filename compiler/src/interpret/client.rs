//! What the client applies to decrypted outputs.

use hecc_grammar::model::ClientOp;
use ndarray::{Array1, ArrayD, ArrayView1, Axis};

/// Applies the operations in order.
pub fn apply_client_ops(ops: &[ClientOp], x: ArrayD<f64>) -> ArrayD<f64> {
    ops.iter().fold(x, |x, op| match *op {
        ClientOp::Softmax { axis } => map_lanes(x, axis, |lane| {
            let e = shifted(lane).mapv(f64::exp);
            let sum = e.sum();
            e / sum
        }),
        ClientOp::LogSoftmax { axis } => map_lanes(x, axis, |lane| {
            let shifted = shifted(lane);
            let log_sum = shifted.mapv(f64::exp).sum().ln();
            shifted - log_sum
        }),
        ClientOp::ArgMax { axis, keepdims } => {
            let index = x.map_axis(Axis(axis), |lane| arg_max(lane) as f64);
            if keepdims { index.insert_axis(Axis(axis)) } else { index }
        }
        ClientOp::TopK { axis, k, largest } => map_lanes(x, axis, |lane| {
            let mut sorted = lane.to_vec();
            sorted.sort_by(|a, b| if largest { b.total_cmp(a) } else { a.total_cmp(b) });
            sorted.truncate(k);
            Array1::from(sorted)
        }),
        ClientOp::FakeQuant(quantizer) => x.mapv_into(|v| quantizer.apply(v)),
    })
}

/// Differences to the largest element, whose exponentials cannot overflow.
fn shifted(lane: ArrayView1<'_, f64>) -> Array1<f64> {
    let max = lane.fold(f64::NEG_INFINITY, |m, &v| m.max(v));
    lane.mapv(|v| v - max)
}

/// The first index of the largest element.
fn arg_max(lane: ArrayView1<'_, f64>) -> usize {
    let larger = |best: usize, (i, v): (usize, &f64)| if *v > lane[best] { i } else { best };
    lane.iter().enumerate().fold(0, larger)
}

/// Replaces every lane along the axis; all results have one length.
fn map_lanes(
    x: ArrayD<f64>,
    axis: usize,
    map: impl Fn(ArrayView1<'_, f64>) -> Array1<f64>,
) -> ArrayD<f64> {
    let lanes: Vec<Array1<f64>> = x.lanes(Axis(axis)).into_iter().map(map).collect();
    let mut shape = x.shape().to_vec();
    shape[axis] = lanes.first().map_or(0, |lane| lane.len());
    let mut out = ArrayD::zeros(shape);
    for (mut target, lane) in out.lanes_mut(Axis(axis)).into_iter().zip(&lanes) {
        target.assign(lane);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn operations_chain() {
        let x = array![[1.0, 3.0, 2.0], [5.0, 5.0, 1000.0]].into_dyn();
        let p = apply_client_ops(&[ClientOp::Softmax { axis: 1 }], x.clone());
        assert!((p.sum() - 2.0).abs() < 1e-15);
        let log = apply_client_ops(&[ClientOp::LogSoftmax { axis: 1 }], x.clone());
        assert!((log[[0, 1]] - p[[0, 1]].ln()).abs() < 1e-15);
        let chain =
            [ClientOp::Softmax { axis: 1 }, ClientOp::TopK { axis: 1, k: 1, largest: true }];
        assert_eq!(apply_client_ops(&chain, x.clone())[[1, 0]], 1.0);
        let top = apply_client_ops(&[ClientOp::TopK { axis: 1, k: 2, largest: false }], x.clone());
        assert_eq!(top, array![[1.0, 2.0], [5.0, 5.0]].into_dyn());
        let best = apply_client_ops(&[ClientOp::ArgMax { axis: 0, keepdims: true }], x);
        assert_eq!(best, array![[1.0, 1.0, 1.0]].into_dyn());
    }
}
