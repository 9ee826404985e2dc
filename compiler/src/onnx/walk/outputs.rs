//! What the graph gives, as outputs of the model.

use hecc_grammar::model::Output;

use super::Walk;
use crate::onnx::error::ImportError;
use crate::onnx::proto::ValueInfoProto;
use crate::onnx::value::Value;
use crate::onnx::{quantized, shape};

impl Walk<'_> {
    pub(super) fn output(&mut self, info: &ValueInfoProto) -> Result<(), ImportError> {
        let name = info.name().to_owned();
        let error = |reason: &str| {
            Err(ImportError::Output { name: name.clone(), reason: reason.to_owned() })
        };
        let (tensor, client) = match self.names.value(info.name()) {
            Some(Value::Tensor(tensor)) => (*tensor, vec![]),
            Some(Value::Client { tensor, ops, .. }) => (*tensor, ops.clone()),
            Some(Value::Quantized(q)) if q.client.is_empty() => {
                self.model.set_name(info.name());
                match quantized::integers(q, &mut self.model) {
                    Ok(tensor) => (tensor, vec![]),
                    Err(refused) => return error(&refused.reason),
                }
            }
            Some(Value::Quantized(_)) => {
                return error(
                    "integers that the client computes, expected a DequantizeLinear at the end",
                );
            }
            Some(Value::Constant(_) | Value::Strings(_)) => {
                return error("a constant, expected a result of the inputs");
            }
            Some(Value::Absent(why)) => return error(why),
            Some(Value::Unknown) => unreachable!("refused nodes end the import before the outputs"),
            None if self.names.is_stored(info.name()) => {
                return error("a constant, expected a result of the inputs");
            }
            None => return error("no node computes it"),
        };
        shape::elements(self.model.model.shape(tensor))
            .or_else(|r| error(&r.reason).map(|()| 0))?;
        self.model.model.outputs.push(Output { name, tensor, client });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::Case;

    #[test]
    fn outputs_are_results() {
        let constant = Case::new(13, &[1]).ints("c", &[1]).node("Identity", "c", "y", &[]);
        assert!(constant.error().contains("output `y`: a constant"));
        let mut missing = Case::new(13, &[1]).node("Relu", "x", "y", &[]);
        missing.graph().output[0].name = Some("z".to_owned());
        assert!(missing.error().contains("output `z`: no node computes it"));
        missing.graph().output.clear();
        assert!(missing.error().contains("no outputs"));
    }
}
