//! What is executed at once: mostly single instructions, but in a batch sums of multiples that share operands.
//!
//! A batch keeps every element in a ciphertext of its own, and sums read hundreds of them, each for a single product with a
//! number: read from memory for every sum anew, operands would take longer than the arithmetic.

use std::collections::HashMap;

use hecc_grammar::plan::{Op, Plan, Value, View};

/// Sums taken together at most: all their operands and results are held until the last is done.
const MAX_SUMS: usize = 128;

/// The instructions of a plan, each in one unit. Units are in the order of their first instructions, and none needs what
/// itself computes.
pub(super) fn units(plan: &Plan) -> Vec<Vec<Value>> {
    let mut units: Vec<Vec<Value>> = vec![];
    // How many sums lie on the longest way to a value: sums with the same number before them cannot need each other.
    let mut ranks: Vec<usize> = vec![];
    let mut readers: HashMap<(Value, usize), usize> = HashMap::new();
    for (value, op) in plan.values() {
        let operands = op.operands();
        let rank = operands.iter().map(|operand| ranks[operand.index()]).max().unwrap_or(0);
        let is_sum = plan.batch > 1 && is_sum_of_multiples(plan, op);
        ranks.push(rank + usize::from(is_sum));
        let fits = |&unit: &usize| {
            let sums: &Vec<Value> = &units[unit];
            sums.len() < MAX_SUMS && plan.ty(sums[0]) == plan.ty(value)
        };
        let unit = operands.iter().filter_map(|x| readers.get(&(*x, rank)).copied()).find(fits);
        let unit = unit.filter(|_| is_sum).unwrap_or_else(|| {
            units.push(vec![]);
            units.len() - 1
        });
        units[unit].push(value);
        if is_sum {
            readers.extend(operands.iter().map(|&operand| ((operand, rank), unit)));
        }
    }
    units
}

/// Whether an instruction is a sum of ciphertexts times numbers.
pub(super) fn is_sum_of_multiples(plan: &Plan, op: &Op) -> bool {
    let is_number = |c: usize| matches!(plan.constants[c].view, View::Splat(_));
    matches!(op, Op::DotPlain(terms) if terms.iter().all(|(_, c)| is_number(c.index())))
}

#[cfg(test)]
mod tests {
    use hecc_grammar::plan::{Constant, ConstantId, Input, Params, Profile, Ranges, Runs, Scheme};
    use hecc_grammar::security::Security;

    use super::*;

    /// Two layers of three sums each, of two inputs, with a negation between them, and one more sum of the inputs.
    fn plan(batch: usize) -> Plan {
        let params = Params {
            scheme: Scheme::Bfv,
            log_n: 3,
            q: vec![97],
            t: vec![17],
            p: vec![],
            input_level: 0,
            top_scale: 0.0,
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
