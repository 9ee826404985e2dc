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
//!
//! What is summed is independent only if it has nothing in common ([`Lineage`]): otherwise deviations add up.

use crate::plan::{ConstantId, LimbSet, Op, Plan, Value};

use super::formulas::{fresh, key_product, rounding};
use super::lineage::{Line, Lineage, Root};
use super::marks::Marks;
use super::moduli::Moduli;
use super::prints::alike;
use super::shifts::Moves;
use super::sizes::{ConstantSizes, Independence};
use super::spectrum::Spectrum;
use super::summands::{Summand, sum};
use super::variance::Variance;

/// A coefficient stays below this many standard deviations: it is a sum of N independent products, nearly normal, so
/// that one passes the bound with probability 2^−100.
pub const EXACT_TAIL: f64 = 12.0;

/// The noise must stay below a quarter of Q/t, not half of it: what is above tells the client that the plan failed.
pub const HEADROOM_BITS: f64 = 2.0;

/// The mean of a product of two conjugates is in one coefficient: as a variance, where [`EXACT_TAIL`] deviations are a bound,
/// with as much for what varies.
const OF_CONJUGATES: f64 = 2.0 / (EXACT_TAIL * EXACT_TAIL);

/// For every value, log2 of the largest standard deviation of a coefficient of its noise, for the largest plaintext prime.
/// In the form QP it is that of the value divided by P.
pub fn analyze_exact(plan: &Plan) -> Vec<f64> {
    ConstantSizes::new(plan).analyze(plan, &Moduli::of(&plan.params))
}

impl ConstantSizes {
    /// As [`analyze_exact`], of a plan with the same constants, where moduli may have other sizes than its primes.
    pub fn analyze(&self, plan: &Plan, moduli: &Moduli) -> Vec<f64> {
        let noise = self.noise(plan, moduli).into_iter();
        noise.map(|variance| variance.peak.log2() / 2.0).collect()
    }

    /// As [`Self::analyze`], the root mean square over all coefficients.
    pub fn analyze_mean(&self, plan: &Plan, moduli: &Moduli) -> Vec<f64> {
        let noise = self.noise(plan, moduli).into_iter();
        noise.map(|variance| variance.mean.log2() / 2.0).collect()
    }

    fn noise(&self, plan: &Plan, moduli: &Moduli) -> Vec<Variance> {
        let (moves, alike) = (Moves::new(&plan.params), alike(plan, &self.prints()));
        let mut analysis = Analysis { plan, moduli, sizes: self, moves, alike, known: vec![] };
        let last_uses = plan.last_uses();
        let mut variances = Vec::with_capacity(plan.ops.len());
        for (value, op) in plan.values() {
            let noise = analysis.step(value, op);
            variances.push(noise.variance);
            analysis.known.push(Some(noise));
            for operand in op.operands() {
                if last_uses[operand.index()] == Some(value.index()) {
                    analysis.known[operand.index()] = None;
                }
            }
        }
        variances
    }
}

/// Bits that are left of the modulus of a value whose noise has the deviation 2^`log_noise`: below 0, the result may
/// be wrong.
pub fn budget(plan: &Plan, value: Value, log_noise: f64) -> f64 {
    let params = &plan.params;
    let log_q: f64 = plan.ty(value).limbs.iter().map(|limb| params.log_q(limb)).sum();
    log_q - params.largest_t().log2() - HEADROOM_BITS - EXACT_TAIL.log2() - log_noise
}

/// Variance of a coefficient of what dividing and rounding a ciphertext leaves.
pub fn rounding_variance(moduli: &Moduli, degree: u8) -> f64 {
    to_coefficients(moduli, rounding(moduli, degree))
}

/// Variance of a coefficient of a fresh encryption.
fn fresh_variance(moduli: &Moduli) -> f64 {
    to_coefficients(moduli, fresh(moduli))
}

/// Variance of a coefficient of what a key switch on some limbs adds, its division by P not counted.
fn key_variance(moduli: &Moduli, limbs: LimbSet) -> f64 {
    to_coefficients(moduli, key_product(moduli, limbs))
}

/// A slot sees N coefficients, half of them in its real part.
fn to_coefficients(moduli: &Moduli, deviation: f64) -> f64 {
    deviation * deviation * 2.0 / moduli.n()
}

/// What rounding to integers leaves.
const ROUNDED_TO_INTEGERS: Variance = Variance::even(1.0 / 12.0, Spectrum::WHITE);

struct Analysis<'a> {
    plan: &'a Plan,
    moduli: &'a Moduli,
    sizes: &'a ConstantSizes,
    moves: Moves,
    /// See [`alike`].
    alike: Vec<Value>,
    known: Vec<Option<Summand>>,
}

impl Analysis<'_> {
    fn of(&self, v: Value) -> &Summand {
        self.known[v.index()].as_ref().expect("values are known until their last use")
    }

    fn step(&self, value: Value, op: &Op) -> Summand {
        let moduli = self.moduli;
        let same = |v: &Value| self.of(*v).clone();
        let shape_of = |a: &Value, b: &Value| self.of(*a).shape.wrapping_mul(self.of(*b).shape);
        match op {
            Op::Input(_) => {
                self.root(value, Variance::even(fresh_variance(moduli), Spectrum::ROUNDING), 1)
            }
            Op::Add(a, b) | Op::Sub(a, b) => sum(&[self.of(*a), self.of(*b)], self.moves),
            // Rounding is the same each time the same is added.
            Op::AddPlain(a, _) => {
                self.of(*a).with(|variance| variance.together(ROUNDED_TO_INTEGERS))
            }
            Op::MulPlain(a, c) => self.dot(&[(*a, *c)]),
            Op::DotPlain(terms) => self.dot(terms),
            Op::Mul(a, b) => self.root(value, self.product(*a, *b), shape_of(a, b)),
            Op::MulBgv(a, b) => self.root(value, self.bgv_product(*a, *b), shape_of(a, b)),
            Op::ApplyKey(a, key) => {
                let switched = Variance::even(
                    key_variance(moduli, self.plan.ty(value).limbs),
                    Spectrum::WHITE,
                );
                self.of(*a).moved(*key, self.moves).with(|variance| variance + switched)
            }
            Op::ModDown(a) => {
                let rounded = Variance::even(rounding_variance(moduli, 1), Spectrum::ROUNDING);
                self.of(*a).with(|variance| variance + rounded)
            }
            Op::ModSwitch(a, limbs) => {
                let dropped = self.plan.ty(*a).limbs.difference(*limbs);
                let log = moduli.log_product(dropped);
                let rounded = rounding_variance(moduli, self.plan.ty(value).degree);
                let rounded = Variance::even(rounded, Spectrum::ROUNDING);
                self.of(*a).with(|variance| variance.scale((-2.0 * log).exp2()) + rounded)
            }
            Op::Neg(a)
            | Op::Decompose(a)
            | Op::ModUp(a)
            | Op::Rescale(a)
            | Op::Drop(a, _)
            | Op::ModRaise(a, _) => same(a),
        }
    }

    /// Noise that is independent of all other but of that of values which are alike.
    fn root(&self, value: Value, variance: Variance, shape: u64) -> Summand {
        let lineage = Lineage::of(Line::of(Root::Added(self.alike[value.index()])));
        Summand { variance, lineage, marks: Marks::none(), shape }
    }

    /// The scale-invariant product.
    fn product(&self, a: Value, b: Value) -> Variance {
        let moduli = self.moduli;
        let n = moduli.n();
        let [x, y] = [a, b].map(|v| self.of(v).with(|variance| variance.as_factor(n)));
        // What the operands are multiplied by: t times their overflow beyond Q, which is a rounding's size and as good as random.
        let factor = moduli.largest_t.powi(2) * n * rounding_variance(moduli, 1);
        let sum = match x.lineage.is_kin(&y.lineage) {
            true => x.variance.together(y.variance),
            false => x.variance + y.variance,
        };
        let mean = sum.shaped(Spectrum::SECRET).scale(factor);
        let rounding = Variance::even(rounding_variance(moduli, 2), Spectrum::ROUNDING);
        Variance { peak: mean.mean, ..mean }.as_product(n) + rounding
    }

    fn bgv_product(&self, a: Value, b: Value) -> Variance {
        let n = self.moduli.n();
        // The phase times t is t·e − [Q·m]_t, and messages are as good as uniform modulo t.
        let [x, y] = [a, b].map(|v| (self.of(v).variance + ROUNDED_TO_INTEGERS).as_factor(n));
        let even = (x.mean * y.peak).min(x.peak * y.mean);
        let of_conjugates = match a != b && self.of(a).lineage.is_kin(&self.of(b).lineage) {
            true => n * OF_CONJUGATES * x.mean * y.mean,
            false => 0.0,
        };
        let peak = even + of_conjugates;
        let product = Variance { mean: x.mean * y.mean, peak, ..x }.shaped(y.spectrum);
        product.scale(self.moduli.largest_t.powi(2) * n).as_product(n)
    }

    fn dot(&self, terms: &[(Value, ConstantId)]) -> Summand {
        let products: Vec<Summand> =
            terms.iter().map(|(v, c)| self.plain_product(*v, *c)).collect();
        sum(&products.iter().collect::<Vec<_>>(), self.moves)
    }

    fn plain_product(&self, v: Value, c: ConstantId) -> Summand {
        let moduli = self.moduli;
        let polynomial = self.sizes.polynomial(c, moduli);
        let Summand { variance: Variance { mean, peak, spectrum }, lineage, marks, shape } =
            self.of(v);
        let peak = (polynomial.count * peak).min(moduli.n() * mean);
        let product = Variance { mean: polynomial.count * mean, peak, spectrum: *spectrum };
        let product = product.scale(polynomial.square);
        let shapes = polynomial.count > 1.0;
        Summand {
            variance: if shapes { product.shaped(Spectrum::CONSTANTS) } else { product },
            lineage: lineage.clone(),
            shape: shape.wrapping_mul(polynomial.print | 1),
            marks: match polynomial.independence {
                Independence::None => marks.clone(),
                Independence::Marked(mark) => marks.times(mark),
                Independence::Unknown => Marks::Any,
            },
        }
    }
}
