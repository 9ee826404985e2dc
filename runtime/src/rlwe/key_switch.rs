//! Hybrid key switching in separate steps (Han, Ki, CT-RSA 2020, eprint 2019/688).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use hecc_grammar::envelope::KeyId;
use hecc_grammar::plan::{Form, Key, KeyUse, LimbSet, Plan, Type};
use rayon::prelude::*;

use crate::error::RunError;
use crate::kernel::{Term, active};
use crate::ring::{Ring, Seed, expand_uniform};

use super::ciphertext::limb_indices;
use super::{Ciphertext, Coefficients, Context, Poly, StoredKeys};

/// An evaluation key: for each digit j of its limbs, `b_j = −a_j·s_to + e_j + P·g_j·s_from` and `a_j` on QP, where P is the
/// product of all special primes and g_j is 1 modulo the primes of digit j and 0 modulo the others. `s_to` is the secret moved
/// by the inverse automorphism, so that one permutation after the inner product is all that is left to do.
pub struct KeySwitchKey {
    /// Ciphertext-modulus primes that it holds.
    pub limbs: LimbSet,
    /// How many of the special primes it holds.
    pub n_special: usize,
    /// Its digits, by index.
    pub digits: BTreeMap<usize, KeyDigit>,
}

/// A digit of an evaluation key.
pub enum KeyDigit {
    /// Both halves in memory.
    Held {
        /// `b_j`.
        body: Poly,
        /// `a_j`.
        uniform: Poly,
    },
    /// `b_j` is stored from these bytes on, limb by limb, and `a_j` follows from the seed: they are read and expanded whenever they
    /// are used, which takes no memory, and more time.
    Stored(Vec<u64>),
}

/// The keys that a plan needs, and no others.
pub struct EvaluationKeys {
    /// Names the secret key that they belong to.
    pub id: KeyId,
    /// The seed of all uniform halves.
    pub seed: Seed,
    /// Keys by what they switch from.
    pub keys: BTreeMap<Key, KeySwitchKey>,
    /// Where digits are read that are stored.
    pub stored: Option<StoredKeys>,
}

/// The gadget digits of the last polynomial of a ciphertext, with the ciphertext.
pub struct Digits {
    /// What was decomposed.
    pub source: Arc<Ciphertext>,
    /// Its last polynomial divided by the special primes that are not used, if there are any.
    divided: Option<Poly>,
    digits: Vec<Digit>,
}

/// One digit, in the NTT domain: on its own limbs it is the decomposed polynomial.
struct Digit {
    index: usize,
    own: Vec<usize>,
    others: Vec<usize>,
    /// The limbs `others`.
    extension: Poly,
}

impl Digits {
    /// A digit on one limb of the ring.
    fn limb<'a>(&'a self, digit: &'a Digit, limb: usize) -> &'a [u64] {
        if !digit.own.contains(&limb) {
            return digit.extension.limb(place(&digit.others, limb));
        }
        let last = self.source.polys.last().expect("a ciphertext has polynomials");
        let place = self.source.ty.limbs.iter().position(|l| l == limb);
        self.divided.as_ref().unwrap_or(last).limb(place.expect("digits are of the limbs"))
    }
}

/// A key whose inner products are computed, and where their words go.
struct KeyProduct<'a> {
    name: Key,
    key: &'a KeySwitchKey,
    /// Those that it is one of.
    keys: &'a EvaluationKeys,
    /// The limbs of the ring that it holds.
    held: Vec<usize>,
    /// The automorphism's permutation, and for each block of its operand the block of its result that takes its words.
    ///
    /// A block of the result takes its words from one block of the operand: indices share their high bits exactly if exponents
    /// share their low bits, and these are multiplied by g among themselves.
    moved: Option<(&'a [u32], Vec<usize>)>,
}

impl<'a> KeyProduct<'a> {
    fn new(context: &'a Context, name: Key, keys: &'a EvaluationKeys) -> KeyProduct<'a> {
        let (key, ring) = (&keys.keys[&name], &context.ring);
        let special = ring.n_q..ring.n_q + key.n_special;
        let targets = |index: &'a [u32]| {
            let block = BLOCK.min(index.len());
            let mut targets = vec![0; index.len() / block];
            for (target, words) in index.chunks_exact(block).enumerate() {
                targets[words[0] as usize / block] = target;
            }
            (index, targets)
        };
        KeyProduct {
            name,
            key,
            keys,
            held: key.limbs.iter().chain(special).collect(),
            moved: context.permutation(name).map(targets),
        }
    }

    /// Of each digit both halves of the key on a limb of the ring.
    fn halves(&self, digits: &Digits, limb: usize, ring: &Ring) -> Vec<[Cow<'a, [u64]>; 2]> {
        let in_key = place(&self.held, limb);
        let halves = |digit: &Digit| match &self.key.digits[&digit.index] {
            KeyDigit::Held { body, uniform } => {
                [body, uniform].map(|half| Cow::Borrowed(half.limb(in_key)))
            }
            KeyDigit::Stored(places) => {
                let stored = self.keys.stored.as_ref().expect("stored digits are read somewhere");
                let body = stored.limb(places[in_key], ring.modulus(limb).value(), ring.n());
                let mut uniform = vec![0; ring.n()];
                expand_half(ring, &self.keys.seed, (self.name, digit.index), limb, &mut uniform);
                [body, uniform].map(Cow::Owned)
            }
        };
        digits.digits.iter().map(halves).collect()
    }

    /// Each digit with both halves of the key on a limb of the ring.
    fn terms<'t>(
        digits: &'t Digits,
        limb: usize,
        halves: &'t [[Cow<'a, [u64]>; 2]],
    ) -> Vec<Term<'t>>
    where
        'a: 't,
    {
        let term = |(digit, [body, uniform]): (&'t Digit, &'t [Cow<'a, [u64]>; 2])| {
            (digits.limb(digit, limb), [&**body, &**uniform])
        };
        digits.digits.iter().zip(halves).map(term).collect()
    }

    /// Writes a block of the inner product, words `range`, where it goes.
    fn place(&self, range: &Range<usize>, sums: &[&mut [u64]; 2], out: &mut [&mut [u64]; 2]) {
        let length = range.len();
        let Some((index, targets)) = &self.moved else {
            for (out, sum) in out.iter_mut().zip(sums) {
                out[range.clone()].copy_from_slice(sum);
            }
            return;
        };
        let start = targets[range.start / length] * length;
        let index = &index[start..start + length];
        for (out, sum) in out.iter_mut().zip(sums) {
            let words = index.iter().map(|&i| sum[i as usize - range.start]);
            out[start..start + length].iter_mut().zip(words).for_each(|(out, word)| *out = word);
        }
    }
}

impl KeySwitchKey {
    /// The uniform half `a_j` of a digit on some limbs of the ring.
    pub fn uniform_half(ring: &Ring, seed: &Seed, key: Key, digit: usize, limbs: &[usize]) -> Poly {
        Poly::build(ring.n(), limbs.len(), |k, out| {
            expand_half(ring, seed, (key, digit), limbs[k], out);
        })
    }
}

/// One limb of the uniform half of a digit of a key.
fn expand_half(ring: &Ring, seed: &Seed, (key, digit): (Key, usize), limb: usize, out: &mut [u64]) {
    let kind = match key {
        Key::Relinearize => 0,
        Key::Conjugate => 1,
        Key::Encapsulate => 2,
        Key::Decapsulate => 3,
        Key::Rotate(steps) => 4 + u64::from(steps),
    };
    let q = ring.modulus(limb).value();
    expand_uniform(seed, kind << 16 | digit as u64, limb as u32, q, out);
}

impl EvaluationKeys {
    /// Whether every key that the plan needs is there.
    ///
    /// # Errors
    /// Names the first key that is missing or too small.
    pub fn check(&self, plan: &Plan) -> Result<(), RunError> {
        let holds = |key: &KeySwitchKey, need: &KeyUse| {
            need.limbs.is_subset(key.limbs) && need.n_special <= key.n_special
        };
        let missing = plan
            .keys()
            .into_iter()
            .find(|need| !self.keys.get(&need.key).is_some_and(|key| holds(key, need)));
        missing.map_or(Ok(()), |need| Err(RunError::MissingKey { key: need.key }))
    }

    /// What went wrong when keys were read where they are stored: then nothing that was computed with them is right.
    ///
    /// # Errors
    /// If anything did.
    pub fn check_stored(&self) -> Result<(), RunError> {
        let failure = self.stored.as_ref().and_then(StoredKeys::failure);
        failure.map_or(Ok(()), |what| Err(RunError::StoredKeys { what: what.to_owned() }))
    }
}

impl Context {
    /// Splits the last polynomial into digits, each a small integer polynomial on QP.
    ///
    /// In:    form Q. Out: form Digits; `Σ_j d_j·P·g_j = P'·c mod q_i` for every ciphertext-modulus prime, P' the product
    ///        of the special primes that are used.
    /// Noise: none. Cost: ℓ inverse and about β·(ℓ + α) − ℓ forward transforms of a limb.
    pub fn decompose(&self, source: Arc<Ciphertext>) -> Digits {
        let limbs: Vec<usize> = source.ty.limbs.iter().collect();
        let last = source.polys.last().expect("a ciphertext has polynomials");
        let n = self.ring.n();
        let unused = self.ring.special(source.ty.limbs).end..self.ring.tables.len();
        let divided = (!unused.is_empty()).then(|| {
            Poly::build(n, limbs.len(), |k, out| {
                let q = self.ring.modulus(limbs[k]);
                let factor = q.inverse(self.ring.product(unused.clone(), q));
                (active().scale)(out, last.limb(k), factor, q);
            })
        });
        let last = divided.as_ref().unwrap_or(last);
        let places: Vec<usize> = (0..limbs.len()).collect();
        let coefficients = last.coefficients(&places, |k| &self.ring.tables[limbs[k]]);
        let digit = |digit: usize| {
            let (own, others) = self.digit_limbs(source.ty.limbs, digit);
            let extension = self.convert(&coefficients, &limbs, &own, &others);
            let extension = extension.into_ntt(|k| &self.ring.tables[others[k]], |_, _| {});
            Digit { index: digit, own, others, extension }
        };
        let digits = self.params.digits(source.ty.limbs).into_par_iter().map(digit).collect();
        Digits { source, divided, digits }
    }

    /// Base conversion of some limbs of a polynomial.
    fn convert(
        &self,
        poly: &Poly<Coefficients>,
        limbs: &[usize],
        from: &[usize],
        to: &[usize],
    ) -> Poly<Coefficients> {
        let mut result = Poly::uninitialized(self.ring.n(), to.len());
        let sources: Vec<&[u64]> = from.iter().map(|&limb| poly.limb(place(limbs, limb))).collect();
        active().convert(self.converter(from, to), &sources, &mut result.limbs_mut());
        result
    }

    /// The inner products of digits with some keys, each plus P times the other polynomials, moved by the key's automorphism.
    /// Digits are read once for all keys.
    ///
    /// In:    form Digits. Out: form QP, degree 1.
    /// Noise: `noise::key_product`, in units of P. Cost: 2β(ℓ + α) products of limbs for each key.
    pub fn apply_keys(
        &self,
        digits: &Digits,
        keys: &[Key],
        held: &EvaluationKeys,
    ) -> Vec<Ciphertext> {
        let source = &digits.source;
        let ring = &self.ring;
        let all = limb_indices(ring, source.ty.limbs, Form::QP);
        let n = ring.n();
        let switches: Vec<KeyProduct<'_>> =
            keys.iter().map(|&key| KeyProduct::new(self, key, held)).collect();
        let poly = || Poly::uninitialized(n, all.len());
        let mut results: Vec<[Poly; 2]> = keys.iter().map(|_| [poly(), poly()]).collect();
        // For each limb, those of all results.
        let mut limbs: Vec<Vec<[&mut [u64]; 2]>> = all.iter().map(|_| vec![]).collect();
        for [a, b] in &mut results {
            let pairs = a.limbs_mut().into_iter().zip(b.limbs_mut());
            limbs.iter_mut().zip(pairs).for_each(|(limb, (a, b))| limb.push([a, b]));
        }
        limbs.par_iter_mut().zip(&all).enumerate().for_each(|(k, (outs, &limb))| {
            let modulus = ring.modulus(limb);
            let special = ring.product(ring.special(source.ty.limbs), modulus);
            let rest = [0, 1].map(|part: usize| {
                let poly = source.polys.get(part).filter(|_| part + 1 < source.polys.len());
                poly.filter(|poly| k < poly.n_limbs()).map(|poly| poly.limb(k))
            });
            let halves: Vec<Vec<[Cow<'_, [u64]>; 2]>> =
                switches.iter().map(|switch| switch.halves(digits, limb, ring)).collect();
            let terms: Vec<Vec<Term<'_>>> =
                halves.iter().map(|halves| KeyProduct::terms(digits, limb, halves)).collect();
            let mut sums = [[0; BLOCK]; 2];
            for first in (0..n).step_by(BLOCK) {
                let range = first..n.min(first + BLOCK);
                let mut sums = sums.each_mut().map(|half| &mut half[..range.len()]);
                for ((switch, terms), out) in switches.iter().zip(&terms).zip(outs.iter_mut()) {
                    let halves = sums.each_mut().map(|half| &mut **half);
                    (active().dot_pair)(halves, &parts(terms, range.clone()), modulus);
                    for (half, rest) in sums.iter_mut().zip(rest) {
                        if let Some(rest) = rest {
                            (active().scale_add)(half, &rest[range.clone()], special, modulus);
                        }
                    }
                    switch.place(&range, &sums, out);
                }
            }
        });
        let ty = Type { form: Form::QP, degree: 1, ..source.ty };
        results.into_iter().map(|polys| Ciphertext { polys: polys.into(), ty }).collect()
    }

    /// Multiplies by P and extends to the special primes, where the result is zero.
    ///
    /// In: form Q. Out: form QP. Noise: none.
    pub fn mod_up(&self, source: &Ciphertext) -> Ciphertext {
        let all = limb_indices(&self.ring, source.ty.limbs, Form::QP);
        let extend = |poly: &Poly| {
            Poly::build(self.ring.n(), all.len(), |k, out| {
                if k < poly.n_limbs() {
                    let modulus = self.ring.modulus(all[k]);
                    let special = self.ring.product(self.ring.special(source.ty.limbs), modulus);
                    (active().scale)(out, poly.limb(k), special, modulus);
                } else {
                    out.fill(0);
                }
            })
        };
        Ciphertext {
            polys: source.polys.iter().map(extend).collect(),
            ty: Type { form: Form::QP, ..source.ty },
        }
    }

    /// Reads the residues modulo one prime as integers in [−q/2, q/2) modulo all limbs of `ty`.
    ///
    /// In: one limb. Out: type `ty`; the message gains a multiple of q. Noise: none.
    pub fn mod_raise(&self, source: &Ciphertext, ty: Type) -> Ciphertext {
        let from: Vec<usize> = source.ty.limbs.iter().collect();
        let all: Vec<usize> = ty.limbs.iter().collect();
        let others: Vec<usize> = ty.limbs.difference(source.ty.limbs).iter().collect();
        let raise = |poly: &Poly| {
            let coefficients = poly.coefficients(&[0], |_| &self.ring.tables[from[0]]);
            let raised = self.convert(&coefficients, &from, &from, &others);
            let raised = raised.into_ntt(|k| &self.ring.tables[others[k]], |_, _| {});
            Poly::build(self.ring.n(), all.len(), |k, out| {
                out.copy_from_slice(match all[k] == from[0] {
                    true => poly.limb(0),
                    false => raised.limb(place(&others, all[k])),
                });
            })
        };
        Ciphertext { polys: source.polys.iter().map(raise).collect(), ty }
    }

    /// Divides by the product D of the limbs that `ty` lacks, rounding: `mod_down` (D = P) and `rescale` (D = q_ℓ).
    ///
    /// In:    more limbs than `ty` has. Out: type `ty`.
    /// Noise: `noise::rounding`. Cost: one transform for each limb of each polynomial.
    pub fn divide(&self, source: &Ciphertext, ty: Type) -> Ciphertext {
        let all = source.limb_indices(&self.ring);
        let kept = limb_indices(&self.ring, ty.limbs, ty.form);
        let dropped: Vec<usize> = all.iter().copied().filter(|limb| !kept.contains(limb)).collect();
        let places: Vec<usize> = dropped.iter().map(|&limb| place(&all, limb)).collect();
        let divide = |poly: &Poly| {
            let coefficients = poly.coefficients(&places, |k| &self.ring.tables[all[k]]);
            let result = self.convert(&coefficients, &dropped, &dropped, &kept);
            result.into_ntt(
                |k| &self.ring.tables[kept[k]],
                |k, out| {
                    let modulus = self.ring.modulus(kept[k]);
                    let product = self.ring.product(dropped.iter().copied(), modulus);
                    let dividend = poly.limb(place(&all, kept[k]));
                    (active().sub_scale)(out, dividend, modulus.inverse(product), modulus);
                },
            )
        };
        Ciphertext { polys: source.polys.par_iter().map(divide).collect(), ty }
    }
}

/// Where a limb is in a list that holds it.
fn place(limbs: &[usize], limb: usize) -> usize {
    limbs.iter().position(|&l| l == limb).expect("a verified plan uses keys and limbs that exist")
}

/// Coefficients taken at a time by sums of products: the results of a block stay in the first-level cache.
pub const BLOCK: usize = 1024;

/// The terms on a range of their coefficients.
fn parts<'a>(terms: &[Term<'a>], range: Range<usize>) -> Vec<Term<'a>> {
    let part = |(shared, [a, b]): &Term<'a>| {
        (&shared[range.clone()], [&a[range.clone()], &b[range.clone()]])
    };
    terms.iter().map(part).collect()
}
