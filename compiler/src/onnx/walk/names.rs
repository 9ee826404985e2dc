//! What the names of a graph stand for: constants that it stores, and values computed from its inputs.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use crate::onnx::error::{ImportError, Refused, refuse};
use crate::onnx::file::tensor;
use crate::onnx::proto::{GraphProto, TensorProto};
use crate::onnx::value::Value;

/// The names that are seen where the walk stands.
pub(super) struct Names<'a> {
    stored: HashMap<&'a str, &'a TensorProto>,
    /// Those of them that were read.
    read: HashSet<&'a str>,
    values: HashMap<&'a str, Value>,
}

/// What is behind a name.
pub(super) struct Named {
    pub(super) value: Value,
    /// Whether it is a stored constant that nothing has read before.
    pub(super) is_new: bool,
}

/// What names stood for outside of a branch that defines them too.
pub(super) struct Hidden<'a>(Vec<(&'a str, Option<Value>, Option<&'a TensorProto>)>);

impl<'a> Names<'a> {
    /// The names of what a graph stores.
    pub(super) fn new(graph: &'a GraphProto) -> Result<Names<'a>, ImportError> {
        Ok(Names { stored: stored(graph)?, read: HashSet::new(), values: HashMap::new() })
    }

    /// The value that was computed under a name.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Whether the graph stores a constant under the name.
    pub(super) fn is_stored(&self, name: &str) -> bool {
        self.stored.contains_key(name)
    }

    /// Gives a value its name; whether that stood for nothing else before.
    pub(super) fn define(&mut self, name: &'a str, value: Value) -> bool {
        self.values.insert(name, value).is_none() && !self.is_stored(name)
    }

    /// What a name stands for, `None` if for nothing yet. Constants are read from files in `dir`.
    pub(super) fn find(
        &mut self,
        name: &'a str,
        dir: Option<&Path>,
    ) -> Result<Option<Named>, Refused> {
        if let Some(value) = self.values.get(name) {
            return Ok(Some(Named { value: value.clone(), is_new: false }));
        }
        let Some(tensor) = self.stored.get(name) else { return Ok(None) };
        if tensor::holds_strings(tensor) {
            let value = tensor::read_strings(tensor).map(Value::Strings)?;
            return Ok(Some(Named { value, is_new: false }));
        }
        let constant = tensor::read(tensor, dir)
            .map_err(|r| refuse(format!("initializer `{name}`: {}", r.reason)))?;
        Ok(Some(Named { value: constant.into(), is_new: self.read.insert(name) }))
    }

    /// Enters a branch: its names hide those outside.
    pub(super) fn enter(&mut self, branch: &'a GraphProto) -> Result<Hidden<'a>, ImportError> {
        let stored = stored(branch)?;
        let inner = branch.node.iter().flat_map(|node| &node.output).map(String::as_str);
        let names: BTreeSet<&'a str> = inner.chain(stored.keys().copied()).collect();
        let hide = |name| (name, self.values.remove(name), self.stored.remove(name));
        let hidden = names.into_iter().map(hide).collect();
        self.stored.extend(stored);
        Ok(Hidden(hidden))
    }

    /// Leaves it again: what it defined is not seen outside.
    pub(super) fn leave(&mut self, Hidden(hidden): Hidden<'a>) {
        for (name, value, stored) in hidden {
            self.values.remove(name);
            self.stored.remove(name);
            self.values.extend(value.map(|value| (name, value)));
            self.stored.extend(stored.map(|stored| (name, stored)));
        }
    }
}

/// The constants that a graph stores, by name.
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

#[cfg(test)]
mod tests {
    use crate::onnx::testing::Case;

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
}
