//! What is executed at once: mostly single instructions, but in a batch sums of multiples that share operands.
//!
//! A batch keeps every element in a ciphertext of its own, and sums read hundreds of them, each for a single product with a
//! number: read from memory for every sum anew, operands would take longer than the arithmetic.

use std::collections::HashMap;

use hecc_grammar::plan::{Op, Plan, Value, View};

/// Sums taken together at most: all their operands and results are held until the last is done.
const MAX_SUMS: usize = 64;

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
