//! Rebuilds a plan instruction by instruction: how passes transform plans.

use super::{Op, Plan, TypeError, Value};

/// A new plan under construction from an old one. Everything is kept but the instructions, and which of them share a pass.
pub struct Rewriter<'a> {
    old: &'a Plan,
    new: Plan,
    new_values: Vec<Option<Value>>,
}

impl<'a> Rewriter<'a> {
    /// Starts with no instructions.
    pub fn new(old: &'a Plan) -> Rewriter<'a> {
        let new = Plan {
            params: old.params.clone(),
            name: old.name.clone(),
            batch: old.batch,
            inputs: old.inputs.clone(),
            outputs: old.outputs.clone(),
            tables: old.tables.clone(),
            constants: old.constants.clone(),
            layers: old.layers.clone(),
            validation: old.validation.clone(),
            ops: vec![],
            types: vec![],
            origins: vec![],
            joined: vec![],
        };
        Rewriter { old, new, new_values: vec![None; old.ops.len()] }
    }

    /// The plan built so far.
    pub fn plan(&mut self) -> &mut Plan {
        &mut self.new
    }

    /// Appends an instruction whose operands are values of the new plan.
    ///
    /// # Errors
    /// If it has no type.
    pub fn emit(&mut self, op: Op, origin: u32) -> Result<Value, TypeError> {
        self.new.push(op, origin)
    }

    /// Appends the old instruction behind `value`, its operands replaced by what they became.
    ///
    /// # Errors
    /// If it has no type with its new operands.
    pub fn copy(&mut self, value: Value) -> Result<Value, TypeError> {
        let op = self.old.ops[value.index()].map_operands(|v| self.new_value(v));
        self.new.push(op, self.old.origins[value.index()])
    }

    /// Has the last instruction computed in one pass with the one before it.
    ///
    /// # Panics
    /// If there is none.
    pub fn join(&mut self) {
        *self.new.joined.last_mut().expect("an instruction was appended") = true;
    }

    /// Declares what an old value became.
    pub fn define(&mut self, old: Value, new: Value) {
        self.new_values[old.index()] = Some(new);
    }

    /// What an old value became. It must have been defined.
    pub fn new_value(&self, old: Value) -> Value {
        self.new_values[old.index()].expect("a pass defines every value before its users")
    }

    /// The finished plan: outputs and layers point to new values; layers keep only values that still exist.
    pub fn finish(mut self) -> Plan {
        for output in &mut self.new.outputs {
            for (value, _) in &mut output.slots {
                *value = self.new_values[value.index()].expect("outputs survive every pass");
            }
        }
        for layer in &mut self.new.layers {
            layer.slots.retain(|(value, _)| self.new_values[value.index()].is_some());
            for (value, _) in &mut layer.slots {
                *value = self.new_values[value.index()].expect("retained above");
            }
        }
        self.new
    }
}
