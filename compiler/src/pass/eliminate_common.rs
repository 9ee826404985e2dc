//! Computes equal instructions once. On `decompose` this is hoisting: all rotations of a value share its digits.
//!
//! Before: any plan. After: no two instructions are equal, and no constant is listed twice.

use std::collections::HashMap;

use hecc_grammar::plan::{
    Constant, ConstantId, EmbeddingDiagonal, Plan, Rewriter, TypeError, View,
};

/// The plan without repeated instructions and constants.
///
/// # Errors
/// If an instruction has no type, which is a defect of the compiler.
pub fn eliminate_common(plan: &Plan) -> Result<Plan, TypeError> {
    let plan = &share_constants(plan);
    let mut new = Rewriter::new(plan);
    let mut known = HashMap::new();
    for (value, op) in plan.values() {
        let key = op.map_operands(|operand| new.new_value(operand));
        let made = match known.get(&key) {
            Some(&made) => made,
            None => {
                let made = new.copy(value)?;
                known.insert(key, made);
                made
            }
        };
        new.define(value, made);
    }
    Ok(new.finish())
}

fn share_constants(plan: &Plan) -> Plan {
    let mut new = plan.clone();
    new.constants.clear();
    let mut known: HashMap<(u64, ViewKey<'_>), ConstantId> = HashMap::new();
    let mut places = vec![];
    for constant in &plan.constants {
        let key = (constant.scale.to_bits(), view_key(constant));
        let made = *known.entry(key).or_insert_with(|| {
            new.constants.push(constant.clone());
            ConstantId(new.constants.len() as u32 - 1)
        });
        places.push(made);
    }
    for op in &mut new.ops {
        *op = op.map_constants(|c| places[c.index()]);
    }
    new
}

/// What makes two views equal, hashable: numbers by their bits.
#[derive(PartialEq, Eq, Hash)]
enum ViewKey<'a> {
    Splat(u64),
    Imaginary(u64),
    Embedding((u32, bool, (u32, u32)), (u32, u32, u64)),
    Table(u32, u64, &'a hecc_grammar::plan::Runs),
}

fn view_key(constant: &Constant) -> ViewKey<'_> {
    match &constant.view {
        View::Splat(x) => ViewKey::Splat(x.to_bits()),
        View::Imaginary(x) => ViewKey::Imaginary(x.to_bits()),
        View::Embedding(diagonal) => {
            let EmbeddingDiagonal { log_slots, inverse, bits, rotation, shift, factor } = *diagonal;
            ViewKey::Embedding((log_slots, inverse, bits), (rotation, shift, factor.to_bits()))
        }
        View::Table { table, factor, runs } => ViewKey::Table(*table, factor.to_bits(), runs),
    }
}
