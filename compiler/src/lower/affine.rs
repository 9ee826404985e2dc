//! Affine maps: products of rotated operands with diagonals of weights, summed up.

use std::collections::HashMap;

use hecc_grammar::plan::{Key, Op, Runs, TypeError, Value, View};

use crate::graph::NodeId;
use crate::layout::{
    Pair, Period, RotationSum, Shift, boxes, collect, diagonals, joint_period, moved,
};
use crate::linear::LinearMap;

use super::Lowering;
use super::tables::Tables;

/// One term of an affine map while its products are added to the sums.
struct Term<'a> {
    sum: &'a mut RotationSum,
    /// By the number of the ciphertext.
    operands: HashMap<usize, Value>,
    /// Of the operand, within a row.
    period: usize,
    /// log2 of the scale of products.
    target: f64,
}

impl Lowering<'_> {
    pub(super) fn affine(
        &mut self,
        id: NodeId,
        terms: &[(NodeId, LinearMap)],
        bias: &[f64],
    ) -> Result<Vec<Value>, TypeError> {
        let level = self.work_level(id);
        let schedule =
            self.choice.packing.schedules[id.0].expect("packing schedules every affine map");
        let layout = self.choice.packing.layouts[id.0].clone();
        let mut sum = RotationSum::new(schedule, layout.space);
        let joint =
            joint_period(terms.iter().map(|(source, _)| &self.choice.packing.layouts[source.0]));
        let collect = collect(joint, layout.period());
        let window = joint.common(layout.period());
        for term in terms {
            self.products(&mut sum, id, term, window)?;
        }
        let target = 2.0 * self.choice.ladder.scale(level);
        let settled = self.choice.ladder.limbs(self.choice.levels[id.0]);
        let any = self.values[terms[0].0.0][0];
        let mut results = vec![];
        for (ct, bias) in layout.ciphertexts().into_iter().zip(self.bias_views(bias, &layout)) {
            let limbs = self.choice.ladder.limbs(level);
            let mut emit = self.emit();
            let total = match sum.finish(&mut emit, ct)? {
                Some(total) => total,
                // A result that no operand reaches: all its weights are zero.
                None => {
                    let any = emit.on(any, limbs)?;
                    let zero = emit.splat(0.0, target - emit.scale(any));
                    emit.op(Op::MulPlain(any, zero))?
                }
            };
            let total = match emit.plan.ty(total).degree {
                2 => emit.switch(total, Key::Relinearize)?,
                _ => total,
            };
            let mut value = emit.settle(total, settled)?;
            for &step in &collect {
                let key = layout
                    .space
                    .key(step)
                    .expect("steps that collect are rotations or a change of rows");
                let rotated = emit.switch(value, key)?;
                value = emit.op(Op::Add(value, rotated))?;
            }
            for view in bias {
                let constant = emit.constant(view, emit.scale(value));
                value = emit.op(Op::AddPlain(value, constant))?;
            }
            results.push(value);
        }
        Ok(results)
    }

    /// Adds the products of one term of an affine map to its sums. Plaintexts repeat with `window`.
    fn products(
        &mut self,
        sum: &mut RotationSum,
        id: NodeId,
        (source, map): &(NodeId, LinearMap),
        window: Period,
    ) -> Result<(), TypeError> {
        let level = self.work_level(id);
        let (input, output) =
            (&self.choice.packing.layouts[source.0], &self.choice.packing.layouts[id.0]);
        let space = input.space;
        let limbs = self.choice.ladder.limbs(level);
        let values = self.values[source.0].clone();
        let mut emit = self.emit();
        let mut operands = HashMap::new();
        for (number, value) in input.ciphertexts().into_iter().zip(values) {
            operands.insert(number, emit.on(value, limbs)?);
        }
        let mut term = Term {
            sum,
            operands,
            period: input.period().columns,
            target: 2.0 * self.choice.ladder.scale(level),
        };
        let structure = map.structure().filter(|_| window != Period::ONE);
        if let Some((weights, boxes)) = structure.and_then(|s| boxes(s, input, output)) {
            let table = self.tables.push(&weights);
            for (pair, shifts) in boxes {
                for (shift, runs) in shifts {
                    self.diagonal(&mut term, pair, shift, |_, giant| {
                        let by = giant.steps as usize % window.columns;
                        let mut runs = moved(runs, space, by, window.columns, giant.swap);
                        runs.sort_unstable_by_key(|run| run.slot);
                        View::Table {
                            table,
                            factor: 1.0,
                            runs: space.plaintext(Runs(runs), window),
                        }
                    })?;
                }
            }
            return Ok(());
        }
        let weights = (0..map.n_rows()).flat_map(|o| map.row(o)).map(|(_, weight)| weight);
        let (table, elements) = self.tables.add(weights);
        for (pair, shifts) in diagonals(map, input, output) {
            for (shift, entries) in shifts {
                self.diagonal(&mut term, pair, shift, |tables, giant| {
                    let place = |&(slot, number): &(u32, u32)| {
                        let slot = space.source(slot as usize, giant);
                        (space.first(slot, window) as u32, elements[number as usize])
                    };
                    let pairs: Vec<(u32, u32)> = entries.iter().map(place).collect();
                    match pairs[..] {
                        // One number in all slots.
                        [(_, element)] if window == Period::ONE => {
                            View::Splat(tables.number(table, element))
                        }
                        _ => {
                            let pairs = by_slot(pairs, space.n_slots());
                            let runs = space.plaintext(Runs::from_pairs(&pairs), window);
                            View::Table { table, factor: 1.0, runs }
                        }
                    }
                })?;
            }
        }
        Ok(())
    }

    /// Adds one product of a term, whose plaintext is the view of its weights after a giant step.
    fn diagonal(
        &mut self,
        term: &mut Term<'_>,
        (out, input): Pair,
        shift: Shift,
        view: impl FnOnce(&Tables, Shift) -> View,
    ) -> Result<(), TypeError> {
        let mut emit = self.emit();
        let factor = term.sum.factor(&mut emit, term.operands[&input], shift, term.period)?;
        let scale = term.target - emit.scale(factor.operand);
        let view = view(&self.tables, factor.giant);
        let constant = self.emit().constant(view, scale);
        term.sum.add(out, &factor, constant);
        Ok(())
    }
}

/// Pairs of different slots and elements, by slot.
fn by_slot(mut pairs: Vec<(u32, u32)>, n_slots: usize) -> Vec<(u32, u32)> {
    const FEW: usize = 32;
    if pairs.len() < n_slots / FEW {
        pairs.sort_unstable();
        return pairs;
    }
    // So many are told apart by their places.
    let mut elements = vec![None; n_slots];
    pairs.iter().for_each(|&(slot, element)| elements[slot as usize] = Some(element));
    (0..).zip(elements).filter_map(|(slot, element)| Some((slot, element?))).collect()
}
