//! How often plaintexts are used in a run: those of bootstrapping many times.

use std::collections::BTreeMap;

use super::{ConstantId, Form, LimbSet, PlainUse, Plan, Value, View};

/// A constant as a factor of ciphertexts of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Factor {
    /// The constant.
    pub constant: ConstantId,
    /// The primes that it is encoded on.
    pub limbs: LimbSet,
    /// Whether it is on the special primes too.
    pub form: Form,
}

/// The uses of one, in the order of instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uses {
    /// How many.
    pub count: u32,
    /// The first.
    pub first: Value,
    /// The last.
    pub last: Value,
}

impl Plan {
    /// The plaintexts that ciphertexts are multiplied by, but for single numbers, which take no time to encode.
    pub fn factors(&self) -> BTreeMap<Factor, Uses> {
        let mut factors: BTreeMap<Factor, Uses> = BTreeMap::new();
        for (value, op) in self.values() {
            if op.plain_use() != PlainUse::Factor {
                continue;
            }
            let ty = self.ty(value);
            for constant in op.constants() {
                if matches!(self.constants[constant.index()].view, View::Splat(_)) {
                    continue;
                }
                let factor = Factor { constant, limbs: ty.limbs, form: ty.form };
                let first = Uses { count: 0, first: value, last: value };
                let uses = factors.entry(factor).or_insert(first);
                uses.count += 1;
                uses.last = value;
            }
        }
        factors
    }
}
