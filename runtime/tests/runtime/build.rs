//! Plans by hand.

use hecc_grammar::plan::{
    Constant, ConstantId, Dim, Input, Key, Op, Output, OutputKind, Params, Plan, Profile, Ranges,
    Run, Runs, Value, VerifiedPlan, View,
};

/// A plan under construction. Every input and output ciphertext is a tensor with element i in slot i; in a batch it has one
/// element, and slot i is that of input i.
pub(crate) struct Build {
    pub(crate) plan: Plan,
}

/// Elements of a ciphertext's tensor, and where they are.
fn tensor(plan: &Plan) -> (Vec<usize>, Runs) {
    match plan.batch {
        1 => (vec![1, plan.params.n_slots()], identity(plan.params.n_slots())),
        _ => (vec![1, 1], Runs(vec![Run { slot: 0, element: 0, dims: vec![] }])),
    }
}

fn identity(n_slots: usize) -> Runs {
    let dims = vec![Dim { count: n_slots as u32, slot_stride: 1, element_stride: 1 }];
    Runs(vec![Run { slot: 0, element: 0, dims }])
}

impl Build {
    /// A plan with its inputs, values `v0` to `v(n_inputs − 1)`.
    pub(crate) fn new(params: Params, n_inputs: u32) -> Build {
        Build::with_batch(params, n_inputs, 1)
    }

    /// As [`Build::new`], for so many inputs at once.
    pub(crate) fn with_batch(params: Params, n_inputs: u32, batch: usize) -> Build {
        let mut plan = Plan { batch, ..Plan::new(params, "test") };
        let (shape, slots) = tensor(&plan);
        for i in 0..n_inputs {
            plan.inputs.push(Input {
                name: format!("x{i}"),
                shape: shape.clone(),
                ranges: Ranges::all(-1.0, 1.0),
                seen: Profile::default(),
                factor: 1.0,
                quantizer: None,
                slots: vec![slots.clone()],
                normalization: None,
            });
        }
        let mut build = Build { plan };
        (0..n_inputs).for_each(|i| {
            build.op(Op::Input(i));
        });
        build
    }

    /// Appends an instruction.
    pub(crate) fn op(&mut self, op: Op) -> Value {
        self.plan.push(op, 0).expect("the test's plan is well typed")
    }

    /// Appends a whole key switch.
    pub(crate) fn switch(&mut self, value: Value, key: Key) -> Value {
        self.plan.push_switch(value, key, 0).expect("the test's plan is well typed")
    }

    /// A constant with the given numbers in its first slots.
    pub(crate) fn table(&mut self, slots: &[f64], scale: f64) -> ConstantId {
        let table = self.plan.tables.len() as u32;
        self.plan.tables.push(slots.iter().map(|&x| x as f32).collect());
        self.constant(View::Table { table, factor: 1.0, runs: identity(slots.len()) }, scale)
    }

    /// A constant with the same number in all slots.
    pub(crate) fn splat(&mut self, x: f64, scale: f64) -> ConstantId {
        self.constant(View::Splat(x), scale)
    }

    /// A constant.
    pub(crate) fn constant(&mut self, view: View, scale: f64) -> ConstantId {
        self.plan.constants.push(Constant { view, scale });
        ConstantId(self.plan.constants.len() as u32 - 1)
    }

    /// Has neighbors computed in one pass where they can be.
    fn bundle(&mut self) {
        let mut first = Value(0);
        for i in 1..self.plan.ops.len() {
            let value = Value(i as u32);
            self.plan.joined[i] = self.plan.keeps_apart(first, value).is_none();
            if !self.plan.joined[i] {
                first = value;
            }
        }
    }

    /// The verified plan with one output tensor for each value.
    pub(crate) fn finish(mut self, outputs: &[Value]) -> VerifiedPlan {
        self.bundle();
        let (shape, slots) = tensor(&self.plan);
        for (i, &value) in outputs.iter().enumerate() {
            self.plan.outputs.push(Output {
                name: format!("y{i}"),
                shape: shape.clone(),
                factor: 1.0,
                element_scales: vec![],
                limit: None,
                magnitude: None,
                seen: Profile::default(),
                slots: vec![(value, slots.clone())],
                client: vec![],
                kind: OutputKind::Values,
            });
        }
        VerifiedPlan::new(self.plan).expect("the test's plan keeps its promises")
    }
}
