//! How errors spread through a plan.
//!
//! A value is followed in a few samples of what a slot may hold: quantiles of what calibration saw, or a grid over the range.
//! Within instructions that work slot by slot errors are linear forms (see [`Errors`]); where slots are mixed they are taken to
//! be independent.

use crate::plan::{Constant, ConstantId, Key, Op, Plan, Value, View};

use super::content::{Content, grid, raised_samples, spread};
use super::errors::{Errors, SAMPLES, Samples};
use super::formulas::{encode, fresh, key_product, overflow, rounding, rounding_ephemeral, tail};
use super::known::Known;

/// Sums of at least this number of products have about as much error as the mean of what they sum.
const WIDE: usize = 8;

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
/// bootstrapping has a known distribution. Errors of different slots are taken to be independent.
pub fn analyze(plan: &Plan) -> Vec<Deviation> {
    let layers = layer_of_values(plan);
    let (last_uses, fan_ins) = (plan.last_uses(), fan_ins(plan));
    let mut known: Vec<Option<Known>> = Vec::with_capacity(plan.ops.len());
    let mut deviations = Vec::with_capacity(plan.ops.len());
    for (value, op) in plan.values() {
        let mut next = Analysis { plan, value, known: &known, fan_ins: &fan_ins }.step(op);
        if let Some(layer) = layers[value.index()] {
            next = settled(next, value, &plan.layers[layer].quantiles);
        }
        let total = next.largest().sqrt();
        let bound = total * tail(next.errors.concentration());
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

/// The layer that a value is the result of.
fn layer_of_values(plan: &Plan) -> Vec<Option<usize>> {
    let mut layers = vec![None; plan.ops.len()];
    for (layer, described) in plan.layers.iter().enumerate() {
        described.slots.iter().for_each(|(value, _)| layers[value.index()] = Some(layer));
    }
    layers
}

/// How many products each result of a layer sums up, by layer.
fn fan_ins(plan: &Plan) -> Vec<usize> {
    let mut counts = vec![0; plan.layers.len().max(1)];
    for (value, op) in plan.values() {
        if let Op::DotPlain(terms) = op {
            counts[plan.origins[value.index()] as usize] += terms.len();
        }
    }
    let results = plan.layers.iter().map(|layer| layer.slots.len().max(1));
    counts.iter_mut().zip(results).for_each(|(count, results)| *count /= results);
    counts
}

/// The result of a layer: what it holds is known if its instructions do not tell.
fn settled(known: Known, value: Value, quantiles: &[f64]) -> Known {
    if !matches!(known.content, Content::Bounded) && !known.is_bootstrapped {
        return known;
    }
    let is_worst = quantiles.is_empty();
    let content = if is_worst { grid(value) } else { spread(quantiles, value) };
    let variances = known.errors.variances();
    // Bootstrapping brings a value to each slot by another multiple, without regard to what it is.
    let variance = if known.is_bootstrapped { variances.mean() } else { variances.largest() };
    let deviation = Samples::All(variance.sqrt());
    let errors = Errors::mixed(value, deviation, known.errors.concentration());
    Known {
        content: Content::real(content),
        errors,
        is_worst,
        is_bootstrapped: false,
        is_moved: false,
        ..known
    }
}

struct Analysis<'a> {
    plan: &'a Plan,
    value: Value,
    known: &'a [Option<Known>],
    /// See [`fan_ins`].
    fan_ins: &'a [usize],
}

impl Analysis<'_> {
    fn of(&self, v: Value) -> &Known {
        self.known[v.index()].as_ref().expect("values are known until their last use")
    }

    fn step(&self, op: &Op) -> Known {
        let (params, ty) = (&self.plan.params, self.plan.ty(self.value));
        let passed_on = |v: &Value| Known { added: 0.0, ..self.of(*v).clone() };
        match op {
            Op::Input(_) => {
                self.plus(Known::new(Content::Bounded, Errors::default()), fresh(params))
            }
            Op::Add(a, b) => self.sum(*a, *b, 1.0),
            Op::Sub(a, b) => self.sum(*a, *b, -1.0),
            Op::Neg(a) => self.scaled(*a, &Samples::All(-1.0)),
            Op::ModSwitch(a, _) | Op::Drop(a, _) | Op::Decompose(a) | Op::ModUp(a) => passed_on(a),
            Op::AddPlain(a, c) => self.plus(self.shifted(*a, *c), encode(params)),
            Op::MulPlain(a, c) => self.dot(&[(*a, *c)]),
            Op::DotPlain(terms) => self.dot(terms),
            Op::Mul(a, b) | Op::MulBgv(a, b) => self.product(*a, *b),
            Op::ApplyKey(a, key) => {
                let moved = match key {
                    Key::Rotate(_) => self.moved(*a),
                    Key::Conjugate => {
                        let decomposed = &self.plan.ops[a.index()];
                        let of = if let Op::Decompose(source) = decomposed { source } else { a };
                        self.conjugate(*a, *of)
                    }
                    Key::Relinearize | Key::Encapsulate | Key::Decapsulate => self.of(*a).clone(),
                };
                self.plus(moved, key_product(params, ty.limbs))
            }
            Op::ModDown(a) | Op::Rescale(a) => {
                let deviation = match ty.ephemeral {
                    true => rounding_ephemeral(params),
                    false => rounding(params, ty.degree),
                };
                self.plus(self.of(*a).clone(), deviation)
            }
            Op::ModRaise(a, _) => {
                let limb = self.plan.ty(*a).limbs.last().expect("values have limbs");
                let unit = (params.log_q(limb) - ty.scale).exp2();
                let size = unit * overflow() * (params.n_slots() as f64).sqrt();
                let deviation = self.of(*a).largest().sqrt();
                let errors = Errors::own(self.value, Samples::All(deviation));
                Known::new(Content::Raised { size, unit }, errors)
            }
        }
    }

    /// With an error that the instruction adds, in units of 2^−scale.
    fn plus(&self, known: Known, deviation: f64) -> Known {
        let deviation = deviation * (-self.plan.ty(self.value).scale).exp2();
        let own = Errors::own(self.value, Samples::All(deviation));
        let errors = known.errors.plus(&own, self.value);
        Known { errors, added: deviation * deviation, ..known }
    }

    /// Slots that came from elsewhere: their errors are those of other slots.
    fn moved(&self, a: Value) -> Known {
        let known = self.of(a);
        let errors = known.errors.collapsed(self.value);
        Known { errors, conjugate_of: None, is_moved: true, ..known.clone() }
    }

    fn conjugate(&self, a: Value, of: Value) -> Known {
        let known = self.of(a);
        let (errors, content) = (known.errors.conjugated(), known.content.clone().conjugated());
        Known { errors, content, conjugate_of: Some(of), ..known.clone() }
    }

    fn scaled(&self, a: Value, factor: &Samples) -> Known {
        let known = self.of(a);
        let errors = known.errors.times(factor);
        Known {
            errors,
            content: known.content.scaled(factor),
            added: 0.0,
            conjugate_of: None,
            ..*known
        }
    }

    /// `a` plus a plaintext.
    fn shifted(&self, a: Value, c: ConstantId) -> Known {
        let known = self.of(a).clone();
        let view = &self.plan.constants[c.index()].view;
        let content = match (&known.content, view) {
            (Content::Samples { re, im }, View::Splat(shift)) => {
                Content::Samples { re: re.map(|x| x + shift), im: im.clone() }
            }
            (Content::Samples { re, im }, View::Table { .. }) => match self.factors(a, view) {
                Some(shifts) => {
                    Content::Samples { re: re.zip(&shifts.samples, |x, y| x + y), im: im.clone() }
                }
                None => Content::Bounded,
            },
            (content, _) => content.clone(),
        };
        Known { content, conjugate_of: None, ..known }
    }

    /// `a + sign·b`.
    fn sum(&self, a: Value, b: Value, sign: f64) -> Known {
        let sum = self.of(a).combined(&self.scaled(b, &Samples::All(sign)), self.value);
        if let Content::Raised { size, unit } = self.of(a).content
            && self.of(b).conjugate_of == Some(a)
        {
            let part = Content::real(raised_samples(size, unit));
            let content = if sign > 0.0 { part } else { part.turned() };
            return Known { content, is_bootstrapped: true, ..sum };
        }
        sum
    }

    /// `a·b`, to first order in the errors.
    fn product(&self, a: Value, b: Value) -> Known {
        let (x, y) = (self.of(a), self.of(b));
        let (of_x, of_y) = (x.content.samples(), y.content.samples());
        let errors = x.errors.times(&of_y).plus(&y.errors.times(&of_x), self.value);
        Known {
            unevenness: x.unevenness.max(y.unevenness),
            is_worst: x.is_worst || y.is_worst,
            is_bootstrapped: x.is_bootstrapped || y.is_bootstrapped,
            is_moved: x.is_moved || y.is_moved,
            ..Known::new(x.content.times(&y.content), errors)
        }
    }

    /// `Σ ciphertext · plaintext`.
    fn dot(&self, terms: &[(Value, ConstantId)]) -> Known {
        self.combination(terms).unwrap_or_else(|| self.mixture(terms))
    }

    /// The sum of values times numbers, each slot for itself; `None` if anything else is in it.
    fn combination(&self, terms: &[(Value, ConstantId)]) -> Option<Known> {
        let mut total: Option<Known> = None;
        let mut rounding = Samples::All(0.0);
        for (value, constant) in terms {
            let Constant { view, scale } = &self.plan.constants[constant.index()];
            let unit = (-scale).exp2();
            let content = self.of(*value).content.samples();
            let (off, mut term) = match view {
                View::Splat(x) | View::Imaginary(x) => {
                    (splat_rounding(*x, unit), self.scaled(*value, &Samples::All(*x)))
                }
                View::Table { .. } => {
                    let factors = self.factors(*value, view)?;
                    let term = self.scaled(*value, &factors.samples);
                    let unevenness = term.unevenness * factors.unevenness;
                    (encode(&self.plan.params) * unit, Known { unevenness, ..term })
                }
                View::Embedding(_) => return None,
            };
            rounding = rounding.zip(&content, |sum, content| sum + off * content);
            if matches!(view, View::Imaginary(_)) {
                term.content = term.content.turned();
                if terms.len() > 1 {
                    // The real part of the sum takes the imaginary part of the error, which is another one.
                    term.errors = term.errors.collapsed(self.value);
                }
            }
            total = Some(match total {
                None => term,
                Some(total) => total.combined(&term, self.value),
            });
        }
        let total = total?;
        let added = rounding.map(f64::abs).largest().powi(2);
        let errors = total.errors.plus(&Errors::own(self.value, rounding), self.value);
        Some(Known { errors, added, ..total })
    }

    /// What the samples of a value are multiplied by, where a plaintext holds the coefficients of channels: the samples stand for
    /// slots of all of them, the same ones for every coefficient.
    fn factors(&self, value: Value, view: &View) -> Option<Factors> {
        let layer = self.plan.layers.get(self.plan.origins[self.value.index()] as usize)?;
        let View::Table { table, factor, runs } = view else { return None };
        if layer.degree < 2 || self.of(value).is_moved {
            return None;
        }
        let table = &self.plan.tables[*table as usize];
        let number = |(_, element): &(u32, u32)| f64::from(table[*element as usize]) * factor;
        Factors::new(runs.pairs().iter().map(number).collect())
    }

    /// `Σ ciphertext · plaintext` in the slot where its error is largest: the ciphertexts' errors times the plaintexts, and
    /// the ciphertexts times the plaintexts' rounding errors.
    fn mixture(&self, terms: &[(Value, ConstantId)]) -> Known {
        let plan = self.plan;
        let mut carried = vec![Carried::default(); plan.params.n_slots()];
        let (mut everywhere, mut rounding, mut content) =
            (Carried::default(), 0.0, Content::Bounded);
        let mut is_worst = false;
        let is_wide = self.fan_ins[plan.origins[self.value.index()] as usize] >= WIDE;
        for (value, constant) in terms {
            let operand = self.of(*value);
            is_worst |= operand.is_worst;
            let (variance, size) = (operand.typical(), operand.content.size());
            let concentration = operand.errors.concentration();
            // A sum of few may have the slot whose error is largest.
            let beyond = match is_wide {
                true => 0.0,
                false => (operand.largest() - variance).max(0.0),
            };
            let Constant { view, scale } = &plan.constants[constant.index()];
            let unit = (-scale).exp2();
            match view {
                View::Splat(x) | View::Imaginary(x) => {
                    everywhere.add(x * x * variance, concentration);
                    rounding += (splat_rounding(*x, unit) * size).powi(2);
                }
                View::Table { table, factor, runs } => {
                    let table = &plan.tables[*table as usize];
                    for run in &runs.0 {
                        run.for_each(|slot, element| {
                            let weight = (f64::from(table[element as usize]) * factor).powi(2);
                            let carried = &mut carried[slot as usize];
                            carried.add(weight * variance, concentration);
                            carried.worst = carried.worst.max(weight * beyond);
                        });
                    }
                    rounding += (encode(&plan.params) * unit * size).powi(2);
                }
                View::Embedding(diagonal) => {
                    let power = diagonal.density() * diagonal.factor.powi(2);
                    everywhere.add(power * variance, concentration);
                    rounding += (encode(&plan.params) * unit * size).powi(2);
                    if let Content::Raised { unit, .. } = operand.content {
                        let before =
                            if let Content::Raised { size, .. } = content { size } else { 0.0 };
                        let size = f64::hypot(before, power.sqrt() * size);
                        content = Content::Raised { size, unit };
                    }
                }
            }
        }
        let largest = |of: fn(&Carried) -> f64| carried.iter().map(of).fold(0.0, f64::max);
        let elsewhere = everywhere.variance + rounding;
        let most = largest(|c| c.variance + c.worst) + elsewhere;
        let used = carried.iter().map(|c| c.variance).filter(|&variance| variance > 0.0);
        let (sum, count) = used.fold((0.0, 0), |(sum, count), x| (sum + x, count + 1));
        let mean = sum / f64::from(count.max(1)) + elsewhere;
        let squares = largest(|c| c.squares + c.worst * c.worst) + everywhere.squares;
        let concentration = (squares + rounding * rounding) / (most * most);
        let deviations = Samples::All(mean.sqrt());
        let errors = Errors::mixed(self.value, deviations, concentration.min(1.0));
        let unevenness = if mean > 0.0 { most / mean } else { 1.0 };
        Known { added: rounding, is_worst, unevenness, ..Known::new(content, errors) }
    }
}

/// What channels are multiplied by.
struct Factors {
    samples: Samples,
    /// The largest square as a multiple of the mean.
    unevenness: f64,
}

impl Factors {
    /// Of the numbers in all slots; `None` if there are none.
    fn new(numbers: Vec<f64>) -> Option<Factors> {
        let at = |sample: usize| numbers.get(sample * numbers.len() / SAMPLES).copied();
        let samples = (0..SAMPLES).map(at).collect::<Option<_>>()?;
        let squares = || numbers.iter().map(|x| x * x);
        let mean = squares().sum::<f64>() / numbers.len() as f64;
        let unevenness = if mean > 0.0 { squares().fold(0.0, f64::max) / mean } else { 1.0 };
        Some(Factors { samples: Samples::Each(samples), unevenness })
    }
}

/// What operands' errors are in one slot of a sum.
#[derive(Clone, Debug, Default)]
struct Carried {
    variance: f64,
    /// Of independent errors: the sum of the squares of their variances.
    squares: f64,
    /// By how much the variance of one of them may be larger.
    worst: f64,
}

impl Carried {
    fn add(&mut self, variance: f64, concentration: f64) {
        self.variance += variance;
        self.squares += concentration * variance * variance;
    }
}

/// By how much an encoded number is off: one coefficient is rounded, and seen alike in all slots.
fn splat_rounding(x: f64, unit: f64) -> f64 {
    (x / unit).round() * unit - x
}
