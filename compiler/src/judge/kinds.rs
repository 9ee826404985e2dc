//! What the outputs of a network are for, as far as the network, labels and the user say.

use hecc_grammar::model::{ClientOp, Function, Model, Op, Output, Tensor};
use hecc_grammar::plan::OutputKind;

use super::client::{row_axis, said_by_client};
use crate::calibrate::Targets;

/// What the user says of the outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputWish {
    /// Nothing.
    #[default]
    Unsaid,
    /// They are for decisions.
    Classes,
    /// They are numbers.
    Values,
}

/// What each output of a network is for. A network that ends in a softmax or an argmax gives scores of classes, and so does
/// one whose labels are classes; a single number is a decision if the network compares it or labels are yes and no. A row of
/// numbers behind a layer without activation may be one or the other.
pub fn output_kinds(model: &Model, wish: OutputWish, targets: Option<&Targets>) -> Vec<OutputKind> {
    let of = |(k, output): (usize, &Output)| match wish {
        OutputWish::Values => OutputKind::Values,
        OutputWish::Classes => decisions(model, output),
        OutputWish::Unsaid => match said_by_network(model, output) {
            // Labels are those of the first output.
            OutputKind::Values | OutputKind::Scores { .. } if k == 0 && are_classes(targets) => {
                decisions(model, output)
            }
            OutputKind::Scores { .. } if k == 0 && targets.is_some() => OutputKind::Values,
            kind @ (OutputKind::Values
            | OutputKind::Scores { .. }
            | OutputKind::Classes { .. }
            | OutputKind::Threshold { .. }) => kind,
        },
    };
    model.outputs.iter().enumerate().map(of).collect()
}

fn are_classes(targets: Option<&Targets>) -> bool {
    matches!(targets, Some(Targets::Classes(_)))
}

fn said_by_network(model: &Model, output: &Output) -> OutputKind {
    let shape = model.shape(output.tensor);
    if let Some(kind) = said_by_client(shape, &output.client) {
        return kind;
    }
    let is_bounded = output.client.iter().any(|op| matches!(op, ClientOp::Activation(_)))
        || ends_in_activation(model, output.tensor);
    match row_axis(shape) {
        Some(axis) if !is_bounded => OutputKind::Scores { axis },
        Some(_) | None => OutputKind::Values,
    }
}

/// The kind of an output that is known to decide something.
fn decisions(model: &Model, output: &Output) -> OutputKind {
    let shape = model.shape(output.tensor);
    match said_by_network(model, output) {
        kind @ (OutputKind::Classes { .. } | OutputKind::Threshold { .. }) => return kind,
        OutputKind::Values | OutputKind::Scores { .. } => {}
    }
    match row_axis(shape) {
        Some(axis) => OutputKind::Classes { axis },
        // Of images the channels are scores.
        None if shape.len() > 2 && shape[1] > 1 => OutputKind::Classes { axis: 1 },
        None => OutputKind::Threshold { at: middle(model, output.tensor) },
    }
}

/// Whether the last step that is no rearrangement is an activation.
fn ends_in_activation(model: &Model, tensor: Tensor) -> bool {
    matches!(model.node(origin(model, tensor)).op, Op::Activation { .. })
}

/// The number that a decision is made at: a half of a probability, 0 of its logarithm and of all else.
fn middle(model: &Model, tensor: Tensor) -> f64 {
    let last = &model.node(origin(model, tensor)).op;
    let is_probability = matches!(
        last,
        Op::Activation { function: Function::Sigmoid | Function::HardSigmoid { .. }, .. }
    );
    if is_probability { 0.5 } else { 0.0 }
}

/// The tensor whose elements this one holds.
fn origin(model: &Model, mut tensor: Tensor) -> Tensor {
    while let Op::Reshape(x) | Op::Transpose { x, .. } = &model.node(tensor).op {
        tensor = *x;
    }
    tensor
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(last: &str, shape: &str, wish: OutputWish, targets: Option<Targets>) -> OutputKind {
        let text = format!(
            "model 1 \"m\"\nt0 = input : {shape} \"x\"\nt1 = {last} : {shape} \"y\"\noutput \"y\" t1\n"
        );
        let model: Model = text.replace(" | softmax axis=1 :", " :").parse().unwrap();
        let mut model = model;
        if last.contains("softmax") {
            model.outputs[0].client.push(ClientOp::Softmax { axis: 1 });
        }
        output_kinds(&model, wish, targets.as_ref())[0]
    }

    #[test]
    fn networks_labels_and_users_say_what_outputs_are() {
        let unsaid = |last: &str, shape: &str| kind(last, shape, OutputWish::Unsaid, None);
        assert_eq!(unsaid("add t0, t0", "[1,3]"), OutputKind::Scores { axis: 1 });
        assert_eq!(unsaid("sigmoid t0", "[1,3]"), OutputKind::Values);
        assert_eq!(unsaid("add t0, t0", "[1,1]"), OutputKind::Values);
        assert_eq!(unsaid("add t0, t0", "[1,2,4,4]"), OutputKind::Values);
        assert_eq!(
            unsaid("add t0, t0 | softmax axis=1", "[1,2,4,4]"),
            OutputKind::Classes { axis: 1 }
        );
        let labeled = |last: &str, shape: &str| {
            kind(last, shape, OutputWish::Unsaid, Some(Targets::Classes(vec![1])))
        };
        assert_eq!(labeled("sigmoid t0", "[1,3]"), OutputKind::Classes { axis: 1 });
        assert_eq!(labeled("sigmoid t0", "[1,1]"), OutputKind::Threshold { at: 0.5 });
        assert_eq!(labeled("add t0, t0", "[1,1]"), OutputKind::Threshold { at: 0.0 });
        let numbers = Targets::Values(vec![vec![0.5; 3]]);
        let values = kind("add t0, t0", "[1,3]", OutputWish::Unsaid, Some(numbers));
        assert_eq!(values, OutputKind::Values);
        let wished = |wish| kind("add t0, t0 | softmax axis=1", "[1,3]", wish, None);
        assert_eq!(wished(OutputWish::Values), OutputKind::Values);
        assert_eq!(wished(OutputWish::Classes), OutputKind::Classes { axis: 1 });
    }
}
