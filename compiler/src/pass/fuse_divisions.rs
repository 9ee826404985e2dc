//! Divisions by P and by primes right after it become one: fewer transforms, and one rounding instead of two.
//!
//! Before: any plan without what nothing reads. After: what only a `rescale` or `mod_switch` reads is no `mod_down`.

use hecc_grammar::plan::{Op, Plan, Rewriter, TypeError, Value};

/// The plan with divisions that follow each other done at once. What layers name stays: it can be observed.
///
/// # Errors
/// If an instruction has no type, which is a defect of the compiler.
pub fn fuse_divisions(plan: &Plan) -> Result<Plan, TypeError> {
    let fused = fused(plan);
    let mut new = Rewriter::new(plan);
    for (value, op) in plan.values() {
        let made = if let Op::ModDown(a) = op
            && fused[value.index()]
        {
            new.new_value(*a)
        } else {
            new.copy(value)?
        };
        new.define(value, made);
    }
    Ok(new.finish())
}

/// For each value whether it is a division by P that another division follows, and nothing else reads.
fn fused(plan: &Plan) -> Vec<bool> {
    let mut n_readers = vec![0; plan.ops.len()];
    let mut is_divided = vec![false; plan.ops.len()];
    for (_, op) in plan.values() {
        op.operands().iter().for_each(|operand| n_readers[operand.index()] += 1);
        if let Op::Rescale(a) | Op::ModSwitch(a, _) = op {
            is_divided[a.index()] = true;
        }
    }
    let named = plan.layers.iter().flat_map(|layer| layer.slots.iter().map(|(value, _)| *value));
    plan.output_values().chain(named).for_each(|value| n_readers[value.index()] += 1);
    let is_fused = |(value, op): (Value, &Op)| {
        let divides = matches!(op, Op::ModDown(_));
        divides && is_divided[value.index()] && n_readers[value.index()] == 1
    };
    plan.values().map(is_fused).collect()
}
