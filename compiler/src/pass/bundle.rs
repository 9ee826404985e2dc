//! Puts instructions next to each other that read the same, to be computed in one pass over it.
//!
//! Before: any plan. After: the same instructions in another order, in bundles. What has to be held stays as little as the order
//! before allows: a bundle comes where its first instruction was, or where the last of its operands is computed.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use hecc_grammar::plan::{MOST_TOGETHER, Plan, Rewriter, Together, TypeError, Value};

use crate::limits;

/// The plan with its instructions in bundles.
///
/// # Errors
/// If an instruction has no type, which is a defect of the compiler.
pub fn bundle(plan: &Plan) -> Result<Plan, TypeError> {
    let bundles = bundles(plan);
    let mut new = Rewriter::new(plan);
    for index in in_turn(plan, &bundles) {
        for (place, &value) in bundles[index].iter().enumerate() {
            let made = new.copy(value)?;
            if place > 0 {
                new.join();
            }
            new.define(value, made);
        }
    }
    Ok(new.finish())
}

/// The instructions of a plan, each in one bundle. Bundles are in the order of their first instructions.
fn bundles(plan: &Plan) -> Vec<Vec<Value>> {
    let mut bundles: Vec<Vec<Value>> = vec![];
    // How many sums lie on the longest way to a value: sums with the same number before them cannot need each other.
    let mut ranks: Vec<usize> = vec![];
    // The last bundle that reads a value, of instructions of a rank and a kind.
    let mut readers: HashMap<(Value, usize, Together), usize> = HashMap::new();
    for (value, op) in plan.values() {
        let (operands, together) = (op.operands(), plan.together(value));
        let rank = operands.iter().map(|operand| ranks[operand.index()]).max().unwrap_or(0);
        let is_sum = matches!(together, Some(Together::Sums | Together::SumsOfMultiples));
        ranks.push(rank + usize::from(is_sum));
        let Some(together) = together else {
            bundles.push(vec![value]);
            continue;
        };
        let most = most_at_once(plan, together);
        let fits = |&bundle: &usize| {
            let taken: &Vec<Value> = &bundles[bundle];
            taken.len() < most && plan.ty(taken[0]) == plan.ty(value)
        };
        let mut started =
            operands.iter().filter_map(|x| readers.get(&(*x, rank, together)).copied());
        let bundle = started.find(fits).unwrap_or_else(|| {
            bundles.push(vec![]);
            bundles.len() - 1
        });
        bundles[bundle].push(value);
        readers.extend(operands.iter().map(|&operand| ((operand, rank, together), bundle)));
    }
    bundles
}

/// How many instructions of a kind are taken together at most.
fn most_at_once(plan: &Plan, together: Together) -> usize {
    match together {
        // Elsewhere few sums are of numbers, and each reads what the others do not.
        Together::SumsOfMultiples if plan.batch < plan.params.n_slots() => 1,
        Together::SumsOfMultiples => MOST_TOGETHER,
        Together::Sums | Together::KeyProducts(_) => limits::PRODUCTS_AT_ONCE,
    }
}

/// Bundles in an order in which operands come first, the earliest of those that are ready at a time.
fn in_turn(plan: &Plan, bundles: &[Vec<Value>]) -> Vec<usize> {
    let mut of_value = vec![0; plan.ops.len()];
    for (index, bundle) in bundles.iter().enumerate() {
        bundle.iter().for_each(|value| of_value[value.index()] = index);
    }
    let (mut missing, mut readers) = (vec![0; bundles.len()], vec![vec![]; bundles.len()]);
    for (value, op) in plan.values() {
        for operand in op.operands() {
            missing[of_value[value.index()]] += 1;
            readers[of_value[operand.index()]].push(of_value[value.index()]);
        }
    }
    let is_ready = |index: &usize| missing[*index] == 0;
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..bundles.len()).filter(is_ready).map(Reverse).collect();
    let mut order = vec![];
    while let Some(Reverse(index)) = ready.pop() {
        order.push(index);
        for &reader in &readers[index] {
            missing[reader] -= 1;
            if missing[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    order
}
