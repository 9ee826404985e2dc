//! Scale-invariant multiplication in full RNS (Halevi, Polyakov, Shoup, CT-RSA 2019, eprint 2018/117).

use std::collections::HashMap;

use hecc_grammar::plan::{LimbSet, Op, Plan, Type, is_prime};
use rayon::prelude::*;

use crate::kernel::{Pair, active};
use crate::ring::{BaseConverter, Modulus, NttTable, Ring};
use crate::rlwe::{Ciphertext, Coefficients, Poly};

/// `⌊t/Q·(a ⊗ b)⌉`: operands are extended to auxiliary primes of product B, multiplied there and modulo Q, divided by
/// Q into residues modulo B, and brought back.
///
/// In:    form Q, degree 1, equal limbs. Out: degree 2.
/// Noise: `noise::analyze_exact`, t times the operands' overflow times each other's noise.
/// Cost:  with ℓ limbs and k auxiliary primes, `7ℓ + 5k` transforms of a limb for a square, `9ℓ + 7k` otherwise.
pub struct Multiplier {
    /// Auxiliary primes, as many as the largest limb set needs. They are of no concern to security: nothing modulo
    /// them leaves a multiplication.
    auxiliary: Vec<NttTable>,
    extensions: HashMap<LimbSet, Extension>,
}

/// Conversions for one limb set.
struct Extension {
    limbs: Vec<usize>,
    n_auxiliary: usize,
    /// From Q to B.
    up: BaseConverter,
    /// From Q to B, of `t·x`, divided by t; for each plaintext prime.
    remainders: Vec<BaseConverter>,
    /// t/Q modulo the auxiliary primes; for each plaintext prime.
    quotients: Vec<Vec<u64>>,
    /// From B to Q.
    down: BaseConverter,
}

impl Multiplier {
    /// What the multiplications of a plan need.
    pub fn new(plan: &Plan, ring: &Ring) -> Multiplier {
        let products = plan.values().filter(|(_, op)| matches!(op, Op::Mul(..)));
        let sets = products.map(|(value, _)| plan.ty(value).limbs);
        let mut sets: Vec<LimbSet> = sets.collect();
        sets.sort_unstable_by_key(|set| set.0);
        sets.dedup();
        let primes = auxiliary_primes(ring);
        let moduli: Vec<Modulus> = primes.into_iter().map(Modulus::new).collect();
        let extensions: HashMap<LimbSet, Extension> =
            sets.into_iter().map(|set| (set, Extension::new(ring, set, &moduli))).collect();
        let most = extensions.values().map(|extension| extension.n_auxiliary).max().unwrap_or(0);
        let table = |q: &Modulus| NttTable::new(q.clone(), ring.n());
        Multiplier { auxiliary: moduli[..most].par_iter().map(table).collect(), extensions }
    }

    /// `⌊t/Q·(a ⊗ b)⌉` for the plaintext prime of this index.
    pub fn mul(&self, ring: &Ring, [a, b]: [&Ciphertext; 2], instance: usize) -> Ciphertext {
        let extension = &self.extensions[&a.ty.limbs];
        let left = self.extend(ring, extension, a);
        let right = (!std::ptr::eq(a, b)).then(|| self.extend(ring, extension, b));
        let (left, right) = (&left, right.as_ref().unwrap_or(&left));
        let product = |terms: &[(usize, usize)]| {
            let low: Vec<_> = terms.iter().map(|&(i, j)| [&a.polys[i], &b.polys[j]]).collect();
            let high: Vec<_> = terms.iter().map(|&(i, j)| [&left[i], &right[j]]).collect();
            self.scaled_product(ring, extension, [&low, &high], instance)
        };
        let terms: [&[(usize, usize)]; 3] = [&[(0, 0)], &[(0, 1), (1, 0)], &[(1, 1)]];
        let polys = terms.into_par_iter().map(product).collect();
        Ciphertext { polys, ty: Type { degree: 2, ..a.ty } }
    }

    /// The polynomials of a ciphertext modulo the auxiliary primes.
    fn extend(&self, ring: &Ring, extension: &Extension, source: &Ciphertext) -> Vec<Poly> {
        let places: Vec<usize> = (0..extension.limbs.len()).collect();
        let extend = |poly: &Poly| {
            let coefficients = poly.coefficients(&places, |k| &ring.tables[extension.limbs[k]]);
            let extended = convert(&extension.up, &coefficients, extension.n_auxiliary);
            extended.into_ntt(|k| &self.auxiliary[k], |_, _| {})
        };
        source.polys.par_iter().map(extend).collect()
    }

    /// `⌊t/Q·Σ x·y⌉` of polynomials modulo Q (`low`) and B (`high`).
    fn scaled_product(
        &self,
        ring: &Ring,
        extension: &Extension,
        [low, high]: [&[[&Poly; 2]]; 2],
        instance: usize,
    ) -> Poly {
        let limbs = &extension.limbs;
        let low = Poly::build(ring.n(), limbs.len(), |k, out| {
            let table = &ring.tables[limbs[k]];
            (active().dot)(out, &pairs(low, k), table.modulus());
            (active().intt)(out, table);
        });
        let remainders = &extension.remainders[instance];
        let mut quotient = convert(remainders, &low, extension.n_auxiliary);
        quotient.update(|k, out| {
            let table = &self.auxiliary[k];
            let mut product = vec![0; ring.n()];
            (active().dot)(&mut product, &pairs(high, k), table.modulus());
            (active().intt)(&mut product, table);
            let factor = extension.quotients[instance][k];
            (active().sub_scale)(out, &product, factor, table.modulus());
        });
        let result = convert(&extension.down, &quotient, limbs.len());
        result.into_ntt(|k| &ring.tables[limbs[k]], |_, _| {})
    }
}

impl Extension {
    fn new(ring: &Ring, set: LimbSet, auxiliary: &[Modulus]) -> Extension {
        let limbs: Vec<usize> = set.iter().collect();
        let q: Vec<Modulus> = limbs.iter().map(|&limb| ring.modulus(limb).clone()).collect();
        let primes = ring.params.t();
        let n_auxiliary = enough(ring, &q, auxiliary);
        let b = &auxiliary[..n_auxiliary];
        let remainders = |&t: &u64| BaseConverter::new(&q, b).times(t).over(t);
        let quotient = |t: u64, b: &Modulus| {
            b.mul(b.reduce(t), b.inverse(ring.product(limbs.iter().copied(), b)))
        };
        Extension {
            n_auxiliary,
            up: BaseConverter::new(&q, b),
            remainders: primes.iter().map(remainders).collect(),
            quotients: primes.iter().map(|&t| b.iter().map(|b| quotient(t, b)).collect()).collect(),
            down: BaseConverter::new(b, &q),
            limbs,
        }
    }
}

/// How many auxiliary primes hold `t/Q` times a sum of two products of N terms below (Q/2)² each, with its sign, and some
/// room for where conversions round.
fn enough(ring: &Ring, q: &[Modulus], auxiliary: &[Modulus]) -> usize {
    let log = |modulus: &Modulus| (modulus.value() as f64).log2();
    let log_q: f64 = q.iter().map(log).sum();
    let needed = log_q + ring.params.largest_t().log2() + f64::from(ring.log_n) + 2.0;
    let mut sum = 0.0;
    let place = auxiliary.iter().position(|modulus| {
        sum += log(modulus);
        sum >= needed
    });
    place.expect("there are more auxiliary primes than any modulus needs") + 1
}

/// The largest primes ≡ 1 mod 2N below 2^50 that the plan does not use, enough for all its primes.
fn auxiliary_primes(ring: &Ring) -> Vec<u64> {
    let params = &ring.params;
    let step = 2 * params.ring_degree() as u64;
    let candidates = (1..(1u64 << 50) / step).rev().map(|k| k * step + 1);
    let free = candidates.filter(|&n| {
        ![&params.q, &params.p, params.t()].iter().any(|primes| primes.contains(&n)) && is_prime(n)
    });
    free.take(params.q.len() + 3).collect()
}

fn convert(
    converter: &BaseConverter,
    source: &Poly<Coefficients>,
    n_limbs: usize,
) -> Poly<Coefficients> {
    let mut result = Poly::uninitialized(source.n(), n_limbs);
    let sources: Vec<&[u64]> = (0..source.n_limbs()).map(|k| source.limb(k)).collect();
    active().convert(converter, &sources, &mut result.limbs_mut());
    result
}

fn pairs<'a>(factors: &'a [[&Poly; 2]], k: usize) -> Vec<Pair<'a>> {
    factors.iter().map(|[x, y]| (x.limb(k), y.limb(k))).collect()
}
