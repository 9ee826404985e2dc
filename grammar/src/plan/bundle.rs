//! Bundles: instructions next to each other that are computed in one pass over what they read.
//!
//! Rotations by baby steps multiply the same digits by one key after the other, and sums before giant steps are of the same
//! rotated ciphertexts: megabytes that no cache holds from one instruction to the next. In a batch every element has a ciphertext
//! of its own, and sums read hundreds of them, each for a single product with a number.

use std::ops::Range;

use super::{Op, Plan, Value, View};

/// A bundle holds no more instructions: all that they read and compute is held until the last is done.
pub const MOST_TOGETHER: usize = 128;

/// What the instructions of a bundle have in common, besides their type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Together {
    /// They are products of the same digits with keys.
    KeyProducts(Value),
    /// They are sums of products with plaintexts.
    Sums,
    /// They are sums of products with numbers.
    SumsOfMultiples,
}

impl Plan {
    /// The bundles in order, as ranges of instructions; those that are computed by themselves are bundles of one.
    pub fn bundles(&self) -> Vec<Range<usize>> {
        let mut bundles: Vec<Range<usize>> = vec![];
        for (i, &is_joined) in self.joined.iter().enumerate() {
            match bundles.last_mut() {
                Some(bundle) if is_joined => bundle.end = i + 1,
                Some(_) | None => bundles.push(i..i + 1),
            }
        }
        bundles
    }

    /// Whether an instruction shares its pass with others.
    pub fn is_bundled(&self, value: Value) -> bool {
        self.joined[value.index()] || self.joined.get(value.index() + 1) == Some(&true)
    }

    /// What an instruction must have in common with those of its bundle, if it can be in one.
    pub fn together(&self, value: Value) -> Option<Together> {
        let is_number = |c: usize| matches!(self.constants[c].view, View::Splat(_));
        match &self.ops[value.index()] {
            Op::ApplyKey(digits, _) => Some(Together::KeyProducts(*digits)),
            Op::DotPlain(terms) if terms.iter().all(|(_, c)| is_number(c.index())) => {
                Some(Together::SumsOfMultiples)
            }
            Op::DotPlain(_) => Some(Together::Sums),
            Op::Input(_)
            | Op::Add(..)
            | Op::Sub(..)
            | Op::Neg(_)
            | Op::AddPlain(..)
            | Op::MulPlain(..)
            | Op::Mul(..)
            | Op::MulBgv(..)
            | Op::Rescale(_)
            | Op::ModSwitch(..)
            | Op::Drop(..)
            | Op::Decompose(_)
            | Op::ModUp(_)
            | Op::ModDown(_)
            | Op::ModRaise(..) => None,
        }
    }

    /// Why an instruction cannot be computed in one pass with those from `first` to the one before it, if it cannot.
    pub fn keeps_apart(&self, first: Value, value: Value) -> Option<&'static str> {
        if value.index() - first.index() >= MOST_TOGETHER {
            return Some("there are too many in that pass");
        }
        if self.together(value).is_none() || self.together(value) != self.together(first) {
            return Some("does something else");
        }
        if self.ty(value) != self.ty(first) {
            return Some("is of another type");
        }
        let needs = |operand: &Value| *operand >= first;
        let operands = self.ops[value.index()].operands();
        operands.iter().any(needs).then_some("needs what that pass computes")
    }
}
