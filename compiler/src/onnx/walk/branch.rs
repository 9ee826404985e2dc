//! `If` with a condition that is known: the branch taken stands where its node does.

use super::{MAX_ERRORS, Walk};
use crate::onnx::error::{Refused, refuse};
use crate::onnx::proto::{GraphProto, NodeProto};
use crate::onnx::value::Value;

impl<'a> Walk<'a> {
    /// The branch that a node with a known condition takes.
    pub(super) fn branch(
        &mut self,
        proto: &'a NodeProto,
        position: usize,
    ) -> Result<Option<&'a GraphProto>, Refused> {
        if proto.op_type() != "If" || !matches!(proto.domain(), "" | "ai.onnx") {
            return Ok(None);
        }
        let condition = proto.input.first().ok_or_else(|| refuse("input 0 is missing"))?;
        let Value::Constant(condition) = self.lookup(condition, position)? else { return Ok(None) };
        let taken = match condition.uniform() {
            Some(condition) => ["else_branch", "then_branch"][usize::from(condition != 0.0)],
            None => {
                let found = condition.shape();
                return Err(refuse(format!(
                    "the condition has shape {found:?}, expected one bool"
                )));
            }
        };
        let branch = proto.attribute.iter().find(|a| a.name() == taken).and_then(|a| a.g.as_ref());
        branch.map(Some).ok_or_else(|| refuse(format!("attribute `{taken}` is missing")))
    }

    /// Imports a branch's nodes where its node stands; what they define is not seen outside.
    pub(super) fn branch_results(
        &mut self,
        branch: &'a GraphProto,
        position: usize,
    ) -> Result<Vec<Value>, Refused> {
        let hidden = self.names.enter(branch).map_err(|error| refuse(error.to_string()))?;
        for node in &branch.node {
            self.node(node, position);
            if self.errors.len() >= MAX_ERRORS {
                break;
            }
        }
        let results = branch.output.iter().map(|info| self.lookup(info.name(), position)).collect();
        self.names.leave(hidden);
        results
    }
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case, DataType};

    #[test]
    fn known_conditions_choose_a_branch() {
        let branch = |op: &str, weight: f32| {
            let case = Case::new(13, &[1]).floats("w", &[1], &[weight]);
            // Its names may be those of other branches and of the graph around.
            let case = case.node("Mul", "x w", "t", &[]).node(op, "t", "z", &[]);
            Attr::Graph(Box::new(case.model.graph.unwrap()))
        };
        let case = |condition| {
            Case::new(13, &[2]).stored("c", DataType::Bool, &[], &[condition]).node(
                "If",
                "c",
                "t",
                &[("then_branch", branch("Neg", 2.0)), ("else_branch", branch("Neg", 10.0))],
            )
        };
        let twice = case(1).floats("w", &[1], &[100.0]).node("Mul", "t w", "y", &[]);
        assert_eq!(twice.result(&[1.0, 2.0]).1, [-200.0, -400.0]);
        assert_eq!(case(0).node("Neg", "t", "y", &[]).result(&[1.0, 2.0]).1, [10.0, 20.0]);
        let hidden = case(0).node("Neg", "z", "y", &[]);
        assert!(hidden.error().contains("input `z` is not defined"));
        let both = [("then_branch", branch("Neg", 2.0)), ("else_branch", branch("Neg", 2.0))];
        let encrypted = Case::new(13, &[1]).node("If", "x", "y", &both);
        assert_eq!(
            encrypted.error(),
            "node `y` (If): this operator decides what is computed, which cannot depend on encrypted data; \
             instead: export without control flow (trace with fixed inputs)"
        );
        let missing = Case::new(13, &[1]).stored("c", DataType::Bool, &[], &[1]);
        assert!(missing.node("If", "c", "y", &[]).error().contains("`then_branch` is missing"));
        // What is wrong in a branch is said of its nodes.
        let wrong = [("then_branch", branch("LSTM", 2.0)), ("else_branch", branch("Neg", 2.0))];
        let wrong =
            Case::new(13, &[1]).stored("c", DataType::Bool, &[], &[1]).node("If", "c", "y", &wrong);
        assert!(wrong.error().starts_with("node `z` (LSTM)"));
    }
}
