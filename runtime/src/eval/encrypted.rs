//! Runs a plan on ciphertexts.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hecc_grammar::plan::{ConstantId, Op, Scheme, Value, VerifiedPlan, View};
use rayon::prelude::*;

use crate::error::RunError;
use crate::kernel::{Multiple, Term, active};
use crate::rlwe::{
    BLOCK, Ciphertext, Context, Digits, EvaluationKeys, FreshCiphertext, Plaintext, Poly,
    by_blocks, limb_indices,
};
use crate::scheme::bfv::Multiplier;
use crate::scheme::{Encoder, Encoding, Use};

use super::cache::PlaintextCache;
use super::executor::{Computed, Execution, Progress, Saver, execute};
use super::limbwise::{add_plain, drop_limbs, mul, times, zip};
use super::reused::Reused;
use super::snapshot::{self, Keeper, Snapshot, Snapshots};
use super::sums::{Product, sums_of_multiples};
use super::units::{is_sum_of_multiples, units};

/// Plaintexts that are encoded before they are multiplied by: so few are still in the caches then.
const PLAINTEXTS_AT_ONCE: usize = 16;

/// How a plan is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Number of threads, at least 1.
    pub threads: usize,
    /// Encoded plaintexts are kept from run to run while they take no more than this many bytes. Those that a run uses more than
    /// once are kept from the first use to the last in any case.
    pub cache_bytes: usize,
}

/// A plan ready to run with a set of keys; may be used for any number of inputs.
pub struct Evaluator<'a> {
    plan: &'a VerifiedPlan,
    units: Vec<Vec<Value>>,
    keys: &'a EvaluationKeys,
    context: Context,
    encoder: Encoder,
    multiplier: Option<Multiplier>,
    /// BFV: for each plaintext prime, the correction factor of each value.
    correction_factors: Vec<Vec<u64>>,
    pool: rayon::ThreadPool,
    cache: PlaintextCache,
    reused: Reused,
    /// Nanoseconds spent on each instruction, in all runs.
    spent: Vec<AtomicU64>,
}

/// A value while the plan runs.
pub(super) enum Data {
    Ciphertext(Arc<Ciphertext>),
    Digits(Digits),
}

/// One pass over the plan: for one of several plaintext primes, or the only one.
#[derive(Clone, Copy)]
struct Run<'r> {
    inputs: &'r [Arc<Ciphertext>],
    /// The index of the plaintext prime.
    instance: usize,
}

impl Data {
    fn ciphertext(&self) -> &Arc<Ciphertext> {
        match self {
            Data::Ciphertext(ciphertext) => ciphertext,
            Data::Digits(_) => unreachable!("verified operands have their form"),
        }
    }

    /// The ciphertext, or the one that the digits are of.
    pub(super) fn source(&self) -> &Arc<Ciphertext> {
        match self {
            Data::Ciphertext(ciphertext) => ciphertext,
            Data::Digits(digits) => &digits.source,
        }
    }
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
        let encoder = pool.install(|| Encoder::new(&plan.params));
        let multiplier = (plan.params.scheme == Scheme::Bfv)
            .then(|| pool.install(|| Multiplier::new(plan, &context.ring)));
        let factors = |&t: &u64| plan.correction_factors(t).expect("a verified plan has them");
        Ok(Evaluator {
            plan,
            units: units(plan),
            keys,
            context,
            encoder,
            multiplier,
            correction_factors: plan.params.t.iter().map(factors).collect(),
            pool,
            cache: PlaintextCache::new(options.cache_bytes),
            reused: Reused::new(plan),
            spent: plan.ops.iter().map(|_| AtomicU64::new(0)).collect(),
        })
    }

    /// The ciphertexts of what a client sent.
    pub fn expand(&self, inputs: Vec<FreshCiphertext>) -> Vec<Ciphertext> {
        let expand = |input: FreshCiphertext| input.expand(&self.context.ring);
        self.pool.install(|| inputs.into_par_iter().map(expand).collect())
    }

    /// Runs the plan on the ciphertexts of its inputs and returns those of its outputs; with several plaintext primes
    /// those of the first come first.
    ///
    /// # Errors
    /// If the ciphertexts are not those that the plan declares.
    pub fn run(
        &self,
        inputs: Vec<Ciphertext>,
        progress: Progress<'_>,
    ) -> Result<Vec<Ciphertext>, RunError> {
        self.run_from(Snapshot::default(), inputs, progress, None)
    }

    /// As [`run`](Self::run), from where a run on the same inputs stood; `keeper` takes further snapshots.
    ///
    /// # Errors
    /// If the ciphertexts are not those that the plan declares, or the snapshot is of another plan.
    pub fn run_from(
        &self,
        start: Snapshot,
        inputs: Vec<Ciphertext>,
        progress: Progress<'_>,
        keeper: Option<&dyn Keeper>,
    ) -> Result<Vec<Ciphertext>, RunError> {
        self.check_inputs(&inputs)?;
        snapshot::check(&start, self.plan, &self.units)?;
        let inputs: Vec<Arc<Ciphertext>> = inputs.into_iter().map(Arc::new).collect();
        let Snapshot { mut outputs, done, values } = start;
        let of_value = |(value, data)| (value, Arc::new(Data::Ciphertext(data)));
        let mut start = (!done.is_empty())
            .then(|| Computed { done, values: values.into_iter().map(of_value).collect() });
        let first = outputs.len() / self.plan.output_values().count();
        for instance in first..self.plan.params.n_instances() {
            let per_instance = self.plan.n_input_ciphertexts();
            let inputs = &inputs[instance * per_instance..][..per_instance];
            let saver = keeper.map(|keeper| Snapshots {
                plan: self.plan,
                context: &self.context,
                outputs: &outputs,
                keeper,
            });
            let saver = saver.as_ref().map(|saver| saver as &dyn Saver<Data>);
            let run = Run { inputs, instance };
            let results = self.run_instance(run, start.take(), progress, saver);
            outputs.extend(results);
        }
        Ok(outputs.into_iter().map(Arc::unwrap_or_clone).collect())
    }

    fn check_inputs(&self, inputs: &[Ciphertext]) -> Result<(), RunError> {
        let per_instance = self.plan.n_input_ciphertexts();
        let expected = per_instance * self.plan.params.n_instances();
        if inputs.len() != expected {
            return Err(RunError::InputCount { found: inputs.len(), expected });
        }
        for (value, op) in self.plan.values() {
            if let Op::Input(index) = op {
                let mut instances = inputs.iter().skip(*index as usize).step_by(per_instance);
                if instances.any(|input| input.ty != self.plan.ty(value)) {
                    return Err(RunError::InputType { index: *index });
                }
            }
        }
        Ok(())
    }

    fn run_instance(
        &self,
        run: Run<'_>,
        start: Option<Computed<Data>>,
        progress: Progress<'_>,
        saver: Option<&dyn Saver<Data>>,
    ) -> Vec<Arc<Ciphertext>> {
        let (n_ops, n_instances) = (self.plan.ops.len(), self.plan.params.n_instances());
        let progress =
            |done: usize, _: usize| progress(run.instance * n_ops + done, n_instances * n_ops);
        let execution = Execution {
            plan: self.plan,
            units: &self.units,
            pool: &self.pool,
            progress: &progress,
            start,
            saver,
        };
        let outputs = execute(execution, |values, operands| {
            let start = Instant::now();
            let results = match (values, operands) {
                ([value], [operands]) => vec![self.result(*value, operands, run)],
                _ => self.sums(values, operands, run.instance),
            };
            // Sums in one pass take about as long each.
            let nanoseconds = start.elapsed().as_nanos() as u64 / values.len() as u64;
            for value in values {
                self.spent[value.index()].fetch_add(nanoseconds, Ordering::Relaxed);
            }
            results
        });
        outputs.iter().map(|data| data.ciphertext().clone()).collect()
    }

    /// The time spent on each instruction so far, in all runs. With several threads one that waits for the limbs of its
    /// instruction may work on those of another, which counts for both.
    pub fn times(&self) -> Vec<Duration> {
        self.spent.iter().map(|spent| Duration::from_nanos(spent.load(Ordering::Relaxed))).collect()
    }

    /// The result of one instruction.
    fn result(&self, value: Value, operands: &[Arc<Data>], run: Run<'_>) -> Data {
        let Run { inputs, instance } = run;
        let context = &self.context;
        let ring = &context.ring;
        let ty = self.plan.ty(value);
        let ct = |i: usize| operands[i].ciphertext();
        let result = match &self.plan.ops[value.index()] {
            Op::Input(index) => return Data::Ciphertext(inputs[*index as usize].clone()),
            Op::Add(..) => {
                zip(ring, ct(0), ct(1), ty, |out, [a, b], q| (active().add)(out, a, b, q))
            }
            Op::Sub(..) => {
                zip(ring, ct(0), ct(1), ty, |out, [a, b], q| (active().sub)(out, a, b, q))
            }
            Op::Neg(_) => zip(ring, ct(0), ct(0), ty, |out, [a, _], q| (active().neg)(out, a, q)),
            Op::AddPlain(_, c) => {
                let factor =
                    self.correction_factors.get(instance).map_or(1, |of| of[value.index()]);
                add_plain(
                    ring,
                    ct(0),
                    &self.plaintext(*c, value, Use::Summand(factor), instance),
                    ty,
                )
            }
            Op::MulPlain(_, c) => self.dot_plain(&[(ct(0), *c)], value, instance),
            op if is_sum_of_multiples(self.plan, op) => {
                return self.sums(&[value], &[operands.to_vec()], instance).remove(0);
            }
            Op::DotPlain(terms) => {
                let pairs: Vec<(&Arc<Ciphertext>, ConstantId)> =
                    terms.iter().enumerate().map(|(i, (_, c))| (ct(i), *c)).collect();
                self.dot_plain(&pairs, value, instance)
            }
            Op::Mul(..) => match &self.multiplier {
                Some(multiplier) => multiplier.mul(ring, [ct(0), ct(1)], instance),
                None => mul(ring, ct(0), ct(1), ty),
            },
            // Times t messages are in the least significant bits, where they multiply (Alperin-Sheriff, Peikert, eprint
            // 2013/372); of t·a times t·b one t stays, to return.
            Op::MulBgv(..) => {
                mul(ring, &times(ring, ct(0), self.plan.params.t[instance]), ct(1), ty)
            }
            Op::ModDown(_) if context.is_fused(value) => return Data::Ciphertext(ct(0).clone()),
            Op::Rescale(_) | Op::ModSwitch(..) | Op::ModDown(_) => context.divide(ct(0), ty),
            Op::Drop(..) => drop_limbs(ct(0), ty),
            Op::Decompose(_) => return Data::Digits(context.decompose(ct(0).clone())),
            Op::ApplyKey(_, key) => match &*operands[0] {
                Data::Digits(digits) => context.apply_key(digits, *key, self.keys),
                Data::Ciphertext(_) => unreachable!("verified operands have their form"),
            },
            Op::ModUp(_) => context.mod_up(ct(0)),
            Op::ModRaise(..) => context.mod_raise(ct(0), ty),
        };
        Data::Ciphertext(Arc::new(Ciphertext { ty, ..result }))
    }

    /// Sums of ciphertexts times numbers, of one type.
    fn sums(&self, values: &[Value], operands: &[Vec<Arc<Data>>], instance: usize) -> Vec<Data> {
        let ring = &self.context.ring;
        let ty = self.plan.ty(values[0]);
        let products = values.iter().zip(operands).map(|(value, operands)| {
            let plain = |c: ConstantId| self.plaintext(c, *value, Use::Factor, instance);
            let numbers = self.plan.ops[value.index()].constants().into_iter().map(plain);
            operands.iter().map(|operand| &**operand.ciphertext()).zip(numbers).collect()
        });
        let sums: Vec<Vec<Product<'_>>> = products.collect();
        let limbs = limb_indices(ring, ty.limbs, ty.form);
        let results =
            sums_of_multiples(ring, &limbs, usize::from(ty.degree) + 1, &sums).into_iter();
        results.map(|polys| Data::Ciphertext(Arc::new(Ciphertext { polys, ty }))).collect()
    }

    fn dot_plain(
        &self,
        terms: &[(&Arc<Ciphertext>, ConstantId)],
        value: Value,
        instance: usize,
    ) -> Ciphertext {
        let is_scalar = |(_, c): &&(_, ConstantId)| {
            matches!(self.plan.constants[c.index()].view, View::Splat(_))
        };
        let (scalar, full): (Vec<_>, Vec<_>) = terms.iter().partition(is_scalar);
        let groups = full.chunks(PLAINTEXTS_AT_ONCE);
        let groups = (!scalar.is_empty()).then_some(&scalar[..]).into_iter().chain(groups);
        let add = |sum, group: &[_]| Some(self.add_products(sum, group, value, instance));
        let polys = groups.fold(None, add).expect("verified sums have terms");
        Ciphertext { polys, ty: self.plan.ty(value) }
    }

    /// The products of some terms, added to a sum if there is one.
    fn add_products(
        &self,
        sum: Option<Vec<Poly>>,
        terms: &[(&Arc<Ciphertext>, ConstantId)],
        value: Value,
        instance: usize,
    ) -> Vec<Poly> {
        let ring = &self.context.ring;
        let limbs = terms[0].0.limb_indices(ring);
        let plain = |(_, c): &(_, ConstantId)| self.plaintext(*c, value, Use::Factor, instance);
        let plains: Vec<Arc<Plaintext>> = terms.par_iter().map(plain).collect();
        let (mut full, mut scalar) = (vec![], vec![]);
        for ((ciphertext, _), plain) in terms.iter().zip(&plains) {
            match &**plain {
                Plaintext::Full(blocks) => full.push((&ciphertext.polys, blocks)),
                Plaintext::Scalar(residues) => scalar.push((&ciphertext.polys, residues)),
            }
        }
        let multiples = |part: usize, k: usize, range: Range<usize>| -> Vec<Multiple<'_>> {
            let scalar = scalar.iter();
            scalar.map(|(polys, c)| (&polys[part].limb(k)[range.clone()], c[k])).collect()
        };
        let pair = Poly::build_pair(ring.n(), limbs.len(), |k, out| {
            let modulus = ring.modulus(limbs[k]);
            let mut scratch = vec![0; full.len() * BLOCK.min(ring.n())];
            by_blocks(out, |range, mut sums| {
                let products: Vec<Term<'_>> = full
                    .iter()
                    .zip(scratch.chunks_mut(range.len()))
                    .map(|((polys, blocks), scratch)| {
                        let own = [0, 1].map(|part: usize| &polys[part].limb(k)[range.clone()]);
                        (blocks.part(k, range.clone(), scratch), own)
                    })
                    .collect();
                (active().dot_pair)(sums.each_mut().map(|sum| &mut **sum), &products, modulus);
                for (part, out) in sums.iter_mut().enumerate() {
                    (active().add_multiples)(out, &multiples(part, k, range.clone()), modulus);
                    if let Some(sum) = &sum {
                        let products = out.to_vec();
                        (active().add)(out, &products, &sum[part].limb(k)[range.clone()], modulus);
                    }
                }
            });
        });
        // Sums of products that are not relinearized yet: numbers times ciphertexts, seldom anything else.
        let third = (self.plan.ty(value).degree == 2).then(|| {
            Poly::build(ring.n(), limbs.len(), |k, out| {
                let modulus = ring.modulus(limbs[k]);
                match &sum {
                    Some(sum) => out.copy_from_slice(sum[2].limb(k)),
                    None => out.fill(0),
                }
                for (polys, blocks) in &full {
                    let mut scratch = vec![0; ring.n()];
                    let plain = blocks.part(k, 0..ring.n(), &mut scratch);
                    (active().mul_add)(out, polys[2].limb(k), plain, modulus);
                }
                (active().add_multiples)(out, &multiples(2, k, 0..ring.n()), modulus);
            })
        });
        pair.into_iter().chain(third).collect()
    }

    /// The encoded form of a constant for an instruction, on its limbs.
    fn plaintext(
        &self,
        constant: ConstantId,
        value: Value,
        used_as: Use,
        instance: usize,
    ) -> Arc<Plaintext> {
        let ty = self.plan.ty(value);
        let encoding = Encoding { constant, limbs: ty.limbs, form: ty.form, used_as, instance };
        let encode = || self.encoder.plaintext(self.plan, &self.context.ring, encoding);
        self.reused.get(encoding, value, || self.cache.get(encoding, encode))
    }
}
