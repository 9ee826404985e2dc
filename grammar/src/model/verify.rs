//! Every promise that a model makes, checked once at the door: operands precede their users, every node has the shape
//! that [`Op::shape`](super::Op::shape) gives, numbers are finite, outputs and what the client does to them exist.

use super::bounds::{ShapeError, elements};
use super::graph::Model;
use super::ids::{Const, Tensor};

/// A promise that does not hold.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// An operand is its own user's successor.
    #[error("node {tensor} `{name}` reads {operand} before it is computed")]
    Order {
        /// The node.
        tensor: Tensor,
        /// Its name.
        name: String,
        /// What it reads.
        operand: Tensor,
    },
    /// An operation that cannot be done.
    #[error("node {tensor} `{name}`: {error}")]
    Op {
        /// The node.
        tensor: Tensor,
        /// Its name.
        name: String,
        /// What is wrong.
        error: ShapeError,
    },
    /// A recorded shape that is not the operation's.
    #[error("node {tensor} `{name}` has shape {found:?}, its operation gives {expected:?}")]
    Shape {
        /// The node.
        tensor: Tensor,
        /// Its name.
        name: String,
        /// The recorded shape.
        found: Vec<usize>,
        /// The operation's.
        expected: Vec<usize>,
    },
    /// A constant that is too large or not finite.
    #[error("constant {constant}: {what}")]
    Constant {
        /// The constant.
        constant: Const,
        /// What is wrong.
        what: String,
    },
    /// An output that does not exist, or to which the client's operations do not apply.
    #[error("output `{name}`: {what}")]
    Output {
        /// Its name.
        name: String,
        /// What is wrong.
        what: String,
    },
}

impl Model {
    /// Checks every promise.
    ///
    /// # Errors
    /// Names the first node that breaks one.
    pub fn verify(&self) -> Result<(), ModelError> {
        self.check_constants()?;
        for tensor in (0..self.nodes.len()).map(|i| Tensor(i as u32)) {
            self.check_node(tensor)?;
        }
        self.check_outputs()
    }

    fn check_constants(&self) -> Result<(), ModelError> {
        for (i, array) in self.constants.iter().enumerate() {
            let fail = |what| Err(ModelError::Constant { constant: Const(i as u32), what });
            if let Err(error) = elements(array.shape()) {
                return fail(error.to_string());
            }
            if array.iter().any(|x| !x.is_finite()) {
                return fail("an element is not finite".to_owned());
            }
        }
        Ok(())
    }

    fn check_node(&self, tensor: Tensor) -> Result<(), ModelError> {
        let node = self.node(tensor);
        let name = || node.name.clone();
        if let Some(&operand) = node.op.operands().iter().find(|&&operand| operand >= tensor) {
            return Err(ModelError::Order { tensor, name: name(), operand });
        }
        let expected = node.op.shape(self, &node.shape).map_err(|error| ModelError::Op {
            tensor,
            name: name(),
            error,
        })?;
        if expected != node.shape {
            let found = node.shape.clone();
            return Err(ModelError::Shape { tensor, name: name(), found, expected });
        }
        Ok(())
    }

    fn check_outputs(&self) -> Result<(), ModelError> {
        for output in &self.outputs {
            let fail = |what| Err(ModelError::Output { name: output.name.clone(), what });
            let Some(node) = self.nodes.get(output.tensor.index()) else {
                return fail(format!("{} does not exist", output.tensor));
            };
            let mut shape = node.shape.clone();
            for op in &output.client {
                match op.shape(&shape) {
                    Ok(after) => shape = after,
                    Err(error) => return fail(format!("{op:?}: {error}")),
                }
            }
        }
        Ok(())
    }
}
