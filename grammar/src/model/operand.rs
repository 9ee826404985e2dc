//! What operations read: tensors and constants.

use std::fmt::{self, Display, Formatter};

use super::ids::{Const, Tensor};
use super::statement::{Kind, Statement};
use crate::text::LineError;

/// An operand.
#[derive(Clone, Copy)]
pub(super) enum Argument {
    Tensor(Tensor),
    Const(Const),
}

/// An operand, to be replaced.
pub(super) enum ArgumentMut<'a> {
    Tensor(&'a mut Tensor),
    Const(&'a mut Const),
}

impl Argument {
    pub(super) fn tensor(self) -> Option<Tensor> {
        if let Argument::Tensor(tensor) = self { Some(tensor) } else { None }
    }

    pub(super) fn constant(self) -> Option<Const> {
        if let Argument::Const(constant) = self { Some(constant) } else { None }
    }
}

impl<'a> ArgumentMut<'a> {
    pub(super) fn tensor(self) -> Option<&'a mut Tensor> {
        if let ArgumentMut::Tensor(tensor) = self { Some(tensor) } else { None }
    }

    pub(super) fn constant(self) -> Option<&'a mut Const> {
        if let ArgumentMut::Const(constant) = self { Some(constant) } else { None }
    }
}

impl Display for Argument {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Argument::Tensor(tensor) => tensor.fmt(f),
            Argument::Const(constant) => constant.fmt(f),
        }
    }
}

/// A type that an operation's operand may have.
pub(super) trait Operand: Sized {
    /// What it takes of a statement.
    const KIND: Kind;
    /// Takes it.
    fn read(of: &mut Statement<'_>) -> Result<Self, LineError>;
    /// Adds what is read to the list.
    fn list(&self, to: &mut Vec<Argument>);
    /// As `list`, to be replaced.
    fn list_mut<'a>(&'a mut self, to: &mut Vec<ArgumentMut<'a>>);
}

impl Operand for Tensor {
    const KIND: Kind = Kind::Tensor;

    fn read(of: &mut Statement<'_>) -> Result<Tensor, LineError> {
        of.tensor()
    }

    fn list(&self, to: &mut Vec<Argument>) {
        to.push(Argument::Tensor(*self));
    }

    fn list_mut<'a>(&'a mut self, to: &mut Vec<ArgumentMut<'a>>) {
        to.push(ArgumentMut::Tensor(self));
    }
}

impl Operand for Const {
    const KIND: Kind = Kind::Constant;

    fn read(of: &mut Statement<'_>) -> Result<Const, LineError> {
        of.constant()
    }

    fn list(&self, to: &mut Vec<Argument>) {
        to.push(Argument::Const(*self));
    }

    fn list_mut<'a>(&'a mut self, to: &mut Vec<ArgumentMut<'a>>) {
        to.push(ArgumentMut::Const(self));
    }
}

impl Operand for Option<Const> {
    const KIND: Kind = Kind::MaybeConstant;

    fn read(of: &mut Statement<'_>) -> Result<Option<Const>, LineError> {
        if of.has_operands() { of.constant().map(Some) } else { Ok(None) }
    }

    fn list(&self, to: &mut Vec<Argument>) {
        to.extend(self.map(Argument::Const));
    }

    fn list_mut<'a>(&'a mut self, to: &mut Vec<ArgumentMut<'a>>) {
        to.extend(self.as_mut().map(ArgumentMut::Const));
    }
}

impl Operand for Vec<Tensor> {
    const KIND: Kind = Kind::Tensors;

    fn read(of: &mut Statement<'_>) -> Result<Vec<Tensor>, LineError> {
        let mut tensors = vec![];
        while of.has_operands() {
            tensors.push(of.tensor()?);
        }
        Ok(tensors)
    }

    fn list(&self, to: &mut Vec<Argument>) {
        to.extend(self.iter().copied().map(Argument::Tensor));
    }

    fn list_mut<'a>(&'a mut self, to: &mut Vec<ArgumentMut<'a>>) {
        to.extend(self.iter_mut().map(ArgumentMut::Tensor));
    }
}
