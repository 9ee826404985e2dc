//! The three evaluators agree on every instruction of CKKS, within the predicted noise.

use crate::common::{Build, difference, run, run_slots, setup, uniform, usual};
use hecc_grammar::noise;
use hecc_grammar::plan::{EmbeddingDiagonal, Form, Key, LimbSet, Op, Value, VerifiedPlan, View};
use hecc_runtime::eval::{ClearEvaluator, Noise, run_clear};

/// Runs a plan in all three ways; encrypted and simulated results lie within the prediction around the clear one.
pub(crate) fn agree(plan: &VerifiedPlan, seeds: &[u8]) {
    let predicted = noise::analyze(plan);
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
        // In one pass.
        let rotated = [1, 2, n_slots as u32 - 1]
            .map(|steps| build.op(Op::ApplyKey(digits, Key::Rotate(steps))));
        outputs.extend(rotated.map(|rotated| build.op(Op::ModDown(rotated))));
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
        // Two divisions at once, and sums of different lengths in one pass.
        let product = build.op(Op::Mul(x, y));
        let digits = build.op(Op::Decompose(product));
        let undivided = build.op(Op::ApplyKey(digits, Key::Relinearize));
        outputs.push(build.op(Op::Rescale(undivided)));
        let sums = [
            vec![(x, table)],
            vec![(x, splat), (y, table), (x, table)],
            vec![(y, table), (y, splat)],
        ];
        outputs.extend(sums.map(|terms| build.op(Op::DotPlain(terms))));
        let sums = [vec![(x, splat), (y, splat)], vec![(y, splat)]];
        outputs.extend(sums.map(|terms| build.op(Op::DotPlain(terms))));
        agree(&build.finish(&outputs), &[1, 2, 3]);
    }
}

/// On the prime that a ciphertext was raised from its residues are what they were.
#[test]
fn raising_keeps_residues() {
    let params = usual(10, 4, 2);
    let mut build = Build::new(params.clone(), 1);
    let low = build.op(Op::Drop(Value(0), LimbSet::first(1)));
    let sparse = build.switch(low, Key::Encapsulate);
    let raised = build.op(Op::ModRaise(sparse, params.all_limbs()));
    let raised = build.switch(raised, Key::Decapsulate);
    let again = build.op(Op::Drop(raised, LimbSet::first(1)));
    let predicted = noise::analyze(&build.plan);
    let plan = build.finish(&[low, again]);
    let slots = run_slots(&plan, &setup(&plan, 1));
    let (largest, _) = difference(&slots[0], &slots[1]);
    let bound = predicted[again.index()].bound;
    assert!(largest <= bound, "error {largest:e}, bound {bound:e}");
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
