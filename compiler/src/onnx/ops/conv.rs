//! `Conv`: cross-correlation with constant weights, over one or two spatial dimensions.

use hecc_grammar::model::{Op, Tensor};
use ndarray::ArrayD;

use super::window;
use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::value::Weight;
use crate::onnx::value::{Constant, Value};

pub(super) const CONV: Importer = Importer {
    op_type: "Conv",
    since: 7,
    supported: "`auto_pad`, `dilations`, `group`, `kernel_shape`, `pads`, `strides`; 1-D and 2-D",
    refused: "3-D; encrypted weights or bias",
    import,
};

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    if model.is_scratch() {
        return Err(refuse("a convolution of a constant, expected encrypted data"));
    }
    let x = node.tensor(0, model)?;
    let (weight, bias) = (node.constant(1)?, node.optional_constant(2)?);
    Ok(vec![convolve(x, (1, weight), bias.map(|bias| (2, bias)), node, model)?.into()])
}

/// The convolution that the node's attributes ask for. Weight and bias come with the number of their input.
pub(super) fn convolve(
    x: Tensor,
    (weight_input, weight): (usize, Constant),
    bias: Option<(usize, Constant)>,
    node: &mut Node<'_>,
    model: &mut Builder,
) -> Result<Tensor, Refused> {
    let (shape, kernel) = (model.shape(x), weight.shape().to_vec());
    window::check_rank(&shape)?;
    let groups = node.attr::<i64>("group")?.unwrap_or(1);
    let groups = usize::try_from(groups)
        .ok()
        .filter(|&g| g > 0 && kernel.first().is_some_and(|o| o % g == 0));
    let Some(groups) = groups else {
        return Err(refuse(format!(
            "attribute `group` does not divide the {:?} output channels",
            kernel.first()
        )));
    };
    if kernel.len() != shape.len()
        || kernel.contains(&0)
        || kernel[1].checked_mul(groups) != Some(shape[1])
    {
        return Err(refuse(format!(
            "input {weight_input} has shape {kernel:?}, expected [_, {}{}] for data of shape {shape:?} in {groups} groups",
            shape[1] / groups,
            ", _".repeat(shape.len() - 2)
        )));
    }
    if let Some(declared) = window::kernel_shape(node, shape.len() - 2)?
        && declared != kernel[2..]
    {
        return Err(refuse(format!(
            "`kernel_shape` {declared:?}, but the weights have shape {kernel:?}"
        )));
    }
    if let Some((input, bias)) = bias.as_ref().filter(|(_, bias)| bias.shape() != [kernel[0]]) {
        return Err(refuse(format!(
            "input {input} has shape {:?}, expected [{}]",
            bias.shape(),
            kernel[0]
        )));
    }
    let placed = window::place(node, &shape[2..], &kernel[2..], false)?;
    let out = [&[shape[0], kernel[0]], &placed.out[..]].concat();
    let (window, bias) = (placed.window, bias.map(|(_, bias)| bias.into_array()));
    let summed: Vec<usize> = (1..kernel.len()).collect();
    let weight = Weight::of(weight, &summed);
    let Some(scale) = weight.scale.clone() else {
        let weight = model.weight(weight)?;
        let bias = bias.map(|bias| model.constant(bias)).transpose()?;
        return model.push(Op::Conv { x, weight, bias, window, groups }, out);
    };
    let weight = model.weight(weight)?;
    let y = model.push(Op::Conv { x, weight, bias: None, window, groups }, out)?;
    let y = model.scaled(y, Some(per_channel(scale, kernel.len())?))?;
    match bias {
        Some(bias) => model.add_const(y, per_channel(bias, kernel.len())?),
        None => Ok(y),
    }
}

/// Numbers of the output channels as an array that broadcasts to the result.
fn per_channel(numbers: ArrayD<f64>, rank: usize) -> Result<ArrayD<f64>, Refused> {
    let mut shape = vec![1; rank];
    shape[1] = numbers.len();
    numbers.into_shape_with_order(shape).map_err(|e| refuse(e.to_string()))
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    #[test]
    fn groups_strides_dilations_and_pads_in_one_dimension() {
        // Two groups of one channel, kernels [1, 10] and [2, 20], every other element.
        let case = Case::new(13, &[1, 2, 5])
            .floats("w", &[2, 1, 2], &[1.0, 10.0, 2.0, 20.0])
            .floats("b", &[2], &[0.5, 0.25])
            .node(
                "Conv",
                "x w b",
                "y",
                &[
                    ("group", Attr::Int(2)),
                    ("strides", Attr::Ints(&[2])),
                    ("dilations", Attr::Ints(&[2])),
                    ("pads", Attr::Ints(&[1, 0])),
                    ("kernel_shape", Attr::Ints(&[2])),
                ],
            );
        let (shape, y) = case.result(&[1.0, 2.0, 3.0, 4.0, 5.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(shape, [1, 2, 2]);
        assert_eq!(y, [20.5, 42.5, 20.25, 22.25]);
    }

    #[test]
    fn same_padding_goes_to_the_named_side() {
        let run = |mode| {
            let case = Case::new(13, &[1, 1, 3]).floats("w", &[1, 1, 2], &[1.0, 10.0]);
            case.node("Conv", "x w", "y", &[("auto_pad", Attr::Text(mode))])
                .result(&[1.0, 2.0, 3.0])
                .1
        };
        assert_eq!(run("SAME_UPPER"), [21.0, 32.0, 3.0]);
        assert_eq!(run("SAME_LOWER"), [10.0, 21.0, 32.0]);
        assert_eq!(run("VALID"), [21.0, 32.0]);
    }

    #[test]
    fn wrong_weights_are_named() {
        let case = Case::new(13, &[1, 3, 8, 8]).floats("w", &[1, 2, 1, 1], &[1.0, 1.0]);
        assert_eq!(
            case.node("Conv", "x w", "y", &[]).error(),
            "node `y` (Conv): input 1 has shape [1, 2, 1, 1], expected [_, 3, _, _] for data of shape [1, 3, 8, 8] in 1 groups"
        );
        let case = Case::new(13, &[1, 1, 8, 8, 8]).floats("w", &[1, 1, 1, 1, 1], &[1.0]);
        assert!(case.node("Conv", "x w", "y", &[]).error().contains("rank 5"));
        let case = Case::new(13, &[1, 1, 3]).input("w", &[1, 1, 1]);
        assert!(case.node("Conv", "x w", "y", &[]).error().contains("expected a constant"));
    }

    #[test]
    fn hostile_windows_are_refused() {
        let error = |name, values: &[i64]| {
            let case = Case::new(13, &[1, 1, 3]).floats("w", &[1, 1, 2], &[1.0, 10.0]);
            case.node("Conv", "x w", "y", &[(name, Attr::Ints(values))]).error()
        };
        assert!(error("strides", &[0]).contains("positive"));
        assert!(error("pads", &[-1, 0]).contains("attribute `pads`"));
        assert!(error("pads", &[i64::MAX, i64::MAX]).contains("attribute `pads`"));
        assert!(error("dilations", &[1 << 27]).contains("the kernel spans"));
        assert!(error("pads", &[1 << 28, 1 << 28]).contains("more than"));
    }
}
