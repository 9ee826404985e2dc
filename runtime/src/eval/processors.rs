//! Computes the instructions of a plan on ciphertexts, on the processors of this machine.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use hecc_grammar::plan::{ConstantId, Key, Op, Together, Value};

use crate::kernel::active;
use crate::rlwe::{Ciphertext, Digits, Plaintext, Poly, limb_indices};
use crate::scheme::Use;

use super::Backend;
use super::dots::{Dot, dots};
use super::encrypted::Evaluator;
use super::factors::Reader;
use super::limbwise::{add_plain, drop_limbs, mul, times, zip};
use super::sums::{Product, sums_of_multiples};

/// How long a thread without work looks for some again and again, before it pauses in between.
const PATIENCE: Duration = Duration::from_millis(1);
const PAUSE: Duration = Duration::from_micros(20);

/// A run on one input, for one of several plaintext primes or the only one. Its lanes are the threads of the evaluator's pool,
/// which share the limbs of what each computes.
pub(super) struct Processors<'r> {
    pub(super) evaluator: &'r Evaluator<'r>,
    pub(super) inputs: &'r [Arc<Ciphertext>],
    /// The index of the plaintext prime.
    pub(super) instance: usize,
}

/// A value while the plan runs.
pub(super) enum Data {
    Ciphertext(Arc<Ciphertext>),
    Digits(Digits),
}

impl Data {
    fn new(ciphertext: Ciphertext) -> Data {
        Data::Ciphertext(Arc::new(ciphertext))
    }

    pub(super) fn ciphertext(&self) -> &Arc<Ciphertext> {
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

impl Backend for Processors<'_> {
    type Data = Data;

    fn on_lanes(&self, worker: &(dyn Fn(usize) + Sync)) {
        self.evaluator.pool.broadcast(|context| worker(context.index()));
    }

    fn compute(&self, _: usize, bundle: Range<usize>, operands: &[Vec<Arc<Data>>]) -> Vec<Data> {
        let first = Value(bundle.start as u32);
        match self.evaluator.plan.together(first) {
            Some(Together::KeyProducts(_)) => self.key_products(bundle, &operands[0][0]),
            Some(Together::Sums) => self.sums(first, operands),
            Some(Together::SumsOfMultiples) => self.sums_of_multiples(first, operands),
            None => vec![self.result(first, &operands[0])],
        }
    }

    /// Helps with the limbs of an instruction that another thread works on. They come any moment, and are done in less time
    /// than it takes to wake up.
    fn wait(&self, idle_for: Duration) -> bool {
        if rayon::yield_now() == Some(rayon::Yield::Executed) {
            return true;
        }
        if idle_for < PATIENCE {
            std::thread::yield_now();
        } else {
            std::thread::sleep(PAUSE);
        }
        false
    }
}

impl Processors<'_> {
    /// The result of an instruction.
    fn result(&self, value: Value, operands: &[Arc<Data>]) -> Data {
        let &Processors { evaluator, inputs, instance } = self;
        let Evaluator { plan, context, .. } = evaluator;
        let ring = &context.ring;
        let ty = plan.ty(value);
        let ct = |i: usize| operands[i].ciphertext();
        let result = match &plan.ops[value.index()] {
            Op::Input(index) => return Data::Ciphertext(inputs[*index as usize].clone()),
            Op::Add(..) => {
                zip(ring, ct(0), ct(1), ty, |out, [a, b], q| (active().add)(out, a, b, q))
            }
            Op::Sub(..) => {
                zip(ring, ct(0), ct(1), ty, |out, [a, b], q| (active().sub)(out, a, b, q))
            }
            Op::Neg(_) => zip(ring, ct(0), ct(0), ty, |out, [a, _], q| (active().neg)(out, a, q)),
            Op::AddPlain(_, c) => {
                let factors = evaluator.correction_factors.get(instance);
                let used_as = Use::Summand(factors.map_or(1, |of| of[value.index()]));
                let plaintext = evaluator.factors.one(self.reader(value), *c, used_as);
                add_plain(ring, ct(0), &plaintext, ty)
            }
            Op::MulPlain(..) => return self.sums(value, &[operands.to_vec()]).remove(0),
            Op::DotPlain(_) | Op::ApplyKey(..) => unreachable!("they are computed as bundles"),
            Op::Mul(..) => match &evaluator.multiplier {
                Some(multiplier) => multiplier.mul(ring, [ct(0), ct(1)], instance),
                None => mul(ring, ct(0), ct(1), ty),
            },
            // Times t messages are in the least significant bits, where they multiply (Alperin-Sheriff, Peikert, eprint
            // 2013/372); of t·a times t·b one t stays, to return.
            Op::MulBgv(..) => mul(ring, &times(ring, ct(0), plan.params.t()[instance]), ct(1), ty),
            Op::Rescale(_) | Op::ModSwitch(..) | Op::ModDown(_) => context.divide(ct(0), ty),
            Op::Drop(..) => drop_limbs(ct(0), ty),
            Op::Decompose(_) => return Data::Digits(context.decompose(ct(0).clone())),
            Op::ModUp(_) => context.mod_up(ct(0)),
            Op::ModRaise(..) => context.mod_raise(ct(0), ty),
        };
        Data::new(Ciphertext { ty, ..result })
    }

    /// The inner products of digits with the keys of a bundle.
    fn key_products(&self, bundle: Range<usize>, digits: &Data) -> Vec<Data> {
        let Data::Digits(digits) = digits else {
            unreachable!("verified operands have their form");
        };
        let Evaluator { plan, context, keys, .. } = self.evaluator;
        let ty = plan.types[bundle.start];
        let of_bundle: Vec<Key> = plan.ops[bundle].iter().filter_map(Op::key).collect();
        let products = context.apply_keys(digits, &of_bundle, keys).into_iter();
        products.map(|product| Data::new(Ciphertext { ty, ..product })).collect()
    }

    /// Sums of ciphertexts times numbers, from an instruction on.
    fn sums_of_multiples(&self, first: Value, operands: &[Vec<Arc<Data>>]) -> Vec<Data> {
        let Evaluator { plan, context, factors, .. } = self.evaluator;
        let (ring, ty) = (&context.ring, plan.ty(first));
        let products = (first.0..).zip(operands).map(|(value, operands)| {
            let reader = self.reader(Value(value));
            let plain = |c: ConstantId| factors.one(reader, c, Use::Factor);
            let numbers = plan.ops[value as usize].constants().into_iter().map(plain);
            operands.iter().map(|operand| &**operand.ciphertext()).zip(numbers).collect()
        });
        let sums: Vec<Vec<Product<'_>>> = products.collect();
        let limbs = limb_indices(ring, ty.limbs, ty.form);
        let results = sums_of_multiples(ring, &limbs, usize::from(ty.degree) + 1, &sums);
        results.into_iter().map(|polys| Data::new(Ciphertext { polys, ty })).collect()
    }

    /// Sums of ciphertexts times plaintexts, from an instruction on, a few terms of each at a time: so few plaintexts need no
    /// more room than a ciphertext, and the operands that sums share are still in the caches.
    fn sums(&self, first: Value, operands: &[Vec<Arc<Data>>]) -> Vec<Data> {
        let Evaluator { plan, context, factors, .. } = self.evaluator;
        let (ring, ty) = (&context.ring, plan.ty(first));
        let (limbs, n_polys) = (limb_indices(ring, ty.limbs, ty.form), usize::from(ty.degree) + 1);
        let mut sums: Vec<Option<Vec<Poly>>> = operands.iter().map(|_| None).collect();
        let most = operands.iter().map(Vec::len).max().unwrap_or(0);
        let at_once = factors.at_once(operands.len());
        for start in (0..most).step_by(at_once) {
            let taken: Vec<usize> =
                (0..operands.len()).filter(|&i| start < operands[i].len()).collect();
            let range = |i: usize| start..operands[i].len().min(start + at_once);
            let encoded = |&i: &usize| {
                let value = Value(first.0 + i as u32);
                let constants = plan.ops[value.index()].constants();
                factors.all(self.reader(value), &constants[range(i)])
            };
            let plaintexts: Vec<Vec<Arc<Plaintext>>> = taken.iter().map(encoded).collect();
            let parts = taken.iter().zip(&plaintexts).map(|(&i, plaintexts)| {
                let ciphertexts = operands[i][range(i)].iter().map(|data| data.ciphertext());
                Dot::new(ciphertexts, plaintexts, sums[i].as_deref())
            });
            let parts: Vec<Dot<'_>> = parts.collect();
            let results = dots(ring, &limbs, n_polys, &parts);
            taken.into_iter().zip(results).for_each(|(i, result)| sums[i] = Some(result));
        }
        let ciphertext = |polys: Option<Vec<Poly>>| {
            Data::new(Ciphertext { polys: polys.expect("verified sums have terms"), ty })
        };
        sums.into_iter().map(ciphertext).collect()
    }

    fn reader(&self, value: Value) -> Reader<'_> {
        let Evaluator { plan, context, .. } = self.evaluator;
        Reader { plan, ring: &context.ring, value, instance: self.instance }
    }
}
