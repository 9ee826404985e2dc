//! `ConvTranspose`: a convolution of the data with zeros in between, the kernel turned around.

use hecc_grammar::model::{Op, Tensor, Window};
use ndarray::{ArrayD, IxDyn};

use super::window;
use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::value::Value;

pub(super) const CONV_TRANSPOSE: Importer = Importer {
    op_type: "ConvTranspose",
    since: 7,
    supported: "`auto_pad`, `dilations`, `group`, `kernel_shape`, `output_padding`, `output_shape`, `pads`, `strides`; 1-D and 2-D",
    refused: "3-D; encrypted weights or bias",
    import,
};

/// One spatial dimension. The result begins `pad` elements after the first that a kernel reaches.
struct Line {
    from: usize,
    stride: usize,
    dilation: usize,
    /// How far the kernel's last element is from its first.
    reach: usize,
    pad: usize,
    out: usize,
}

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    if model.is_scratch() {
        return Err(refuse("a convolution of a constant, expected encrypted data"));
    }
    let x = node.tensor(0, model)?;
    let (weight, bias) = (node.constant(1)?.into_array(), node.optional_constant(2)?);
    let shape = model.shape(x);
    window::check_rank(&shape)?;
    let groups = groups(node, &shape, weight.shape())?;
    if let Some(declared) = window::kernel_shape(node, shape.len() - 2)?
        && declared != weight.shape()[2..]
    {
        let found = weight.shape();
        return Err(refuse(format!(
            "`kernel_shape` {declared:?}, but the weights have shape {found:?}"
        )));
    }
    let lines = lines(node, &shape[2..], &weight.shape()[2..])?;
    let weight = turned(&weight, groups);
    let c_out = weight.shape()[0];
    if let Some(bias) = bias.as_ref().filter(|bias| bias.shape() != [c_out]) {
        return Err(refuse(format!("input 2 has shape {:?}, expected [{c_out}]", bias.shape())));
    }
    let bias = bias.map(|bias| model.constant(bias.into_array())).transpose()?;
    let weight = model.constant(weight)?;
    let (x, window) = spread(x, &lines, model)?;
    let out = [&[shape[0], c_out], &lines.iter().map(|line| line.out).collect::<Vec<_>>()[..]];
    Ok(vec![model.push(Op::Conv { x, weight, bias, window, groups }, out.concat())?.into()])
}

/// The attribute `group`, which must fit data and weights (`[c_in, c_out / group, kernel..]`).
fn groups(node: &mut Node<'_>, shape: &[usize], weight: &[usize]) -> Result<usize, Refused> {
    let group = node.attr::<i64>("group")?.unwrap_or(1);
    let fits = weight.len() == shape.len() && !weight.contains(&0) && weight[0] == shape[1];
    match usize::try_from(group) {
        Ok(groups) if fits && groups > 0 && shape[1].is_multiple_of(groups) => Ok(groups),
        Ok(_) | Err(_) => Err(refuse(format!(
            "input 1 has shape {weight:?}, expected [{}, _{}] for data of shape {shape:?} in {group} groups",
            shape[1],
            ", _".repeat(shape.len() - 2)
        ))),
    }
}

fn lines(node: &mut Node<'_>, from: &[usize], kernel: &[usize]) -> Result<Vec<Line>, Refused> {
    let rank = from.len();
    let strides = window::positive(node, "strides", rank)?;
    let dilations = window::positive(node, "dilations", rank)?;
    let mut counts = |name: &str, len: usize| match node.attr::<Vec<i64>>(name)? {
        None => Ok(None),
        Some(list) => {
            let counts = shape::counts(&list, &format!("attribute `{name}`"))?;
            // Some exporters give batch and channels too.
            let counts = counts[counts.len().saturating_sub(len)..].to_vec();
            if counts.len() == len {
                return Ok(Some(counts));
            }
            Err(refuse(format!("attribute `{name}` is {list:?}, expected {len} numbers")))
        }
    };
    let more = counts("output_padding", rank)?.unwrap_or_else(|| vec![0; rank]);
    let (declared, pads) = (counts("output_shape", rank)?, counts("pads", 2 * rank)?);
    let mode = node.attr::<String>("auto_pad")?.unwrap_or_else(|| "NOTSET".to_owned());
    let line = |d: usize| {
        let reach = dilations[d].saturating_mul(kernel[d] - 1);
        // Of the result without padding.
        let full = strides[d].saturating_mul(from[d] - 1).saturating_add(reach + 1 + more[d]);
        let cut_to = |out: usize| {
            let excess = full.saturating_sub(out);
            let less = excess / 2;
            (if mode == "SAME_UPPER" { less } else { excess - less }, out)
        };
        let (pad, out) = match (&mode[..], &declared, &pads) {
            (_, Some(declared), _) => cut_to(declared[d]),
            // A kernel shorter than the stride leaves the result short, as onnxruntime does.
            ("SAME_UPPER" | "SAME_LOWER", None, _) => {
                cut_to(full.min(from[d].saturating_mul(strides[d])))
            }
            ("NOTSET", None, Some(pads)) => {
                (pads[d], full.saturating_sub(pads[d].saturating_add(pads[d + rank])))
            }
            ("NOTSET" | "VALID", None, _) => (0, full),
            (other, None, _) => {
                let expected = "NOTSET, VALID, SAME_UPPER or SAME_LOWER";
                return Err(refuse(format!("`auto_pad` is `{other}`, expected {expected}")));
            }
        };
        let (stride, dilation) = (strides[d], dilations[d]);
        Ok(Line { from: from[d], stride, dilation, reach, pad, out })
    };
    let lines = (0..rank).map(line).collect::<Result<Vec<Line>, Refused>>()?;
    shape::elements(&lines.iter().map(|line| line.out).collect::<Vec<_>>())?;
    shape::elements(&lines.iter().map(|line| line.from * line.stride).collect::<Vec<_>>())?;
    Ok(lines)
}

/// Weights of the convolution: `[c_out, c_in / groups, kernel..]`, every kernel turned around.
fn turned(weight: &ArrayD<f64>, groups: usize) -> ArrayD<f64> {
    let from = weight.shape();
    let (c_in, c_group) = (from[0] / groups, from[1]);
    let to = [&[groups * c_group, c_in], &from[2..]].concat();
    ArrayD::from_shape_fn(to, |at| {
        let mut source = vec![at[0] / c_group * c_in + at[1], at[0] % c_group];
        source.extend((2..from.len()).map(|d| from[d] - 1 - at[d]));
        weight[IxDyn(&source)]
    })
}

/// The data with `stride − 1` zeros between elements, and the window that the kernel then takes.
fn spread(mut x: Tensor, lines: &[Line], model: &mut Builder) -> Result<(Tensor, Window), Refused> {
    let rank = lines.len();
    let mut window = Window {
        strides: vec![1; rank],
        pads_begin: vec![0; rank],
        pads_end: vec![0; rank],
        dilations: lines.iter().map(|line| line.dilation).collect(),
    };
    for (d, line) in lines.iter().enumerate() {
        let axis = d + 2;
        if line.stride > 1 {
            x = with_zeros(x, axis, line.stride, model)?;
        }
        let extent = line.stride * (line.from - 1) + 1;
        // What the window reaches beyond the data on either side, or, if negative, leaves out.
        let before = line.reach as i64 - line.pad as i64;
        let after = (line.out + line.reach) as i64 - extent as i64 - before;
        let (cut, kept) = ((-before).max(0), extent as i64 - (-before).max(0) - (-after).max(0));
        if kept < 1 {
            let out = line.out;
            return Err(refuse(format!("{out} results of {extent} elements, all of them padding")));
        }
        let mut shape = model.shape(x);
        if (cut, kept) != (0, shape[axis] as i64) {
            let (mut starts, steps) = (vec![0; shape.len()], vec![1; shape.len()]);
            (starts[axis], shape[axis]) = (cut as usize, kept as usize);
            x = model.push(Op::Slice { x, starts, steps }, shape)?;
        }
        window.pads_begin[d] = before.max(0) as usize;
        window.pads_end[d] = after.max(0) as usize;
    }
    Ok((x, window))
}

/// Zeros after every element of a dimension, which becomes `stride` times as long.
fn with_zeros(
    x: Tensor,
    axis: usize,
    stride: usize,
    model: &mut Builder,
) -> Result<Tensor, Refused> {
    let mut shape = model.shape(x);
    let mut apart = shape.clone();
    apart.insert(axis + 1, 1);
    let x = model.reshape(x, apart.clone())?;
    let (before, mut after) = (vec![0; apart.len()], vec![0; apart.len()]);
    after[axis + 1] = stride - 1;
    let x = model.pad(x, before, after, 0.0)?;
    shape[axis] *= stride;
    model.reshape(x, shape)
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    fn line(attributes: &[(&str, Attr<'_>)]) -> Vec<f64> {
        let case = Case::new(11, &[1, 1, 3]).floats("w", &[1, 1, 3], &[1.0, 10.0, 100.0]);
        case.node("ConvTranspose", "x w", "y", attributes).result(&[1.0, 2.0, 3.0]).1
    }

    #[test]
    fn kernels_add_up() {
        assert_eq!(line(&[]), [1.0, 12.0, 123.0, 230.0, 300.0]);
        let strides = || ("strides", Attr::Ints(&[2]));
        assert_eq!(line(&[strides()]), [1.0, 10.0, 102.0, 20.0, 203.0, 30.0, 300.0]);
        let more = ("output_padding", Attr::Ints(&[1]));
        let y = line(&[strides(), ("pads", Attr::Ints(&[1, 2])), more]);
        assert_eq!(y, [10.0, 102.0, 20.0, 203.0, 30.0]);
        assert_eq!(
            line(&[("dilations", Attr::Ints(&[2]))]),
            [1.0, 2.0, 13.0, 20.0, 130.0, 200.0, 300.0]
        );
        // More padding than the kernel reaches.
        assert_eq!(line(&[strides(), ("pads", Attr::Ints(&[3, 0]))]), [20.0, 203.0, 30.0, 300.0]);
    }

    #[test]
    fn results_as_long_as_asked_for() {
        let strides = || ("strides", Attr::Ints(&[2]));
        let same = |mode| line(&[strides(), ("auto_pad", Attr::Text(mode))]);
        assert_eq!(same("SAME_UPPER"), [1.0, 10.0, 102.0, 20.0, 203.0, 30.0]);
        assert_eq!(same("SAME_LOWER"), [10.0, 102.0, 20.0, 203.0, 30.0, 300.0]);
        assert_eq!(same("VALID").len(), 7);
        let shape = |n: &[i64]| line(&[strides(), ("output_shape", Attr::Ints(n))]);
        assert_eq!(shape(&[5]), [10.0, 102.0, 20.0, 203.0, 30.0]);
        assert_eq!(shape(&[8]), [1.0, 10.0, 102.0, 20.0, 203.0, 30.0, 300.0, 0.0]);
    }

    #[test]
    fn groups_keep_channels_apart() {
        let case = Case::new(11, &[1, 2, 1])
            .floats("w", &[2, 2, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
            .floats("b", &[4], &[0.5, 0.0, 0.0, 0.0])
            .node("ConvTranspose", "x w b", "y", &[("group", Attr::Int(2))]);
        let (shape, y) = case.result(&[1.0, 10.0]);
        assert_eq!((shape, y), (vec![1, 4, 2], vec![1.5, 2.5, 3.0, 4.0, 50.0, 60.0, 70.0, 80.0]));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let error = |shape: &[i64], attributes: &[(&str, Attr<'_>)]| {
            let n = shape.iter().product::<i64>() as usize;
            let case = Case::new(11, &[1, 1, 3]).floats("w", shape, &vec![1.0; n]);
            case.node("ConvTranspose", "x w", "y", attributes).error()
        };
        assert!(error(&[2, 1, 3], &[]).contains("input 1 has shape [2, 1, 3], expected [1, _, _]"));
        assert!(error(&[1, 1, 3], &[("pads", Attr::Ints(&[5, 0]))]).contains("no elements"));
        assert!(error(&[1, 1, 1], &[("strides", Attr::Ints(&[1 << 27]))]).contains("more than"));
        assert!(error(&[1, 1, 3], &[("output_shape", Attr::Ints(&[]))]).contains("expected 1 num"));
    }
}
