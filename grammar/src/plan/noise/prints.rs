//! Which values are the same ciphertext, or the negative of one, by whatever instructions.
//!
//! What rounding and key switching add is computed from the ciphertext alone: where it is the same twice, so is the error, and
//! two of them are twice one. A value's print is a number modulo 2^61 − 1: random for inputs, by the ring's own rules for sums
//! and multiples, random but the same for the same operands for everything else. Different ciphertexts have the same print with
//! probability 2^−61.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use crate::plan::{Constant, ConstantId, Op, Plan, Value, View};

const MODULUS: u64 = (1 << 61) - 1;

/// Elements of tables that are hashed at once.
const CHUNK: usize = 1 << 14;

/// A value by what its ciphertext is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// The first value with the same polynomials, up to the sign and up to what plaintexts add, which are not multiplied by the
    /// secret: rounding errors are nearly the same.
    pub(super) alike: Value,
    /// The first value that is the same.
    pub(super) same: Value,
}

/// The names of all values, and for each constant the first with the same content.
pub(super) fn names(plan: &Plan) -> (Vec<Name>, Vec<ConstantId>) {
    let constants = constants(plan);
    let same = first_with(&Printer { constants: &constants, is_strict: true }.prints(plan));
    let alike = alike(plan, &constants).into_iter();
    let names = alike.zip(same).map(|(alike, same)| Name { alike, same }).collect();
    (names, first_with(&constants).into_iter().map(|Value(i)| ConstantId(i)).collect())
}

/// For each value the first with the same polynomials, up to the sign and what plaintexts add. Constants have prints, the same if
/// they are the same.
pub(super) fn alike(plan: &Plan, constants: &[u64]) -> Vec<Value> {
    let prints = Printer { constants, is_strict: false }.prints(plan);
    first_with(&prints.into_iter().map(|print| signed(print).1).collect::<Vec<_>>())
}

fn first_with(prints: &[u64]) -> Vec<Value> {
    let mut first = HashMap::with_capacity(prints.len());
    let values = prints.iter().zip(0..).map(|(print, i)| *first.entry(*print).or_insert(Value(i)));
    values.collect()
}

/// For each table a number that it shares with those that are the same.
pub(super) fn tables(plan: &Plan) -> Vec<u64> {
    let of_table = |table: &Vec<f32>| {
        let mut hasher = blake3::Hasher::new();
        let mut bytes = Vec::with_capacity(CHUNK * size_of::<f32>());
        for chunk in table.chunks(CHUNK) {
            bytes.clear();
            chunk.iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes()));
            hasher.update(&bytes);
        }
        random(hasher.finalize().as_bytes())
    };
    // A single one is not compared with any other.
    match plan.tables.as_slice() {
        [_] => vec![0],
        tables => tables.iter().map(of_table).collect(),
    }
}

/// The plaintexts that constants are encoded as.
fn constants(plan: &Plan) -> Vec<u64> {
    let tables = tables(plan);
    let of = |constant: &Constant| {
        let integer = |x: f64| integer((x * constant.scale.exp2()).round());
        match &constant.view {
            View::Splat(x) => integer(*x),
            View::Imaginary(x) => product(integer(*x), random("i")),
            View::Table { table, factor, runs } => {
                let table = tables[*table as usize];
                random((table, factor.to_bits(), runs, constant.scale.to_bits()))
            }
            View::Embedding(diagonal) => {
                random((format!("{diagonal:?}"), constant.scale.to_bits()))
            }
        }
    };
    plan.constants.iter().map(of).collect()
}

struct Printer<'a> {
    constants: &'a [u64],
    /// Whether what plaintexts add counts.
    is_strict: bool,
}

impl Printer<'_> {
    fn prints(&self, plan: &Plan) -> Vec<u64> {
        let mut prints = Vec::with_capacity(plan.ops.len());
        for (_, op) in plan.values() {
            prints.push(self.print(op, &prints));
        }
        prints
    }

    /// The print of a value, from those of earlier ones.
    fn print(&self, op: &Op, prints: &[u64]) -> u64 {
        let of = |v: &Value| prints[v.index()];
        match op {
            Op::Input(index) => random(("input", index)),
            Op::Add(a, b) => sum(of(a), of(b)),
            Op::Sub(a, b) => sum(of(a), negated(of(b))),
            Op::Neg(a) => negated(of(a)),
            Op::AddPlain(a, c) => match self.is_strict {
                true => sum(of(a), self.constant(*c)),
                false => of(a),
            },
            Op::MulPlain(a, c) => product(of(a), self.constant(*c)),
            Op::DotPlain(terms) => {
                let terms = terms.iter().map(|(v, c)| product(of(v), self.constant(*c)));
                terms.fold(0, sum)
            }
            Op::Mul(a, b) | Op::MulBgv(a, b) => {
                let [a, b] = [of(a), of(b)].map(signed);
                let (least, most) = (a.1.min(b.1), a.1.max(b.1));
                with_sign(a.0 != b.0, random((op.opcode(), least, most)))
            }
            // Linear without any rounding.
            Op::Drop(a, limbs) => product(of(a), random(("drop", limbs))),
            Op::ModUp(a) | Op::Decompose(a) => product(of(a), random(op.opcode())),
            Op::ApplyKey(a, key) => odd(of(a), |print| random((op.opcode(), key, print))),
            Op::ModSwitch(a, limbs) | Op::ModRaise(a, limbs) => {
                odd(of(a), |print| random((op.opcode(), limbs, print)))
            }
            Op::Rescale(a) | Op::ModDown(a) => odd(of(a), |print| random((op.opcode(), print))),
        }
    }

    fn constant(&self, constant: ConstantId) -> u64 {
        self.constants[constant.index()]
    }
}

/// The print of a constant polynomial.
pub(super) fn integer(x: f64) -> u64 {
    with_sign(x < 0.0, (x.abs() % MODULUS as f64) as u64 % MODULUS)
}

/// A number that only equals have in common.
pub(super) fn random(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish() % MODULUS
}

fn sum(a: u64, b: u64) -> u64 {
    let sum = a + b;
    if sum >= MODULUS { sum - MODULUS } else { sum }
}

fn negated(a: u64) -> u64 {
    (MODULUS - a) % MODULUS
}

fn product(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    let folded = (wide as u64 & MODULUS) + (wide >> 61) as u64;
    if folded >= MODULUS { folded - MODULUS } else { folded }
}

/// Whether a print is the larger one of it and its negative, and the smaller one.
fn signed(print: u64) -> (bool, u64) {
    let negative = negated(print);
    (negative < print, print.min(negative))
}

fn with_sign(is_negative: bool, print: u64) -> u64 {
    if is_negative { negated(print) } else { print }
}

/// What changes its sign with its argument.
fn odd(print: u64, of: impl Fn(u64) -> u64) -> u64 {
    let (is_negative, size) = signed(print);
    with_sign(is_negative, of(size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::testing::params;
    use crate::plan::{Key, Plaintexts};

    fn plan(ops: Vec<Op>) -> Plan {
        let params = params(Plaintexts::Ckks { top_scale: 40.0 });
        let constants = [2.0, -1.0].map(|x| Constant { view: View::Splat(x), scale: 0.0 });
        Plan { ops, constants: constants.to_vec(), ..Plan::new(params, "test") }
    }

    #[test]
    fn ciphertexts_are_known_again_by_whatever_instructions() {
        let v = Value;
        let (names, constants) = names(&plan(vec![
            Op::Input(0),
            Op::Input(1),
            Op::Sub(v(1), v(1)),
            Op::Add(v(0), v(2)),
            Op::Neg(v(3)),
            Op::Add(v(0), v(0)),
            Op::MulPlain(v(0), ConstantId(0)),
            Op::DotPlain(vec![(v(4), ConstantId(1)), (v(0), ConstantId(0)), (v(4), ConstantId(0))]),
            Op::AddPlain(v(0), ConstantId(0)),
            Op::Rescale(v(8)),
            Op::Rescale(v(4)),
            Op::ApplyKey(v(0), Key::Rotate(1)),
            Op::ApplyKey(v(0), Key::Rotate(2)),
            Op::Mul(v(0), v(1)),
            Op::Mul(v(1), v(4)),
        ]));
        let of = |names: &[Name], of: fn(&Name) -> Value| -> Vec<u32> {
            names.iter().map(|name| of(name).0).collect()
        };
        let alike = [0, 1, 2, 0, 0, 5, 5, 0, 0, 9, 9, 11, 12, 13, 13];
        assert_eq!(of(&names, |name| name.alike), alike);
        let same = [0, 1, 2, 0, 4, 5, 5, 0, 8, 9, 10, 11, 12, 13, 14];
        assert_eq!(of(&names, |name| name.same), same);
        assert_eq!(constants, [ConstantId(0), ConstantId(1)]);
    }
}
