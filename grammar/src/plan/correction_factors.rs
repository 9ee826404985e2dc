//! The correction factors that BGV's products leave on messages.

use super::{LimbSet, Op, Plan, Value};

impl Plan {
    /// For every value, modulo the plaintext prime t, what its message is multiplied by: 1 up to the first `mul_bgv`.
    ///
    /// A ciphertext on primes of product Q decrypts to x with `t·x = t·e − [Q·m]_t` modulo Q. Of a product that is
    /// `t·e' + Q²·m·m'`, which stands for the message `−Q·m·m'`.
    ///
    /// # Errors
    /// The first value that is a sum of values with different correction factors.
    pub fn correction_factors(&self, t: u64) -> Result<Vec<u64>, Value> {
        let mut factors: Vec<u64> = Vec::with_capacity(self.ops.len());
        for (value, op) in self.values() {
            factors.push(self.correction_factor(value, op, &factors, t)?);
        }
        Ok(factors)
    }

    /// The correction factor of a value, whose operands' are known.
    fn correction_factor(
        &self,
        value: Value,
        op: &Op,
        known: &[u64],
        t: u64,
    ) -> Result<u64, Value> {
        let of = |v: &Value| known[v.index()];
        let mul = |a: u64, b: u64| (u128::from(a) * u128::from(b) % u128::from(t)) as u64;
        let minus = |limbs: LimbSet| {
            t - limbs.iter().fold(1, |product, i| mul(product, self.params.q[i] % t))
        };
        Ok(match op {
            Op::Input(_) => 1,
            Op::Add(a, b) | Op::Sub(a, b) => {
                if of(a) != of(b) {
                    return Err(value);
                }
                of(a)
            }
            Op::DotPlain(terms) => {
                let first = terms.first().map_or(1, |(a, _)| of(a));
                if terms.iter().any(|(a, _)| of(a) != first) {
                    return Err(value);
                }
                first
            }
            Op::Mul(a, b) => mul(of(a), of(b)),
            Op::MulBgv(a, b) => mul(mul(of(a), of(b)), minus(self.ty(value).limbs)),
            // A plaintext is added times the factor of what it is added to.
            Op::AddPlain(a, _)
            | Op::Neg(a)
            | Op::MulPlain(a, _)
            | Op::Rescale(a)
            | Op::ModSwitch(a, _)
            | Op::Drop(a, _)
            | Op::Decompose(a)
            | Op::ApplyKey(a, _)
            | Op::ModUp(a)
            | Op::ModDown(a)
            | Op::ModRaise(a, _) => of(a),
        })
    }
}
