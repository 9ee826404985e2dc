//! Inputs and outputs of a plan, as whoever has the data sees them.

use hecc_grammar::plan::{ClientOp, Input, Output, Ranges};
use serde_json::{Value as Json, json};

use crate::report::{answer, layers};
use crate::terminal::table::Sheet;
use crate::terminal::units;

/// For people.
pub(crate) fn lines(inputs: &[Input], outputs: &[Output], sheet: &mut Sheet) {
    for input in inputs {
        let mut text = format!(
            "`{}`, shape {}, values in {}, {}",
            input.name,
            layers::shape(&input.shape),
            input_range(&input.ranges),
            units::count(input.slots.len(), "ciphertext")
        );
        if let Some(normalization) = &input.normalization {
            text += &format!(
                "; pixels in [0, 1] are normalized by mean {:?}, deviation {:?}",
                normalization.mean, normalization.std
            );
        }
        sheet.line("input", text);
    }
    for output in outputs {
        let client: Vec<&str> = output.client.iter().map(client_name).collect();
        let kind = answer::kind_name(output.kind);
        let then = if client.is_empty() {
            String::new()
        } else {
            format!("; the client applies {}", client.join(", then "))
        };
        let shape = layers::shape(&output.shape);
        sheet.line("output", format!("`{}`, shape {shape}, {kind}{then}", output.name));
    }
}

/// For scripts.
pub(crate) fn json(inputs: &[Input], outputs: &[Output], json: &mut Json) {
    let inputs = inputs.iter().map(|input| {
        let normalization = input.normalization.as_ref();
        json!({
            "name": input.name,
            "shape": input.shape,
            "range": [input.ranges.hull().0, input.ranges.hull().1],
            "ranges": input.ranges.0,
            "ciphertexts": input.slots.len(),
            "normalization": normalization.map(|n| json!({ "mean": n.mean, "std": n.std })),
        })
    });
    let outputs = outputs.iter().map(|output| {
        json!({
            "name": output.name,
            "shape": output.shape,
            "kind": answer::kind_name(output.kind),
            "ciphertexts": output.slots.len(),
            "client": output.client.iter().map(client_name).collect::<Vec<_>>(),
        })
    });
    json["inputs"] = inputs.collect();
    json["outputs"] = outputs.collect();
}

/// The range of an input's values, and how many of its parts have their own.
fn input_range(ranges: &Ranges) -> String {
    let all = layers::range(ranges.hull());
    match ranges.0.len() {
        1 => all,
        n => format!("{all} ({n} features or channels, each in a range of its own)"),
    }
}

fn client_name(op: &ClientOp) -> &'static str {
    match op {
        ClientOp::Softmax { .. } => "softmax",
        ClientOp::LogSoftmax { .. } => "log-softmax",
        ClientOp::ArgMax { .. } => "argmax",
        ClientOp::TopK { .. } => "top-k",
        ClientOp::TopKIndices { .. } => "top-k indices",
        ClientOp::FakeQuant(_) => "fake-quant",
        ClientOp::Activation(function) => function.name(),
        ClientOp::Affine { .. } => "scale and offset",
        ClientOp::Compare { .. } => "compare",
        ClientOp::Round(_) => "round",
        ClientOp::Normalize { .. } => "normalize",
        ClientOp::Sum { .. } => "sum",
        ClientOp::Reshape { .. } => "reshape",
        ClientOp::Pick { .. } => "pick",
        ClientOp::Lookup { .. } => "look-up",
        ClientOp::Classes { .. } => "names of classes",
        ClientOp::Labels { .. } => "names of labels",
    }
}
