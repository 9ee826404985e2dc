//! What the client applies to decrypted outputs.

use ndarray::{Array1, ArrayD, ArrayView1, Axis, IxDyn};

use super::client::{ClientOp, Norm};

/// Applies the operations in order, to the result for one input.
pub fn apply_client_ops(ops: &[ClientOp], x: ArrayD<f64>) -> ArrayD<f64> {
    ops.iter().fold(x, |x, op| match op {
        ClientOp::Softmax { axis } => map_lanes(x, *axis, |lane| {
            let e = shifted(lane).mapv(f64::exp);
            let sum = e.sum();
            e / sum
        }),
        ClientOp::LogSoftmax { axis } => map_lanes(x, *axis, |lane| {
            let shifted = shifted(lane);
            let log_sum = shifted.mapv(f64::exp).sum().ln();
            shifted - log_sum
        }),
        ClientOp::ArgMax { axis, keepdims } => {
            let index = x.map_axis(Axis(*axis), |lane| arg_max(lane) as f64);
            if *keepdims { index.insert_axis(Axis(*axis)) } else { index }
        }
        ClientOp::TopK { axis, k, largest } => map_lanes(x, *axis, |lane| {
            sorted(lane, *largest).into_iter().take(*k).map(|i| lane[i]).collect()
        }),
        ClientOp::TopKIndices { axis, k, largest } => map_lanes(x, *axis, |lane| {
            sorted(lane, *largest).into_iter().take(*k).map(|i| i as f64).collect()
        }),
        ClientOp::FakeQuant(quantizer) => x.mapv_into(|v| quantizer.apply(v)),
        ClientOp::Activation(function) => x.mapv_into(|v| function.eval(v)),
        ClientOp::Affine { factor, offset } => {
            zip(zip(x, factor, |v, f| v * f), offset, |v, o| v + o)
        }
        ClientOp::Compare { comparison, with } => {
            zip(x, with, |v, w| f64::from(u8::from(comparison.holds(v, w))))
        }
        ClientOp::Round(to) => x.mapv_into(|v| to.round(v)),
        ClientOp::Normalize { axis, norm } => map_lanes(x, *axis, |lane| {
            let size = size(lane, *norm);
            if size == 0.0 { lane.to_owned() } else { &lane / size }
        }),
        ClientOp::Sum { axis, keepdims } => {
            let sum = x.sum_axis(Axis(*axis));
            if *keepdims { sum.insert_axis(Axis(*axis)) } else { sum }
        }
        ClientOp::Reshape { shape } => with_shape(x.into_iter().collect(), shape),
        ClientOp::Pick { positions, shape } => {
            let flat: Vec<f64> = x.into_iter().collect();
            with_shape(positions.iter().map(|&at| flat[at]).collect(), shape)
        }
        ClientOp::Lookup { keys, values, default } => x.mapv_into(|v| {
            let found = keys.iter().position(|&key| key == v);
            found.map_or(*default, |i| values[i])
        }),
        ClientOp::Classes { .. } | ClientOp::Labels { .. } => x,
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

/// The indices of all elements, the best one first; of equal ones the first.
fn sorted(lane: ArrayView1<'_, f64>, largest: bool) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..lane.len()).collect();
    let ascending = |a: usize, b: usize| lane[a].total_cmp(&lane[b]);
    indices.sort_by(|&a, &b| if largest { ascending(b, a) } else { ascending(a, b) });
    indices
}

fn size(lane: ArrayView1<'_, f64>, norm: Norm) -> f64 {
    match norm {
        Norm::L1 => lane.iter().map(|v| v.abs()).sum(),
        Norm::L2 => lane.iter().map(|v| v * v).sum::<f64>().sqrt(),
        Norm::Max => lane.fold(f64::NEG_INFINITY, |m, &v| m.max(v)),
        Norm::Sum => lane.sum(),
    }
}

/// Combines every element with the number at its place, or with the only one.
fn zip(x: ArrayD<f64>, numbers: &[f64], map: impl Fn(f64, f64) -> f64) -> ArrayD<f64> {
    let shape = x.shape().to_vec();
    let last = numbers.len() - 1;
    let mapped = x.into_iter().enumerate().map(|(i, v)| map(v, numbers[i.min(last)]));
    with_shape(mapped.collect(), &shape)
}

fn with_shape(elements: Vec<f64>, shape: &[usize]) -> ArrayD<f64> {
    ArrayD::from_shape_vec(IxDyn(shape), elements).expect("verified operations keep the count")
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
    use crate::model::{Comparison, Function, Integral};
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
        let op = ClientOp::TopKIndices { axis: 1, k: 2, largest: false };
        assert_eq!(apply_client_ops(&[op], x.clone()), array![[0.0, 2.0], [0.0, 1.0]].into_dyn());
        let best = apply_client_ops(&[ClientOp::ArgMax { axis: 0, keepdims: true }], x);
        assert_eq!(best, array![[1.0, 1.0, 1.0]].into_dyn());
    }

    #[test]
    fn elements_change_alone() {
        let run = |op| apply_client_ops(&[op], array![[-1.5, 0.5, 2.5]].into_dyn());
        let affine = ClientOp::Affine { factor: vec![1.0, 2.0, 3.0], offset: vec![1.0] };
        assert_eq!(run(affine), array![[-0.5, 2.0, 8.5]].into_dyn());
        let comparison = Comparison::GreaterOrEqual;
        let compare = ClientOp::Compare { comparison, with: vec![0.5] };
        assert_eq!(run(compare), array![[0.0, 1.0, 1.0]].into_dyn());
        assert_eq!(run(ClientOp::Round(Integral::Even)), array![[-2.0, 0.0, 2.0]].into_dyn());
        assert_eq!(run(ClientOp::Round(Integral::Truncate)), array![[-1.0, 0.0, 2.0]].into_dyn());
        let relu = ClientOp::Activation(Function::Relu);
        assert_eq!(run(relu), array![[0.0, 0.5, 2.5]].into_dyn());
        let table =
            ClientOp::Lookup { keys: vec![0.5, 2.5], values: vec![7.0, 8.0], default: -1.0 };
        assert_eq!(run(table), array![[-1.0, 7.0, 8.0]].into_dyn());
    }

    #[test]
    fn rows_change_together() {
        let run = |op| apply_client_ops(&[op], array![[-1.0, 3.0, 0.0]].into_dyn());
        let normalize = |norm| run(ClientOp::Normalize { axis: 1, norm });
        assert_eq!(normalize(Norm::L1), array![[-0.25, 0.75, 0.0]].into_dyn());
        assert_eq!(normalize(Norm::Sum), array![[-0.5, 1.5, 0.0]].into_dyn());
        assert!((normalize(Norm::L2)[[0, 1]] - 3.0 / 10f64.sqrt()).abs() < 1e-15);
        let sum = run(ClientOp::Sum { axis: 1, keepdims: false });
        assert_eq!(sum, array![2.0].into_dyn());
        let shape = vec![3];
        let picked = run(ClientOp::Pick { positions: vec![2, 0, 0], shape });
        assert_eq!(picked, array![0.0, -1.0, -1.0].into_dyn());
    }
}
