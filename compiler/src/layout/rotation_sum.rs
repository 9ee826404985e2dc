//! Emits sums of rotated ciphertexts times plaintexts, as a schedule says.

use std::collections::BTreeMap;

use hecc_grammar::plan::{ConstantId, Form, Key, Op, TypeError, Value};

use crate::emit::Emit;

use super::Schedule;

/// `Σ_d w_d ⊙ rot_d(x)` for one or more results, under construction.
pub struct RotationSum {
    schedule: Schedule,
    babies: BTreeMap<(Value, u32), Value>,
    /// By result and giant step.
    sums: BTreeMap<usize, BTreeMap<u32, Vec<(Value, ConstantId)>>>,
}

/// What a product is made with.
pub struct Factor {
    /// The operand, rotated by the baby step.
    pub operand: Value,
    /// By how much the product is rotated afterwards: its plaintext is to be shifted as far to the right.
    pub giant: u32,
}

impl RotationSum {
    /// No products yet.
    pub fn new(schedule: Schedule) -> RotationSum {
        RotationSum { schedule, babies: BTreeMap::new(), sums: BTreeMap::new() }
    }

    /// Splits a rotation of an operand with this period.
    pub fn factor(
        &mut self,
        emit: &mut Emit<'_>,
        operand: Value,
        (rotation, period): (u32, usize),
    ) -> Result<Factor, TypeError> {
        let (baby, giant) = self.schedule.split(rotation, period);
        Ok(Factor { operand: self.baby(emit, operand, baby)?, giant })
    }

    /// Adds a product to a result.
    pub fn add(&mut self, result: usize, factor: &Factor, plaintext: ConstantId) {
        let giants = self.sums.entry(result).or_default();
        giants.entry(factor.giant).or_default().push((factor.operand, plaintext));
    }

    /// An operand rotated by a baby step, in QP if the schedule says so; computed once.
    fn baby(&mut self, emit: &mut Emit<'_>, operand: Value, step: u32) -> Result<Value, TypeError> {
        if let Some(&known) = self.babies.get(&(operand, step)) {
            return Ok(known);
        }
        let value = match (step, self.schedule.extended) {
            (0, false) => operand,
            (0, true) => emit.op(Op::ModUp(operand))?,
            (_, true) => emit.apply(operand, Key::Rotate(step))?,
            (_, false) => emit.switch(operand, Key::Rotate(step))?,
        };
        self.babies.insert((operand, step), value);
        Ok(value)
    }

    /// One result, form Q, not rescaled; `None` if nothing was added to it.
    pub fn finish(
        &mut self,
        emit: &mut Emit<'_>,
        result: usize,
    ) -> Result<Option<Value>, TypeError> {
        let (mut in_q, mut in_qp) = (None, None);
        for (giant, products) in self.sums.remove(&result).unwrap_or_default() {
            let mut part = emit.op(Op::DotPlain(products))?;
            if giant != 0 {
                if emit.plan.ty(part).form == Form::QP {
                    part = emit.op(Op::ModDown(part))?;
                }
                part = emit.apply(part, Key::Rotate(giant))?;
            }
            let total = if emit.plan.ty(part).form == Form::QP { &mut in_qp } else { &mut in_q };
            *total = Some(match *total {
                Some(others) => emit.op(Op::Add(others, part))?,
                None => part,
            });
        }
        let from_qp = in_qp.map(|value| emit.op(Op::ModDown(value))).transpose()?;
        match (in_q, from_qp) {
            (Some(a), Some(b)) => emit.op(Op::Add(a, b)).map(Some),
            (one, None) | (None, one) => Ok(one),
        }
    }
}
