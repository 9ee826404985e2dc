//! The error that each primitive adds has the size that `hecc_grammar::noise` predicts: the root of the mean square
//! over slots and seeds within a quarter, no slot beyond `TAIL`.

use hecc_grammar::noise::{self, Moduli};
use hecc_grammar::plan::{Key, LimbSet, Op, Params, Value, VerifiedPlan};

use crate::common::{
    Build, Setup, difference, params, run_slots, setup, setup_public, uniform, usual,
};

const SEEDS: std::ops::Range<u8> = 0..5;

/// A deviation of noise at a scale as an error of the message.
fn at(deviation: f64, scale: f64) -> f64 {
    deviation * (-scale).exp2()
}

/// Compares `measure(slots of the outputs)`, an error of the message, with the predicted deviation.
fn check(
    name: &str,
    plan: &VerifiedPlan,
    predicted: f64,
    measure: impl Fn(&[Vec<f64>], &[Vec<f64>]) -> (f64, f64),
) {
    check_setups(name, plan, setup, predicted, measure);
}

/// As [`check`], with inputs encrypted as `setup` does it.
fn check_setups(
    name: &str,
    plan: &VerifiedPlan,
    setup: fn(&VerifiedPlan, u8) -> Setup,
    predicted: f64,
    measure: impl Fn(&[Vec<f64>], &[Vec<f64>]) -> (f64, f64),
) {
    let (mut largest, mut squares) = (0.0f64, 0.0);
    for seed in SEEDS {
        let setup = setup(plan, seed);
        let (max, deviation) = measure(&setup.slots, &run_slots(plan, &setup));
        largest = largest.max(max);
        squares += deviation * deviation;
    }
    let measured = (squares / SEEDS.len() as f64).sqrt();
    let slack = (predicted / measured).log2();
    assert!(slack.abs() < 0.32, "{name}: measured {measured:e}, predicted {predicted:e}");
    let bound = noise::tail(1.0) * predicted;
    assert!(largest < bound, "{name}: largest error {largest:e}, bound {bound:e}");
}

fn rotated(slots: &[f64], steps: usize) -> Vec<f64> {
    let mut slots = slots.to_vec();
    slots.rotate_left(steps);
    slots
}

/// Ciphertext-modulus primes of 45 bits with digits of `width`, and special primes that leave the key's noise visible.
fn tight(log_n: u32, width: usize) -> Params {
    params(log_n, &[45; 4], &vec![46; width], 40.0)
}

#[test]
fn fresh_and_added_plaintexts() {
    for log_n in [10, 11] {
        let params = usual(log_n, 2, 1);
        let moduli = Moduli::of(&params);
        let build = Build::new(params.clone(), 1);
        check(
            "fresh",
            &build.finish(&[Value(0)]),
            at(noise::fresh_secret(&moduli), 40.0),
            |x, y| difference(&x[0], &y[0]),
        );
        let mut build = Build::new(params.clone(), 1);
        let mut state = 3;
        let weights: Vec<f64> = (0..params.n_slots()).map(|_| uniform(&mut state)).collect();
        let table = build.table(&weights, 40.0);
        let sum = build.op(Op::AddPlain(Value(0), table));
        let weights: Vec<f64> = weights.iter().map(|&w| f64::from(w as f32)).collect();
        let encode = noise::encode(&moduli);
        check("encode", &build.finish(&[Value(0), sum]), at(encode, 40.0), |_, y| {
            let expected: Vec<f64> = y[0].iter().zip(&weights).map(|(y, w)| y + w).collect();
            difference(&expected, &y[1])
        });
    }
}

/// With a special prime hardly more than what rounding leaves; without, as much as two products with errors.
#[test]
fn fresh_under_the_public_key() {
    for (log_n, n_special) in [(10, 1), (11, 2), (10, 0), (11, 0)] {
        let params = usual(log_n, 2, n_special);
        let moduli = Moduli::of(&params);
        let plan = Build::new(params.clone(), 1).finish(&[Value(0)]);
        let predicted = noise::fresh_public(&moduli);
        let share = predicted / noise::rounding(&moduli, 1);
        assert!(if n_special > 0 { share < 1.001 } else { share > 8.0 }, "{share}");
        let measure = |x: &[Vec<f64>], y: &[Vec<f64>]| difference(&x[0], &y[0]);
        check_setups("public", &plan, setup_public, at(predicted, 40.0), measure);
    }
}

/// What the analysis of a whole plan says holds for either key: here the noise of inputs is most of all noise.
#[test]
fn plans_hold_for_inputs_under_the_public_key() {
    let params = usual(10, 3, 1);
    let mut build = Build::new(params, 2);
    let sum = build.op(Op::Add(Value(0), Value(1)));
    let sum = build.op(Op::Sub(sum, Value(1)));
    let square = build.op(Op::Mul(sum, Value(1)));
    let square = build.switch(square, Key::Relinearize);
    let outputs = [sum, build.op(Op::Rescale(square))];
    let plan = build.finish(&outputs);
    let bounds: Vec<f64> = plan.client_part().bounds.clone();
    let mut worst: f64 = 0.0;
    for seed in 0..20 {
        let setup = setup_public(&plan, seed);
        let [x, y] = [0, 1].map(|k| &setup.slots[k]);
        let product: Vec<f64> = x.iter().zip(y).map(|(x, y)| x * y).collect();
        let found = run_slots(&plan, &setup);
        for ((expected, found), bound) in [x, &product].into_iter().zip(&found).zip(&bounds) {
            worst = worst.max(difference(expected, found).0 / bound);
        }
    }
    assert!(worst < 1.0 && worst > 0.05, "{worst} of the bound");
}

#[test]
fn rescaling() {
    for log_n in [10, 11] {
        let params = usual(log_n, 4, 1);
        let moduli = Moduli::of(&params);
        let mut build = Build::new(params.clone(), 1);
        let factor = build.splat(0.75, params.log_q(3));
        let product = build.op(Op::MulPlain(Value(0), factor));
        let rescaled = build.op(Op::Rescale(product));
        let rounding = noise::rounding(&moduli, 1);
        check("degree 1", &build.finish(&[Value(0), rescaled]), at(rounding, 40.0), |_, y| {
            let expected: Vec<f64> = y[0].iter().map(|y| 0.75 * y).collect();
            difference(&expected, &y[1])
        });
        let mut build = Build::new(params.clone(), 1);
        let square = build.op(Op::Mul(Value(0), Value(0)));
        let direct = build.switch(square, Key::Relinearize);
        let rescaled = build.op(Op::Rescale(square));
        let scale = build.plan.ty(rescaled).scale;
        let rescaled = build.switch(rescaled, Key::Relinearize);
        let rounding = noise::rounding(&moduli, 2);
        check("degree 2", &build.finish(&[direct, rescaled]), at(rounding, scale), |_, y| {
            difference(&y[0], &y[1])
        });
    }
}

#[test]
fn key_switching() {
    for (log_n, width) in [(10, 1), (10, 2), (11, 3)] {
        let params = tight(log_n, width);
        let moduli = Moduli::of(&params);
        for limbs in [params.all_limbs(), LimbSet(0b1101)] {
            let predicted = noise::key_product(&moduli, limbs).hypot(noise::rounding(&moduli, 1));
            let mut build = Build::new(params.clone(), 1);
            let x = build.op(Op::Drop(Value(0), limbs));
            let rotate = build.switch(x, Key::Rotate(7));
            check("rotate", &build.finish(&[x, rotate]), at(predicted, 40.0), |_, y| {
                difference(&rotated(&y[0], 7), &y[1])
            });
            // Two rotations of the same digits, added before the division: two keys' noise, one rounding.
            let product = noise::key_product(&moduli, limbs);
            let hoisted = product.hypot(product).hypot(noise::rounding(&moduli, 1));
            let mut build = Build::new(params.clone(), 1);
            let x = build.op(Op::Drop(Value(0), limbs));
            let digits = build.op(Op::Decompose(x));
            let [a, b] = [1, 2].map(|steps| build.op(Op::ApplyKey(digits, Key::Rotate(steps))));
            let sum = build.op(Op::Add(a, b));
            let down = build.op(Op::ModDown(sum));
            check("hoisted", &build.finish(&[x, down]), at(hoisted, 40.0), |_, y| {
                let (a, b) = (rotated(&y[0], 1), rotated(&y[0], 2));
                let expected: Vec<f64> = a.iter().zip(b).map(|(a, b)| a + b).collect();
                difference(&expected, &y[1])
            });
        }
        // Lifting to QP and back is exact up to the precision of decoding.
        let mut build = Build::new(params.clone(), 1);
        let up = build.op(Op::ModUp(Value(0)));
        let down = build.op(Op::ModDown(up));
        let plan = build.finish(&[Value(0), down]);
        let slots = run_slots(&plan, &setup(&plan, 1));
        assert_eq!(slots[0], slots[1]);
    }
}

#[test]
fn relinearizing() {
    for width in [1, 2] {
        let params = tight(10, width);
        let moduli = Moduli::of(&params);
        let predicted = noise::key_product(&moduli, LimbSet::first(3))
            .hypot(noise::rounding(&moduli, 1))
            .hypot(noise::rounding(&moduli, 2));
        let mut build = Build::new(params.clone(), 2);
        let product = build.op(Op::Mul(Value(0), Value(1)));
        let exact = build.switch(product, Key::Relinearize);
        let rescaled = build.op(Op::Rescale(product));
        let scale = build.plan.ty(rescaled).scale;
        let relinearized = build.switch(rescaled, Key::Relinearize);
        check(
            "relinearize",
            &build.finish(&[exact, relinearized]),
            at(predicted, scale),
            |_, y| difference(&y[0], &y[1]),
        );
    }
}
