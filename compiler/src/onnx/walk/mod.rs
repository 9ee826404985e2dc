//! Walks the graph in its order and hands every node to its operator's importer.

mod apply;
mod branch;
mod names;
mod origins;
mod outputs;

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use hecc_grammar::model::{Const, Model, Op};

use super::builder::Builder;
use super::error::{ImportError, NodeError, Refused, node_name, refuse};
use super::importer::Importer;
use super::input::Inputs;
use super::node::Node;
use super::ops;
use super::proto::{GraphProto, NodeProto};
use super::unsupported;
use super::value::Value;
use names::{Named, Names};
use origins::Origins;

/// More refused nodes than this are not looked for.
const MAX_ERRORS: usize = 1000;

/// What the walk knows about the model besides the graph.
pub(super) struct Context<'a> {
    pub(super) opset: i64,
    pub(super) dir: Option<&'a Path>,
    /// Domains and names of the functions that the file defines.
    pub(super) functions: HashSet<(&'a str, &'a str)>,
}

/// Returns the model that the graph stands for with those of its constants that are a quantized network's integers, or
/// everything that is wrong with its nodes. An open first dimension becomes `rows`.
pub(super) fn import(
    graph: &GraphProto,
    context: &Context<'_>,
    rows: usize,
) -> Result<(Model, BTreeSet<Const>), ImportError> {
    let mut walk = Walk {
        graph,
        context,
        declared: Inputs::new(graph, rows),
        names: Names::new(graph)?,
        not_finite: Origins::default(),
        model: Builder::new(),
        errors: Vec::new(),
    };
    walk.model.model.name = graph.name().to_owned();
    walk.inputs()?;
    for (position, node) in graph.node.iter().enumerate() {
        walk.node(node, position);
        if walk.errors.len() >= MAX_ERRORS {
            break;
        }
    }
    if !walk.errors.is_empty() {
        return Err(ImportError::Nodes(walk.errors));
    }
    for output in &graph.output {
        walk.output(output)?;
    }
    if walk.model.model.outputs.is_empty() {
        return Err(ImportError::Model("the graph has no outputs".to_owned()));
    }
    Ok((walk.model.model, walk.model.integers))
}

struct Walk<'a> {
    graph: &'a GraphProto,
    context: &'a Context<'a>,
    declared: Inputs<'a>,
    names: Names<'a>,
    not_finite: Origins<'a>,
    model: Builder,
    errors: Vec<NodeError>,
}

impl<'a> Walk<'a> {
    fn inputs(&mut self) -> Result<(), ImportError> {
        for info in &self.graph.input {
            // Until IR version 3, initializers were listed among the inputs.
            if self.names.is_stored(info.name()) {
                continue;
            }
            let error = |refused: Refused| ImportError::Input {
                name: info.name().to_owned(),
                reason: refused.reason,
            };
            let shape = self.declared.shape(info).map_err(error)?;
            self.model.set_name(info.name());
            let mut tensor = self.model.push(Op::Input, shape).map_err(error)?;
            if let Some(integers) = self.declared.integers(info).map_err(error)? {
                tensor = self.model.fake_quant(tensor, integers).map_err(error)?;
            }
            if !self.names.define(info.name(), tensor.into()) {
                return Err(error(refuse("defined twice, expected once")));
            }
        }
        if self.model.model.nodes.is_empty() {
            return Err(ImportError::Model("the graph has no inputs".to_owned()));
        }
        Ok(())
    }

    fn node(&mut self, proto: &'a NodeProto, position: usize) {
        let results = self.results(proto, position).unwrap_or_else(|refused| {
            self.report(proto, self.not_finite.explained(proto, refused));
            self.placeholders(proto)
        });
        let mut results = results.into_iter();
        for name in &proto.output {
            let absent = Value::Absent("hecc computes the first result of that node only");
            let value = results.next().unwrap_or(absent);
            if name.is_empty() {
                continue;
            }
            self.not_finite.result(proto, name, &value);
            if !self.names.define(name, value) {
                self.report(
                    proto,
                    refuse(format!("output `{name}` is defined twice, expected once")),
                );
            }
        }
    }

    fn report(&mut self, proto: &NodeProto, refused: Refused) {
        self.errors.push(NodeError::new(proto, refused));
    }

    fn results(&mut self, proto: &'a NodeProto, position: usize) -> Result<Vec<Value>, Refused> {
        if let Some(branch) = self.branch(proto, position)? {
            return self.branch_results(branch, position);
        }
        let importer = self.importer(proto)?;
        let mut inputs = Vec::with_capacity(proto.input.len());
        for name in &proto.input {
            inputs.push(if name.is_empty() { None } else { Some(self.lookup(name, position)?) });
        }
        let node = Node::new(proto, self.context.opset, self.context.dir, inputs);
        if node.has_unknown_input() {
            return Ok(vec![Value::Unknown; proto.output.len()]);
        }
        self.model.set_name(node_name(proto));
        apply::apply(importer, node, &mut self.model)
    }

    fn importer(&self, proto: &NodeProto) -> Result<&'static Importer, Refused> {
        let (domain, op_type) = (proto.domain(), proto.op_type());
        if self.context.functions.contains(&(domain, op_type)) {
            return Err(
                refuse("a function defined in the file").instead("inline it (onnx.inliner)")
            );
        }
        let importer = ops::find(domain, op_type).ok_or_else(|| match domain {
            "" | "ai.onnx" => unsupported::reason(op_type),
            _ if ops::is_known(domain) && unsupported::is_known(op_type) => {
                unsupported::reason(op_type)
            }
            _ => refuse(format!("domain `{domain}`, expected the default one"))
                .instead("export with standard operators only, without graph optimizations"),
        })?;
        if self.context.opset < importer.since {
            let (since, opset) = (importer.since, self.context.opset);
            let reason = format!("exists since operator set {since}, the model has {opset}");
            return Err(refuse(reason));
        }
        Ok(importer)
    }

    /// The value behind a name that the node at `position` reads.
    fn lookup(&mut self, name: &'a str, position: usize) -> Result<Value, Refused> {
        if let Some(Named { value, is_new }) = self.names.find(name, self.context.dir)? {
            if let (true, Value::Constant(constant)) = (is_new, &value) {
                self.model.earn(constant.array.len());
                self.not_finite.stored(name, &value);
            }
            return Ok(value);
        }
        let later = self.graph.node[position..].iter().any(|n| n.output.iter().any(|o| o == name));
        Err(refuse(match later {
            true => {
                format!("input `{name}` is computed later (or in a cycle), expected nodes in order")
            }
            false => format!("input `{name}` is not defined anywhere"),
        }))
    }

    /// What a refused node's outputs stand for, so that the nodes after it are still checked.
    fn placeholders(&mut self, proto: &'a NodeProto) -> Vec<Value> {
        let inputs = proto.input.iter().map(|name| self.known_shape(name)).collect::<Vec<_>>();
        let Some(first) = proto.output.first() else { return vec![] };
        let declared = self.graph.value_info.iter().find(|info| info.name() == first);
        let declared = declared.and_then(|info| self.declared.shape(info).ok());
        let shape = declared.or_else(|| unsupported::output_shape(proto, &inputs));
        let tensor = shape.and_then(|shape| self.model.push(Op::Input, shape).ok());
        let mut values = vec![Value::Unknown; proto.output.len()];
        values[0] = tensor.map_or(Value::Unknown, Value::Tensor);
        values
    }

    fn known_shape(&self, name: &str) -> Option<Vec<usize>> {
        match self.names.value(name) {
            Some(Value::Tensor(t) | Value::Client { tensor: t, .. }) => Some(self.model.shape(*t)),
            Some(Value::Constant(c)) => Some(c.shape().to_vec()),
            Some(Value::Quantized(q)) => Some(self.model.shape(q.tensor)),
            Some(Value::Strings(names)) => Some(names.shape.clone()),
            Some(Value::Unknown | Value::Absent(_)) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::onnx::ImportError;
    use crate::onnx::testing::{Attr, Case};

    #[test]
    fn everything_that_is_refused_is_reported() {
        let pool = [("kernel_shape", Attr::Ints(&[2, 2])), ("strides", Attr::Ints(&[2, 2]))];
        let case = Case::new(13, &[1, 1, 8, 8])
            .floats("w", &[1, 1, 3, 3], &[1.0; 9])
            .floats("v", &[1, 2, 3, 3], &[1.0; 18])
            .node("Conv", "x w", "c", &[("group", Attr::Int(1)), ("color", Attr::Int(3))])
            .node("Reciprocal", "x", "e", &[])
            .node("MaxPool", "e", "p", &pool)
            .node("Conv", "p v", "d", &[])
            .node("LSTM", "d", "l", &[])
            .node("Relu", "l", "r", &[])
            .node("Frobnicate", "r", "y", &[]);
        let error = case.import().unwrap_err();
        assert!(error.to_string().starts_with("6 nodes cannot be imported:\n  node `c` (Conv): "));
        let ImportError::Nodes(nodes) = error else { panic!("{error}") };
        let found: Vec<(&str, &str)> =
            nodes.iter().map(|n| (n.op_type.as_str(), n.reason.as_str())).collect();
        assert_eq!(found[0], ("Conv", "attribute `color` is not supported"));
        assert_eq!(found[1].0, "Reciprocal");
        assert_eq!(
            found[2],
            ("MaxPool", "this operator compares encrypted numbers in every window")
        );
        // The shapes behind refused nodes are guessed, so that this one is still checked.
        assert!(found[3].1.contains("for data of shape [1, 1, 4, 4]"), "{found:?}");
        assert_eq!(found[4].0, "LSTM");
        assert!(found[5].1.contains("docs/ops.md"));
        assert!(nodes[2].rewrite.as_ref().unwrap().starts_with("AveragePool"));
    }

    #[test]
    fn versions_and_domains_are_checked() {
        for opset in [6, 29, i64::MAX, -1] {
            let error = Case::new(opset, &[1]).node("Relu", "x", "y", &[]).error();
            assert!(
                error.starts_with(&format!("operator set {opset}, expected 7 to 28")),
                "{error}"
            );
        }
        let error = Case::new(13, &[1]).node("HardSwish", "x", "y", &[]).error();
        assert!(error.contains("exists since operator set 14, the model has 13"), "{error}");
        let mut other = Case::new(13, &[1]).node("Gelu", "x", "y", &[]);
        other.graph().node[0].domain = Some("com.microsoft".to_owned());
        assert!(other.error().contains("domain `com.microsoft`"));
        let mut none = Case::new(13, &[1]).node("Relu", "x", "y", &[]);
        none.model.opset_import.clear();
        assert!(none.error().contains("names no version"));
    }
}
