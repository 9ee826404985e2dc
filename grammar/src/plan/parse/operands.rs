//! One instruction from its name and operands.

use super::read_limbs;
use crate::plan::op::OperandSource;
use crate::plan::{ConstantId, Key, LimbSet, Op, Opcode, Value};
use crate::text::{Inner, LineError, Piece, Rule, error, index, parse};

/// Reads an instruction.
pub(super) fn read(operation: Piece<'_>) -> Result<Op, LineError> {
    let mut inner = Inner::of(operation);
    let name = inner.next();
    let list = inner.take_all(Rule::operand).map(|operand| Inner::of(operand).next()).collect();
    let mut of = Operands { name: name.clone(), list, taken: 0 };
    let Some(opcode) = Opcode::named(name.as_str()) else {
        let names: Vec<&str> = Opcode::ALL.iter().map(|opcode| opcode.mnemonic()).collect();
        let what = format!("`{}`, expected an instruction: {}", name.as_str(), names.join(", "));
        return Err(error(&name, what));
    };
    let op = opcode.read(&mut of)?;
    of.finish()?;
    Ok(op)
}

/// Operands, taken in order.
struct Operands<'a> {
    name: Piece<'a>,
    list: Vec<Piece<'a>>,
    taken: usize,
}

impl<'a> Operands<'a> {
    fn next(&mut self, rule: Rule, what: &str) -> Result<Piece<'a>, LineError> {
        let piece = self.list.get(self.taken);
        self.taken += 1;
        match piece {
            Some(piece) if piece.as_rule() == rule => Ok(piece.clone()),
            Some(piece) => Err(error(piece, format!("expected {what}"))),
            None => {
                let name = self.name.as_str();
                Err(error(
                    &self.name,
                    format!("expected {what} as operand {} of {name}", self.taken),
                ))
            }
        }
    }

    fn finish(self) -> Result<(), LineError> {
        match self.list.get(self.taken) {
            None => Ok(()),
            Some(piece) => Err(error(piece, format!("expected {} operands", self.taken))),
        }
    }
}

impl OperandSource for Operands<'_> {
    type Error = LineError;

    fn value(&mut self) -> Result<Value, LineError> {
        let piece = self.next(Rule::term, "a value")?;
        let mut inner = Inner::of(piece);
        let value = inner.next();
        match inner.take(Rule::constant) {
            None => index(&value).map(Value),
            Some(constant) => Err(error(&constant, "expected a value without a factor")),
        }
    }

    fn constant(&mut self) -> Result<ConstantId, LineError> {
        index(&self.next(Rule::constant, "a constant")?).map(ConstantId)
    }

    fn index(&mut self) -> Result<u32, LineError> {
        parse(&self.next(Rule::integer, "a whole number")?)
    }

    fn limbs(&mut self) -> Result<LimbSet, LineError> {
        read_limbs(&self.next(Rule::limbs, "ciphertext-modulus primes such as q0..2")?)
    }

    fn key(&mut self) -> Result<Key, LineError> {
        let piece = self.next(Rule::key, "a key")?;
        let mut inner = Inner::of(piece.clone());
        let (name, steps) = (inner.next(), inner.take(Rule::integer));
        match (name.as_str(), steps) {
            ("relinearize", None) => Ok(Key::Relinearize),
            ("conjugate", None) => Ok(Key::Conjugate),
            ("encapsulate", None) => Ok(Key::Encapsulate),
            ("decapsulate", None) => Ok(Key::Decapsulate),
            ("rotate", Some(steps)) => parse(&steps).map(Key::Rotate),
            _ => Err(error(
                &piece,
                "expected a key: relinearize, conjugate, rotate STEPS, encapsulate or decapsulate",
            )),
        }
    }

    /// All operands, as products of a value and a constant.
    fn terms(&mut self) -> Result<Vec<(Value, ConstantId)>, LineError> {
        let mut terms = Vec::with_capacity(self.list.len());
        while self.taken < self.list.len() {
            let mut inner = Inner::of(self.next(Rule::term, "a product such as v1 * c2")?);
            let value = inner.next();
            let constant = inner.take(Rule::constant);
            let constant =
                constant.ok_or_else(|| error(&value, "expected a product such as v1 * c2"))?;
            terms.push((Value(index(&value)?), ConstantId(index(&constant)?)));
        }
        Ok(terms)
    }
}
