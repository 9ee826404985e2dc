//! Runs a plan on ciphertexts.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hecc_grammar::plan::{Constant, ConstantId, Key, Op, Type, Value, VerifiedPlan, View};
use rayon::prelude::*;

use crate::error::RunError;
use crate::kernel::{Term, active};
use crate::ring::Modulus;
use crate::rlwe::{
    Ciphertext, Context, Digits, EvaluationKeys, FreshCiphertext, Poly, by_blocks, limb_indices,
    parts,
};
use crate::scheme::ckks::{Embedding, Plaintext, encode_slots, encode_splat};

use super::cache::PlaintextCache;
use super::executor::{Progress, execute};

/// How a plan is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Number of threads, at least 1.
    pub threads: usize,
    /// Encoded plaintexts are kept from run to run while they take no more than this many bytes.
    pub cache_bytes: usize,
}

/// A plan ready to run with a set of keys; may be used for any number of inputs.
pub struct Evaluator<'a> {
    plan: &'a VerifiedPlan,
    keys: &'a EvaluationKeys,
    context: Context,
    embedding: Embedding,
    pool: rayon::ThreadPool,
    cache: PlaintextCache,
    /// Nanoseconds spent on each instruction, in all runs.
    spent: Vec<AtomicU64>,
}

/// A value while the plan runs.
enum Data {
    Ciphertext(Arc<Ciphertext>),
    Digits(Digits),
}

impl<'a> Evaluator<'a> {
    /// Prepares a plan and its keys.
    ///
    /// # Errors
    /// If a key that the plan needs is missing, or no threads can be started.
    pub fn new(
        plan: &'a VerifiedPlan,
        keys: &'a EvaluationKeys,
        options: Options,
    ) -> Result<Evaluator<'a>, RunError> {
        keys.check(plan)?;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads.max(1)).build();
        let pool = pool.map_err(|error| RunError::Threads { wanted: options.threads, error })?;
        let context = pool.install(|| Context::new(plan));
        let embedding = Embedding::new(plan.params.n_slots());
        Ok(Evaluator {
            plan,
            keys,
            context,
            embedding,
            pool,
            cache: PlaintextCache::new(options.cache_bytes),
            spent: plan.ops.iter().map(|_| AtomicU64::new(0)).collect(),
        })
    }

    /// The ciphertexts of what a client sent.
    pub fn expand(&self, inputs: &[FreshCiphertext]) -> Vec<Ciphertext> {
        self.pool.install(|| inputs.iter().map(|input| input.expand(&self.context.ring)).collect())
    }

    /// Runs the plan on the ciphertexts of its inputs and returns those of its outputs.
    ///
    /// # Errors
    /// If the ciphertexts are not those that the plan declares.
    pub fn run(
        &self,
        inputs: Vec<Ciphertext>,
        progress: Progress<'_>,
    ) -> Result<Vec<Ciphertext>, RunError> {
        let expected = self.plan.n_input_ciphertexts();
        if inputs.len() != expected {
            return Err(RunError::InputCount { found: inputs.len(), expected });
        }
        for (value, op) in self.plan.values() {
            if let Op::Input(index) = op
                && inputs[*index as usize].ty != self.plan.ty(value)
            {
                return Err(RunError::InputType { index: *index });
            }
        }
        let inputs: Vec<Arc<Ciphertext>> = inputs.into_iter().map(Arc::new).collect();
        let outputs = execute(self.plan, &self.pool, progress, |value, operands| {
            let start = Instant::now();
            let result = self.step(value, operands, &inputs);
            let nanoseconds = start.elapsed().as_nanos() as u64;
            self.spent[value.index()].fetch_add(nanoseconds, Ordering::Relaxed);
            result
        });
        let take = |data: Arc<Data>| match &*data {
            Data::Ciphertext(ciphertext) => (**ciphertext).clone(),
            Data::Digits(_) => unreachable!("verified outputs are ciphertexts"),
        };
        Ok(outputs.into_iter().map(take).collect())
    }

    /// The time spent on each instruction so far, in all runs. With several threads one that waits for the limbs of its
    /// instruction may work on those of another, which counts for both.
    pub fn times(&self) -> Vec<Duration> {
        self.spent.iter().map(|spent| Duration::from_nanos(spent.load(Ordering::Relaxed))).collect()
    }

    fn step(&self, value: Value, operands: &[Arc<Data>], inputs: &[Arc<Ciphertext>]) -> Data {
        let context = &self.context;
        let ty = self.plan.ty(value);
        let ct = |i: usize| match &*operands[i] {
            Data::Ciphertext(ciphertext) => ciphertext,
            Data::Digits(_) => unreachable!("verified operands have their form"),
        };
        let result = match &self.plan.ops[value.index()] {
            Op::Input(index) => return Data::Ciphertext(inputs[*index as usize].clone()),
            Op::Add(..) => self.zip(ct(0), ct(1), ty, |q, a, b| q.add(a, b)),
            Op::Sub(..) => self.zip(ct(0), ct(1), ty, |q, a, b| q.sub(a, b)),
            Op::Neg(_) => self.zip(ct(0), ct(0), ty, |q, a, _| q.neg(a)),
            Op::AddPlain(_, c) => self.add_plain(ct(0), *c, ty),
            Op::MulPlain(_, c) => self.dot_plain(&[(ct(0), *c)], ty),
            Op::DotPlain(terms) => {
                let pairs: Vec<(&Arc<Ciphertext>, ConstantId)> =
                    terms.iter().enumerate().map(|(i, (_, c))| (ct(i), *c)).collect();
                self.dot_plain(&pairs, ty)
            }
            Op::Mul(..) => self.mul(ct(0), ct(1), ty),
            Op::Relinearize(_) => self.switch(ct(0), Key::Relinearize, value),
            Op::Rotate(_, steps) => self.switch(ct(0), Key::Rotate(*steps), value),
            Op::Conjugate(_) => self.switch(ct(0), Key::Conjugate, value),
            Op::ModDown(_) if context.is_fused(value) => return Data::Ciphertext(ct(0).clone()),
            Op::Rescale(_) | Op::ModDown(_) => context.divide(ct(0), ty),
            Op::Drop(..) => drop_limbs(ct(0), ty),
            Op::Decompose(_) => return Data::Digits(context.decompose(ct(0).clone())),
            Op::ApplyKey(_, key) => match &*operands[0] {
                Data::Digits(digits) => context.apply_key(digits, *key, self.keys),
                Data::Ciphertext(_) => unreachable!("verified operands have their form"),
            },
            Op::ModUp(_) => context.mod_up(ct(0)),
            Op::ModRaise(..) => context.mod_raise(ct(0), ty),
        };
        Data::Ciphertext(Arc::new(result))
    }

    fn switch(&self, source: &Arc<Ciphertext>, key: Key, value: Value) -> Ciphertext {
        let digits = self.context.decompose(source.clone());
        let switched = self.context.apply_key(&digits, key, self.keys);
        match self.context.is_fused(value) {
            true => switched,
            false => self.context.divide(&switched, self.plan.ty(value)),
        }
    }

    fn zip(
        &self,
        a: &Ciphertext,
        b: &Ciphertext,
        ty: Type,
        f: impl Fn(&Modulus, u64, u64) -> u64 + Sync,
    ) -> Ciphertext {
        let ring = &self.context.ring;
        let limbs = a.limb_indices(ring);
        let combine = |(a, b): (&Poly, &Poly)| {
            Poly::build(ring.n(), limbs.len(), |k, out| {
                let q = ring.modulus(limbs[k]);
                out.iter_mut()
                    .zip(a.limb(k))
                    .zip(b.limb(k))
                    .for_each(|((out, &a), &b)| *out = f(q, a, b));
            })
        };
        Ciphertext { polys: a.polys.iter().zip(&b.polys).map(combine).collect(), ty }
    }

    fn add_plain(&self, a: &Ciphertext, constant: ConstantId, ty: Type) -> Ciphertext {
        let ring = &self.context.ring;
        let limbs = a.limb_indices(ring);
        let plain = self.plaintext(constant, ty);
        let mut polys = a.polys.clone();
        polys[0].update(|k, out| {
            let q = ring.modulus(limbs[k]);
            match &*plain {
                Plaintext::Scalar(residues) => {
                    out.iter_mut().for_each(|x| *x = q.add(*x, residues[k]))
                }
                Plaintext::Full(poly) => {
                    out.iter_mut().zip(poly.limb(k)).for_each(|(x, &p)| *x = q.add(*x, p))
                }
            }
        });
        Ciphertext { polys, ty }
    }

    fn dot_plain(&self, terms: &[(&Arc<Ciphertext>, ConstantId)], ty: Type) -> Ciphertext {
        let ring = &self.context.ring;
        let limbs = terms[0].0.limb_indices(ring);
        let plains: Vec<Arc<Plaintext>> =
            terms.par_iter().map(|(_, c)| self.plaintext(*c, ty)).collect();
        let terms = || terms.iter().map(|(ciphertext, _)| &ciphertext.polys).zip(&plains);
        let add_scalars = |out: &mut [u64], part: usize, k: usize, range: Range<usize>| {
            for (polys, plain) in terms() {
                if let Plaintext::Scalar(residues) = &**plain {
                    let limb = &polys[part].limb(k)[range.clone()];
                    (active().scale_add)(out, limb, residues[k], ring.modulus(limbs[k]));
                }
            }
        };
        let pair = Poly::build_pair(ring.n(), limbs.len(), |k, out| {
            let products: Vec<Term<'_>> = terms()
                .filter_map(|(polys, plain)| match &**plain {
                    Plaintext::Full(poly) => {
                        Some((poly.limb(k), [polys[0].limb(k), polys[1].limb(k)]))
                    }
                    Plaintext::Scalar(_) => None,
                })
                .collect();
            by_blocks(out, |range, [a, b]| {
                let modulus = ring.modulus(limbs[k]);
                let products = parts(&products, range.clone());
                (active().dot_pair)([&mut *a, &mut *b], &products, modulus);
                add_scalars(a, 0, k, range.clone());
                add_scalars(b, 1, k, range);
            });
        });
        Ciphertext { polys: pair.into(), ty }
    }

    fn mul(&self, a: &Ciphertext, b: &Ciphertext, ty: Type) -> Ciphertext {
        let ring = &self.context.ring;
        let limbs = a.limb_indices(ring);
        let product = |parts: &[(usize, usize)]| {
            Poly::build(ring.n(), limbs.len(), |k, out| {
                let pairs: Vec<(&[u64], &[u64])> =
                    parts.iter().map(|&(i, j)| (a.polys[i].limb(k), b.polys[j].limb(k))).collect();
                (active().dot)(out, &pairs, ring.modulus(limbs[k]));
            })
        };
        Ciphertext {
            polys: vec![product(&[(0, 0)]), product(&[(0, 1), (1, 0)]), product(&[(1, 1)])],
            ty,
        }
    }

    /// The encoded form of a constant on the limbs of its use.
    fn plaintext(&self, constant: ConstantId, ty: Type) -> Arc<Plaintext> {
        self.cache.get(constant, ty, || {
            let ring = &self.context.ring;
            let limbs = limb_indices(ring, ty.limbs, ty.form);
            let Constant { view, scale } = &self.plan.constants[constant.index()];
            match view {
                View::Splat(x) => Plaintext::Scalar(encode_splat(ring, *x, *scale, &limbs)),
                View::Imaginary(_) | View::Table { .. } | View::Embedding(_) => {
                    let slots = self.plan.slots_of(constant);
                    Plaintext::Full(encode_slots(ring, &self.embedding, &slots, *scale, &limbs))
                }
            }
        })
    }
}

/// Keeps the primes of `ty`.
fn drop_limbs(source: &Ciphertext, ty: Type) -> Ciphertext {
    let limbs = source.ty.limbs.iter().enumerate();
    let places: Vec<usize> =
        limbs.filter(|(_, limb)| ty.limbs.contains(*limb)).map(|(k, _)| k).collect();
    Ciphertext { polys: source.polys.iter().map(|poly| poly.select(&places)).collect(), ty }
}
