//! One instruction from its name and operands.

use super::read_limbs;
use crate::plan::{ConstantId, Key, LimbSet, Op, Value};
use crate::text::{Inner, LineError, Piece, Rule, error, index, parse};

/// Reads an instruction.
pub(super) fn read(operation: Piece<'_>) -> Result<Op, LineError> {
    let mut inner = Inner::of(operation);
    let name = inner.next();
    let list = inner.take_all(Rule::operand).map(|operand| Inner::of(operand).next()).collect();
    let mut of = Operands { name: name.clone(), list, taken: 0 };
    let op = match name.as_str() {
        "input" => Op::Input(of.integer()?),
        "add" => Op::Add(of.value()?, of.value()?),
        "sub" => Op::Sub(of.value()?, of.value()?),
        "neg" => Op::Neg(of.value()?),
        "add_plain" => Op::AddPlain(of.value()?, of.constant()?),
        "mul_plain" => Op::MulPlain(of.value()?, of.constant()?),
        "dot_plain" => Op::DotPlain(of.terms()?),
        "mul" => Op::Mul(of.value()?, of.value()?),
        "mul_bgv" => Op::MulBgv(of.value()?, of.value()?),
        "relinearize" => Op::Relinearize(of.value()?),
        "rotate" => Op::Rotate(of.value()?, of.integer()?),
        "conjugate" => Op::Conjugate(of.value()?),
        "rescale" => Op::Rescale(of.value()?),
        "mod_switch" => Op::ModSwitch(of.value()?, of.limbs()?),
        "drop" => Op::Drop(of.value()?, of.limbs()?),
        "decompose" => Op::Decompose(of.value()?),
        "apply_key" => Op::ApplyKey(of.value()?, of.key()?),
        "mod_up" => Op::ModUp(of.value()?),
        "mod_down" => Op::ModDown(of.value()?),
        "mod_raise" => Op::ModRaise(of.value()?, of.limbs()?),
        other => return Err(error(&name, format!("`{other}`, expected an instruction"))),
    };
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

    fn integer(&mut self) -> Result<u32, LineError> {
        parse(&self.next(Rule::integer, "a whole number")?)
    }

    fn limbs(&mut self) -> Result<LimbSet, LineError> {
        read_limbs(&self.next(Rule::limbs, "message primes such as q0..2")?)
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
