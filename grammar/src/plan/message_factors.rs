//! What BGV's products multiply messages by.

use super::{LimbSet, Op, Plan, Value};

impl Plan {
    /// For every value, modulo the plaintext prime t, what its message is multiplied by: 1 up to the first `mul_bgv`.
    ///
    /// A ciphertext decrypts to x with `t·x = t·e − [Q·m]_t` modulo Q. Of a product on primes of product Q that is
    /// `t·e' + Q²·m·m'`, which stands for the message `−Q·m·m'`.
    ///
    /// # Errors
    /// The first value that is a sum of messages with different factors.
    pub fn message_factors(&self, t: u64) -> Result<Vec<u64>, Value> {
        let mul = |a: u64, b: u64| (u128::from(a) * u128::from(b) % u128::from(t)) as u64;
        let minus = |limbs: LimbSet| {
            t - limbs.iter().fold(1, |product, i| mul(product, self.params.q[i] % t))
        };
        let mut factors: Vec<u64> = Vec::with_capacity(self.ops.len());
        for (value, op) in self.values() {
            let operands = op.operands();
            let mut operands = operands.iter().map(|operand| factors[operand.index()]);
            let first = operands.next().unwrap_or(1);
            let factor = if matches!(op, Op::Mul(..)) {
                operands.fold(first, mul)
            } else if matches!(op, Op::MulBgv(..)) {
                mul(operands.fold(first, mul), minus(self.ty(value).limbs))
            } else if operands.all(|other| other == first) {
                first
            } else {
                return Err(value);
            };
            factors.push(factor);
        }
        Ok(factors)
    }
}
