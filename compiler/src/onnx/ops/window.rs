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
    let span: Vec<usize> = (0..rank).map(|d| dilations[d] * (kernel[d] - 1) + 1).collect();
    let [begin, end] = pads(node, spatial, &span, &strides)?;
    let (mut out, mut beyond) = (vec![0; rank], vec![0; rank]);
    for d in 0..rank {
        let padded = spatial[d] + begin[d] + end[d];
        let stride = strides[d];
        let Some(room) = padded.checked_sub(span[d]) else {
            let span = span[d];
            if ceil && span - padded < stride {
                (out[d], beyond[d]) = (1, span - padded);
                continue;
            }
            let reason = format!("the kernel spans {span} elements, the padded data has {padded}");
            return Err(refuse(reason));
        };
        out[d] = room / stride + 1;
        // A window that would start in the padding after the data is left out.
        let fits_more = ceil && !room.is_multiple_of(stride);
        if fits_more && out[d] * stride < spatial[d] + begin[d] {
            beyond[d] = out[d] * stride + span[d] - padded;
            out[d] += 1;
        }
    }
    let window = Window { strides, pads_begin: begin, pads_end: end, dilations };
    Ok(Placed { window, out, beyond })
}

/// Reads `auto_pad` and `pads`: how much there is before and after.
fn pads(
    node: &mut Node<'_>,
    spatial: &[usize],
    span: &[usize],
    strides: &[usize],
) -> Result<[Vec<usize>; 2], Refused> {
    let rank = spatial.len();
    let mode = node.attr::<String>("auto_pad")?.unwrap_or_else(|| "NOTSET".to_owned());
    let pads = node.attr::<Vec<i64>>("pads")?;
    let pads = pads.map(|pads| shape::counts(&pads, "attribute `pads`")).transpose()?;
    let zeros = || [vec![0; rank], vec![0; rank]];
    match (&mode[..], pads) {
        ("NOTSET", None) => Ok(zeros()),
        ("NOTSET", Some(pads)) if pads.len() == 2 * rank => {
            Ok([pads[..rank].to_vec(), pads[rank..].to_vec()])
        }
        ("NOTSET", Some(pads)) => {
            let expected = 2 * rank;
            Err(refuse(format!("attribute `pads` is {pads:?}, expected {expected} numbers")))
        }
        (mode, Some(pads)) if pads.iter().any(|&p| p != 0) => {
            Err(refuse(format!("`auto_pad` {mode} and `pads` {pads:?}, expected one of them")))
        }
        ("VALID", _) => Ok(zeros()),
        (mode @ ("SAME_UPPER" | "SAME_LOWER"), _) => {
            let total = |d: usize| {
                let out = spatial[d].div_ceil(strides[d]);
                ((out - 1) * strides[d] + span[d]).saturating_sub(spatial[d])
            };
            let small: Vec<usize> = (0..rank).map(|d| total(d) / 2).collect();
            let large = (0..rank).map(|d| total(d) - small[d]).collect();
            Ok(if mode == "SAME_UPPER" { [small, large] } else { [large, small] })
        }
        (other, _) => {
            let expected = "NOTSET, VALID, SAME_UPPER or SAME_LOWER";
            Err(refuse(format!("`auto_pad` is `{other}`, expected {expected}")))
        }
    }
}

/// A list of one positive number per spatial dimension; ones by default.
pub(super) fn positive(
    node: &mut Node<'_>,
    name: &str,
    rank: usize,
) -> Result<Vec<usize>, Refused> {
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
