//! Walks the graph in its order and hands every node to its operator's importer.

mod branch;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use hecc_grammar::model::{Const, Model, Op, Output};

use super::builder::Builder;
use super::client::{self, Chain};
use super::error::{ImportError, NodeError, Refused, refuse};
use super::finite::Origins;
use super::input::Inputs;
use super::node::Node;
use super::ops::{self, Importer};
use super::proto::{GraphProto, NodeProto, TensorProto, ValueInfoProto};
use super::quantized;
use super::shape;
use super::tensor;
use super::unsupported;
use super::value::{Constant, Kind, Quantized, Value};
use super::weight::Grid;

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
    let stored = stored(graph)?;
    let mut walk = Walk {
        graph,
        context,
        declared: Inputs::new(graph, rows),
        stored,
        read: HashSet::new(),
        values: HashMap::new(),
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
    stored: HashMap<&'a str, &'a TensorProto>,
    /// Those of them that were read.
    read: HashSet<&'a str>,
    values: HashMap<&'a str, Value>,
    not_finite: Origins<'a>,
    model: Builder,
    errors: Vec<NodeError>,
}

fn stored(graph: &GraphProto) -> Result<HashMap<&str, &TensorProto>, ImportError> {
    if let Some(sparse) = graph.sparse_initializer.first() {
        let name = sparse.values.as_ref().map_or("", |values| values.name()).to_owned();
        let reason = "stored as a sparse tensor, expected a dense one".to_owned();
        return Err(ImportError::Initializer { name, reason });
    }
    let mut stored = HashMap::with_capacity(graph.initializer.len());
    for tensor in &graph.initializer {
        if stored.insert(tensor.name(), tensor).is_some() {
            let reason = "stored twice, expected once".to_owned();
            return Err(ImportError::Initializer { name: tensor.name().to_owned(), reason });
        }
    }
    Ok(stored)
}

impl<'a> Walk<'a> {
    fn inputs(&mut self) -> Result<(), ImportError> {
        for info in &self.graph.input {
            // Until IR version 3, initializers were listed among the inputs.
            if self.stored.contains_key(info.name()) {
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
            if self.values.insert(info.name(), tensor.into()).is_some() {
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
            let is_stored = self.stored.contains_key(name.as_str());
            if self.values.insert(name, value).is_some() || is_stored {
                self.report(
                    proto,
                    refuse(format!("output `{name}` is defined twice, expected once")),
                );
            }
        }
    }

    fn report(&mut self, proto: &NodeProto, refused: Refused) {
        let node = node_name(proto).to_owned();
        let Refused { reason, rewrite, is_not_finite: _ } = refused;
        self.errors.push(NodeError { node, op_type: proto.op_type().to_owned(), reason, rewrite });
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
        let mut node = Node::new(proto, self.context.opset, self.context.dir, inputs);
        if node.has_unknown_input() {
            return Ok(vec![Value::Unknown; proto.output.len()]);
        }
        self.model.set_name(node_name(proto));
        let moved = if ops::moves(proto.op_type()) { node.value(0) } else { None };
        let split = if proto.op_type() == "Split" { node.value(0) } else { None };
        if let Some(Value::Client { tensor, ops, .. }) = moved.clone().or(split) {
            return self.move_client(importer, node, Chain { tensor, ops });
        }
        match moved {
            Some(Value::Quantized(q)) => self.move_quantized(importer, node, q),
            Some(Value::Constant(Constant { grid: Some(grid), .. })) if node.is_constant() => {
                self.move_grid(importer, &node, &grid)
            }
            _ => self.lower(importer, node),
        }
    }

    fn lower(&mut self, importer: &Importer, mut node: Node<'_>) -> Result<Vec<Value>, Refused> {
        let results = if node.is_constant() {
            self.fold(importer, &mut node)
        } else {
            (importer.import)(&mut node, &mut self.model)
        }?;
        node.finish()?;
        Ok(results)
    }

    /// Elements that are moved before they are rounded are the same as after.
    fn move_quantized(
        &mut self,
        importer: &Importer,
        node: Node<'_>,
        q: Quantized,
    ) -> Result<Vec<Value>, Refused> {
        let mut results = self.lower(importer, node.with_first(q.source()))?;
        if let Some(Value::Tensor(tensor)) = results.first() {
            results[0] = Value::Quantized(Quantized { tensor: *tensor, ..q });
        }
        Ok(results)
    }

    /// Lets the client move elements: where they go is what the operator makes of their positions.
    fn move_client(
        &mut self,
        importer: &Importer,
        node: Node<'_>,
        chain: Chain,
    ) -> Result<Vec<Value>, Refused> {
        let positions = client::constant_positions(&chain.shape(&self.model)?)?;
        let parts = self.lower(importer, node.with_first(positions.into()))?;
        let part = |part| match part {
            Value::Constant(to) => {
                chain.clone().then_move(&to.into_array()).value(&node, &self.model)
            }
            Value::Tensor(_)
            | Value::Client { .. }
            | Value::Quantized(_)
            | Value::Strings(_)
            | Value::Unknown
            | Value::Absent(_) => Err(refuse("what is computed from constants is not a constant")),
        };
        parts.into_iter().map(part).collect()
    }

    /// Moves integers and scales alike.
    fn move_grid(
        &mut self,
        importer: &Importer,
        node: &Node<'_>,
        grid: &Grid,
    ) -> Result<Vec<Value>, Refused> {
        let mut part = |array| {
            let part = Constant::new(array, Kind::Float);
            match self.lower(importer, node.with_first(part.into()))?.into_iter().next() {
                Some(Value::Constant(moved)) => Ok(moved.into_array()),
                _ => Err(refuse("what is computed from constants is not a constant")),
            }
        };
        let integers = part(grid.integers.clone().into_owned())?;
        Ok(vec![Constant::on_grid(Grid::new(integers, part(grid.wide_scale())?)?).into()])
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
        if let Some(value) = self.values.get(name) {
            return Ok(value.clone());
        }
        if let Some(tensor) = self.stored.get(name) {
            if tensor::holds_strings(tensor) {
                return tensor::read_strings(tensor).map(Value::Strings);
            }
            let constant = tensor::read(tensor, self.context.dir)
                .map_err(|r| refuse(format!("initializer `{name}`: {}", r.reason)))?;
            let (count, value) = (constant.array.len(), Value::from(constant));
            if self.read.insert(name) {
                self.model.earn(count);
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

    /// A node whose inputs are all known: lowered to a model of its own, which is evaluated at once.
    fn fold(&mut self, importer: &Importer, node: &mut Node<'_>) -> Result<Vec<Value>, Refused> {
        let (kind, format) = node.value(0).map_or((Kind::Float, None), |value| match value {
            Value::Constant(constant) => (constant.kind, constant.format),
            Value::Tensor(_)
            | Value::Client { .. }
            | Value::Quantized(_)
            | Value::Strings(_)
            | Value::Unknown
            | Value::Absent(_) => (Kind::Float, None),
        });
        let constant = |array| Value::from(Constant::new(array, kind).stored_as(format));
        let mut scratch = self.model.scratch();
        let results = (importer.import)(node, &mut scratch)?;
        let arrays = self.model.evaluate(scratch)?;
        let known = |value| match value {
            Value::Tensor(t) => constant(arrays[t.index()].clone()),
            Value::Client { tensor, ops, .. } => {
                let array = arrays[tensor.index()].clone();
                constant(crate::interpret::apply_client_ops(&ops, array))
            }
            Value::Constant(_)
            | Value::Quantized(_)
            | Value::Strings(_)
            | Value::Unknown
            | Value::Absent(_) => value,
        };
        let results: Vec<Value> = results.into_iter().map(known).collect();
        for result in &results {
            if let Value::Constant(constant) = result {
                self.model.spend(constant.array.len())?;
            }
        }
        Ok(results)
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
        match self.values.get(name) {
            Some(Value::Tensor(t) | Value::Client { tensor: t, .. }) => Some(self.model.shape(*t)),
            Some(Value::Constant(c)) => Some(c.shape().to_vec()),
            Some(Value::Quantized(q)) => Some(self.model.shape(q.tensor)),
            Some(Value::Strings(names)) => Some(names.shape.clone()),
            Some(Value::Unknown | Value::Absent(_)) | None => None,
        }
    }

    fn output(&mut self, info: &ValueInfoProto) -> Result<(), ImportError> {
        let name = info.name().to_owned();
        let error = |reason: &str| {
            Err(ImportError::Output { name: name.clone(), reason: reason.to_owned() })
        };
        let (tensor, client) = match self.values.get(info.name()) {
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
            None if self.stored.contains_key(info.name()) => {
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

/// The node's name, or its first output's where it has none.
pub(super) fn node_name(proto: &NodeProto) -> &str {
    match proto.name() {
        "" => proto.output.iter().find(|name| !name.is_empty()).map_or("", |name| name),
        name => name,
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
            .node("Conv", "x w", "c", &[("group", Attr::Int(1)), ("colour", Attr::Int(3))])
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
        assert_eq!(found[0], ("Conv", "attribute `colour` is not supported"));
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
    fn names_must_be_defined_once_and_before_use() {
        let error = Case::new(13, &[1]).node("Relu", "z", "y", &[]).error();
        assert!(error.contains("input `z` is not defined anywhere"), "{error}");
        let cycle = Case::new(13, &[1]).node("Add", "x b", "a", &[]).node("Relu", "a", "b", &[]);
        assert!(cycle.error().contains("input `b` is computed later (or in a cycle)"));
        let twice = Case::new(13, &[1]).node("Relu", "x", "y", &[]).node("Neg", "x", "y", &[]);
        assert!(twice.error().contains("output `y` is defined twice"));
        let input = Case::new(13, &[1]).input("x", &[1]).node("Relu", "x", "y", &[]);
        assert!(input.error().contains("input `x`: defined twice"));
        let stored =
            Case::new(13, &[1]).ints("c", &[1]).ints("c", &[1]).node("Relu", "x", "y", &[]);
        assert!(stored.error().contains("initializer `c`: stored twice"));
        let over = Case::new(13, &[1]).ints("c", &[1]).node("Relu", "x", "c", &[]);
        assert!(over.error().contains("output `c` is defined twice"));
    }

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

    #[test]
    fn shapes_are_computed_at_import() {
        let case = Case::new(13, &[1, 2, 3])
            .ints("zero", &[0])
            .ints("rest", &[-1])
            .node("Shape", "x", "shape", &[])
            .node("Gather", "shape zero", "n", &[])
            .node("Concat", "n rest", "target", &[("axis", Attr::Int(0))])
            .node("Cast", "target", "float", &[("to", Attr::Int(1))])
            .node("Cast", "float", "whole", &[("to", Attr::Int(7))])
            .node("Reshape", "x whole", "y", &[]);
        let model = case.import().unwrap();
        assert_eq!(model.shape(model.outputs[0].tensor), [1, 6]);
        assert_eq!(model.nodes.len(), 2);
    }

    #[test]
    fn small_files_cannot_ask_for_much_memory() {
        let huge = [1 << 14, 1 << 14];
        let case = || Case::new(13, &[1]).ints("s", &huge).floats("one", &[], &[1.0]);
        let error =
            case().node("ConstantOfShape", "s", "c", &[]).node("Add", "x c", "y", &[]).error();
        assert!(error.contains("constants would have more than 8388608 elements"), "{error}");
        let error = case().node("Expand", "one s", "c", &[]).node("Add", "x c", "y", &[]).error();
        assert!(error.contains("constants would have more than"), "{error}");
        // Each is small enough, all together are not.
        let mut many = Case::new(13, &[1]).ints("s", &[1 << 21]);
        for i in 0..8 {
            let name = format!("c{i}");
            many = many.node("ConstantOfShape", "s", &name, &[]).node(
                "Add",
                &format!("x {name}"),
                "y",
                &[],
            );
            many.graph().node.last_mut().unwrap().output[0] = format!("y{i}");
        }
        assert!(many.error().contains("constants would have more than"));
    }
}
