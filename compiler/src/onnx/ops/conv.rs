//! `Conv`: cross-correlation with constant weights, over one or two spatial dimensions.

use hecc_grammar::model::Op;

use super::Importer;
use super::window;
use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::node::Node;
use crate::onnx::value::Value;

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
    let weight = node.constant(1)?;
    let bias = node.optional_constant(2)?;
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
            "input 1 has shape {kernel:?}, expected [_, {}{}] for data of shape {shape:?} in {groups} groups",
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
    if let Some(bias) = bias.as_ref().filter(|bias| bias.shape() != [kernel[0]]) {
        return Err(refuse(format!(
            "input 2 has shape {:?}, expected [{}]",
            bias.shape(),
            kernel[0]
        )));
    }
    let placed = window::place(node, &shape[2..], &kernel[2..], false)?;
    let weight = model.constant(weight.into_array())?;
    let bias = bias.map(|bias| model.constant(bias.into_array())).transpose()?;
    let out = [&[shape[0], kernel[0]], &placed.out[..]].concat();
    let y = model.push(Op::Conv { x, weight, bias, window: placed.window, groups }, out)?;
    Ok(vec![y.into()])
}
