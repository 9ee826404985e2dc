//! Bootstrapping as ordinary instructions: linear maps and polynomials, from the generators that layers use.
//!
//! For real slots, SlotsToCoeffs comes first, where moduli are small: the numbers become the coefficients of a polynomial
//! modulo q_0. Reading these residues as integers (ModRaise) adds multiples of q_0, few of them because the ciphertext is
//! under a sparse secret for the moment (Bossuat, Troncoso-Pastoriza, Hubaux, ACNS 2022, eprint 2022/024). CoeffsToSlots
//! brings the coefficients back to slots, where the conjugate cancels the imaginary half, and a sine takes the multiples
//! away (Cheon, Han, Kim, Kim, Song, EUROCRYPT 2018; Han, Ki, CT-RSA 2020).

mod cosine;
mod failure;
mod params;
mod probe;
mod search;
mod sine;
mod transform;

use hecc_grammar::cost::Costs;
use hecc_grammar::plan::{Key, LimbSet, Op, Params, TypeError, Value, View};

pub use params::{BootstrapParams, Chain, Recovered};
pub use probe::probe;
pub use search::{Considered, Wish, bits_of, efficient, fastest, search};

use crate::emit::Emit;
use crate::poly::Target;
use transform::Transform;

/// What a bootstrap is emitted with.
pub struct Bootstrap<'a> {
    /// Primes and scales.
    pub chain: &'a Chain,
    /// For the schedules of the linear maps.
    pub costs: &'a Costs,
    /// log2 of the period of the slots' content.
    pub log_slots: u32,
    /// The level that results are wanted at.
    pub level: usize,
}

impl Bootstrap<'_> {
    /// Bootstraps one or two values: real slots within [−1, 1] at level 0 or above, with period `2^log_slots`. The results
    /// are at `level`.
    ///
    /// Two values share everything up to the sine, as real and imaginary parts.
    ///
    /// # Errors
    /// If an instruction has no type: values or primes are not those of the parameters.
    pub fn emit(&self, emit: &mut Emit<'_>, values: &[Value]) -> Result<Vec<Value>, TypeError> {
        let merged = self.merge(emit, values)?;
        let small = self.slots_to_coeffs(emit, merged)?;
        let raised = self.raise(emit, small)?;
        let slots = self.coeffs_to_slots(emit, raised)?;
        let conjugate = emit.switch(slots, Key::Conjugate)?;
        let mut parts = vec![emit.op(Op::Add(slots, conjugate))?];
        if values.len() == 2 {
            let imaginary = emit.op(Op::Sub(slots, conjugate))?;
            parts.push(times_unit(emit, imaginary, -1.0)?);
        }
        let ladder = &self.chain.ladder;
        let level = ladder.limbs(self.level).len() - 1;
        let target = Target { level, scale: ladder.scale(self.level) };
        let emit_sine = |part| self.chain.sine.emit(emit, part, self.chain.ratio(), target);
        parts.into_iter().map(emit_sine).collect()
    }

    /// `a + i·b` on the lowest level.
    fn merge(&self, emit: &mut Emit<'_>, values: &[Value]) -> Result<Value, TypeError> {
        let limbs = self.chain.ladder.limbs(0);
        let first = emit.on(values[0], limbs)?;
        match values.get(1) {
            None => Ok(first),
            Some(&second) => {
                let second = emit.on(second, limbs)?;
                let second = times_unit(emit, second, 1.0)?;
                emit.op(Op::Add(first, second))
            }
        }
    }

    /// Slots to the coefficients of a polynomial modulo q_0, in bit-reversed order.
    fn slots_to_coeffs(&self, emit: &mut Emit<'_>, value: Value) -> Result<Value, TypeError> {
        let groups = groups(self.log_slots, self.chain.parameters.slots_to_coeffs);
        let mut value = skip(emit, value, self.chain.parameters.slots_to_coeffs - groups.len())?;
        let mut factor = self.chain.to_period();
        for bits in groups {
            let transform = Transform { log_slots: self.log_slots, inverse: false, bits, factor };
            factor = 1.0;
            let scale = self.chain.ladder.scale(0);
            value = transform.emit(emit, value, scale, self.costs)?;
        }
        Ok(value)
    }

    /// From q_0 to all primes of the results' level, the sine and CoeffsToSlots.
    fn raise(&self, emit: &mut Emit<'_>, value: Value) -> Result<Value, TypeError> {
        let sparse = emit.switch(value, Key::Encapsulate)?;
        let params: &Params = &emit.plan.params;
        let above = LimbSet::range(params.input_level + 1, params.q.len());
        let limbs = self.chain.ladder.limbs(self.level).union(above);
        let raised = emit.op(Op::ModRaise(sparse, limbs))?;
        emit.switch(raised, Key::Decapsulate)
    }

    /// Coefficients to slots, divided by what keeps them within [−1, 1]; what conjugation will double is halved. Multiples of
    /// q_0 outside the subring of periodic slots vanish in the trace.
    fn coeffs_to_slots(&self, emit: &mut Emit<'_>, value: Value) -> Result<Value, TypeError> {
        let (mut value, mut factor) = (value, 0.5 / self.chain.argument_range());
        let n_slots = emit.plan.params.n_slots() as u32;
        let mut step = 1u32 << self.log_slots;
        while step < n_slots {
            let rotated = emit.switch(value, Key::Rotate(step))?;
            value = emit.op(Op::Add(value, rotated))?;
            factor /= 2.0;
            step *= 2;
        }
        let groups = groups(self.log_slots, self.chain.parameters.coeffs_to_slots);
        let count = groups.len();
        value = skip(emit, value, self.chain.parameters.coeffs_to_slots - count)?;
        factor /= f64::from(1u32 << self.log_slots);
        let (first, last) = (emit.scale(value), self.chain.sine_scale());
        for (i, bits) in groups.into_iter().rev().enumerate() {
            let transform = Transform {
                log_slots: self.log_slots,
                inverse: true,
                bits,
                factor: factor.powf(1.0 / count as f64),
            };
            let scale = first + (last - first) * (i + 1) as f64 / count as f64;
            let scale = hecc_grammar::plan::round_scale(scale);
            value = transform.emit(emit, value, scale, self.costs)?;
        }
        Ok(value)
    }
}

/// Drops the largest primes of a value: those of stages that there are no bits for.
fn skip(emit: &mut Emit<'_>, value: Value, count: usize) -> Result<Value, TypeError> {
    let limbs = emit.plan.ty(value).limbs;
    emit.on(value, limbs.lowest(limbs.len() - count))
}

/// The bits of the index of slots in at most this many groups, low ones first; the last groups are the larger ones, since
/// bits at the top take half as many diagonals.
fn groups(log_slots: u32, count: usize) -> Vec<(u32, u32)> {
    let bound = |i: usize| log_slots * i as u32 / count as u32;
    (0..count).map(|i| (bound(i), bound(i + 1))).filter(|(low, high)| low < high).collect()
}

/// `sign·i·value`, exactly.
fn times_unit(emit: &mut Emit<'_>, value: Value, sign: f64) -> Result<Value, TypeError> {
    let unit = emit.constant(View::Imaginary(sign), 0.0);
    emit.op(Op::MulPlain(value, unit))
}
