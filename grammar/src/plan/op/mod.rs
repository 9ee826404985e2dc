//! The instruction set: a table, and what instructions have in common.
//!
//! Names, files, text and what reads or replaces operands follow from the table. What an instruction means is said where it
//! matters: its type ([`Op::infer`]), its effect on messages ([`Op::meaning`]) and on their factors, cost, noise, and how it is
//! computed on ciphertexts. Those matches have an arm for every instruction.

mod define;
mod ids;
mod key;
mod meaning;
mod operand;
mod types;
mod typing;

pub use ids::{ConstantId, Value};
pub use key::Key;
pub use meaning::{Meaning, PlainUse};
pub(super) use operand::{Operand, OperandSource};
pub use types::{Form, Type, TypeError};

use super::{LimbSet, Scheme};
use define::instructions;
use operand::{Field, Names};

// Of numbers in files: 8 to 10 were key switches in one instruction. None is used twice.
instructions! {
    /// Ciphertext `.0` of the plan's inputs, at the inputs' level and the top scale.
    0 "input" Input(index: u32);
    /// Sum; equal types.
    1 "add" Add(a: Value, b: Value);
    /// Difference; equal types.
    2 "sub" Sub(a: Value, b: Value);
    /// Negation.
    3 "neg" Neg(a: Value);
    /// Adds a plaintext of the same scale. Form Q.
    4 "add_plain" AddPlain(a: Value, c: ConstantId);
    /// Multiplies by a plaintext; scales add up. Form Q or QP.
    5 "mul_plain" MulPlain(a: Value, c: ConstantId);
    /// `Σ ciphertext · plaintext`; the products have equal types. Form Q or QP.
    6 "dot_plain" DotPlain(terms: Vec<(Value, ConstantId)>);
    /// Product of two ciphertexts of form Q, degree 1 and equal limbs; scales and degrees add up. In BFV scale-invariant.
    7 "mul" Mul(a: Value, b: Value);
    /// BGV's product of two ciphertexts of form Q, degree 1 and equal limbs of product Q. It needs no auxiliary primes, but
    /// noise is multiplied by noise, and the message by −Q (see [`Plan::correction_factors`](super::Plan::correction_factors)).
    19 "mul_bgv" MulBgv(a: Value, b: Value) in Bfv;
    /// Divides by the largest prime of the limb set and drops it, on QP by P as well: one division, rounded once. Form Q or QP to
    /// Q.
    11 "rescale" Rescale(a: Value) in Ckks;
    /// Divides by the primes that are not in `.1` and drops them, on QP by P as well. The message stays. Form Q or QP to Q.
    18 "mod_switch" ModSwitch(a: Value, limbs: LimbSet) in Bfv;
    /// Drops the primes that are not in `.1`, without dividing. Form Q.
    12 "drop" Drop(a: Value, limbs: LimbSet) in Ckks;
    /// Gadget digits of the last polynomial. Form Q to Digits.
    13 "decompose" Decompose(a: Value);
    /// Key switch of a decomposed ciphertext, without the final division: form Digits to QP, degree 1.
    14 "apply_key" ApplyKey(a: Value, key: Key);
    /// Multiplies by P and extends to the special primes, exactly: form Q to QP.
    15 "mod_up" ModUp(a: Value);
    /// Divides by P and drops the special primes: form QP to Q.
    16 "mod_down" ModDown(a: Value);
    /// Reads the residues (one limb) as integers of a larger limb set, the first step of bootstrapping.
    17 "mod_raise" ModRaise(a: Value, limbs: LimbSet) in Ckks;
}

impl Op {
    /// The values read, in order.
    pub fn operands(&self) -> Vec<Value> {
        let mut values = vec![];
        self.each_operand(|operand| match operand {
            Operand::Value(value) => values.push(value),
            Operand::Terms(terms) => values.extend(terms.iter().map(|(value, _)| value)),
            Operand::Constant(_) | Operand::Index(_) | Operand::Limbs(_) | Operand::Key(_) => {}
        });
        values
    }

    /// The constants read, in order.
    pub fn constants(&self) -> Vec<ConstantId> {
        let mut constants = vec![];
        self.each_operand(|operand| match operand {
            Operand::Constant(constant) => constants.push(constant),
            Operand::Terms(terms) => constants.extend(terms.iter().map(|(_, constant)| constant)),
            Operand::Value(_) | Operand::Index(_) | Operand::Limbs(_) | Operand::Key(_) => {}
        });
        constants
    }

    /// The evaluation key that it takes.
    pub fn key(&self) -> Option<Key> {
        let mut found = None;
        self.each_operand(|operand| match operand {
            Operand::Key(key) => found = Some(key),
            Operand::Value(_)
            | Operand::Constant(_)
            | Operand::Terms(_)
            | Operand::Index(_)
            | Operand::Limbs(_) => {}
        });
        found
    }

    /// The same instruction with every value replaced.
    pub fn map_operands(&self, f: impl FnMut(Value) -> Value) -> Op {
        self.map(&mut operand::NewValues(f))
    }

    /// The same instruction with every constant replaced.
    pub fn map_constants(&self, f: impl FnMut(ConstantId) -> ConstantId) -> Op {
        self.map(&mut operand::NewConstants(f))
    }
}
