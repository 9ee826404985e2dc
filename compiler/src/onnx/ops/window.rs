//! The sliding window that convolutions and pools share: `auto_pad`, `dilations`, `pads`, `strides`.

use hecc_grammar::model::Window;

use crate::onnx::error::{Refused, refuse};
use crate::onnx::node::Node;
use crate::onnx::shape;

/// Where the windows lie and how many there are.
pub(super) struct Placed {
    pub(super) window: Window,
    /// Extent of the result per spatial dimension.
    pub(super) out: Vec<usize>,
    /// What the last window reaches beyond the declared padding (`ceil_mode`), per spatial dimension.
    pub(super) beyond: Vec<usize>,
}

/// Refuses all but one and two spatial dimensions.
pub(super) fn check_rank(shape: &[usize]) -> Result<(), Refused> {
    match shape.len() {
        3 | 4 => Ok(()),
        rank => Err(refuse(format!(
            "input 0 has shape {shape:?} (rank {rank}), expected [n, c, length] or [n, c, height, width]"
        ))),
    }
}

/// Reads the window's attributes. `spatial` is the data's extent, `kernel` the window's.
pub(super) fn place(
    node: &mut Node<'_>,
    spatial: &[usize],
    kernel: &[usize],
    ceil: bool,
) -> Result<Placed, Refused> {
    let rank = spatial.len();
    if kernel.contains(&0) {
        return Err(refuse(format!("kernel {kernel:?} is empty")));
    }
    let strides = positive(node, "strides", rank)?;
    let dilations = positive(node, "dilations", rank)?;
    let mut window =
        Window { strides, pads_begin: vec![0; rank], pads_end: vec![0; rank], dilations };
    let auto_pad = node.attr::<String>("auto_pad")?.unwrap_or_else(|| "NOTSET".to_owned());
    let pads = node.attr::<Vec<i64>>("pads")?.map(|pads| shape::counts(&pads, "attribute `pads`"));
    let pads = pads.transpose()?;
    let extent = |d: usize| window.dilations[d] * (kernel[d] - 1) + 1;
    match (&auto_pad[..], pads) {
        ("NOTSET", None) => {}
        ("NOTSET", Some(pads)) if pads.len() == 2 * rank => {
            window.pads_begin.copy_from_slice(&pads[..rank]);
            window.pads_end.copy_from_slice(&pads[rank..]);
        }
        ("NOTSET", Some(pads)) => {
            return Err(refuse(format!(
                "attribute `pads` is {pads:?}, expected {} numbers",
                2 * rank
            )));
        }
        (mode, Some(pads)) if pads.iter().any(|&p| p != 0) => {
            return Err(refuse(format!(
                "`auto_pad` {mode} and `pads` {pads:?}, expected one of them"
            )));
        }
        ("VALID", _) => {}
        (mode @ ("SAME_UPPER" | "SAME_LOWER"), _) => {
            for d in 0..rank {
                let out = spatial[d].div_ceil(window.strides[d]);
                let total = ((out - 1) * window.strides[d] + extent(d)).saturating_sub(spatial[d]);
                let (small, large) = (total / 2, total - total / 2);
                let upper = mode == "SAME_UPPER";
                window.pads_begin[d] = if upper { small } else { large };
                window.pads_end[d] = if upper { large } else { small };
            }
        }
        (other, _) => {
            let expected = "NOTSET, VALID, SAME_UPPER or SAME_LOWER";
            return Err(refuse(format!("`auto_pad` is `{other}`, expected {expected}")));
        }
    }
    let (mut out, mut beyond) = (vec![0; rank], vec![0; rank]);
    for d in 0..rank {
        let padded = spatial[d] + window.pads_begin[d] + window.pads_end[d];
        let Some(room) = padded.checked_sub(extent(d)) else {
            let reach = extent(d);
            return Err(refuse(format!(
                "the kernel spans {reach} elements, the padded data has {padded}"
            )));
        };
        let stride = window.strides[d];
        out[d] = room / stride + 1;
        // A window that would start in the padding after the data is left out.
        let fits_more = ceil && auto_pad == "NOTSET" && !room.is_multiple_of(stride);
        if fits_more && out[d] * stride < spatial[d] + window.pads_begin[d] {
            beyond[d] = out[d] * stride + extent(d) - padded;
            out[d] += 1;
        }
    }
    Ok(Placed { window, out, beyond })
}

/// A list of one positive number per spatial dimension; ones by default.
fn positive(node: &mut Node<'_>, name: &str, rank: usize) -> Result<Vec<usize>, Refused> {
    let Some(values) = node.attr::<Vec<i64>>(name)? else { return Ok(vec![1; rank]) };
    let counts = shape::counts(&values, &format!("attribute `{name}`"))?;
    if counts.len() != rank || counts.contains(&0) {
        return Err(refuse(format!(
            "attribute `{name}` is {values:?}, expected {rank} positive numbers"
        )));
    }
    Ok(counts)
}

/// The attribute `kernel_shape`, of one positive number per spatial dimension.
pub(super) fn kernel_shape(
    node: &mut Node<'_>,
    rank: usize,
) -> Result<Option<Vec<usize>>, Refused> {
    match node.attr::<Vec<i64>>("kernel_shape")? {
        None => Ok(None),
        Some(values) => {
            let counts = shape::counts(&values, "attribute `kernel_shape`")?;
            if counts.len() != rank || counts.contains(&0) {
                let expected = format!("expected {rank} positive numbers");
                return Err(refuse(format!("attribute `kernel_shape` is {values:?}, {expected}")));
            }
            Ok(Some(counts))
        }
    }
}
