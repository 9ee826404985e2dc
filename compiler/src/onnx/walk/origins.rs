//! Where constants that hold NaN or an infinite number come from.

use std::collections::HashMap;

use crate::onnx::error::{Refused, node_name};
use crate::onnx::finite::place;
use crate::onnx::proto::NodeProto;
use crate::onnx::value::Value;

const REWRITE: &str =
    "weights of a training that did not diverge, exported with 32 bits if 16 do not hold them";

/// What to do where the first such number is −∞, as in the masks of attention.
const OF_MASKS: &str =
    "no mask: what it hides is for a softmax inside the network, which only the client can compute";

/// Where the constants come from that hold such numbers, by name.
#[derive(Default)]
pub(super) struct Origins<'a>(HashMap<&'a str, String>);

impl<'a> Origins<'a> {
    /// Notes an initializer.
    pub(super) fn stored(&mut self, name: &'a str, value: &Value) {
        if let Some(place) = place_in(value) {
            self.0.insert(name, format!("initializer `{name}`: {place}"));
        }
    }

    /// Notes a result of a node whose inputs are known: it has its numbers from these, or made them.
    pub(super) fn result(&mut self, node: &'a NodeProto, name: &'a str, value: &Value) {
        if let Some(place) = place_in(value) {
            let made = || format!("`{}` ({}) gives it: {place}", node_name(node), node.op_type());
            let origin = self.of(node).cloned().unwrap_or_else(made);
            self.0.insert(name, origin);
        }
    }

    /// The refusal of a node that says where such numbers come from.
    pub(super) fn explained(&self, node: &NodeProto, refused: Refused) -> Refused {
        match self.of(node) {
            Some(origin) if refused.is_not_finite => {
                let rewrite = if origin.contains("is -inf") { OF_MASKS } else { REWRITE };
                Refused { reason: origin.clone(), ..refused }.instead(rewrite)
            }
            Some(origin) => Refused { reason: format!("{}; {origin}", refused.reason), ..refused },
            None => refused,
        }
    }

    fn of(&self, node: &NodeProto) -> Option<&String> {
        node.input.iter().find_map(|name| self.0.get(name.as_str()))
    }
}

fn place_in(value: &Value) -> Option<String> {
    if let Value::Constant(constant) = value { place(&constant.array) } else { None }
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    fn case() -> Case {
        Case::new(13, &[1, 2])
            .floats("nan", &[2, 2], &[1.0, f32::NAN, 2.0, 3.0])
            .floats("inf", &[2], &[f32::INFINITY, -f32::INFINITY])
            .floats("zero", &[1], &[0.0])
            .floats("huge", &[1], &[3e38])
    }

    #[test]
    fn initializers_are_named_with_the_element() {
        let error = case().node("MatMul", "x nan", "y", &[]).error();
        assert!(
            error.starts_with(
                "node `y` (MatMul): initializer `nan`: element [0, 1] is NaN; instead: "
            ),
            "{error}"
        );
        let error = case().node("Add", "x inf", "y", &[]).error();
        let place = "initializer `inf`: element [0] is inf, and 2 of 2 are not finite";
        assert!(error.contains(place), "{error}");
        let error = case().node("Gemm", "x nan", "y", &[("transB", Attr::Int(1))]).error();
        assert!(error.contains("initializer `nan`: element [0, 1]"), "{error}");
        // What nobody reads does no harm.
        assert!(case().node("Relu", "x", "y", &[]).import().is_ok());
    }

    #[test]
    fn what_is_computed_from_them_is_traced_back() {
        let error = case()
            .node("Transpose", "nan", "t", &[])
            .node("Mul", "t huge", "w", &[])
            .node("MatMul", "x w", "y", &[])
            .error();
        assert!(error.contains("node `y` (MatMul): initializer `nan`: element [0, 1]"), "{error}");
        let error = case()
            .node("Log", "zero", "l", &[])
            .node("Neg", "l", "m", &[])
            .node("Add", "x m", "y", &[])
            .error();
        assert!(error.contains("`l` (Log) gives it: element [0] is -inf"), "{error}");
        let error = case()
            .node("Cast", "huge", "h", &[("to", Attr::Int(10))])
            .node("Mul", "x h", "y", &[])
            .error();
        assert!(error.contains("`h` (Cast) gives it: element [0] is inf"), "{error}");
    }

    #[test]
    fn masks_are_told_from_weights_that_diverged() {
        let mask = |x: f32| {
            let case = Case::new(13, &[1, 2]).floats("m", &[2], &[0.0, x]);
            case.node("Add", "x m", "y", &[]).error()
        };
        assert!(
            mask(f32::NEG_INFINITY).contains("instead: no mask"),
            "{}",
            mask(f32::NEG_INFINITY)
        );
        assert!(mask(f32::NAN).contains("instead: weights of a training"), "{}", mask(f32::NAN));
    }
}
