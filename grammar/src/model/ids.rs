//! Names of tensors and constants.

/// The result of one node. Prints as `t7`, in Rust and in model text alike.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tensor(pub u32);

/// A constant array of the model. Prints as `c3`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Const(pub u32);

impl Tensor {
    /// Position in [`crate::model::Model::nodes`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl Const {
    /// Position in [`crate::model::Model::constants`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

macro_rules! prints_as {
    ($type:ty, $letter:literal) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    };
}
prints_as!(Tensor, "t");
prints_as!(Const, "c");
