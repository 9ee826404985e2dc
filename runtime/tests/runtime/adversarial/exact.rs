//! Steps of plans of integers.

use hecc_grammar::noise::{EXACT_TAIL, analyze_exact, budget};
use hecc_grammar::plan::{Key, LimbSet, Op, Value};
use hecc_runtime::client::{decrypt_slots, measure_noise};
use hecc_runtime::eval::{Noise, run_clear};

use super::{Adversary, Held};
use crate::common::{largest, run, setup};

impl Adversary {
    /// A step, unless messages with different factors are added.
    fn exact_step(&mut self) {
        let held = self.held();
        let ty = self.build.plan.ty(held.value);
        let before = self.build.plan.clone();
        let v = held.value;
        let value = match self.below(12) {
            0 => self.trace(v).0,
            1 => self.shifted(v).0,
            2 => self.moved_numbers(v),
            3 => self.moved_products(v, 0.0).0,
            4 | 5 => {
                let relative = self.relative(v);
                let is_bgv = self.below(2) == 0;
                let product = if is_bgv { Op::MulBgv(v, relative) } else { Op::Mul(v, relative) };
                let product = self.op(product);
                self.build.switch(product, Key::Relinearize)
            }
            6 if ty.limbs.len() > 1 => {
                let fewer = LimbSet::first(ty.limbs.len() - 1);
                let negative = self.op(Op::Neg(v));
                let [a, b] = [v, negative].map(|v| self.op(Op::ModSwitch(v, fewer)));
                self.op(Op::Sub(a, b))
            }
            7 => self.products_alike(v),
            _ => self.doubled(v).0,
        };
        match self.build.plan.correction_factors(self.build.plan.params.t()[0]) {
            Ok(_) => self.values.push(Held { value, ..held }),
            Err(_) => self.build.plan = before,
        }
    }

    /// Moved copies times different small numbers.
    fn moved_numbers(&mut self, v: Value) -> Value {
        let one = self.number(1.0);
        let mut terms = vec![(v, one)];
        for i in 1..(2 + self.below(30)) {
            let number = self.number(2.0 + i as f64);
            terms.push((self.rotated(v, i as u32), number));
        }
        self.op(Op::DotPlain(terms))
    }

    /// A sum of products with what differs by plaintexts only.
    fn products_alike(&mut self, v: Value) -> Value {
        let mut sum = None;
        for i in 0..4 {
            let number = self.number(f64::from(i));
            let shifted = self.op(Op::AddPlain(v, number));
            let product = self.op(Op::Mul(Value(0).max(v), shifted));
            let product = self.build.switch(product, Key::Relinearize);
            sum = Some(match sum {
                None => product,
                Some(sum) => self.op(Op::Add(sum, product)),
            });
        }
        sum.expect("there are products")
    }

    /// The largest coefficient of noise as a part of its bound.
    pub(super) fn exact(mut self, n_steps: usize, seed: u8) -> f64 {
        (0..n_steps).for_each(|_| self.exact_step());
        let noise = analyze_exact(&self.build.plan);
        let fits = |value: &Value| budget(&self.build.plan, *value, noise[value.index()]) >= 0.0;
        let outputs = self.values.iter().map(|held| held.value).filter(fits);
        let outputs: Vec<Value> = outputs.collect();
        let plan = self.build.finish(&outputs);
        let setup = setup(&plan, seed);
        let found = run(&plan, &setup, 1, usize::MAX);
        let decrypted =
            decrypt_slots(&plan.interface(), &setup.secret, &found).expect("the noise fits");
        let clear = run_clear(&plan, &setup.slots, Noise::None, |_, _| {});
        assert_eq!(decrypted, clear, "wrong integers");
        let measured = measure_noise(&plan.params, &setup.secret, &found);
        let ratio = |(value, measured): (&Value, &f64)| (measured - noise[value.index()]).exp2();
        largest(outputs.iter().zip(&measured).map(ratio)) / EXACT_TAIL
    }
}
