//! Random instructions: appended while they are well typed and keep the plan's promises.

use hecc_grammar::plan::{
    Constant, ConstantId, EmbeddingDiagonal, Form, Key, LimbSet, Op, Opcode, Plan, Scheme, Type,
    Value, View,
};

use super::Choices;
use super::plan::runs;

/// Appends an instruction of layer `origin` if it is well typed and keeps the plan's promises.
pub(super) fn push(plan: &mut Plan, op: Op, origin: u32) -> Option<Value> {
    let ty = op.infer(plan).ok()?;
    let log_q: f64 = ty.limbs.iter().map(|limb| plan.params.log_q(limb)).sum();
    if ty.scale + 1.0 > log_q {
        return None;
    }
    let value = plan.push(op, origin).expect("it was typed above");
    // Messages with different factors must not be added.
    if plan.params.t().iter().any(|&t| plan.correction_factors(t).is_err()) {
        plan.ops.pop();
        plan.types.pop();
        plan.origins.pop();
        plan.joined.pop();
        return None;
    }
    Some(value)
}

/// Appends a key switch of a value that can be switched so.
pub(super) fn switch(of: &mut Choices, plan: &mut Plan, origin: u32) -> Option<Value> {
    let keys = keys(of, plan);
    let key = of.pick(&keys)?;
    let fits = |ty: Type| {
        let degree = if key == Key::Relinearize { 2 } else { 1 };
        ty.form == Form::Q && ty.degree == degree && ty.ephemeral == (key == Key::Decapsulate)
    };
    let a = of.pick(&values(plan, fits))?;
    let digits = push(plan, Op::Decompose(a), origin)?;
    let switched = push(plan, Op::ApplyKey(digits, key), origin)?;
    push(plan, Op::ModDown(switched), origin)
}

/// The values whose types fit.
fn values(plan: &Plan, fits: impl Fn(Type) -> bool) -> Vec<Value> {
    plan.values().map(|(value, _)| value).filter(|&value| fits(plan.ty(value))).collect()
}

/// Any instruction, which may have no type.
pub(super) fn instruction(of: &mut Choices, plan: &mut Plan) -> Option<Op> {
    let opcode = of.pick(Opcode::ALL)?;
    // What few values fit is chosen among those, so that no instruction is rare.
    let fits = |ty: Type| match opcode {
        Opcode::ApplyKey => ty.form == Form::Digits,
        Opcode::ModDown => ty.form == Form::QP,
        Opcode::Rescale => ty.form != Form::Digits && ty.limbs.len() > 1 && ty.scale > 50.0,
        Opcode::ModRaise => ty.form == Form::Q && ty.limbs.len() == 1,
        Opcode::Input
        | Opcode::Add
        | Opcode::Sub
        | Opcode::Neg
        | Opcode::AddPlain
        | Opcode::MulPlain
        | Opcode::DotPlain
        | Opcode::Mul
        | Opcode::MulBgv
        | Opcode::ModSwitch
        | Opcode::Drop
        | Opcode::Decompose
        | Opcode::ModUp => true,
    };
    let a = of.pick(&values(plan, fits))?;
    let alike = values(plan, |ty| ty == plan.ty(a));
    let b = of.pick(&alike)?;
    let ty = plan.ty(a);
    let fewer = if of.coin() { ty.limbs.without_last() } else { LimbSet(of.below(256) as u64) };
    Some(match opcode {
        Opcode::Input => Op::Input(of.below(plan.n_input_ciphertexts()) as u32),
        Opcode::Add => Op::Add(a, b),
        Opcode::Sub => Op::Sub(a, b),
        Opcode::Neg => Op::Neg(a),
        Opcode::AddPlain => Op::AddPlain(a, constant(of, plan, ty.scale)?),
        Opcode::MulPlain => Op::MulPlain(a, constant(of, plan, factor_scale(plan, 24.5))?),
        Opcode::DotPlain => {
            let (count, scale) = (1 + of.below(4), factor_scale(plan, 9.125));
            let mut term = || Some((of.pick(&alike)?, constant(of, plan, scale)?));
            Op::DotPlain((0..count).map(|_| term()).collect::<Option<_>>()?)
        }
        Opcode::Mul => Op::Mul(a, b),
        Opcode::MulBgv => Op::MulBgv(a, b),
        Opcode::Rescale => Op::Rescale(a),
        Opcode::ModSwitch => Op::ModSwitch(a, fewer),
        Opcode::Drop => Op::Drop(a, fewer),
        Opcode::Decompose => Op::Decompose(a),
        Opcode::ApplyKey => {
            let mut keys = keys(of, plan);
            keys.retain(|&key| Op::ApplyKey(a, key).infer(plan).is_ok());
            Op::ApplyKey(a, of.pick(&keys)?)
        }
        Opcode::ModUp => Op::ModUp(a),
        Opcode::ModDown => Op::ModDown(a),
        Opcode::ModRaise => Op::ModRaise(a, plan.params.all_limbs()),
    })
}

/// The keys that a batch allows.
fn keys(of: &mut Choices, plan: &Plan) -> Vec<Key> {
    let mut keys = vec![Key::Relinearize, Key::Encapsulate, Key::Decapsulate];
    if plan.batch == 1 {
        let steps = 1 + of.below(plan.params.row_length() - 1) as u32;
        keys.extend([Key::Rotate(steps), Key::Conjugate]);
    }
    keys
}

fn factor_scale(plan: &Plan, scale: f64) -> f64 {
    match plan.params.scheme() {
        Scheme::Ckks => scale,
        Scheme::Bfv => 0.0,
    }
}

/// A new constant, unless constants cannot have this scale.
fn constant(of: &mut Choices, plan: &mut Plan, scale: f64) -> Option<ConstantId> {
    if !(scale > -64.0 && scale < 128.0) {
        return None;
    }
    let view = view(of, plan);
    plan.constants.push(Constant { view, scale });
    Some(ConstantId(plan.constants.len() as u32 - 1))
}

fn view(of: &mut Choices, plan: &Plan) -> View {
    let exact = plan.params.scheme() == Scheme::Bfv;
    let number = |of: &mut Choices| if exact { of.integer() } else { of.number() };
    if of.coin() {
        return View::Splat(number(of));
    }
    if !exact && of.coin() {
        return match of.coin() {
            true => View::Imaginary(of.number()),
            false => View::Embedding(diagonal(of, plan.params.log_n)),
        };
    }
    let table = of.below(plan.tables.len());
    let runs = runs(of, plan.params.n_slots(), plan.tables[table].len());
    View::Table { table: table as u32, factor: number(of), runs }
}

fn diagonal(of: &mut Choices, log_n: u32) -> EmbeddingDiagonal {
    let log_slots = 1 + of.below(log_n as usize - 1) as u32;
    let low = of.below(log_slots as usize) as u32;
    let bits = (low, low + 1 + of.below((log_slots - low) as usize) as u32);
    let (rotation, shift) = (of.below(1 << log_slots) as u32, of.below(1 << log_slots) as u32);
    EmbeddingDiagonal { log_slots, inverse: of.coin(), bits, rotation, shift, factor: of.number() }
}
