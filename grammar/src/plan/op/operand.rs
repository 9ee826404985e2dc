//! The kinds of operands. An instruction's format is the kinds that it has, in order; what prints, reads or writes
//! instructions does so kind by kind.

use super::{ConstantId, Key, LimbSet, Value};

/// An operand of an instruction.
#[derive(Clone, Copy, Debug)]
pub(in crate::plan) enum Operand<'a> {
    /// A ciphertext.
    Value(Value),
    /// A plaintext.
    Constant(ConstantId),
    /// Products of a ciphertext and a plaintext; no other operand follows.
    Terms(&'a [(Value, ConstantId)]),
    /// A number.
    Index(u32),
    /// Ciphertext-modulus primes.
    Limbs(LimbSet),
    /// An evaluation key.
    Key(Key),
}

/// Gives the operands of an instruction, in order, by the kinds that it asks for.
pub(in crate::plan) trait OperandSource {
    type Error;
    fn value(&mut self) -> Result<Value, Self::Error>;
    fn constant(&mut self) -> Result<ConstantId, Self::Error>;
    fn terms(&mut self) -> Result<Vec<(Value, ConstantId)>, Self::Error>;
    fn index(&mut self) -> Result<u32, Self::Error>;
    fn limbs(&mut self) -> Result<LimbSet, Self::Error>;
    fn key(&mut self) -> Result<Key, Self::Error>;
}

/// New names for what instructions read.
pub(in crate::plan) trait Names {
    fn value(&mut self, value: Value) -> Value;
    fn constant(&mut self, constant: ConstantId) -> ConstantId;
}

/// Renames values only.
pub(super) struct NewValues<F>(pub(super) F);

/// Renames constants only.
pub(super) struct NewConstants<F>(pub(super) F);

impl<F: FnMut(Value) -> Value> Names for NewValues<F> {
    fn value(&mut self, value: Value) -> Value {
        (self.0)(value)
    }

    fn constant(&mut self, constant: ConstantId) -> ConstantId {
        constant
    }
}

impl<F: FnMut(ConstantId) -> ConstantId> Names for NewConstants<F> {
    fn value(&mut self, value: Value) -> Value {
        value
    }

    fn constant(&mut self, constant: ConstantId) -> ConstantId {
        (self.0)(constant)
    }
}

/// A field of a variant of [`Op`](super::Op).
pub(super) trait Field: Sized {
    fn operand(&self) -> Operand<'_>;
    fn take<S: OperandSource>(source: &mut S) -> Result<Self, S::Error>;
    fn renamed(&self, names: &mut impl Names) -> Self;
}

impl Field for Value {
    fn operand(&self) -> Operand<'_> {
        Operand::Value(*self)
    }

    fn take<S: OperandSource>(source: &mut S) -> Result<Value, S::Error> {
        source.value()
    }

    fn renamed(&self, names: &mut impl Names) -> Value {
        names.value(*self)
    }
}

impl Field for ConstantId {
    fn operand(&self) -> Operand<'_> {
        Operand::Constant(*self)
    }

    fn take<S: OperandSource>(source: &mut S) -> Result<ConstantId, S::Error> {
        source.constant()
    }

    fn renamed(&self, names: &mut impl Names) -> ConstantId {
        names.constant(*self)
    }
}

impl Field for Vec<(Value, ConstantId)> {
    fn operand(&self) -> Operand<'_> {
        Operand::Terms(self)
    }

    fn take<S: OperandSource>(source: &mut S) -> Result<Self, S::Error> {
        source.terms()
    }

    fn renamed(&self, names: &mut impl Names) -> Self {
        self.iter().map(|(v, c)| (names.value(*v), names.constant(*c))).collect()
    }
}

/// Fields that name neither values nor constants.
macro_rules! immediate {
    ($type:ty, $operand:ident, $take:ident) => {
        impl Field for $type {
            fn operand(&self) -> Operand<'_> {
                Operand::$operand(*self)
            }

            fn take<S: OperandSource>(source: &mut S) -> Result<$type, S::Error> {
                source.$take()
            }

            fn renamed(&self, _: &mut impl Names) -> $type {
                *self
            }
        }
    };
}
immediate!(u32, Index, index);
immediate!(LimbSet, Limbs, limbs);
immediate!(Key, Key, key);
