//! Steps of plans of approximate numbers.

use hecc_grammar::noise::analyze;
use hecc_grammar::plan::{Key, Op, Value, View};
use hecc_runtime::client::decrypt_slots;
use hecc_runtime::eval::{Noise, run_clear};

use super::{Adversary, Held};
use crate::common::{difference, largest, run, setup};

/// Bits of numbers that a ciphertext of approximate ones holds besides its scale.
const ROOM: f64 = 8.0;

/// Scales are kept above this.
const LEAST_SCALE: f64 = 24.0;

impl Adversary {
    /// A step, unless the numbers would pass the modulus.
    fn approximate_step(&mut self) {
        let held = self.held();
        let params = &self.build.plan.params;
        let ty = self.build.plan.ty(held.value);
        let last = params.log_q(ty.limbs.last().expect("values have limbs"));
        let is_deep = ty.limbs.len() > 2;
        let before = self.build.plan.clone();
        let (value, bits) = match self.below(12) {
            0 => {
                let (value, more) = self.trace(held.value);
                (value, held.bits + more)
            }
            1 => {
                let (value, more) = self.shifted(held.value);
                (value, held.bits.max(0.0) + more)
            }
            2 if is_deep => {
                let (value, more) = self.moved_products(held.value, last);
                (self.op(Op::Rescale(value)), held.bits + more)
            }
            3 if is_deep && 2.0 * ty.scale > last + LEAST_SCALE => {
                let relative = self.relative(held.value);
                let product = self.op(Op::Mul(held.value, relative));
                let product = self.build.switch(product, Key::Relinearize);
                (self.op(Op::Rescale(product)), 2.0 * held.bits.max(0.0) + 1.0)
            }
            4 if is_deep => {
                // The same rounding, of a value and its negative.
                let half = self.build.splat(0.5, last);
                let product = self.op(Op::MulPlain(held.value, half));
                let negative = self.op(Op::Neg(product));
                let [a, b] = [product, negative].map(|v| self.op(Op::Rescale(v)));
                (self.op(Op::Sub(a, b)), held.bits)
            }
            5 => {
                let unit = self.build.constant(View::Imaginary(1.0), 0.0);
                let turned = self.op(Op::MulPlain(held.value, unit));
                (self.op(Op::Sub(held.value, turned)), held.bits + 1.0)
            }
            _ => {
                let (value, more) = self.doubled(held.value);
                (value, held.bits + more)
            }
        };
        let (params, ty) = (&self.build.plan.params, self.build.plan.ty(value));
        let log_q: f64 = ty.limbs.iter().map(|limb| params.log_q(limb)).sum();
        match bits < log_q - ty.scale - ROOM {
            true => self.values.push(Held { value, bits }),
            false => self.build.plan = before,
        }
    }

    /// The largest error as a part of its bound.
    pub(super) fn approximate(mut self, n_steps: usize, seed: u8) -> f64 {
        (0..n_steps).for_each(|_| self.approximate_step());
        let outputs: Vec<Value> = self.values.iter().map(|held| held.value).collect();
        let plan = self.build.finish(&outputs);
        let (setup, bounds) = (setup(&plan, seed), analyze(&plan));
        let clear = run_clear(&plan, &setup.slots, Noise::None, |_, _| {});
        let found = run(&plan, &setup, 1, usize::MAX);
        let found =
            decrypt_slots(&plan.interface(), &setup.secret, &found).expect("CKKS always decrypts");
        let ratio = |(i, value): (usize, &Value)| {
            let (error, _) = difference(&clear[i], &found[i]);
            let largest_number = clear[i].iter().fold(1.0f64, |most, x| most.max(x.abs()));
            // Slots are numbers of 53 bits.
            (error - largest_number * f64::EPSILON * 64.0) / bounds[value.index()].bound
        };
        largest(outputs.iter().enumerate().map(ratio))
    }
}
