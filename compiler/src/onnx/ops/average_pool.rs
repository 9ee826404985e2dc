//! `AveragePool` and `GlobalAveragePool`.

use hecc_grammar::model::{Op, Tensor, Window};

use super::window::{self, Placed};
use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::value::Value;

pub(super) const AVERAGE_POOL: Importer = Importer {
    op_type: "AveragePool",
    since: 7,
    supported: "`auto_pad`, `ceil_mode`, `count_include_pad`, `dilations`, `kernel_shape`, `pads`, `strides`; 1-D and 2-D",
    refused: "3-D",
    import,
};

pub(super) const GLOBAL_AVERAGE_POOL: Importer = Importer {
    op_type: "GlobalAveragePool",
    since: 7,
    supported: "any number of spatial dimensions",
    refused: "",
    import: import_global,
};

/// More elements than this in one window mean a malformed file.
const MAX_TAPS: usize = 1 << 20;

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    if model.is_scratch() {
        return Err(refuse("a pool of a constant, expected encrypted data"));
    }
    let x = node.tensor(0, model)?;
    let shape = model.shape(x);
    window::check_rank(&shape)?;
    let rank = shape.len() - 2;
    let kernel = window::kernel_shape(node, rank)?;
    let kernel = kernel.ok_or_else(|| refuse("attribute `kernel_shape` is missing"))?;
    if kernel.iter().try_fold(1usize, |n, &k| n.checked_mul(k)).is_none_or(|taps| taps > MAX_TAPS) {
        return Err(refuse(format!("`kernel_shape` {kernel:?} has more than {MAX_TAPS} elements")));
    }
    let ceil = node.flag("ceil_mode", false)?;
    let mut count_include_pad = node.flag("count_include_pad", false)?;
    let Placed { mut window, out, beyond } = window::place(node, &shape[2..], &kernel, ceil)?;
    let mut x = x;
    if beyond.iter().any(|&n| n > 0) {
        if count_include_pad {
            // Declared padding counts, what `ceil_mode` adds does not: so the declared part becomes data.
            let with_batch = |pads: &[usize]| [&[0, 0], pads].concat();
            x = model.pad(x, with_batch(&window.pads_begin), with_batch(&window.pads_end), 0.0)?;
            window.pads_begin.fill(0);
            window.pads_end.fill(0);
            count_include_pad = false;
        }
        for (pad, beyond) in window.pads_end.iter_mut().zip(&beyond) {
            *pad += beyond;
        }
    }
    let data = model.shape(x);
    if let Some(d) = (0..rank).find(|&d| !covers_data(&window, d, kernel[d], data[d + 2], out[d])) {
        return Err(refuse(format!("a window lies in the padding of dimension {d} alone")));
    }
    let out = [&shape[..2], &out].concat();
    let y = model.push(Op::AveragePool { x, kernel, window, count_include_pad }, out)?;
    Ok(vec![y.into()])
}

/// Whether every window has an element inside the data along dimension `d`.
fn covers_data(window: &Window, d: usize, kernel: usize, data: usize, out: usize) -> bool {
    let (stride, dilation, pad) = (window.strides[d], window.dilations[d], window.pads_begin[d]);
    let covers = |o: usize| {
        let first = pad.saturating_sub(o * stride).div_ceil(dilation);
        first < kernel && o * stride + first * dilation - pad < data
    };
    // Windows that start inside the data need no look.
    let before = pad.div_ceil(stride).min(out);
    let after = ((pad + data) / stride).min(out);
    (0..before).chain(after..out).all(covers)
}

fn import_global(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let x = node.tensor(0, model)?;
    let rank = model.shape(x).len();
    if rank < 3 {
        return Err(refuse(format!("input 0 has rank {rank}, expected at least 3")));
    }
    Ok(vec![mean(x, (2..rank).collect(), true, model)?.into()])
}

/// The mean over ascending axes: a pool where these are one or two spatial dimensions, else a scaled sum.
pub(super) fn mean(
    x: Tensor,
    axes: Vec<usize>,
    keepdims: bool,
    model: &mut Builder,
) -> Result<Tensor, Refused> {
    let shape = model.shape(x);
    let is_spatial = matches!(shape.len(), 3 | 4) && axes.iter().copied().eq(2..shape.len());
    let count: usize = axes.iter().map(|&axis| shape[axis]).product();
    if !is_spatial || count > MAX_TAPS {
        let sum = model.sum(x, axes, keepdims)?;
        return model.scale(sum, 1.0 / count as f64);
    }
    let (kernel, rank) = (shape[2..].to_vec(), axes.len());
    let (zeros, ones) = (vec![0; rank], vec![1; rank]);
    let window = Window {
        strides: ones.clone(),
        pads_begin: zeros.clone(),
        pads_end: zeros,
        dilations: ones,
    };
    let mut out = shape[..2].to_vec();
    out.resize(shape.len(), 1);
    let op = Op::AveragePool { x, kernel, window, count_include_pad: false };
    let pooled = model.push(op, out)?;
    if keepdims { Ok(pooled) } else { model.reshape(pooled, shape[..2].to_vec()) }
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    fn pool(attributes: &[(&str, Attr<'_>)]) -> Vec<f64> {
        Case::new(19, &[1, 1, 5])
            .node("AveragePool", "x", "y", attributes)
            .result(&[1.0, 2.0, 3.0, 4.0, 5.0])
            .1
    }

    #[test]
    fn what_ceil_mode_adds_never_counts() {
        let kernel = || ("kernel_shape", Attr::Ints(&[2]));
        let stride = || ("strides", Attr::Ints(&[2]));
        let pads = || ("pads", Attr::Ints(&[1, 1]));
        let ceil = || ("ceil_mode", Attr::Int(1));
        let count = || ("count_include_pad", Attr::Int(1));
        assert_eq!(pool(&[kernel(), stride()]), [1.5, 3.5]);
        assert_eq!(pool(&[kernel(), stride(), ceil()]), [1.5, 3.5, 5.0]);
        assert_eq!(pool(&[kernel(), stride(), ceil(), count()]), [1.5, 3.5, 5.0]);
        assert_eq!(pool(&[kernel(), stride(), pads()]), [1.0, 2.5, 4.5]);
        assert_eq!(pool(&[kernel(), stride(), pads(), count()]), [0.5, 2.5, 4.5]);
        // A window that would start in the padding at the end is left out.
        assert_eq!(pool(&[kernel(), stride(), pads(), ceil()]), [1.0, 2.5, 4.5]);
        let three = || ("kernel_shape", Attr::Ints(&[3]));
        assert_eq!(pool(&[three(), ("strides", Attr::Ints(&[3])), ceil(), count()]), [2.0, 4.5]);
        let y = pool(&[three(), ("strides", Attr::Ints(&[4])), pads(), ceil(), count()]);
        assert_eq!(y, [1.0, 3.0]);
    }

    #[test]
    fn dilations_skip() {
        assert_eq!(
            pool(&[("kernel_shape", Attr::Ints(&[2])), ("dilations", Attr::Ints(&[3]))]),
            [2.5, 3.5]
        );
    }

    #[test]
    fn windows_without_data_are_refused() {
        let case = Case::new(19, &[1, 1, 2]).node(
            "AveragePool",
            "x",
            "y",
            &[("kernel_shape", Attr::Ints(&[2])), ("pads", Attr::Ints(&[2, 0]))],
        );
        assert!(case.error().contains("lies in the padding of dimension 0 alone"));
    }

    #[test]
    fn means_are_pools_where_they_can_be() {
        let case = Case::new(13, &[1, 2, 1, 2]).node("GlobalAveragePool", "x", "y", &[]);
        assert_eq!(case.result(&[1.0, 3.0, 5.0, 9.0]), (vec![1, 2, 1, 1], vec![2.0, 7.0]));
        let case = Case::new(13, &[1, 2, 1, 2]).node(
            "ReduceMean",
            "x",
            "y",
            &[("axes", Attr::Ints(&[-1, 2])), ("keepdims", Attr::Int(0))],
        );
        assert_eq!(case.result(&[1.0, 3.0, 5.0, 9.0]), (vec![1, 2], vec![2.0, 7.0]));
        let case = Case::new(13, &[1, 2, 1, 2]).node(
            "ReduceMean",
            "x",
            "y",
            &[("axes", Attr::Ints(&[1]))],
        );
        assert_eq!(case.result(&[1.0, 3.0, 5.0, 9.0]), (vec![1, 1, 1, 2], vec![3.0, 6.0]));
    }
}
