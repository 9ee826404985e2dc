//! The noise of BFV: how much each value carries, and how much its modulus holds.
//!
//! A ciphertext on primes of product Q decrypts to `Q/t·m + e` (Fan, Vercauteren, eprint 2012/144): the message is
//! exact while every coefficient of e stays below Q/2t. Deviations are heuristic average case, as in the rest of this
//! module, but of coefficients instead of slots.
//!
//! Coefficients differ in variance. Adding a value to a rotation of itself adds coefficients to those that the automorphism
//! moves there, up to the sign; some stay where they are, and there errors add up or cancel. After `v + rot(v)` with steps
//! of N/4, N/8, .., w, nearly all errors are in 2w coefficients. So the mean and the largest variance are followed both:
//! products with polynomials of many coefficients see the former, decryption the latter. How unevenly noise is spread over
//! the canonical embedding decides what products with other noise, the secret and constants make of it ([`Spectrum`]).

use std::collections::BTreeMap;
use std::ops::Add;

use crate::plan::{Constant, ConstantId, Key, Op, Params, Plan, Slots, Value, View};

use super::formulas::{fresh, key_product, rounding};
use super::spectrum::Spectrum;

/// A coefficient stays below this many standard deviations: it is a sum of N independent products, nearly normal, so
/// that one passes the bound with probability 2^−100.
pub const EXACT_TAIL: f64 = 12.0;

/// The noise must stay below a quarter of Q/t, not half of it: what is above tells the client that the plan failed.
pub const HEADROOM_BITS: f64 = 2.0;

/// For every value, log2 of the largest standard deviation of a coefficient of its noise, for the largest plaintext prime.
/// In the form QP it is that of the value divided by P.
pub fn analyze_exact(plan: &Plan) -> Vec<f64> {
    ConstantSizes::new(plan).analyze(plan)
}

/// How large the constants of a plan are as polynomials, which takes longer to find out than all the rest, and does not
/// depend on the plaintext primes.
pub struct ConstantSizes(Vec<Size>);

enum Size {
    /// One coefficient.
    Number(f64),
    /// A number of coefficients, which are as good as uniform modulo t.
    Uniform(usize),
}

impl ConstantSizes {
    /// The sizes of all constants.
    pub fn new(plan: &Plan) -> ConstantSizes {
        ConstantSizes((0..plan.constants.len()).map(|c| size(plan, ConstantId(c as u32))).collect())
    }

    /// As [`analyze_exact`], of a plan with the same constants.
    pub fn analyze(&self, plan: &Plan) -> Vec<f64> {
        let variances = self.variances(plan).into_iter();
        variances.map(|variance| variance.peak.log2() / 2.0).collect()
    }

    /// As [`Self::analyze`], the root mean square over all coefficients.
    pub fn analyze_mean(&self, plan: &Plan) -> Vec<f64> {
        let variances = self.variances(plan).into_iter();
        variances.map(|variance| variance.mean.log2() / 2.0).collect()
    }

    fn variances(&self, plan: &Plan) -> Vec<Variance> {
        let mut analysis = Analysis { plan, sizes: self, variances: vec![], sources: vec![] };
        for (value, op) in plan.values() {
            let (variance, source) = analysis.step(value, op);
            analysis.variances.push(variance);
            analysis.sources.push(source);
        }
        analysis.variances
    }

    /// The polynomial that a constant is encoded as: how many coefficients it has, and their mean square modulo t.
    fn polynomial(&self, constant: ConstantId, t: f64) -> (f64, f64) {
        match self.0[constant.index()] {
            Size::Number(0.0) => (1.0, 0.0),
            Size::Number(x) => (1.0, (x * x).min(t * t / 4.0)),
            Size::Uniform(coefficients) => (coefficients as f64, t * t / 12.0),
        }
    }
}

/// Slots that repeat with period w within rows are a polynomial of 2w coefficients, of one if all are the same.
fn size(plan: &Plan, constant: ConstantId) -> Size {
    let Constant { view, .. } = &plan.constants[constant.index()];
    match view {
        View::Splat(x) | View::Imaginary(x) => Size::Number(*x),
        View::Table { .. } | View::Embedding(_) => {
            let Slots { re: slots, .. } = plan.slots_of(constant);
            if slots.iter().all(|x| *x == slots[0]) {
                return Size::Number(slots[0]);
            }
            let rows = slots.chunks(plan.params.row_length());
            Size::Uniform(2 * rows.map(period).max().unwrap_or(1))
        }
    }
}

/// The smallest power of two that slots repeat with.
fn period(slots: &[f64]) -> usize {
    let mut period = slots.len();
    while period > 1 && slots[..period / 2] == slots[period / 2..period] {
        period /= 2;
    }
    period
}

/// Bits that are left of the modulus of a value whose noise has the deviation 2^`log_noise`: below 0, the result may
/// be wrong.
pub fn budget(plan: &Plan, value: Value, log_noise: f64) -> f64 {
    let params = &plan.params;
    let log_q: f64 = plan.ty(value).limbs.iter().map(|limb| params.log_q(limb)).sum();
    log_q - params.largest_t().log2() - HEADROOM_BITS - EXACT_TAIL.log2() - log_noise
}

/// Variance of a coefficient of what dividing and rounding a ciphertext leaves.
pub fn rounding_variance(params: &Params, degree: u8) -> f64 {
    to_coefficients(params, rounding(params, degree))
}

/// Variance of a coefficient of a fresh encryption.
fn fresh_variance(params: &Params) -> f64 {
    to_coefficients(params, fresh(params))
}

/// Variance of a coefficient of what a key switch on the primes of a value adds, its division by P not counted.
fn key_variance(plan: &Plan, value: Value) -> f64 {
    to_coefficients(&plan.params, key_product(&plan.params, plan.ty(value).limbs))
}

/// A slot sees N coefficients, half of them in its real part.
fn to_coefficients(params: &Params, deviation: f64) -> f64 {
    deviation * deviation * 2.0 / params.ring_degree() as f64
}

/// Variances of the coefficients of a value's noise.
#[derive(Clone, Copy)]
struct Variance {
    mean: f64,
    peak: f64,
    spectrum: Spectrum,
}

impl Variance {
    /// The same for all coefficients.
    const fn even(variance: f64, spectrum: Spectrum) -> Variance {
        Variance { mean: variance, peak: variance, spectrum }
    }

    fn scale(self, factor: f64) -> Variance {
        Variance { mean: self.mean * factor, peak: self.peak * factor, ..self }
    }

    /// After a product with what has this spectrum.
    fn shaped(self, spectrum: Spectrum) -> Variance {
        let product = self.spectrum.times(spectrum);
        Variance { spectrum: product, ..self.scale(self.spectrum.gain(spectrum)) }
    }
}

/// What rounding to integers leaves.
const ROUNDED_TO_INTEGERS: Variance = Variance::even(1.0 / 12.0, Spectrum::WHITE);

/// Of independent noise.
impl Add for Variance {
    type Output = Variance;

    fn add(self, other: Variance) -> Variance {
        let terms = [(self.mean, self.spectrum), (other.mean, other.spectrum)];
        Variance {
            mean: self.mean + other.mean,
            peak: self.peak + other.peak,
            spectrum: Spectrum::of_sum(&terms),
        }
    }
}

/// The largest variance where deviations may add up.
fn together(a: f64, b: f64) -> f64 {
    (a.sqrt() + b.sqrt()).powi(2)
}

struct Analysis<'a> {
    plan: &'a Plan,
    sizes: &'a ConstantSizes,
    variances: Vec<Variance>,
    /// What each value is a moved copy of, or itself.
    sources: Vec<Value>,
}

impl Analysis<'_> {
    /// The noise of a value, and what it is a moved copy of, noise added, or itself.
    fn step(&self, value: Value, op: &Op) -> (Variance, Value) {
        let params = &self.plan.params;
        let of = |v: &Value| self.variances[v.index()];
        let own = |variance: Variance| (variance, value);
        let copy = |of: &Value, variance: Variance| (variance, self.sources[of.index()]);
        match op {
            Op::Input(_) => own(Variance::even(fresh_variance(params), Spectrum::ROUNDING)),
            Op::Add(a, b) | Op::Sub(a, b) => own(self.sum(*a, *b)),
            Op::Neg(a) => own(of(a)),
            Op::AddPlain(a, _) => own(of(a) + ROUNDED_TO_INTEGERS),
            Op::MulPlain(a, c) => own(self.dot(&[(*a, *c)])),
            Op::DotPlain(terms) => own(self.dot(terms)),
            Op::Mul(a, b) => own(self.product(*a, *b)),
            Op::MulBgv(a, b) => own(self.bgv_product(*a, *b)),
            Op::Decompose(a) | Op::ModUp(a) => copy(a, of(a)),
            Op::ApplyKey(a, key) => {
                let switched = Variance::even(key_variance(self.plan, value), Spectrum::WHITE);
                match key {
                    Key::Rotate(_) | Key::Conjugate => copy(a, of(a) + switched),
                    Key::Relinearize | Key::Encapsulate | Key::Decapsulate => own(of(a) + switched),
                }
            }
            Op::ModDown(a) => {
                let rounded = rounding_variance(params, 1);
                copy(a, of(a) + Variance::even(rounded, Spectrum::ROUNDING))
            }
            Op::ModSwitch(a, limbs) => {
                let dropped = self.plan.ty(*a).limbs.difference(*limbs);
                let log: f64 = dropped.iter().map(|limb| params.log_q(limb)).sum();
                let rounded = rounding_variance(params, self.plan.ty(value).degree);
                let rounded = Variance::even(rounded, Spectrum::ROUNDING);
                own(of(a).scale((-2.0 * log).exp2()) + rounded)
            }
            Op::Rescale(a) | Op::Drop(a, _) | Op::ModRaise(a, _) => own(of(a)),
        }
    }

    /// The scale-invariant product.
    fn product(&self, a: Value, b: Value) -> Variance {
        let params = &self.plan.params;
        let [x, y] = [a, b].map(|v| self.variances[v.index()]);
        // What the operands are multiplied by: t times their overflow beyond Q, which is a rounding's size.
        let n = params.ring_degree() as f64;
        let factor = params.largest_t().powi(2) * n * rounding_variance(params, 1);
        let sum = if a == b { x.scale(4.0) } else { x + y };
        let mean = sum.shaped(Spectrum::SECRET).scale(factor);
        let rounding = Variance::even(rounding_variance(params, 2), Spectrum::ROUNDING);
        Variance { peak: mean.mean, ..mean } + rounding
    }

    fn bgv_product(&self, a: Value, b: Value) -> Variance {
        let params = &self.plan.params;
        // The phase times t is t·e − [Q·m]_t, and messages are as good as uniform modulo t.
        let [x, y] = [a, b].map(|v| self.variances[v.index()] + ROUNDED_TO_INTEGERS);
        let peak = (x.mean * y.peak).min(x.peak * y.mean);
        let product = Variance { mean: x.mean * y.mean, peak, ..x }.shaped(y.spectrum);
        product.scale(params.largest_t().powi(2) * params.ring_degree() as f64)
    }

    fn sum(&self, a: Value, b: Value) -> Variance {
        let (x, y) = (self.variances[a.index()], self.variances[b.index()]);
        match self.sources[a.index()] == self.sources[b.index()] {
            _ if a == b => x.scale(4.0),
            true => Variance { peak: together(x.peak, y.peak), ..x + y },
            false => x + y,
        }
    }

    fn dot(&self, terms: &[(Value, ConstantId)]) -> Variance {
        let n = self.plan.params.ring_degree() as f64;
        let product = |(v, c): &(Value, ConstantId)| {
            let (count, square) = self.sizes.polynomial(*c, self.plan.params.largest_t());
            let Variance { mean, peak, spectrum } = self.variances[v.index()];
            let peak = (count * peak).min(n * mean);
            let product = Variance { mean: count * mean, peak, spectrum }.scale(square);
            if count == 1.0 { product } else { product.shaped(Spectrum::CONSTANTS) }
        };
        // A value that is read several times brings the same noise each time, and so do its moved copies where they are
        // multiplied by the same polynomial.
        let mut of_value: BTreeMap<Value, Variance> = BTreeMap::new();
        let mut of_source: BTreeMap<(Value, ConstantId), f64> = BTreeMap::new();
        for term in terms {
            let product = product(term);
            let add = |known: &mut Variance| {
                known.mean = together(known.mean, product.mean);
                known.peak = together(known.peak, product.peak);
            };
            of_value.entry(term.0).and_modify(add).or_insert(product);
            let known = of_source.entry((self.sources[term.0.index()], term.1)).or_default();
            *known = together(*known, product.peak);
        }
        let own: Vec<Variance> = of_value.into_values().collect();
        let powers: Vec<(f64, Spectrum)> = own.iter().map(|v| (v.mean, v.spectrum)).collect();
        let peak: f64 = own.iter().map(|v| v.peak).sum();
        Variance {
            mean: own.iter().map(|v| v.mean).sum(),
            peak: peak.max(of_source.into_values().sum()),
            spectrum: Spectrum::of_sum(&powers),
        }
    }
}
