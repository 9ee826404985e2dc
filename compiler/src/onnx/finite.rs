//! Constants that hold NaN or an infinite number.

use hecc_grammar::model::Model;
use ndarray::{ArrayBase, Data, Dimension, IxDyn};

use super::error::{ImportError, Refused};

/// The refusal of a constant that holds such a number.
pub(super) fn check<S: Data<Elem = f64>>(array: &ArrayBase<S, IxDyn>) -> Result<(), Refused> {
    match place(array) {
        None => Ok(()),
        Some(place) => Err(Refused {
            reason: format!("a constant that it needs is not finite: {place}"),
            rewrite: None,
            is_not_finite: true,
        }),
    }
}

/// Checks the constants of a model that was folded: large numbers may have been multiplied.
pub(super) fn check_model(model: &Model) -> Result<(), ImportError> {
    for (_, node) in model.tensors() {
        for constant in node.op.constants() {
            if let Some(place) = place(model.array(constant)) {
                return Err(ImportError::Model(format!(
                    "node `{}`: its constants, multiplied together, are too large: {place}",
                    node.name
                )));
            }
        }
    }
    Ok(())
}

/// The first element that is not finite, and how many there are.
pub(super) fn place<S: Data<Elem = f64>>(array: &ArrayBase<S, IxDyn>) -> Option<String> {
    let (index, x) = array.indexed_iter().find(|(_, x)| !x.is_finite())?;
    let index = index.slice();
    let place = if index.is_empty() { "it".to_owned() } else { format!("element {index:?}") };
    Some(match array.iter().filter(|x| !x.is_finite()).count() {
        1 => format!("{place} is {x}"),
        count => format!("{place} is {x}, and {count} of {} are not finite", array.len()),
    })
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    fn case() -> Case {
        Case::new(13, &[1, 2]).floats("nan", &[2, 2], &[1.0, f32::NAN, 2.0, 3.0])
    }

    #[test]
    fn numbers_of_nodes_are_finite() {
        let nan = [("alpha", Attr::Float(f32::NAN))];
        for op_type in ["LeakyRelu", "Elu"] {
            let error = case().node(op_type, "x", "y", &nan).error();
            assert!(
                error.contains("attribute `alpha` is NaN, expected a finite number"),
                "{error}"
            );
        }
        let error = case().node("Gemm", "x nan", "y", &nan).error();
        assert!(error.contains("attribute `alpha` is NaN"), "{error}");
        let slope = Case::new(13, &[1, 2]).floats("s", &[1], &[f32::INFINITY]);
        let error = slope.node("PRelu", "x s", "y", &[]).error();
        assert!(error.contains("initializer `s`: element [0] is inf"), "{error}");
        let pad = Case::new(13, &[1, 2]).ints("p", &[0, 1, 0, 1]).floats("v", &[], &[f32::NAN]);
        let error = pad.node("Pad", "x p v", "y", &[]).error();
        assert!(error.contains("initializer `v`: it is NaN"), "{error}");
        let greater = Case::new(13, &[1, 2]).floats("c", &[], &[f32::NAN]);
        let error = greater.node("Greater", "x c", "y", &[]).error();
        assert!(error.contains("initializer `c`: it is NaN"), "{error}");
        let clip = |lo: f32| {
            let case = Case::new(13, &[1, 2]).floats("lo", &[], &[lo]);
            case.node("Clip", "x lo", "y", &[]).error()
        };
        assert!(clip(f32::NAN).contains("initializer `lo`: it is NaN"), "{}", clip(f32::NAN));
        assert!(clip(f32::INFINITY).contains("between inf and inf"), "{}", clip(f32::INFINITY));
        // Ends may be open.
        let clip = Case::new(13, &[1, 2]).floats("lo", &[], &[-f32::INFINITY]);
        assert!(clip.node("Clip", "x lo", "y", &[]).import().is_ok());
    }

    #[test]
    fn products_of_large_numbers_are_finite() {
        let mut case = Case::new(13, &[1, 1]).floats("huge", &[1], &[3e38]);
        for i in 0..10 {
            let (from, to) = (format!("x{i}"), format!("x{}", i + 1));
            let from = if i == 0 { "x huge".to_owned() } else { format!("{from} huge") };
            case = case.node("Mul", &from, &to, &[]);
        }
        let error = case.error();
        assert!(error.starts_with("node `x"), "{error}");
        assert!(error.contains("too large"), "{error}");
    }
}
