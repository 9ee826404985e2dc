//! What instructions do to messages.

use super::{ConstantId, Key, Op, Value};

/// What an instruction computes of the messages in its operands, whatever their ciphertexts are like: what evaluation in the
/// clear does, and what reports count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning<'a> {
    /// An input of the plan.
    Input(u32),
    /// Sum.
    Sum(Value, Value),
    /// Difference.
    Difference(Value, Value),
    /// Negation.
    Negation(Value),
    /// Product.
    Product(Value, Value),
    /// Sum with a plaintext.
    PlainSum(Value, ConstantId),
    /// Product with a plaintext.
    PlainProduct(Value, ConstantId),
    /// Sum of products with plaintexts.
    PlainProducts(&'a [(Value, ConstantId)]),
    /// Slots moved left, cyclically; in BFV within both rows.
    Rotation(Value, u32),
    /// Complex conjugates; in BFV the rows change places.
    Conjugation(Value),
    /// The message as it was.
    Same(Value),
}

/// What an instruction does with plaintexts: how they are encoded, and whether they are worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainUse {
    /// It has none.
    None,
    /// It adds them, at the scale of the sum.
    Summand,
    /// It multiplies by them.
    Factor,
}

impl Op {
    /// What it does with plaintexts.
    pub fn plain_use(&self) -> PlainUse {
        match self.meaning() {
            Meaning::PlainSum(..) => PlainUse::Summand,
            Meaning::PlainProduct(..) | Meaning::PlainProducts(_) => PlainUse::Factor,
            Meaning::Input(_)
            | Meaning::Sum(..)
            | Meaning::Difference(..)
            | Meaning::Negation(_)
            | Meaning::Product(..)
            | Meaning::Rotation(..)
            | Meaning::Conjugation(_)
            | Meaning::Same(_) => PlainUse::None,
        }
    }

    /// What it does to messages.
    pub fn meaning(&self) -> Meaning<'_> {
        match self {
            Op::Input(index) => Meaning::Input(*index),
            Op::Add(a, b) => Meaning::Sum(*a, *b),
            Op::Sub(a, b) => Meaning::Difference(*a, *b),
            Op::Neg(a) => Meaning::Negation(*a),
            Op::AddPlain(a, c) => Meaning::PlainSum(*a, *c),
            Op::MulPlain(a, c) => Meaning::PlainProduct(*a, *c),
            Op::DotPlain(terms) => Meaning::PlainProducts(terms),
            Op::Mul(a, b) | Op::MulBgv(a, b) => Meaning::Product(*a, *b),
            Op::ApplyKey(a, key) => match key {
                Key::Rotate(steps) => Meaning::Rotation(*a, *steps),
                Key::Conjugate => Meaning::Conjugation(*a),
                Key::Relinearize | Key::Encapsulate | Key::Decapsulate => Meaning::Same(*a),
            },
            Op::Rescale(a)
            | Op::ModSwitch(a, _)
            | Op::Drop(a, _)
            | Op::Decompose(a)
            | Op::ModUp(a)
            | Op::ModDown(a)
            | Op::ModRaise(a, _) => Meaning::Same(*a),
        }
    }
}
