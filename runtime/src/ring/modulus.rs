//! Arithmetic modulo one prime of at most 50 bits.
//!
//! Residues may be secret: additions, reductions and signs take no branch and no index that depends on them. (Exponents,
//! and whether a double exceeds 2^53, are taken to be public.)

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
        reduce_once(a + b, self.q)
    }

    /// `a − b`.
    pub fn sub(&self, a: u64, b: u64) -> u64 {
        let difference = a.wrapping_sub(b);
        difference.wrapping_add(self.q & sign_mask(difference))
    }

    /// `−a`.
    pub fn neg(&self, a: u64) -> u64 {
        self.sub(0, a)
    }

    /// Any 64-bit integer modulo q.
    pub fn reduce(&self, a: u64) -> u64 {
        let quotient = ((u128::from(a) * u128::from(self.ratio.0)) >> 64) as u64;
        reduce_once(a - quotient * self.q, self.q)
    }

    /// An integer below 2^114 modulo q (Barrett, CRYPTO 1986).
    pub fn reduce_wide(&self, a: u128) -> u64 {
        let (high, low) = ((a >> 64) as u64, a as u64);
        let cross = u128::from(low) * u128::from(self.ratio.0)
            + u128::from(high) * u128::from(self.ratio.1)
            + ((u128::from(low) * u128::from(self.ratio.1)) >> 64);
        let quotient = high.wrapping_mul(self.ratio.0).wrapping_add((cross >> 64) as u64);
        // At most one too small: below 2^114, rounding 2^128/q takes less than 2^-14 from a quotient.
        reduce_once(low.wrapping_sub(quotient.wrapping_mul(self.q)), self.q)
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
        self.negated_if(self.reduce(a.unsigned_abs()), sign_mask(a as u64))
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
        self.negated_if(r, sign_mask(c.to_bits()))
    }

    /// `−a` if the mask is all ones, `a` if it is zero.
    fn negated_if(&self, a: u64, mask: u64) -> u64 {
        a ^ ((a ^ self.neg(a)) & mask)
    }

    /// The representative of `a` in `(−q/2, q/2]`.
    pub fn centered(&self, a: u64) -> i64 {
        let is_negative = sign_mask((self.q / 2).wrapping_sub(a));
        a.wrapping_sub(self.q & is_negative) as i64
    }

    /// A primitive root of unity of order `order`, a power of two that divides q − 1: the smallest base's.
    pub fn primitive_root(&self, order: u64) -> u64 {
        assert!((self.q - 1).is_multiple_of(order), "{} has no root of order {order}", self.q);
        let root = (2..self.q).map(|base| self.pow(base, (self.q - 1) / order));
        let mut primitive = root.filter(|&root| self.pow(root, order / 2) == self.q - 1);
        primitive.next().expect("a prime field has a primitive root")
    }
}

/// `x`, or `x − m` if that is not negative; for `m` below 2^62 and `x` below 2m.
#[inline]
pub(crate) fn reduce_once(x: u64, m: u64) -> u64 {
    let difference = x.wrapping_sub(m);
    difference.wrapping_add(m & sign_mask(difference))
}

/// All ones if the highest bit is set, else zero.
#[inline]
pub(crate) fn sign_mask(x: u64) -> u64 {
    ((x as i64) >> 63) as u64
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
            let largest = (1u128 << 114) - 1;
            assert_eq!(m.reduce_wide(largest), (largest % u128::from(q)) as u64);
        }
    }

    #[test]
    fn signs_are_those_of_branches() {
        for q in [257u64, 12289, (1 << 50) - 27] {
            let m = Modulus::new(q);
            let edges = [0, 1, 2, q / 2 - 1, q / 2, q / 2 + 1, q - 2, q - 1];
            for a in edges {
                let centered = if a > q / 2 { a as i64 - q as i64 } else { a as i64 };
                assert_eq!((m.centered(a), m.from_signed(centered)), (centered, a));
                assert_eq!(m.from_integer(centered as f64), a);
                assert_eq!(m.neg(a), if a == 0 { 0 } else { q - a });
                for b in edges {
                    assert_eq!((m.add(a, b), m.sub(a, b)), ((a + b) % q, (a + q - b) % q));
                }
            }
            for a in [i64::MIN, i64::MIN + 1, -1, i64::MAX] {
                let expected = i128::from(a).rem_euclid(i128::from(q)) as u64;
                assert_eq!(m.from_signed(a), expected);
            }
            assert_eq!(m.from_integer(-0.0), 0);
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
