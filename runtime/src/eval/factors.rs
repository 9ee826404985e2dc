//! The encoded constants of a plan, as instructions ask for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hecc_grammar::cost;
use hecc_grammar::plan::{ConstantId, Params, Plan, Type, Value};
use rayon::prelude::*;

use crate::ring::Ring;
use crate::rlwe::Plaintext;
use crate::scheme::{Encoder, Encoding, Use};

use super::cache::PlaintextCache;
use super::reused::Reused;

/// Of each of some sums in one pass, terms that are added at once where all plaintexts are kept: the more, the less often sums are read.
const KEPT_AT_ONCE: usize = 16;

/// Encodes constants and keeps those that are worth it.
pub(super) struct Factors {
    /// Whether all are kept from one run to the next.
    keeps_all: bool,
    encoder: Encoder,
    cache: PlaintextCache,
    reused: Reused,
    /// Nanoseconds spent on encoding, summed over threads.
    spent: AtomicU64,
}

/// An instruction that reads constants.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) plan: &'a Plan,
    pub(super) ring: &'a Ring,
    pub(super) value: Value,
    /// The index of the plaintext prime.
    pub(super) instance: usize,
}

impl Reader<'_> {
    fn encoding(&self, constant: ConstantId, used_as: Use) -> Encoding {
        let Type { limbs, form, .. } = self.plan.ty(self.value);
        Encoding { constant, limbs, form, used_as, instance: self.instance }
    }

    fn scale(&self, constant: ConstantId) -> f64 {
        self.plan.constants[constant.index()].scale
    }
}

impl Factors {
    /// Nothing is encoded yet.
    pub(super) fn new(plan: &Plan, cache_bytes: usize) -> Factors {
        let params: &Params = &plan.params;
        Factors {
            keeps_all: cost::plaintext_bytes(plan) <= cache_bytes as u64,
            encoder: Encoder::new(params),
            cache: PlaintextCache::new(cache_bytes),
            reused: Reused::new(plan),
            spent: AtomicU64::new(0),
        }
    }

    /// Of each of so many sums in one pass, the terms whose plaintexts are held at once.
    pub(super) fn at_once(&self, n_sums: usize) -> usize {
        if self.keeps_all { KEPT_AT_ONCE } else { cost::factors_at_once(n_sums) }
    }

    /// The time that encoding has taken, summed over threads.
    pub(super) fn time(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Ordering::Relaxed))
    }

    /// A constant that an instruction reads.
    pub(super) fn one(&self, of: Reader<'_>, constant: ConstantId, used_as: Use) -> Arc<Plaintext> {
        let encoding = of.encoding(constant, used_as);
        let encode = || self.timed(|| self.encoder.plaintext(of.plan, of.ring, encoding));
        self.reused.get(encoding, of.value, || self.cache.get(encoding, encode))
    }

    /// The factors of a sum of products, in order.
    pub(super) fn all(&self, of: Reader<'_>, constants: &[ConstantId]) -> Vec<Arc<Plaintext>> {
        let jobs = self.jobs(of, constants);
        let encoded = jobs.par_iter().flat_map_iter(|job| match *job {
            Job::Alone(i) => vec![(i, self.one(of, constants[i], Use::Factor))],
            Job::Pair(i, j) => {
                let [a, b] = self.pair(of, [constants[i], constants[j]]);
                vec![(i, a), (j, b)]
            }
        });
        let mut encoded: Vec<(usize, Arc<Plaintext>)> = encoded.collect();
        encoded.sort_unstable_by_key(|(place, _)| *place);
        encoded.into_iter().map(|(_, plaintext)| plaintext).collect()
    }

    /// What is encoded together: neighbors that are used once and have one scale.
    fn jobs(&self, of: Reader<'_>, constants: &[ConstantId]) -> Vec<Job> {
        let (mut jobs, mut waiting) = (vec![], None);
        for (i, &constant) in constants.iter().enumerate() {
            let is_used_once = !self.reused.contains(&of.encoding(constant, Use::Factor));
            if !is_used_once || !self.encoder.takes_pairs(&of.plan.constants[constant.index()]) {
                jobs.push(Job::Alone(i));
                continue;
            }
            match waiting.take() {
                Some(other) if of.scale(constants[other]) == of.scale(constant) => {
                    jobs.push(Job::Pair(other, i));
                }
                other => {
                    jobs.extend(other.map(Job::Alone));
                    waiting = Some(i);
                }
            }
        }
        jobs.extend(waiting.map(Job::Alone));
        jobs
    }

    fn pair(&self, of: Reader<'_>, constants: [ConstantId; 2]) -> [Arc<Plaintext>; 2] {
        let encodings = constants.map(|constant| of.encoding(constant, Use::Factor));
        let encode = || self.timed(|| self.encoder.pair(of.plan, of.ring, encodings));
        self.cache.pair(encodings, encode)
    }

    /// Counts the time that encoding takes.
    fn timed<T>(&self, encode: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let encoded = encode();
        self.spent.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        encoded
    }
}

/// Places of constants that are encoded at once.
enum Job {
    Alone(usize),
    Pair(usize, usize),
}
