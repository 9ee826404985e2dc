//! Every operator at each of its versions against onnxruntime: `make_versions.py` made the models and says how.

use hecc_compiler::interpret;
use hecc_compiler::onnx::proto::{
    GraphProto, ModelProto, NodeProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
    type_proto,
};
use hecc_compiler::onnx::{Batch, import_message, read_tensor};
use ndarray::ArrayD;
use prost::Message;

/// A model with its inputs and outputs.
struct Case {
    model: ModelProto,
    given: Vec<TensorProto>,
    want: Vec<TensorProto>,
    /// What is done with it, or `refused` and the reason.
    purpose: String,
}

#[test]
fn operators_at_every_version() {
    let bytes = std::fs::read(super::folder().with_file_name("versions.pb")).unwrap();
    let (mut rest, mut failures, mut count) = (&bytes[..], vec![], 0);
    while !rest.is_empty() {
        let case = Case::new(ModelProto::decode_length_delimited(&mut rest).unwrap());
        count += 1;
        let outcome = match case.purpose.strip_prefix("refused ") {
            Some(reason) => case.is_refused(reason),
            None => case.purpose.split(' ').try_for_each(|how| {
                case.is_right(how == "folded").map_err(|error| format!("{how}: {error}"))
            }),
        };
        failures.extend(outcome.err().map(|error| format!("{}: {error}", case.label())));
    }
    assert!(count > 800, "{count} models");
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n"));
}

impl Case {
    fn new(mut model: ModelProto) -> Case {
        let graph = model.graph.as_mut().unwrap();
        let stored = std::mem::take(&mut graph.initializer);
        let (mut given, mut want) = (vec![], vec![]);
        for tensor in stored {
            match tensor.name().split_once(' ') {
                Some(("given", _)) => given.push(tensor),
                Some(("want", _)) => want.push(tensor),
                _ => graph.initializer.push(tensor),
            }
        }
        let purpose = graph.doc_string().to_owned();
        Case { model, given, want, purpose }
    }

    /// The operator, its set, attributes and the shapes of constants.
    fn label(&self) -> String {
        let graph = self.model.graph.as_ref().unwrap();
        let attributes: Vec<&str> = graph.node[0].attribute.iter().map(|a| a.name()).collect();
        let shapes: Vec<&[i64]> = graph.initializer.iter().map(|t| &t.dims[..]).collect();
        let opset = self.model.opset_import[0].version();
        format!("{} of operator set {opset} {attributes:?} {shapes:?}", graph.name())
    }

    fn is_refused(&self, reason: &str) -> Result<(), String> {
        // A result that hecc does not compute is refused where it is used.
        match self.results(false) {
            Err(error) if error.contains(reason) => Ok(()),
            Err(error) => Err(format!("refused for {error}, expected {reason}")),
            Ok(_) => Err(format!("imported, expected {reason}")),
        }
    }

    fn is_right(&self, folded: bool) -> Result<(), String> {
        let results = self.results(folded)?;
        if results.len() != self.want.len() {
            return Err(format!("{} results, expected {}", results.len(), self.want.len()));
        }
        for (result, want) in results.iter().zip(&self.want) {
            let want = read_tensor(want).map_err(|error| error.to_string())?;
            if result.shape() != want.shape() {
                return Err(format!("shape {:?}, expected {:?}", result.shape(), want.shape()));
            }
            let is_close = |(a, b): &(&f64, &f64)| (*a - *b).abs() <= 1e-4 * (1.0 + b.abs());
            if let Some((a, b)) = result.iter().zip(&want).find(|pair| !is_close(pair)) {
                return Err(format!("{a}, expected {b}"));
            }
        }
        Ok(())
    }

    /// The outputs; if `folded`, all inputs are known, and every output is added to an encrypted zero.
    fn results(&self, folded: bool) -> Result<Vec<ArrayD<f64>>, String> {
        let mut model = self.model.clone();
        let graph = model.graph.as_mut().unwrap();
        let mut encrypted: Vec<ArrayD<f64>> =
            self.given.iter().map(|tensor| read_tensor(tensor).unwrap()).collect();
        if folded {
            encrypted = vec![ArrayD::zeros(vec![])];
            let inputs = std::mem::take(&mut graph.input);
            for (info, tensor) in inputs.into_iter().zip(&self.given) {
                graph.initializer.push(TensorProto { name: info.name, ..tensor.clone() });
            }
            add_zero(graph);
        }
        let batch = Batch::AsDeclared;
        let imported = import_message(&model, None, batch).map_err(|error| error.to_string())?;
        interpret::run_with_client(&imported, &encrypted).map_err(|error| error.to_string())
    }
}

/// Adds an encrypted scalar to every output, as a float.
fn add_zero(graph: &mut GraphProto) {
    let float = Some(1);
    let shape = Some(TensorShapeProto::default());
    let value = type_proto::Value::TensorType(type_proto::Tensor { elem_type: float, shape });
    let r#type = Some(TypeProto { value: Some(value), ..TypeProto::default() });
    let name = Some("encrypted zero".to_owned());
    graph.input.push(ValueInfoProto { name, r#type, ..ValueInfoProto::default() });
    for output in &mut graph.output {
        let sum = format!("{} plus zero", output.name());
        graph.node.push(NodeProto {
            op_type: Some("Add".to_owned()),
            input: vec![output.name().to_owned(), "encrypted zero".to_owned()],
            output: vec![sum.clone()],
            ..NodeProto::default()
        });
        output.name = Some(sum);
    }
}
