//! A plan that bootstraps its inputs and does nothing else: for tests and benchmarks.

use hecc_grammar::cost::Costs;
use hecc_grammar::plan::{
    Dim, Input, Op, Output, OutputKind, Plan, Profile, Ranges, Run, Runs, TypeError, Value,
};

use crate::emit::Emit;
use crate::pass::eliminate_common::eliminate_common;

use super::{Bootstrap, Chain};

/// A plan with one input of `2^log_slots` numbers within [−1, 1] for each of `n_inputs` (one or two), and their bootstrapped
/// values at `level`.
///
/// # Errors
/// If an instruction has no type: `level` or `log_slots` does not fit the parameters.
pub fn probe(
    chain: &Chain,
    log_slots: u32,
    n_inputs: usize,
    level: usize,
    costs: &Costs,
) -> Result<Plan, TypeError> {
    let mut plan = Plan::new(chain.ladder.params.clone(), "bootstrap");
    let (n, n_slots) = (1u32 << log_slots, plan.params.n_slots() as u32);
    let dim = |count: u32, slot_stride: i32, element_stride: i32| Dim {
        count,
        slot_stride,
        element_stride,
    };
    let along = vec![dim(n, 1, 1)];
    let copies = (n < n_slots).then(|| dim(n_slots / n, n as i32, 0));
    let runs = |dims| Runs(vec![Run { slot: 0, element: 0, dims }]);
    let (shape, mut inputs) = (vec![1, n as usize], vec![]);
    for i in 0..n_inputs {
        plan.inputs.push(Input {
            name: format!("x{i}"),
            shape: shape.clone(),
            ranges: Ranges::all(-1.0, 1.0),
            seen: Profile::default(),
            factor: 1.0,
            quantizer: None,
            slots: vec![runs(along.iter().copied().chain(copies).collect())],
            normalization: None,
        });
    }
    let mut emit = Emit { plan: &mut plan, origin: 0 };
    for i in 0..n_inputs as u32 {
        inputs.push(emit.op(Op::Input(i))?);
    }
    let bootstrap = Bootstrap { chain, costs, log_slots, level };
    let values: Vec<Value> = bootstrap.emit(&mut emit, &inputs)?;
    for (i, value) in values.into_iter().enumerate() {
        plan.outputs.push(Output {
            name: format!("y{i}"),
            shape: shape.clone(),
            factor: 1.0,
            element_scales: vec![],
            limit: None,
            magnitude: None,
            seen: Profile::default(),
            slots: vec![(value, runs(along.clone()))],
            client: vec![],
            kind: OutputKind::Values,
        });
    }
    eliminate_common(&plan)
}
