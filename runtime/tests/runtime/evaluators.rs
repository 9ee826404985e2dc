//! The three evaluators agree on every instruction and on random plans, within the predicted noise.

use crate::common::{Build, difference, next, run, run_slots, setup, uniform, usual};
use hecc_grammar::noise;
use hecc_grammar::plan::{EmbeddingDiagonal, Form, Key, LimbSet, Op, Value, VerifiedPlan, View};
use hecc_runtime::eval::{ClearEvaluator, Noise, run_clear};

/// Runs a plan in all three ways; encrypted and simulated results lie within the prediction around the clear one.
fn agree(plan: &VerifiedPlan, seeds: &[u8]) {
    let predicted = noise::analyse(plan);
    for &seed in seeds {
        let setup = setup(plan, seed);
        let clear = run_clear(plan, &setup.slots, Noise::None, |_, _| {});
        let cached = ClearEvaluator::new(plan, 1 << 14).run(&setup.slots, Noise::None, |_, _| {});
        assert_eq!(clear, cached);
        let simulated = run_clear(plan, &setup.slots, Noise::Predicted(u64::from(seed)), |_, _| {});
        let encrypted = run_slots(plan, &setup);
        for (i, value) in plan.output_values().enumerate() {
            let bound = predicted[value.index()].bound;
            for (name, slots) in [("simulated", &simulated[i]), ("encrypted", &encrypted[i])] {
                let (largest, _) = difference(&clear[i], slots);
                assert!(
                    largest <= bound,
                    "seed {seed}, output {i} ({value}), {name}: error {largest:e}, bound {bound:e}"
                );
            }
        }
    }
}

#[test]
fn every_instruction() {
    for (n_limbs, n_special) in [(3, 1), (4, 2), (5, 3)] {
        let params = usual(10, n_limbs, n_special);
        let n_slots = params.n_slots();
        let mut build = Build::new(params.clone(), 2);
        let (x, y) = (Value(0), Value(1));
        let mut state = 7;
        let weights: Vec<f64> = (0..n_slots).map(|_| uniform(&mut state)).collect();
        let at = |scale: f64| hecc_grammar::plan::round_scale(scale);
        let table = build.table(&weights, at(30.5));
        let same = build.table(&weights, 40.0);
        let splat = build.splat(-0.75, at(30.5));
        let half = build.splat(0.5, 40.0);
        let mut outputs = vec![
            build.op(Op::Add(x, y)),
            build.op(Op::Sub(x, y)),
            build.op(Op::Neg(x)),
            build.op(Op::AddPlain(x, same)),
            build.op(Op::AddPlain(x, half)),
            build.op(Op::MulPlain(x, table)),
            build.op(Op::MulPlain(x, splat)),
            build.op(Op::DotPlain(vec![(x, table), (y, splat), (y, table)])),
        ];
        // Imaginary parts, seen as the real ones of i times them.
        let unit = build.constant(View::Imaginary(-1.0), 0.0);
        let bits = (2, 5);
        let diagonal = EmbeddingDiagonal {
            log_slots: 7,
            inverse: true,
            bits,
            rotation: 12,
            shift: 3,
            factor: 0.5,
        };
        let diagonal = build.constant(View::Embedding(diagonal), 40.0);
        let complex = build.op(Op::MulPlain(x, diagonal));
        let turned = build.op(Op::MulPlain(complex, unit));
        let conjugated = build.switch(complex, Key::Conjugate);
        outputs.extend([complex, turned, build.op(Op::MulPlain(conjugated, unit))]);
        outputs.push(build.op(Op::Sub(complex, conjugated)));
        let product = build.op(Op::Mul(x, y));
        let relinearized = build.switch(product, Key::Relinearize);
        outputs.push(relinearized);
        outputs.push(build.op(Op::Rescale(relinearized)));
        let rescaled = build.op(Op::Rescale(product));
        outputs.push(build.switch(rescaled, Key::Relinearize));
        outputs.push(build.switch(x, Key::Rotate(5)));
        outputs.push(build.switch(x, Key::Conjugate));
        outputs.push(build.op(Op::Drop(x, LimbSet::first(n_limbs - 1))));
        // A subset that is no prefix: one limb of the first digit, and the last one.
        let subset = LimbSet(1 | 1 << (n_limbs - 1));
        let sparse = build.op(Op::Drop(x, subset));
        outputs.push(build.switch(sparse, Key::Rotate(3)));
        let digits = build.op(Op::Decompose(x));
        for steps in [1, 2, n_slots as u32 - 1] {
            let rotated = build.op(Op::ApplyKey(digits, Key::Rotate(steps)));
            outputs.push(build.op(Op::ModDown(rotated)));
        }
        // Baby steps: a sum of products in QP, one division at the end.
        let up = build.op(Op::ModUp(x));
        let one = build.op(Op::ApplyKey(digits, Key::Rotate(1)));
        let two = build.op(Op::ApplyKey(digits, Key::Rotate(2)));
        let negated = build.op(Op::Neg(two));
        assert_eq!(build.plan.ty(up).form, Form::QP);
        let sum = build.op(Op::DotPlain(vec![(up, table), (one, splat), (negated, table)]));
        let sum = build.op(Op::Sub(sum, sum));
        let twice = build.op(Op::MulPlain(one, table));
        let sum = build.op(Op::Add(sum, twice));
        outputs.push(build.op(Op::ModDown(sum)));
        agree(&build.finish(&outputs), &[1, 2, 3]);
    }
}

#[test]
fn random_plans() {
    let mut state = 42;
    for seed in 0..12u8 {
        let n_special = 1 + seed as usize % 3;
        let params = usual(10, 5, n_special);
        let mut build = Build::new(params.clone(), 2);
        // Values of form Q and degree 1, kept within [−1, 1].
        let mut values = vec![Value(0), Value(1)];
        for _ in 0..20 {
            let mut pick = || values[next(&mut state) as usize % values.len()];
            let (a, mut b) = (pick(), pick());
            let ty = build.plan.ty(a);
            let steps = 1 + next(&mut state) as u32 % 4;
            let last = ty.limbs.last().unwrap();
            if build.plan.ty(b) != ty {
                b = a;
            }
            let value = match next(&mut state) % 6 {
                0 => {
                    let half = build.splat(0.5, params.log_q(last));
                    if ty.limbs.len() < 2 {
                        continue;
                    }
                    let dot = build.op(Op::DotPlain(vec![(a, half), (b, half)]));
                    build.op(Op::Rescale(dot))
                }
                1 => build.switch(a, Key::Rotate(steps)),
                2 => build.op(Op::Neg(a)),
                3 if ty.limbs.len() > 2 => {
                    let product = build.op(Op::Mul(a, b));
                    let product = build.switch(product, Key::Relinearize);
                    build.op(Op::Rescale(product))
                }
                4 if ty.limbs.len() > 1 => {
                    build.op(Op::Drop(a, LimbSet::first(ty.limbs.len() - 1)))
                }
                5 if ty.limbs.len() > 1 => {
                    let weights: Vec<f64> =
                        (0..params.n_slots()).map(|_| uniform(&mut state) / 2.0).collect();
                    let table = build.table(&weights, params.log_q(last));
                    let digits = build.op(Op::Decompose(a));
                    let one = build.op(Op::ApplyKey(digits, Key::Rotate(steps)));
                    let up = build.op(Op::ModUp(b));
                    let dot = build.op(Op::DotPlain(vec![(one, table), (up, table)]));
                    let down = build.op(Op::ModDown(dot));
                    build.op(Op::Rescale(down))
                }
                _ => continue,
            };
            values.push(value);
        }
        agree(&build.finish(&values), &[seed]);
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let params = usual(12, 4, 2);
    let mut build = Build::new(params.clone(), 3);
    let mut state = 9;
    let weights: Vec<f64> = (0..params.n_slots()).map(|_| uniform(&mut state)).collect();
    let table = build.table(&weights, params.log_q(3));
    let mut sums = vec![];
    for x in [Value(0), Value(1), Value(2)] {
        let digits = build.op(Op::Decompose(x));
        let terms = (1..6)
            .map(|steps| (build.op(Op::ApplyKey(digits, Key::Rotate(steps))), table))
            .collect();
        let dot = build.op(Op::DotPlain(terms));
        let down = build.op(Op::ModDown(dot));
        sums.push(build.op(Op::Rescale(down)));
    }
    let product = build.op(Op::Mul(sums[0], sums[1]));
    let product = build.switch(product, Key::Relinearize);
    let plan = build.finish(&[product, sums[2]]);
    let setup = setup(&plan, 5);
    let one = run(&plan, &setup, 1, usize::MAX);
    for (threads, cache_bytes) in [(1, 0), (2, 0), (2, usize::MAX), (3, 1 << 20)] {
        assert_eq!(run(&plan, &setup, threads, cache_bytes), one, "{threads} threads");
    }
}
