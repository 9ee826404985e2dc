//! Every reason for which an instruction has no type.

use std::collections::BTreeSet;

use hecc_grammar::plan::{
    Constant, ConstantId, Key, LimbSet, Op, Opcode, Plan, TypeError, Value, View,
};

/// A plan with one value of each type that the cases below need.
fn plan() -> Plan {
    let mut plan: Plan = include_str!("text/instructions.plan").parse().expect("a sample");
    for scale in [200.0, 30.0] {
        plan.constants.push(Constant { view: View::Splat(1.0), scale });
    }
    plan
}

/// Values of the sample: on all primes, its product, digits of that, digits under the sparse secret, a ciphertext under it.
const X: Value = Value(0);
const PRODUCT: Value = Value(6);
const DIGITS: Value = Value(7);
const FEWER: Value = Value(11);
const ONE_PRIME: Value = Value(12);
const DIGITS_OF_FEWER: Value = Value(19);
const EPHEMERAL: Value = Value(21);
const EPHEMERAL_DIGITS: Value = Value(22);
const LARGE: ConstantId = ConstantId(2);

fn name(error: &TypeError) -> &'static str {
    match error {
        TypeError::Undefined(_) => "Undefined",
        TypeError::NoConstant(_) => "NoConstant",
        TypeError::NoInput { .. } => "NoInput",
        TypeError::Limbs(..) => "Limbs",
        TypeError::Scale(..) => "Scale",
        TypeError::Degree { .. } => "Degree",
        TypeError::Form { .. } => "Form",
        TypeError::Drop { .. } => "Drop",
        TypeError::Steps { .. } => "Steps",
        TypeError::Empty => "Empty",
        TypeError::ScaleRange(_) => "ScaleRange",
        TypeError::NoSpecialPrimes => "NoSpecialPrimes",
        TypeError::Scheme => "Scheme",
        TypeError::Secret(_) => "Secret",
        // Clippy complains of it as soon as it stands for a reason that has a name.
        _ => "another",
    }
}

#[test]
fn instructions_without_a_type_are_refused_for_their_reason() {
    let ckks = plan();
    let mut bfv: Plan = include_str!("text/integers.plan").parse().expect("a sample");
    bfv.constants.push(Constant { view: View::Splat(1.0), scale: 1.0 });
    let mut no_special = ckks.clone();
    no_special.params.p.clear();
    let c = ConstantId(0);
    let large = ckks.params.all_limbs().union(LimbSet::range(3, 4));
    let cases = [
        (&ckks, Op::Neg(Value(99)), "Undefined"),
        (&ckks, Op::MulPlain(X, ConstantId(9)), "NoConstant"),
        (&ckks, Op::Input(1), "NoInput"),
        (&ckks, Op::Add(X, FEWER), "Limbs"),
        (&ckks, Op::Mul(X, FEWER), "Limbs"),
        (&ckks, Op::Sub(X, PRODUCT), "Scale"),
        (&ckks, Op::AddPlain(PRODUCT, c), "Scale"),
        (&ckks, Op::DotPlain(vec![(X, c), (X, LARGE)]), "Scale"),
        (&ckks, Op::Mul(X, PRODUCT), "Degree"),
        (&ckks, Op::ApplyKey(DIGITS, Key::Rotate(1)), "Degree"),
        (&ckks, Op::ApplyKey(DIGITS_OF_FEWER, Key::Relinearize), "Degree"),
        (&ckks, Op::Neg(DIGITS), "Form"),
        (&ckks, Op::ModUp(DIGITS), "Form"),
        (&ckks, Op::ModDown(X), "Form"),
        (&ckks, Op::Decompose(DIGITS), "Form"),
        (&ckks, Op::ApplyKey(X, Key::Conjugate), "Form"),
        (&ckks, Op::Rescale(ONE_PRIME), "Drop"),
        (&ckks, Op::Drop(FEWER, LimbSet::first(3)), "Drop"),
        (&ckks, Op::Drop(FEWER, LimbSet::default()), "Drop"),
        (&ckks, Op::ModRaise(FEWER, LimbSet::first(3)), "Drop"),
        (&ckks, Op::ModRaise(ONE_PRIME, large), "Drop"),
        (&ckks, Op::ApplyKey(DIGITS_OF_FEWER, Key::Rotate(0)), "Steps"),
        (&ckks, Op::ApplyKey(DIGITS_OF_FEWER, Key::Rotate(2048)), "Steps"),
        (&ckks, Op::DotPlain(vec![]), "Empty"),
        (&ckks, Op::MulPlain(PRODUCT, LARGE), "ScaleRange"),
        (&bfv, Op::MulPlain(X, ConstantId(1)), "ScaleRange"),
        (&no_special, Op::Decompose(X), "NoSpecialPrimes"),
        (&no_special, Op::ModUp(X), "NoSpecialPrimes"),
        (&ckks, Op::MulBgv(X, X), "Scheme"),
        (&ckks, Op::ModSwitch(X, LimbSet::first(1)), "Scheme"),
        (&bfv, Op::Rescale(X), "Scheme"),
        (&bfv, Op::Drop(X, LimbSet::first(1)), "Scheme"),
        (&bfv, Op::ModRaise(X, LimbSet::first(2)), "Scheme"),
        (&bfv, Op::ApplyKey(Value(7), Key::Encapsulate), "Scheme"),
        (&ckks, Op::ApplyKey(DIGITS_OF_FEWER, Key::Decapsulate), "Secret"),
        (&ckks, Op::ApplyKey(EPHEMERAL_DIGITS, Key::Conjugate), "Secret"),
        (&ckks, Op::ApplyKey(EPHEMERAL_DIGITS, Key::Encapsulate), "Secret"),
    ];
    let mut found = BTreeSet::new();
    for (plan, op, expected) in cases {
        let error = op.infer(plan).expect_err("it has no type");
        assert_eq!(name(&error), expected, "{op}: {error}");
        found.insert(expected);
    }
    assert_eq!(found.len(), 14, "a reason has no case");
}

/// Under the sparse secret a value is only raised and switched: anything else would need it to be secure for long.
#[test]
fn the_sparse_secret_is_not_computed_under() {
    let plan = plan();
    let (a, c) = (EPHEMERAL, ConstantId(0));
    let limbs = LimbSet::first(1);
    for opcode in Opcode::ALL {
        let op = match opcode {
            Opcode::Add => Op::Add(a, a),
            Opcode::Sub => Op::Sub(a, a),
            Opcode::Neg => Op::Neg(a),
            Opcode::AddPlain => Op::AddPlain(a, c),
            Opcode::MulPlain => Op::MulPlain(a, c),
            Opcode::DotPlain => Op::DotPlain(vec![(a, c)]),
            Opcode::Mul => Op::Mul(a, a),
            Opcode::Rescale => Op::Rescale(a),
            Opcode::Drop => Op::Drop(a, limbs),
            Opcode::ModUp => Op::ModUp(a),
            // Those of another scheme, of no operand, and those that are made for it.
            Opcode::MulBgv | Opcode::ModSwitch | Opcode::Input => continue,
            Opcode::Decompose | Opcode::ApplyKey | Opcode::ModDown | Opcode::ModRaise => continue,
        };
        assert_eq!(op.infer(&plan), Err(TypeError::Secret(a)), "{op}");
    }
}
