//! How errors spread through a plan.
//!
//! A value is followed in a few samples of what a slot may hold: quantiles of what calibration saw, or a grid over the range.
//! Within instructions that work slot by slot errors are linear forms (see [`Errors`]); where slots are mixed they are
//! independent if they are made of different errors, or of different slots of the same.

use crate::plan::{Constant, ConstantId, Input, Key, Op, Plan, Ranges, Value, View};

use super::classes::Classes;
use super::content::{Content, raised_samples};
use super::errors::Errors;
use super::factors::Factors;
use super::formulas::{encode, fresh, key_product, overflow, rounding, rounding_ephemeral, tail};
use super::known::Known;
use super::layers::{fan_ins, layer_of_values, settled, unclassed};
use super::lineage::{Line, Lineage, Root};
use super::mixture::At;
use super::moduli::Moduli;
use super::prints::names;
use super::samples::Samples;
use super::second_order::{SecondOrder, Unevenness};
use super::shifts::Moves;

/// Smaller parts of a deviation are not followed on their own.
pub(super) const NEGLIGIBLE: f64 = 1e-4;

/// The twin of errors that are the same in all values.
const EVERYWHERE: Value = Value(u32::MAX);

/// The error of a value's slots, in message units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deviation {
    /// Standard deviation of the whole error.
    pub total: f64,
    /// Standard deviation of what the value's instruction adds.
    pub added: f64,
    /// What the error stays below with all but negligible probability.
    pub bound: f64,
}

impl Deviation {
    /// Of values that are exact.
    pub const NONE: Deviation = Deviation { total: 0.0, added: 0.0, bound: 0.0 };
}

/// The error of every value's slots, as far as it is known without running the plan. What layers hold is taken from their
/// quantiles, or to be anything within [−1, 1], which is how the compiler normalizes values; the argument of the sine of
/// bootstrapping has a known distribution. Errors of different slots of a layer are taken to be independent.
pub fn analyze(plan: &Plan) -> Vec<Deviation> {
    let layers = layer_of_values(plan);
    let (last_uses, fan_ins) = (plan.last_uses(), fan_ins(plan));
    let ((names, constants), moves) = (names(plan), Moves::new(&plan.params));
    let plan_wide = PlanWide {
        plan,
        moduli: Moduli::of(&plan.params),
        layers: &layers,
        fan_ins,
        classes: Classes::of_layers(plan),
        constants,
        is_layered: !plan.layers.is_empty(),
    };
    let mut known: Vec<Option<Known>> = Vec::with_capacity(plan.ops.len());
    let mut deviations: Vec<Deviation> = Vec::with_capacity(plan.ops.len());
    for (value, op) in plan.values() {
        let at = At { name: names[value.index()], moves, is_layered: plan_wide.is_layered };
        let mut next = Analysis { of_plan: &plan_wide, value, at, known: &known }.step(op);
        if let (true, Content::Bounded(size)) = (plan_wide.is_layered, &mut next.content) {
            *size = 1.0;
        }
        let mut total = next.largest().sqrt();
        if let Some(layer) = layers[value.index()] {
            next = settled(next, value, &plan.layers[layer].quantiles);
            next = match &plan_wide.classes[layer] {
                Some(classes) => unclassed(next, classes, plan.params.n_slots()),
                None => next,
            };
            total = next.largest().sqrt();
        }
        let mut bound = total * tail(next.errors.concentration());
        // What is no number is not known, nor is what comes of it.
        let is_known = |operand: Value| deviations[operand.index()].bound.is_finite();
        if !(bound.is_finite() && op.operands().into_iter().all(is_known)) {
            (total, bound) = (f64::INFINITY, f64::INFINITY);
        }
        next.total = total;
        deviations.push(Deviation { total, added: next.added.sqrt(), bound });
        known.push(Some(next));
        for operand in op.operands() {
            if last_uses[operand.index()] == Some(value.index()) {
                known[operand.index()] = None;
            }
        }
    }
    deviations
}

/// What is the same for all values.
pub(super) struct PlanWide<'a> {
    pub(super) plan: &'a Plan,
    pub(super) moduli: Moduli,
    /// See [`layer_of_values`].
    pub(super) layers: &'a [Option<usize>],
    /// See [`fan_ins`].
    pub(super) fan_ins: Vec<usize>,
    /// By layer.
    classes: Vec<Option<Classes<'a>>>,
    /// For each constant the first that is the same.
    pub(super) constants: Vec<ConstantId>,
    /// Whether the plan says what its layers are: then what no instruction tells is within [−1, 1].
    pub(super) is_layered: bool,
}

pub(super) struct Analysis<'a> {
    pub(super) of_plan: &'a PlanWide<'a>,
    pub(super) value: Value,
    pub(super) at: At,
    known: &'a [Option<Known>],
}

impl Analysis<'_> {
    pub(super) fn plan(&self) -> &Plan {
        self.of_plan.plan
    }

    pub(super) fn of(&self, v: Value) -> &Known {
        self.known[v.index()].as_ref().expect("values are known until their last use")
    }

    fn step(&self, op: &Op) -> Known {
        let (moduli, ty) = (&self.of_plan.moduli, self.plan().ty(self.value));
        let passed_on = |v: &Value| Known { added: 0.0, ..self.of(*v).clone() };
        match op {
            Op::Input(index) => {
                let content = Content::Bounded(self.largest_input(*index));
                self.plus(Known::new(self.value, content, Errors::default()), fresh(moduli))
            }
            Op::Add(a, b) => self.sum(*a, *b, 1.0),
            Op::Sub(a, b) => self.sum(*a, *b, -1.0),
            Op::Neg(a) => self.scaled(*a, &Samples::All(-1.0)),
            Op::ModSwitch(a, _) | Op::Drop(a, _) | Op::Decompose(a) | Op::ModUp(a) => passed_on(a),
            Op::AddPlain(a, c) => self.shifted(*a, *c),
            Op::MulPlain(a, c) => self.dot(&[(*a, *c)]),
            Op::DotPlain(terms) => self.dot(terms),
            Op::Mul(a, b) | Op::MulBgv(a, b) => self.product(*a, *b),
            Op::ApplyKey(a, key) => {
                let moved = match key {
                    Key::Rotate(steps) => self.moved(*a, *key, *steps),
                    Key::Conjugate => {
                        let decomposed = &self.plan().ops[a.index()];
                        let of = if let Op::Decompose(source) = decomposed { source } else { a };
                        self.conjugate(*a, *of)
                    }
                    Key::Relinearize | Key::Encapsulate | Key::Decapsulate => self.of(*a).clone(),
                };
                self.plus(moved, key_product(moduli, ty.limbs))
            }
            Op::ModDown(a) | Op::Rescale(a) => {
                let deviation = match ty.ephemeral {
                    true => rounding_ephemeral(moduli),
                    false => rounding(moduli, ty.degree),
                };
                self.plus(self.of(*a).clone(), deviation)
            }
            Op::ModRaise(a, _) => {
                let limb = self.plan().ty(*a).limbs.last().expect("values have limbs");
                let unit = (moduli.log_q[limb] - ty.scale).exp2();
                let size = unit * overflow() * (moduli.n() / 2.0).sqrt();
                let raised = self.of(*a);
                // What repeats with a period of the slots does so in the trace as well.
                let lineage = raised.errors.lineage(raised.of, self.at.moves);
                let period = lineage.all_shifts(self.at.moves);
                let line = Line::mixed(Root::Whole(self.value), lineage.kin(), period);
                let deviation = Samples::All(raised.largest().sqrt());
                let errors = Errors::mixed(self.at, (deviation, 1.0), Lineage::of(line), None);
                let entered = raised.entering();
                Known { entered, ..Known::new(self.value, Content::Raised { size, unit }, errors) }
            }
        }
    }

    /// The largest number in a ciphertext of the plan's inputs.
    fn largest_input(&self, index: u32) -> f64 {
        let of = |input: &Input| {
            let (lo, hi) = Ranges::hull(&input.ranges);
            (input.slots.len(), lo.abs().max(hi.abs()) * input.factor.abs())
        };
        let mut before = 0;
        let mut sizes = self.plan().inputs.iter().map(of);
        let mut holds = |&(count, _): &(usize, f64)| {
            before += count;
            (index as usize) < before
        };
        sizes.find(&mut holds).map_or(1.0, |(_, size)| size.max(1.0))
    }

    /// With an error that the instruction adds, in units of 2^−scale.
    fn plus(&self, known: Known, deviation: f64) -> Known {
        let deviation = deviation * (-self.plan().ty(self.value).scale).exp2();
        let own = Errors::own(self.at.name, Samples::All(deviation));
        let errors = known.errors.plus(&own, self.at);
        Known { errors, of: self.value, added: deviation * deviation, ..known }
    }

    /// Slots that came from elsewhere: their errors are those of other slots.
    fn moved(&self, a: Value, key: Key, steps: u32) -> Known {
        let known = self.of(a).clone();
        let errors = known.errors.moved(key, known.of, self.at);
        let profile = known.profile.map(|profile| profile.moved(steps));
        Known { errors, profile, of: self.value, conjugate_of: None, is_moved: true, ..known }
    }

    fn conjugate(&self, a: Value, of: Value) -> Known {
        let known = self.of(a);
        let (errors, content) = (known.errors.conjugated(), known.content.clone().conjugated());
        Known { errors, content, of: self.value, conjugate_of: Some(of), ..known.clone() }
    }

    fn scaled(&self, a: Value, factor: &Samples) -> Known {
        let known = self.of(a);
        let errors = known.errors.times(factor);
        Known {
            errors,
            content: known.content.scaled(factor),
            of: self.value,
            added: 0.0,
            conjugate_of: None,
            ..known.clone()
        }
    }

    /// `a` plus a plaintext.
    fn shifted(&self, a: Value, c: ConstantId) -> Known {
        let known = self.of(a).clone();
        let constant = &self.plan().constants[c.index()];
        let content = match (&known.content, &constant.view) {
            (Content::Samples { re, im }, View::Splat(shift)) => {
                Content::Samples { re: re.map(|x| x + shift), im: im.clone() }
            }
            (Content::Samples { re, im }, view) if let Some(shifts) = self.factors(a, view) => {
                Content::Samples { re: re.zip(&shifts.samples, |x, y| x + y), im: im.clone() }
            }
            (Content::Raised { .. }, _) => known.content.clone(),
            (Content::Samples { .. } | Content::Bounded(_), view) => {
                Content::Bounded(known.content.size() + self.largest_in(view))
            }
        };
        let deviation = encode(&self.of_plan.moduli) * (-constant.scale).exp2();
        let root = Root::Encoded(self.of_plan.constants[c.index()]);
        let encoded = Errors::encoded(root, EVERYWHERE, Samples::All(deviation));
        let errors = known.errors.plus(&encoded, self.at);
        let added = deviation * deviation;
        Known { content, errors, of: self.value, added, conjugate_of: None, ..known }
    }

    /// The largest number of a constant.
    fn largest_in(&self, view: &View) -> f64 {
        match view {
            View::Splat(x) | View::Imaginary(x) => x.abs(),
            View::Table { table, factor, .. } => {
                let table = self.plan().tables[*table as usize].iter();
                f64::from(table.fold(0.0, |most: f32, x| most.max(x.abs()))) * factor.abs()
            }
            View::Embedding(diagonal) => diagonal.factor.abs(),
        }
    }

    /// `a + sign·b`.
    fn sum(&self, a: Value, b: Value, sign: f64) -> Known {
        let sum = self.of(a).combined(&self.scaled(b, &Samples::All(sign)), self.value, self.at);
        if let Content::Raised { size, unit } = self.of(a).content
            && self.of(b).conjugate_of == Some(a)
        {
            let part = Content::real(raised_samples(size, unit));
            let content = if sign > 0.0 { part } else { part.turned() };
            return Known { content, is_bootstrapped: true, ..sum };
        }
        sum
    }

    /// `a·b`; the product of the errors itself only where they are large.
    fn product(&self, a: Value, b: Value) -> Known {
        let (x, y) = (self.of(a), self.of(b));
        let (of_x, of_y) = (x.content.samples(), y.content.samples());
        let (mut errors, mut others) = (x.errors.times(&of_y), y.errors.times(&of_x));
        if !(x.content.has_sign() && y.content.has_sign()) {
            (errors, others) = (errors.unsigned(), others.unsigned());
        }
        errors = errors.plus(&others, self.at);
        let mut uneven =
            Unevenness { most: x.unevenness.max(y.unevenness), profile: x.profile_with(y) };
        let second = SecondOrder::new(x, y, &uneven);
        if second.deviations.largest() > NEGLIGIBLE * x.total.max(y.total) {
            uneven = uneven.with(errors.variances().mean(), &second);
            errors = errors.plus(&Errors::own(self.at.name, second.deviations), self.at);
        }
        Known {
            unevenness: uneven.most,
            profile: uneven.profile,
            entered: x.entered_with(y),
            is_worst: x.is_worst || y.is_worst,
            is_bootstrapped: x.is_bootstrapped || y.is_bootstrapped,
            is_moved: x.is_moved || y.is_moved,
            ..Known::new(self.value, x.content.times(&y.content), errors)
        }
    }

    /// `Σ ciphertext · plaintext`.
    fn dot(&self, terms: &[(Value, ConstantId)]) -> Known {
        self.combination(terms).unwrap_or_else(|| self.mixture(terms))
    }

    /// The sum of values times numbers, each slot for itself; `None` if anything else is in it.
    fn combination(&self, terms: &[(Value, ConstantId)]) -> Option<Known> {
        let mut total: Option<Known> = None;
        let mut roundings = Vec::with_capacity(terms.len());
        for (value, constant) in terms {
            let Constant { view, scale } = &self.plan().constants[constant.index()];
            let unit = (-scale).exp2();
            let (off, mut term) = match view {
                View::Splat(x) | View::Imaginary(x) => {
                    (splat_rounding(*x, unit), self.scaled(*value, &Samples::All(*x)))
                }
                View::Table { .. } => {
                    let factors = self.factors(*value, view)?;
                    let term = self.scaled(*value, &factors.samples);
                    let unevenness = term.unevenness * factors.unevenness;
                    (encode(&self.of_plan.moduli) * unit, Known { unevenness, ..term })
                }
                View::Embedding(_) => return None,
            };
            roundings.push((*constant, self.of(*value).content.samples().map(|x| off * x)));
            if matches!(view, View::Imaginary(_)) {
                term.content = term.content.turned();
                // The real part takes the imaginary part of the error, which is another one.
                term.errors = term.errors.turned(term.of, self.at);
            }
            total = Some(match total {
                None => term,
                Some(total) => total.combined(&term, self.value, self.at),
            });
        }
        let total = total?;
        let rounding =
            roundings.iter().fold(Samples::All(0.0), |sum, (_, x)| sum.zip(x, |a, b| a + b));
        let added = rounding.map(f64::abs).largest().powi(2);
        let errors = self.with_roundings(total.errors, (rounding, roundings));
        Some(Known { errors, added, ..total })
    }

    /// What the samples of a value are multiplied by, where a plaintext holds the coefficients of channels: the samples stand for
    /// slots of all of them, the same ones for every coefficient.
    fn factors(&self, value: Value, view: &View) -> Option<Factors> {
        let layer = self.plan().layers.get(self.plan().origins[self.value.index()] as usize)?;
        let View::Table { table, factor, runs } = view else { return None };
        if layer.degree < 2 || self.of(value).is_moved {
            return None;
        }
        let table = &self.plan().tables[*table as usize];
        let number = |element: usize| f64::from(table[element]) * factor;
        let classes =
            self.of_plan.classes[self.plan().origins[self.value.index()] as usize].as_ref();
        let of_all =
            || Factors::new(runs.pairs().iter().map(|&(_, of)| number(of as usize)).collect());
        match classes {
            Some(classes) if classes.are_channels() => {
                Some(Factors { samples: classes.samples(number), unevenness: 1.0 })
            }
            Some(classes) => {
                let factors = of_all()?;
                Some(Factors { samples: classes.samples(number), ..factors })
            }
            None => of_all(),
        }
    }

    /// Errors and those of constants, given as their sum and one by one; the sum is one more error if it is small.
    fn with_roundings(
        &self,
        errors: Errors,
        (sum, each): (Samples, Vec<(ConstantId, Samples)>),
    ) -> Errors {
        let deviation = |errors: &Errors| errors.variances().largest().sqrt();
        let most = each.iter().map(|(_, x)| x.map(f64::abs).largest()).sum::<f64>();
        if self.at.is_layered || most == 0.0 || most <= NEGLIGIBLE * deviation(&errors) {
            return errors.plus(&Errors::own(self.at.name, sum), self.at);
        }
        each.into_iter().fold(errors, |errors, (constant, deviations)| {
            let root = Root::Encoded(self.of_plan.constants[constant.index()]);
            errors.plus(&Errors::encoded(root, self.value, deviations), self.at)
        })
    }
}

/// By how much an encoded number is off: one coefficient is rounded, and seen alike in all slots.
pub(super) fn splat_rounding(x: f64, unit: f64) -> f64 {
    (x / unit).round() * unit - x
}
