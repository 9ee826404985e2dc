//! Arithmetic modulo one prime of at most 50 bits.

/// A prime modulus with its Barrett constant. Operands and results are in `[0, q)` unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modulus {
    q: u64,
    /// ⌊2^128 / q⌋, high and low words.
    ratio: (u64, u64),
}

impl Modulus {
    /// A modulus `2 < q < 2^50`. Primality is the caller's promise.
    pub fn new(q: u64) -> Modulus {
        assert!(q > 2 && q < 1 << 50, "modulus {q} is outside (2, 2^50)");
        let ratio = u128::MAX / u128::from(q);
        Modulus { q, ratio: ((ratio >> 64) as u64, ratio as u64) }
    }

    /// q.
    pub fn value(&self) -> u64 {
        self.q
    }

    /// `a + b`.
    pub fn add(&self, a: u64, b: u64) -> u64 {
        let sum = a + b;
        if sum >= self.q { sum - self.q } else { sum }
    }

    /// `a − b`.
    pub fn sub(&self, a: u64, b: u64) -> u64 {
        if a >= b { a - b } else { a + self.q - b }
    }

    /// `−a`.
    pub fn neg(&self, a: u64) -> u64 {
        if a == 0 { 0 } else { self.q - a }
    }

    /// Any 64-bit integer modulo q.
    pub fn reduce(&self, a: u64) -> u64 {
        let quotient = ((u128::from(a) * u128::from(self.ratio.0)) >> 64) as u64;
        let r = a - quotient * self.q;
        if r >= self.q { r - self.q } else { r }
    }

    /// An integer below 2^114 modulo q (Barrett, CRYPTO 1986).
    pub fn reduce_wide(&self, a: u128) -> u64 {
        let (high, low) = ((a >> 64) as u64, a as u64);
        let cross = u128::from(low) * u128::from(self.ratio.0)
            + u128::from(high) * u128::from(self.ratio.1)
            + ((u128::from(low) * u128::from(self.ratio.1)) >> 64);
        let quotient = high.wrapping_mul(self.ratio.0).wrapping_add((cross >> 64) as u64);
        let mut r = low.wrapping_sub(quotient.wrapping_mul(self.q));
        while r >= self.q {
            r -= self.q;
        }
        r
    }

    /// `a·b`.
    pub fn mul(&self, a: u64, b: u64) -> u64 {
        self.reduce_wide(u128::from(a) * u128::from(b))
    }

    /// `a^exponent`.
    pub fn pow(&self, mut a: u64, mut exponent: u64) -> u64 {
        let mut result = 1;
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = self.mul(result, a);
            }
            a = self.mul(a, a);
            exponent >>= 1;
        }
        result
    }

    /// `1/a`, for `a ≠ 0`.
    pub fn inverse(&self, a: u64) -> u64 {
        debug_assert!(a != 0);
        self.pow(a, self.q - 2)
    }

    /// A signed integer modulo q.
    pub fn from_signed(&self, a: i64) -> u64 {
        let magnitude = a.unsigned_abs();
        let r = if magnitude < self.q { magnitude } else { self.reduce(magnitude) };
        if a < 0 { self.neg(r) } else { r }
    }

    /// An integer-valued double modulo q, whatever its size.
    pub fn from_integer(&self, c: f64) -> u64 {
        debug_assert!(c.is_finite() && c.fract() == 0.0, "coefficients are integers");
        let magnitude = c.abs();
        let r = if magnitude < (1u64 << 53) as f64 {
            self.reduce(magnitude as u64)
        } else {
            // A double this large is its 53-bit significand times a power of two.
            let exponent = (magnitude.to_bits() >> 52) - 1075;
            let significand = magnitude.to_bits() & ((1 << 52) - 1) | 1 << 52;
            self.mul(self.reduce(significand), self.pow(2, exponent))
        };
        if c < 0.0 { self.neg(r) } else { r }
    }

    /// The representative of `a` in `(−q/2, q/2]`.
    pub fn centred(&self, a: u64) -> i64 {
        if a > self.q / 2 { a as i64 - self.q as i64 } else { a as i64 }
    }

    /// A primitive root of unity of order `order`, a power of two that divides q − 1: the smallest base's.
    pub fn primitive_root(&self, order: u64) -> u64 {
        assert!((self.q - 1).is_multiple_of(order), "{} has no root of order {order}", self.q);
        let root = (2..self.q).map(|base| self.pow(base, (self.q - 1) / order));
        let mut primitive = root.filter(|&root| self.pow(root, order / 2) == self.q - 1);
        primitive.next().expect("a prime field has a primitive root")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_wide_division() {
        for q in [12289u64, (1 << 50) - 27, 1125899904679937, 257] {
            let m = Modulus::new(q);
            let mut x = 0x9e37_79b9_7f4a_7c15u64;
            for _ in 0..2000 {
                x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let (a, b) = (x % q, x.rotate_left(31) % q);
                assert_eq!(m.mul(a, b), (u128::from(a) * u128::from(b) % u128::from(q)) as u64);
                assert_eq!(m.reduce(x), x % q);
                assert_eq!(m.add(a, m.neg(a)), 0);
                assert_eq!(m.sub(a, b), (a + q - b) % q);
            }
            assert_eq!(m.mul(q - 1, q - 1), 1);
        }
    }

    #[test]
    fn roots_have_their_order() {
        let m = Modulus::new(12289);
        let root = m.primitive_root(4096);
        assert_eq!(m.pow(root, 2048), 12288);
        assert_eq!(m.mul(m.inverse(root), root), 1);
    }
}
