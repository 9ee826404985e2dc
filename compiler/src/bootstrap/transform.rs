//! One stage of SlotsToCoeffs or CoeffsToSlots: the butterflies of a few bits as one linear map.

use hecc_grammar::cost::{Costs, Shape};
use hecc_grammar::plan::{EmbeddingDiagonal, Op, TypeError, Value, View};

use crate::emit::Emit;
use crate::layout::{RotationSum, ScheduleTerm, Shift, Shifts, SlotSpace, Splits};

/// See [`EmbeddingDiagonal`].
pub(super) struct Transform {
    /// log2 of the period of the slots' content.
    pub(super) log_slots: u32,
    /// Slots to coefficients or back.
    pub(super) inverse: bool,
    /// The bits that it mixes.
    pub(super) bits: (u32, u32),
    /// Multiplies the result.
    pub(super) factor: f64,
}

impl Transform {
    /// Applies it and rescales; the result has scale `scale`.
    pub(super) fn emit(
        &self,
        emit: &mut Emit<'_>,
        value: Value,
        scale: f64,
        costs: &Costs,
    ) -> Result<Value, TypeError> {
        let Transform { log_slots, inverse, bits, factor } = *self;
        let (rotations, period) = (EmbeddingDiagonal::rotations(log_slots, bits), 1 << log_slots);
        let shifts = rotations.iter().copied().map(Shift::rotation).collect();
        let shifts = Shifts::from([((0, 0), shifts)]);
        let splits = Splits::new(&[ScheduleTerm { operand: 0, shifts: &shifts, period }], 0);
        let limbs = emit.plan.ty(value).limbs;
        let shape = Shape::new(&emit.plan.params, limbs.len());
        let mut sum = RotationSum::new(splits.cheapest(shape, costs, None), SlotSpace::one_row(0));
        let last = limbs.last().expect("limb sets are not empty");
        let scale = scale + emit.plan.params.log_q(last) - emit.scale(value);
        for rotation in rotations {
            let part = sum.factor(emit, value, Shift::rotation(rotation), period)?;
            let shift = part.giant.steps;
            let diagonal = EmbeddingDiagonal { log_slots, inverse, bits, rotation, shift, factor };
            let constant = emit.constant(View::Embedding(diagonal), scale);
            sum.add(0, &part, constant);
        }
        let total = sum.finish(emit, 0)?.expect("a transform has diagonals");
        emit.op(Op::Rescale(total))
    }
}
