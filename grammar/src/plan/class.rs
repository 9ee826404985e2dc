//! The class that an output says.

use ndarray::ArrayD;

use super::OutputKind;
use crate::model::{ClientOp, apply_client_ops};

/// The class that an output says, if it says exactly one: what the client chooses, or else what the numbers decide.
pub fn class_of(kind: OutputKind, client: &[ClientOp], raw: &ArrayD<f64>) -> Option<usize> {
    if client.iter().any(ClientOp::chooses) {
        let applied = apply_client_ops(client, raw.clone());
        return match applied.iter().copied().collect::<Vec<f64>>()[..] {
            [choice] if choice >= 0.0 && choice.fract() == 0.0 => Some(choice as usize),
            _ => None,
        };
    }
    let numbers: Vec<f64> = raw.iter().copied().collect();
    match kind.decisions(raw.shape(), &numbers)[..] {
        [class] => Some(class),
        _ => None,
    }
}

/// What classes are called, if that is known.
pub fn class_names(client: &[ClientOp]) -> Option<&[String]> {
    client.iter().rev().find_map(|op| match op {
        ClientOp::Classes { names } | ClientOp::Labels { names } => Some(&names[..]),
        ClientOp::Softmax { .. }
        | ClientOp::LogSoftmax { .. }
        | ClientOp::ArgMax { .. }
        | ClientOp::TopK { .. }
        | ClientOp::TopKIndices { .. }
        | ClientOp::FakeQuant(_)
        | ClientOp::Activation(_)
        | ClientOp::Affine { .. }
        | ClientOp::Compare { .. }
        | ClientOp::Round(_)
        | ClientOp::Normalize { .. }
        | ClientOp::Sum { .. }
        | ClientOp::Reshape { .. }
        | ClientOp::Pick { .. }
        | ClientOp::Lookup { .. } => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Comparison;
    use ndarray::array;

    #[test]
    fn classes_are_those_of_the_client() {
        let kind = OutputKind::Classes { axis: 1 };
        let raw = array![[1.0, 3.0, 2.0]].into_dyn();
        assert_eq!(class_of(kind, &[ClientOp::Softmax { axis: 1 }], &raw), Some(1));
        assert_eq!(class_of(OutputKind::Values, &[], &raw), None);
        let (keys, values) = (vec![0.0, 1.0, 2.0], vec![3.0, 5.0, 7.0]);
        let looked_up = [
            ClientOp::ArgMax { axis: 1, keepdims: false },
            ClientOp::Lookup { keys, values, default: -1.0 },
        ];
        assert_eq!(class_of(kind, &looked_up, &raw), Some(5));
        let below = ClientOp::Compare { comparison: Comparison::Less, with: vec![2.0] };
        let one = array![[1.0]].into_dyn();
        assert_eq!(class_of(OutputKind::Threshold { at: 2.0 }, &[below], &one), Some(1));
    }
}
