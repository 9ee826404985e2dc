//! Appends instructions to a plan, those that go together at once.

use hecc_grammar::plan::{
    Constant, ConstantId, Key, LimbSet, Op, Plan, Scheme, TypeError, Value, View,
};

/// A plan with the layer that new instructions belong to.
pub struct Emit<'a> {
    /// The plan.
    pub plan: &'a mut Plan,
    /// The layer.
    pub origin: u32,
}

impl Emit<'_> {
    /// Appends an instruction.
    ///
    /// # Errors
    /// If it has no type, see [`Op::infer`].
    pub fn op(&mut self, op: Op) -> Result<Value, TypeError> {
        self.plan.push(op, self.origin)
    }

    /// Appends a constant.
    pub fn constant(&mut self, view: View, scale: f64) -> ConstantId {
        self.plan.constants.push(Constant { view, scale });
        ConstantId(self.plan.constants.len() as u32 - 1)
    }

    /// Appends the constant that holds one number.
    pub fn splat(&mut self, x: f64, scale: f64) -> ConstantId {
        self.constant(View::Splat(x), scale)
    }

    /// The scale of a value.
    pub fn scale(&self, value: Value) -> f64 {
        self.plan.ty(value).scale
    }

    /// The value on some of its primes, its message as it is.
    ///
    /// # Errors
    /// If it is not on all of them.
    pub fn on(&mut self, value: Value, limbs: LimbSet) -> Result<Value, TypeError> {
        match self.plan.params.scheme() {
            _ if self.plan.ty(value).limbs == limbs => Ok(value),
            Scheme::Ckks => self.op(Op::Drop(value, limbs)),
            Scheme::Bfv => self.op(Op::ModSwitch(value, limbs)),
        }
    }

    /// The result of a product or linear map where its level wants it: rescaled, or in BFV on fewer primes.
    ///
    /// # Errors
    /// If it is not on all of these primes, or on no others to divide by.
    pub fn settle(&mut self, value: Value, limbs: LimbSet) -> Result<Value, TypeError> {
        match self.plan.params.scheme() {
            Scheme::Ckks => self.op(Op::Rescale(value)),
            Scheme::Bfv => self.on(value, limbs),
        }
    }

    /// A key switch but for its division, in QP.
    ///
    /// # Errors
    /// If the value is not linear, or there are no special primes.
    pub fn apply(&mut self, value: Value, key: Key) -> Result<Value, TypeError> {
        let digits = self.op(Op::Decompose(value))?;
        self.op(Op::ApplyKey(digits, key))
    }

    /// A whole key switch.
    ///
    /// # Errors
    /// Those of [`apply`](Self::apply).
    pub fn switch(&mut self, value: Value, key: Key) -> Result<Value, TypeError> {
        self.plan.push_switch(value, key, self.origin)
    }

    /// `2·a² − 1`, one prime lower: the cosine of twice the angle. Nothing comes between division by P and rescaling, so
    /// that they are one.
    ///
    /// # Errors
    /// If there is no prime to drop.
    pub fn double_angle(&mut self, a: Value) -> Result<Value, TypeError> {
        let twice = self.op(Op::Add(a, a))?;
        let product = self.op(Op::Mul(a, twice))?;
        let linear = self.switch(product, Key::Relinearize)?;
        let rescaled = self.op(Op::Rescale(linear))?;
        let one = self.splat(-1.0, self.scale(rescaled));
        self.op(Op::AddPlain(rescaled, one))
    }
}
