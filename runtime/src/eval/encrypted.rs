//! Runs a plan on ciphertexts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hecc_grammar::plan::{ConstantId, Key, Op, Scheme, Value, VerifiedPlan};
use rayon::prelude::*;

use crate::error::RunError;
use crate::kernel::active;
use crate::rlwe::{
    Ciphertext, Context, Digits, EvaluationKeys, FreshCiphertext, Plaintext, Poly, limb_indices,
};
use crate::scheme::Use;
use crate::scheme::bfv::Multiplier;

use super::dots::{Dot, dots};
use super::executor::{Computed, Execution, Progress, Saver, execute};
use super::factors::{Factors, Reader};
use super::limbwise::{add_plain, drop_limbs, mul, times, zip};
use super::shared::Shared;
use super::snapshot::{self, Keeper, Snapshot, Snapshots};
use super::sums::{Product, sums_of_multiples};
use super::units::{is_sum_of_multiples, units};

/// Plaintexts of a sum that are encoded before they are multiplied by.
const FACTORS_AT_ONCE: usize = 16;

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
    plan: Shared<'a, VerifiedPlan>,
    units: Vec<Vec<Value>>,
    keys: Shared<'a, EvaluationKeys>,
    context: Context,
    factors: Factors,
    multiplier: Option<Multiplier>,
    /// BFV: for each plaintext prime, the correction factor of each value.
    correction_factors: Vec<Vec<u64>>,
    pool: rayon::ThreadPool,
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
        plan: impl Into<Shared<'a, VerifiedPlan>>,
        keys: impl Into<Shared<'a, EvaluationKeys>>,
        options: Options,
    ) -> Result<Evaluator<'a>, RunError> {
        let (plan, keys) = (plan.into(), keys.into());
        keys.check(&plan)?;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads.max(1)).build();
        let pool = pool.map_err(|error| RunError::Threads { wanted: options.threads, error })?;
        let context = pool.install(|| Context::new(&plan));
        let factors = pool.install(|| Factors::new(&plan, options.cache_bytes));
        let multiplier = (plan.params.scheme() == Scheme::Bfv)
            .then(|| pool.install(|| Multiplier::new(&plan, &context.ring)));
        let corrections = |&t: &u64| plan.correction_factors(t).expect("a verified plan has them");
        Ok(Evaluator {
            units: units(&plan),
            correction_factors: plan.params.t().iter().map(corrections).collect(),
            spent: plan.ops.iter().map(|_| AtomicU64::new(0)).collect(),
            plan,
            keys,
            context,
            factors,
            multiplier,
            pool,
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
        snapshot::check(&start, &self.plan, &self.units)?;
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
                plan: &self.plan,
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
            plan: &self.plan,
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
                _ => self.results(values, operands, run.instance),
            };
            // What is computed in one pass takes about as long each.
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

    /// The part of [`times`](Self::times) that encoding plaintexts took, summed over threads.
    pub fn encoding_time(&self) -> Duration {
        self.factors.time()
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
                let reader = self.reader(value, instance);
                let plaintext = self.factors.one(reader, *c, Use::Summand(factor));
                add_plain(ring, ct(0), &plaintext, ty)
            }
            Op::MulPlain(..) | Op::DotPlain(_) | Op::ApplyKey(..) => {
                return self.results(&[value], &[operands.to_vec()], instance).remove(0);
            }
            Op::Mul(..) => match &self.multiplier {
                Some(multiplier) => multiplier.mul(ring, [ct(0), ct(1)], instance),
                None => mul(ring, ct(0), ct(1), ty),
            },
            // Times t messages are in the least significant bits, where they multiply (Alperin-Sheriff, Peikert, eprint
            // 2013/372); of t·a times t·b one t stays, to return.
            Op::MulBgv(..) => {
                mul(ring, &times(ring, ct(0), self.plan.params.t()[instance]), ct(1), ty)
            }
            Op::ModDown(_) if context.is_fused(value) => return Data::Ciphertext(ct(0).clone()),
            Op::Rescale(_) | Op::ModSwitch(..) | Op::ModDown(_) => context.divide(ct(0), ty),
            Op::Drop(..) => drop_limbs(ct(0), ty),
            Op::Decompose(_) => return Data::Digits(context.decompose(ct(0).clone())),
            Op::ModUp(_) => context.mod_up(ct(0)),
            Op::ModRaise(..) => context.mod_raise(ct(0), ty),
        };
        Data::Ciphertext(Arc::new(Ciphertext { ty, ..result }))
    }

    /// The results of instructions that are executed at once.
    fn results(&self, values: &[Value], operands: &[Vec<Arc<Data>>], instance: usize) -> Vec<Data> {
        let op = &self.plan.ops[values[0].index()];
        if matches!(op, Op::ApplyKey(..)) {
            self.key_products(values, &operands[0][0])
        } else if is_sum_of_multiples(&self.plan, op) {
            self.sums(values, operands, instance)
        } else {
            self.dots(values, operands, instance)
        }
    }

    /// The inner products of digits with the keys of some instructions.
    fn key_products(&self, values: &[Value], digits: &Data) -> Vec<Data> {
        let Data::Digits(digits) = digits else {
            unreachable!("verified operands have their form");
        };
        let keys: Vec<Key> =
            values.iter().filter_map(|value| self.plan.ops[value.index()].key()).collect();
        let products = self.context.apply_keys(digits, &keys, &self.keys).into_iter();
        let typed = products.zip(values).map(|(product, &value)| {
            let ty = self.plan.ty(value);
            Data::Ciphertext(Arc::new(Ciphertext { ty, ..product }))
        });
        typed.collect()
    }

    /// Sums of ciphertexts times numbers, of one type.
    fn sums(&self, values: &[Value], operands: &[Vec<Arc<Data>>], instance: usize) -> Vec<Data> {
        let ring = &self.context.ring;
        let ty = self.plan.ty(values[0]);
        let products = values.iter().zip(operands).map(|(value, operands)| {
            let reader = self.reader(*value, instance);
            let plain = |c: ConstantId| self.factors.one(reader, c, Use::Factor);
            let numbers = self.plan.ops[value.index()].constants().into_iter().map(plain);
            operands.iter().map(|operand| &**operand.ciphertext()).zip(numbers).collect()
        });
        let sums: Vec<Vec<Product<'_>>> = products.collect();
        let limbs = limb_indices(ring, ty.limbs, ty.form);
        let results =
            sums_of_multiples(ring, &limbs, usize::from(ty.degree) + 1, &sums).into_iter();
        results.map(|polys| Data::Ciphertext(Arc::new(Ciphertext { polys, ty }))).collect()
    }

    /// Sums of ciphertexts times plaintexts, of one type, a few terms of each at a time: so few plaintexts need no more
    /// room than a ciphertext, and the operands that sums share are still in the caches.
    fn dots(&self, values: &[Value], operands: &[Vec<Arc<Data>>], instance: usize) -> Vec<Data> {
        let ring = &self.context.ring;
        let ty = self.plan.ty(values[0]);
        let (limbs, n_polys) = (limb_indices(ring, ty.limbs, ty.form), usize::from(ty.degree) + 1);
        let mut sums: Vec<Option<Vec<Poly>>> = values.iter().map(|_| None).collect();
        let most = operands.iter().map(Vec::len).max().unwrap_or(0);
        for first in (0..most).step_by(FACTORS_AT_ONCE) {
            let taken: Vec<usize> =
                (0..values.len()).filter(|&i| first < operands[i].len()).collect();
            let range = |i: usize| first..operands[i].len().min(first + FACTORS_AT_ONCE);
            let plaintexts: Vec<Vec<Arc<Plaintext>>> = taken
                .iter()
                .map(|&i| {
                    let constants = self.plan.ops[values[i].index()].constants();
                    self.factors.all(self.reader(values[i], instance), &constants[range(i)])
                })
                .collect();
            let parts = taken.iter().zip(&plaintexts).map(|(&i, plaintexts)| {
                let ciphertexts = operands[i][range(i)].iter().map(|data| data.ciphertext());
                Dot::new(ciphertexts, plaintexts, sums[i].as_deref())
            });
            let parts: Vec<Dot<'_>> = parts.collect();
            let results = dots(ring, &limbs, n_polys, &parts);
            taken.into_iter().zip(results).for_each(|(i, result)| sums[i] = Some(result));
        }
        let ciphertext = |polys: Option<Vec<Poly>>| {
            let polys = polys.expect("verified sums have terms");
            Data::Ciphertext(Arc::new(Ciphertext { polys, ty }))
        };
        sums.into_iter().map(ciphertext).collect()
    }

    fn reader(&self, value: Value, instance: usize) -> Reader<'_> {
        Reader { plan: &self.plan, ring: &self.context.ring, value, instance }
    }
}
