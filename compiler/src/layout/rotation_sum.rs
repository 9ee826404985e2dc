//! Emits sums of rotated ciphertexts times plaintexts, as a schedule says.

use std::collections::BTreeMap;

use hecc_grammar::plan::{ConstantId, Key, Op, TypeError, Value};

use crate::emit::Emit;

use super::{Schedule, Shift, SlotSpace};

/// `Σ_d w_d ⊙ rot_d(x)` for one or more results, under construction.
pub struct RotationSum {
    schedule: Schedule,
    space: SlotSpace,
    babies: BTreeMap<(Value, u32), Value>,
    /// By result and giant step.
    sums: BTreeMap<usize, BTreeMap<Shift, Vec<(Value, ConstantId)>>>,
}

/// What a product is made with.
pub struct Factor {
    /// The operand, rotated by the baby step.
    pub operand: Value,
    /// How the product is moved afterwards: its plaintext is to be where that comes from.
    pub giant: Shift,
}

impl RotationSum {
    /// No products yet.
    pub fn new(schedule: Schedule, space: SlotSpace) -> RotationSum {
        RotationSum { schedule, space, babies: BTreeMap::new(), sums: BTreeMap::new() }
    }

    /// Splits a shift of an operand with this period.
    ///
    /// # Errors
    /// If a rotation has no type.
    pub fn factor(
        &mut self,
        emit: &mut Emit<'_>,
        operand: Value,
        shift: Shift,
        period: usize,
    ) -> Result<Factor, TypeError> {
        let (baby, giant) = self.schedule.split(shift, period);
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
            (_, true) => emit.apply(operand, self.space.rotation(step))?,
            (_, false) => emit.switch(operand, self.space.rotation(step))?,
        };
        self.babies.insert((operand, step), value);
        Ok(value)
    }

    /// One result, form Q, not rescaled; `None` if nothing was added to it.
    ///
    /// Where sums stay in QP giant steps are chained: the sum for the largest one moves by its distance to the one below,
    /// joins that one's sum, and so on. It takes the operations of separate steps, and one key where they are equidistant.
    ///
    /// # Errors
    /// If the sums of giant steps are not of one type.
    pub fn finish(
        &mut self,
        emit: &mut Emit<'_>,
        result: usize,
    ) -> Result<Option<Value>, TypeError> {
        let sums = self.sums.remove(&result).unwrap_or_default();
        let mut total = None;
        for swap in [true, false] {
            let of_rows = sums.iter().filter(|(giant, _)| giant.swap == swap);
            let sums = of_rows.map(|(giant, products)| (giant.steps, products.clone())).collect();
            let sum = match self.schedule.extended {
                true => chained(emit, sums, self.space)?,
                false => separate(emit, sums, self.space)?,
            };
            // What changes rows comes first.
            total = match (total, sum) {
                (None, Some(sum)) if swap => Some(emit.switch(sum, Key::Conjugate)?),
                (Some(total), Some(sum)) => Some(emit.op(Op::Add(total, sum))?),
                (one, None) | (None, one) => one,
            };
        }
        Ok(total)
    }
}

/// Products by the giant step of their rows.
type Sums = BTreeMap<u32, Vec<(Value, ConstantId)>>;

fn chained(emit: &mut Emit<'_>, sums: Sums, space: SlotSpace) -> Result<Option<Value>, TypeError> {
    let mut total: Option<(u32, Value)> = None;
    for (giant, products) in sums.into_iter().rev() {
        let move_on = |(above, sum)| move_in_qp(emit, sum, space.rotation(above - giant));
        let moved = total.map(move_on).transpose()?;
        let part = emit.op(Op::DotPlain(products))?;
        let sum = match moved {
            Some(moved) => emit.op(Op::Add(part, moved))?,
            None => part,
        };
        total = Some((giant, sum));
    }
    let Some((last, sum)) = total else { return Ok(None) };
    let sum = if last == 0 { sum } else { move_in_qp(emit, sum, space.rotation(last))? };
    emit.op(Op::ModDown(sum)).map(Some)
}

fn move_in_qp(emit: &mut Emit<'_>, value: Value, key: Key) -> Result<Value, TypeError> {
    let value = emit.op(Op::ModDown(value))?;
    emit.apply(value, key)
}

fn separate(emit: &mut Emit<'_>, sums: Sums, space: SlotSpace) -> Result<Option<Value>, TypeError> {
    let (mut in_place, mut moved) = (None, None);
    for (giant, products) in sums {
        let mut part = emit.op(Op::DotPlain(products))?;
        let total = if giant == 0 { &mut in_place } else { &mut moved };
        if giant != 0 {
            part = emit.apply(part, space.rotation(giant))?;
        }
        *total = Some(match *total {
            Some(others) => emit.op(Op::Add(others, part))?,
            None => part,
        });
    }
    let moved = moved.map(|value| emit.op(Op::ModDown(value))).transpose()?;
    match (in_place, moved) {
        (Some(a), Some(b)) => emit.op(Op::Add(a, b)).map(Some),
        (one, None) | (None, one) => Ok(one),
    }
}
