//! Models as text, one item a line; [`super::parse`] reads it back.

use std::fmt::{self, Display, Formatter};

use ndarray::ArrayD;

use super::client_text::ClientOps;
use super::graph::{Model, Node, Output};
use super::ids::{Const, Tensor};
use crate::text::{Number, list};

/// Prints all numbers of all constants: a text that is complete.
impl Display for Model {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.text(usize::MAX).fmt(f)
    }
}

impl Model {
    /// The text with the numbers of constants of at most `max_inline` elements; larger ones are named `npz "c3"`, for
    /// an archive next to the text.
    pub fn text(&self, max_inline: usize) -> impl Display {
        fmt::from_fn(move |f| {
            writeln!(f, "model 1 {:?}", self.name)?;
            for (i, array) in self.constants.iter().enumerate() {
                write_constant(f, Const(i as u32), array, max_inline)?;
            }
            self.tensors().try_for_each(|(tensor, node)| write_node(f, tensor, node))?;
            self.outputs.iter().try_for_each(|Output { name, tensor, client }| {
                writeln!(f, "output {name:?} {tensor}{}", ClientOps(client))
            })
        })
    }
}

fn write_constant(
    f: &mut Formatter<'_>,
    constant: Const,
    array: &ArrayD<f64>,
    max_inline: usize,
) -> fmt::Result {
    let shape = list(array.shape());
    if array.len() > max_inline {
        return writeln!(f, "{constant} : {shape} = npz \"{constant}\"");
    }
    writeln!(f, "{constant} : {shape} = {}", list(array.iter().map(|&x| Number(x))))
}

fn write_node(f: &mut Formatter<'_>, tensor: Tensor, node: &Node) -> fmt::Result {
    writeln!(f, "{tensor} = {} : {} {:?}", node.op, list(&node.shape), node.name)
}
