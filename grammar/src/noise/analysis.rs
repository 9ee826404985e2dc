//! How errors spread through a plan.

use std::rc::Rc;

use crate::plan::{Constant, ConstantId, Key, Op, Plan, Value, View};

use super::{encode, fresh, key_product, overflow, rounding, rounding_ephemeral};

/// Multiples of the prime, on both sides of none, that samples of a raised value hold.
const MULTIPLES: i32 = 5;

/// Messages that they hold besides.
const MESSAGES: [f64; 3] = [-1.0, 0.3, 1.0];

/// Standard deviations of the error of a value's slots, in message units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deviation {
    /// Of the whole error.
    pub total: f64,
    /// Of what the value's instruction adds.
    pub added: f64,
}

/// What is known of a value without running the plan.
#[derive(Clone, Debug)]
struct Known {
    slots: Slots,
    /// Variance that its instruction adds to what the operands bring.
    added: f64,
    /// The value that it is a multiple of, or of whose complex conjugate, and the factor.
    relation: Option<Relation>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Relation {
    Twice(Value),
    Conjugate(Value),
}

/// What slots hold, and the variance of their error.
#[derive(Clone, Copy, Debug)]
struct Slot {
    content: f64,
    variance: f64,
}

#[derive(Clone, Debug)]
enum Slots {
    /// Any slot. The content is a bound, 1, which is how the compiler normalizes values; or in the linear maps of
    /// bootstrapping the root mean square, `.1` being the multiple of the message's unit that raising added.
    Alike(Slot, Option<f64>),
    /// Arguments of the sine that takes multiples away and all that is computed from them slot by slot: how much an error
    /// matters depends on the multiple.
    Samples(Rc<[Slot]>),
}

impl Slots {
    fn bounded(variance: f64) -> Slots {
        Slots::Alike(Slot { content: 1.0, variance }, None)
    }

    /// The largest variance.
    fn variance(&self) -> f64 {
        match self {
            Slots::Alike(slot, _) => slot.variance,
            Slots::Samples(slots) => slots.iter().map(|slot| slot.variance).fold(0.0, f64::max),
        }
    }

    fn content(&self) -> f64 {
        match self {
            Slots::Alike(slot, _) => slot.content,
            Slots::Samples(_) => 1.0,
        }
    }

    fn map(&self, f: impl Fn(Slot) -> Slot) -> Slots {
        match self {
            Slots::Alike(slot, unit) => Slots::Alike(f(*slot), *unit),
            Slots::Samples(slots) => Slots::Samples(slots.iter().copied().map(f).collect()),
        }
    }

    /// Slot by slot where both are samples.
    fn zip(&self, other: &Slots, f: impl Fn(Slot, Slot) -> Slot) -> Slots {
        match (self, other) {
            (Slots::Samples(a), Slots::Samples(b)) => {
                Slots::Samples(a.iter().zip(b.iter()).map(|(&a, &b)| f(a, b)).collect())
            }
            _ => {
                let slot = |slots: &Slots| Slot { content: 1.0, variance: slots.variance() };
                Slots::bounded(f(slot(self), slot(other)).variance)
            }
        }
    }
}

/// The error of every value's slots, as far as it is known without running the plan. Values that are multiplied are taken
/// to be within [−1, 1], which is how the compiler normalizes them, but for the sine of bootstrapping, whose argument has
/// a known distribution. Errors of different values are taken to be independent, but for a value, its double and its
/// conjugate.
pub fn analyse(plan: &Plan) -> Vec<Deviation> {
    let mut known: Vec<Known> = Vec::with_capacity(plan.ops.len());
    for (value, op) in plan.values() {
        let next = step(plan, value, op, &known);
        known.push(next);
    }
    let deviation = |known: Known| Deviation {
        total: known.slots.variance().sqrt(),
        added: known.added.sqrt(),
    };
    known.into_iter().map(deviation).collect()
}

fn step(plan: &Plan, value: Value, op: &Op, known: &[Known]) -> Known {
    let (params, ty) = (&plan.params, plan.ty(value));
    let of = |v: &Value| known[v.index()].slots.clone();
    let plain = |slots: Slots| Known { slots, added: 0.0, relation: None };
    let plus = |slots: Slots, deviation: f64, relation: Option<Relation>| {
        let added = (deviation * (-ty.scale).exp2()).powi(2);
        let slots = slots.map(|slot| Slot { variance: slot.variance + added, ..slot });
        Known { slots, added, relation }
    };
    let switching = || key_product(params, ty.limbs).hypot(rounding(params, 1));
    let passed_on = |v: &Value| known[v.index()].relation;
    match op {
        Op::Input(_) => plus(Slots::bounded(0.0), fresh(params), None),
        Op::Add(a, b) | Op::Sub(a, b) => sum(known, *a, *b, matches!(op, Op::Sub(..))),
        Op::Neg(a) => plain(of(a).map(|slot| Slot { content: -slot.content, ..slot })),
        Op::ModSwitch(a, _) | Op::Drop(a, _) | Op::Decompose(a) | Op::ModUp(a) => plain(of(a)),
        Op::AddPlain(a, c) => {
            let shift = match plan.constants[c.index()].view {
                View::Splat(x) => x,
                View::Imaginary(_) | View::Table { .. } | View::Embedding(_) => 0.0,
            };
            let slots = match of(a) {
                Slots::Samples(_) => of(a).map(|s| Slot { content: s.content + shift, ..s }),
                alike @ Slots::Alike(..) => alike,
            };
            plus(slots, encode(params), None)
        }
        Op::MulPlain(a, c) => dot(plan, &[(*a, *c)], known),
        Op::DotPlain(terms) => dot(plan, terms, known),
        Op::Mul(a, b) | Op::MulBgv(a, b) => plain(product(known, *a, *b)),
        Op::Relinearize(a) | Op::Rotate(a, _) => plus(of(a), switching(), None),
        Op::Conjugate(a) => plus(of(a), switching(), Some(Relation::Conjugate(*a))),
        Op::ApplyKey(a, key) => {
            let relation = match (key, &plan.ops[a.index()]) {
                (Key::Conjugate, Op::Decompose(source)) => Some(Relation::Conjugate(*source)),
                _ => None,
            };
            plus(of(a), key_product(params, ty.limbs), relation)
        }
        Op::ModDown(a) | Op::Rescale(a) => {
            let deviation =
                if ty.ephemeral { rounding_ephemeral(params) } else { rounding(params, ty.degree) };
            plus(of(a), deviation, passed_on(a))
        }
        Op::ModRaise(a, _) => {
            let limb = plan.ty(*a).limbs.last().expect("values have limbs");
            let unit = (params.log_q(limb) - ty.scale).exp2();
            let content = unit * overflow() * (params.n_slots() as f64).sqrt();
            plain(Slots::Alike(Slot { content, variance: of(a).variance() }, Some(unit)))
        }
    }
}

/// `a + b` or `a − b`.
fn sum(known: &[Known], a: Value, b: Value, subtract: bool) -> Known {
    let (x, y) = (&known[a.index()], &known[b.index()]);
    let conjugate = y.relation == Some(Relation::Conjugate(a));
    // Twice the value, or its real or imaginary part; what the conjugate has more is its own.
    let dependent = a == b || conjugate;
    let variance = |x: f64, y: f64| if dependent { 4.0 * x + (y - x).max(0.0) } else { x + y };
    let sign = if subtract { -1.0 } else { 1.0 };
    let slots = match (&x.slots, &y.slots) {
        (Slots::Alike(x, Some(unit)), Slots::Alike(y, _)) if conjugate => {
            samples(*x, variance(x.variance, y.variance), *unit)
        }
        (Slots::Alike(x, unit), Slots::Alike(y, _)) => {
            let bounded = x.content <= 1.0 && y.content <= 1.0 && unit.is_none();
            let content = if bounded { 1.0 } else { x.content.hypot(y.content) };
            Slots::Alike(Slot { content, variance: variance(x.variance, y.variance) }, *unit)
        }
        (x, y) => x.zip(y, |x, y| Slot {
            content: x.content + sign * y.content,
            variance: variance(x.variance, y.variance),
        }),
    };
    let relation = (a == b && !subtract).then_some(Relation::Twice(a));
    Known { slots, added: 0.0, relation }
}

/// Twice the real part of a value whose slots hold multiples of a unit and messages smaller by the factor `unit`.
fn samples(complex: Slot, variance: f64, unit: f64) -> Slots {
    let each = complex.content * std::f64::consts::SQRT_2 / overflow();
    let multiples = -MULTIPLES..=MULTIPLES;
    let of = |multiple: i32| {
        MESSAGES.map(|m| Slot { content: each * (f64::from(multiple) + m / unit), variance })
    };
    Slots::Samples(multiples.flat_map(of).collect())
}

fn product(known: &[Known], a: Value, b: Value) -> Slots {
    let (x, y) = (&known[a.index()], &known[b.index()]);
    // The factor between two operands of which one determines the other.
    let factor = match (x.relation, y.relation) {
        _ if a == b => Some(1.0),
        (Some(Relation::Twice(of)), _) if of == b => Some(2.0),
        (_, Some(Relation::Twice(of))) if of == a => Some(2.0),
        _ => None,
    };
    x.slots.zip(&y.slots, |x, y| {
        let variance = match factor {
            Some(factor) => {
                let content = x.content.abs().min(y.content.abs());
                (2.0 * factor * content).powi(2) * x.variance.min(y.variance)
            }
            None => x.content.powi(2) * y.variance + y.content.powi(2) * x.variance,
        };
        Slot { content: x.content * y.content, variance }
    })
}

/// `Σ ciphertext · plaintext` in the slot where its error is largest: the ciphertexts' errors times the plaintexts, and
/// the ciphertexts times the plaintexts' rounding errors.
fn dot(plan: &Plan, terms: &[(Value, ConstantId)], known: &[Known]) -> Known {
    if let Some(known) = scaled_samples(plan, terms, known) {
        return known;
    }
    let mut carried = vec![0.0; plan.params.n_slots()];
    let (mut everywhere, mut rounding, mut content, mut raised) = (0.0, 0.0, 0.0, None);
    for (value, constant) in terms {
        let operand = &known[value.index()].slots;
        let (variance, size) = (operand.variance(), operand.content());
        let Constant { view, scale } = &plan.constants[constant.index()];
        let unit = (-scale).exp2();
        match view {
            View::Splat(x) | View::Imaginary(x) => {
                everywhere += x * x * variance;
                rounding += (splat_rounding(*x, unit) * size).powi(2);
                content = size;
            }
            View::Table { table, factor, runs } => {
                let table = &plan.tables[*table as usize];
                for run in &runs.0 {
                    run.for_each(|slot, element| {
                        let weight = f64::from(table[element as usize]) * factor;
                        carried[slot as usize] += weight * weight * variance;
                    });
                }
                rounding += (encode(&plan.params) * unit * size).powi(2);
                content = 1.0;
            }
            View::Embedding(diagonal) => {
                let power = diagonal.density() * diagonal.factor.powi(2);
                everywhere += power * variance;
                rounding += (encode(&plan.params) * unit * size).powi(2);
                content = f64::hypot(content, power.sqrt() * size);
                if let Slots::Alike(_, unit) = operand {
                    raised = *unit;
                }
            }
        }
    }
    let variance = carried.into_iter().fold(0.0, f64::max) + everywhere + rounding;
    let slots = Slots::Alike(Slot { content, variance }, raised);
    Known { slots, added: rounding, relation: None }
}

/// The sum of samples times numbers; `None` if anything else is in it.
fn scaled_samples(plan: &Plan, terms: &[(Value, ConstantId)], known: &[Known]) -> Option<Known> {
    let (mut total, mut added): (Option<Vec<Slot>>, f64) = (None, 0.0);
    for (value, constant) in terms {
        let Slots::Samples(slots) = &known[value.index()].slots else { return None };
        let Constant { view, scale } = &plan.constants[constant.index()];
        let (View::Splat(x) | View::Imaginary(x)) = view else { return None };
        let rounding = splat_rounding(*x, (-scale).exp2()).powi(2);
        added += rounding;
        let total =
            total.get_or_insert_with(|| vec![Slot { content: 0.0, variance: 0.0 }; slots.len()]);
        for (total, slot) in total.iter_mut().zip(slots.iter()) {
            total.content += x * slot.content;
            total.variance += x * x * slot.variance + rounding;
        }
    }
    Some(Known { slots: Slots::Samples(total?.into()), added, relation: None })
}

/// By how much an encoded number is off: one coefficient is rounded, and seen alike in all slots.
fn splat_rounding(x: f64, unit: f64) -> f64 {
    (x / unit).round() * unit - x
}
