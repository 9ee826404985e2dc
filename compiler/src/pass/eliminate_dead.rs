//! Removes instructions that no output depends on, and constants and tables that no instruction reads.
//!
//! Before: any plan. After: every instruction is read by a later one or by an output.

use hecc_grammar::plan::{ConstantId, Op, Plan, Rewriter, TypeError, View};

/// The plan without dead instructions, constants and tables.
///
/// # Errors
/// If an instruction has no type, which is a defect of the compiler.
pub fn eliminate_dead(plan: &Plan) -> Result<Plan, TypeError> {
    let mut alive = vec![false; plan.ops.len()];
    plan.output_values().for_each(|value| alive[value.index()] = true);
    for (value, op) in plan.values().collect::<Vec<_>>().into_iter().rev() {
        if alive[value.index()] {
            op.operands().iter().for_each(|operand| alive[operand.index()] = true);
        }
    }
    let mut new = Rewriter::new(plan);
    for (value, _) in plan.values() {
        if alive[value.index()] {
            let made = new.copy(value)?;
            new.define(value, made);
        }
    }
    let mut plan = new.finish();
    drop_unused_constants(&mut plan);
    Ok(plan)
}

fn drop_unused_constants(plan: &mut Plan) {
    let mut used = vec![false; plan.constants.len()];
    plan.ops.iter().flat_map(Op::constants).for_each(|c| used[c.index()] = true);
    let places = renumber(&used);
    let mut keep = used.iter();
    plan.constants.retain(|_| keep.next() == Some(&true));
    for op in &mut plan.ops {
        *op = op.map_constants(|c| ConstantId(places[c.index()]));
    }
    let mut used = vec![false; plan.tables.len()];
    for constant in &plan.constants {
        if let View::Table { table, .. } = &constant.view {
            used[*table as usize] = true;
        }
    }
    let places = renumber(&used);
    let mut keep = used.iter();
    plan.tables.retain(|_| keep.next() == Some(&true));
    for constant in &mut plan.constants {
        if let View::Table { table, .. } = &mut constant.view {
            *table = places[*table as usize];
        }
    }
}

/// For each index, how many used ones precede it.
fn renumber(used: &[bool]) -> Vec<u32> {
    let count = |count: &mut u32, &used: &bool| {
        let index = *count;
        *count += u32::from(used);
        Some(index)
    };
    used.iter().scan(0, count).collect()
}
