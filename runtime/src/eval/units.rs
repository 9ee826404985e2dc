//! What is executed at once: mostly single instructions, but also those that read the same, which is then read once.
//!
//! Rotations by baby steps multiply the same digits by one key after the other, and the sums before giant steps are of the same
//! rotated ciphertexts: megabytes that no cache holds from one instruction to the next. A batch keeps every element in a
//! ciphertext of its own, and sums read hundreds of them, each for a single product with a number.

use std::collections::HashMap;

use hecc_grammar::plan::{Op, Plan, Value, View};

/// Sums of numbers times ciphertexts taken together at most: all their operands and results are held until the last is done.
const MAX_SUMS: usize = 128;

/// Other sums, and products with keys, taken together at most: blocks of all their results are held in the caches at once.
const MAX_PRODUCTS: usize = 8;

/// The instructions of a plan, each in one unit. Units are in the order of their first instructions, and none needs what
/// itself computes.
pub(super) fn units(plan: &Plan) -> Vec<Vec<Value>> {
    let mut units: Vec<Vec<Value>> = vec![];
    // How many sums lie on the longest way to a value: sums with the same number before them cannot need each other.
    let mut ranks: Vec<usize> = vec![];
    // The last unit that reads a value, of instructions with a rank and a number that may be taken together.
    let mut readers: HashMap<(Value, usize, usize), usize> = HashMap::new();
    for (value, op) in plan.values() {
        let operands = op.operands();
        let rank = operands.iter().map(|operand| ranks[operand.index()]).max().unwrap_or(0);
        ranks.push(rank + usize::from(matches!(op, Op::DotPlain(_))));
        let most = most_at_once(plan, op);
        let fits = |&unit: &usize| {
            let taken: &Vec<Value> = &units[unit];
            taken.len() < most && plan.ty(taken[0]) == plan.ty(value)
        };
        let mut started = operands.iter().filter_map(|x| readers.get(&(*x, rank, most)).copied());
        let unit = started.find(fits).unwrap_or_else(|| {
            units.push(vec![]);
            units.len() - 1
        });
        units[unit].push(value);
        if most > 1 {
            readers.extend(operands.iter().map(|&operand| ((operand, rank, most), unit)));
        }
    }
    units
}

/// How many instructions such as this one are taken together at most.
fn most_at_once(plan: &Plan, op: &Op) -> usize {
    match op {
        Op::DotPlain(_) if is_sum_of_multiples(plan, op) => {
            if plan.batch > 1 {
                MAX_SUMS
            } else {
                1
            }
        }
        Op::DotPlain(_) | Op::ApplyKey(..) => MAX_PRODUCTS,
        Op::Input(_)
        | Op::Add(..)
        | Op::Sub(..)
        | Op::Neg(_)
        | Op::AddPlain(..)
        | Op::MulPlain(..)
        | Op::Mul(..)
        | Op::MulBgv(..)
        | Op::Rescale(_)
        | Op::ModSwitch(..)
        | Op::Drop(..)
        | Op::Decompose(_)
        | Op::ModUp(_)
        | Op::ModDown(_)
        | Op::ModRaise(..) => 1,
    }
}

/// Whether an instruction is a sum of ciphertexts times numbers.
pub(super) fn is_sum_of_multiples(plan: &Plan, op: &Op) -> bool {
    let is_number = |c: usize| matches!(plan.constants[c].view, View::Splat(_));
    matches!(op, Op::DotPlain(terms) if terms.iter().all(|(_, c)| is_number(c.index())))
}

#[cfg(test)]
mod tests {
    use hecc_grammar::plan::{
        Constant, ConstantId, Input, Key, Params, Plaintexts, Profile, Ranges, Runs,
    };
    use hecc_grammar::security::Security;

    use super::*;

    /// Two layers of three sums each, of two inputs, with a negation between them, and one more sum of the inputs.
    fn plan(batch: usize) -> Plan {
        let params = Params {
            plaintexts: Plaintexts::Bfv { t: vec![17] },
            log_n: 3,
            q: vec![97],
            p: vec![],
            input_level: 0,
            security: Security::insecure_for_tests(),
        };
        let mut plan = Plan::new(params, "sums");
        plan.batch = batch;
        plan.constants.push(Constant { view: View::Splat(3.0), scale: 0.0 });
        plan.inputs.push(Input {
            name: "x".to_owned(),
            shape: vec![2],
            ranges: Ranges::all(0.0, 1.0),
            seen: Profile::default(),
            factor: 1.0,
            quantizer: None,
            slots: vec![Runs::default(); 2],
            normalization: None,
        });
        let mut push = |op| plan.push(op, 0).unwrap();
        let sum = |a, b| Op::DotPlain(vec![(a, ConstantId(0)), (b, ConstantId(0))]);
        let (x, y) = (push(Op::Input(0)), push(Op::Input(1)));
        for _ in 0..3 {
            push(sum(x, y));
        }
        let negative = push(Op::Neg(Value(2)));
        for i in 2..5 {
            push(sum(Value(i), negative));
        }
        push(sum(y, y));
        plan
    }

    /// Ten rotations of one input, and two sums of them.
    fn rotations() -> Plan {
        let mut plan = plan(1);
        plan.ops.truncate(1);
        plan.types.truncate(1);
        plan.origins.truncate(1);
        plan.params.p = vec![193];
        plan.params.log_n = 6;
        plan.tables.push(vec![1.0, 2.0]);
        let runs = Runs::from_pairs(&[(0, 0), (1, 1)]);
        let view = View::Table { table: 0, factor: 1.0, runs };
        plan.constants.push(Constant { view, scale: 0.0 });
        let digits = plan.push(Op::Decompose(Value(0)), 0).unwrap();
        let rotated: Vec<Value> = (1..=10)
            .map(|steps| plan.push(Op::ApplyKey(digits, Key::Rotate(steps)), 0).unwrap())
            .collect();
        for _ in 0..2 {
            let terms = rotated.iter().map(|&x| (x, ConstantId(1))).collect();
            plan.push(Op::DotPlain(terms), 0).unwrap();
        }
        plan
    }

    #[test]
    fn rotations_of_the_same_digits_are_units_of_eight() {
        let numbers: Vec<Vec<u32>> =
            units(&rotations()).iter().map(|unit| unit.iter().map(|x| x.0).collect()).collect();
        let expected = [vec![0], vec![1], (2..10).collect(), vec![10, 11], vec![12, 13]];
        assert_eq!(numbers, expected);
    }

    #[test]
    fn sums_of_the_same_operands_are_one_unit_where_none_needs_another() {
        let numbers = |units: Vec<Vec<Value>>| -> Vec<Vec<u32>> {
            units.iter().map(|unit| unit.iter().map(|value| value.0).collect()).collect()
        };
        let expected = [vec![0], vec![1], vec![2, 3, 4, 9], vec![5], vec![6, 7, 8]];
        assert_eq!(numbers(units(&plan(8))), expected);
        let alone: Vec<Vec<u32>> = (0..10).map(|i| vec![i]).collect();
        assert_eq!(numbers(units(&plan(1))), alone);
    }
}
