//! Instructions as bytes: each takes as many, and the terms of sums follow behind all of them.

use super::wire::{Malformed, Reader, Writer, list};
use super::{Invalid, key};
use crate::plan::op::{Operand, OperandSource};
use crate::plan::{ConstantId, Key, LimbSet, Op, Opcode, Plan, PlanError, Value};

/// Bytes of one instruction: its number, two numbers, a long number. They are not packed, so that a file of nothing else takes
/// no more than twice its size when it is read.
const OP_BYTES: usize = 24;

/// Added to the number of an instruction that is computed in one pass with the one before it.
const JOINED: u64 = 1 << 32;

pub(super) fn write(w: &mut Writer, plan: &Plan) {
    w.varint(plan.ops.len() as u64);
    for (op, &is_joined) in plan.ops.iter().zip(&plan.joined) {
        let Fields { short, long } = Fields::of(op);
        w.u64(op.opcode().number() | if is_joined { JOINED } else { 0 });
        short.into_iter().for_each(|x| w.u32(x));
        w.u64(long);
    }
    for op in &plan.ops {
        op.each_operand(|operand| match operand {
            Operand::Terms(terms) => terms.iter().for_each(|(value, constant)| {
                w.u32(value.0);
                w.u32(constant.0);
            }),
            Operand::Value(_)
            | Operand::Constant(_)
            | Operand::Index(_)
            | Operand::Limbs(_)
            | Operand::Key(_) => {}
        });
    }
}

/// Reads and types the instructions. The caller knows their layers.
pub(super) fn read(r: &mut Reader<'_>, plan: &mut Plan) -> Result<(), Invalid> {
    let count = r.count(OP_BYTES)?;
    let mut ops = Reader::new(r.bytes((count * OP_BYTES) as u64)?);
    plan.ops.reserve_exact(count);
    plan.types.reserve_exact(count);
    plan.joined.reserve_exact(count);
    for i in 0..count {
        let (value, number) = (Value(i as u32), ops.u64()?);
        let op = read_op(number & !JOINED, &mut ops, r)?;
        let ty = op.infer(plan).map_err(|error| PlanError::Type { value, error })?;
        plan.ops.push(op);
        plan.types.push(ty);
        plan.joined.push(number & JOINED != 0);
    }
    Ok(())
}

/// Reads the operands of an instruction; the terms of a sum of products from `terms`.
fn read_op(number: u64, r: &mut Reader<'_>, terms: &mut Reader<'_>) -> Result<Op, Malformed> {
    let fields = Fields { short: [r.u32()?, r.u32()?], long: r.u64()? };
    let mut source = Source { fields, n_short: 0, is_long_taken: false, terms };
    let op = match Opcode::numbered(number) {
        Some(opcode) => opcode.read(&mut source)?,
        None => return r.fail(format!("instruction {number} is not known")),
    };
    match source.is_used_up() {
        true => Ok(op),
        false => r.fail(format!("`{op}` with more operands than it takes")),
    }
}

/// The numbers that operands are written as; 0 where there is no operand.
#[derive(Clone, Copy, Default)]
struct Fields {
    /// Values, constants and the like, in turn.
    short: [u32; 2],
    /// A limb set, or which key it is.
    long: u64,
}

impl Fields {
    fn of(op: &Op) -> Fields {
        let mut fields = Fields::default();
        let mut n_short = 0;
        let mut short = |x: u32| {
            fields.short[n_short] = x;
            n_short += 1;
        };
        op.each_operand(|operand| match operand {
            Operand::Value(Value(x)) | Operand::Constant(ConstantId(x)) | Operand::Index(x) => {
                short(x);
            }
            Operand::Terms(terms) => short(terms.len() as u32),
            Operand::Limbs(limbs) => fields.long = limbs.0,
            Operand::Key(key) => {
                let (which, steps) = key::code(key);
                fields.long = which;
                short(steps);
            }
        });
        fields
    }
}

/// Gives operands in turn.
struct Source<'a, 'b> {
    fields: Fields,
    n_short: usize,
    is_long_taken: bool,
    terms: &'a mut Reader<'b>,
}

impl Source<'_, '_> {
    fn short(&mut self) -> u32 {
        self.n_short += 1;
        self.fields.short[self.n_short - 1]
    }

    fn long(&mut self) -> u64 {
        self.is_long_taken = true;
        self.fields.long
    }

    /// Whether all that was not taken is 0: everything has one encoding.
    fn is_used_up(&self) -> bool {
        let short = self.fields.short[self.n_short..].iter().all(|&x| x == 0);
        short && (self.is_long_taken || self.fields.long == 0)
    }
}

impl OperandSource for Source<'_, '_> {
    type Error = Malformed;

    fn value(&mut self) -> Result<Value, Malformed> {
        Ok(Value(self.short()))
    }

    fn constant(&mut self) -> Result<ConstantId, Malformed> {
        Ok(ConstantId(self.short()))
    }

    fn terms(&mut self) -> Result<Vec<(Value, ConstantId)>, Malformed> {
        let count = self.short();
        let mut terms = Reader::new(self.terms.bytes(u64::from(count) * 8)?);
        list(count as usize, || Ok((Value(terms.u32()?), ConstantId(terms.u32()?))))
    }

    fn index(&mut self) -> Result<u32, Malformed> {
        Ok(self.short())
    }

    fn limbs(&mut self) -> Result<LimbSet, Malformed> {
        Ok(LimbSet(self.long()))
    }

    fn key(&mut self) -> Result<Key, Malformed> {
        let (which, steps) = (self.long(), self.short());
        let no_key = || self.terms.fail(format!("evaluation key ({which}, {steps})"));
        key::of_code(which, steps).map_or_else(no_key, Ok)
    }
}
