//! What instructions call ciphertexts and plaintexts.

use std::fmt;

/// The result of one instruction. Prints as `v7`, in Rust and in plan text alike.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(pub u32);

/// A plaintext of the plan. Prints as `c3`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConstantId(pub u32);

impl Value {
    /// Position in [`Plan::ops`](crate::plan::Plan::ops).
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl ConstantId {
    /// Position in [`Plan::constants`](crate::plan::Plan::constants).
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

macro_rules! prints_as {
    ($type:ty, $letter:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}
prints_as!(Value, "v");
prints_as!(ConstantId, "c");
