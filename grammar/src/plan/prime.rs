//! Which numbers are prime.

/// Factors below this are looked for first.
const SMALL: u64 = 200;

/// Miller-Rabin with the first twelve primes as bases, exact below 2^64 (Sorenson, Webster, 2015).
pub fn is_prime(n: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if n < 2 || BASES.iter().any(|&base| n.is_multiple_of(base)) {
        return BASES.contains(&n);
    }
    // Most others have a small factor as well, which is quicker to find than a power.
    if n > SMALL * SMALL && (41..SMALL).step_by(2).any(|d| n.is_multiple_of(d)) {
        return false;
    }
    let twos = (n - 1).trailing_zeros();
    let odd = Montgomery::new(n);
    let minus_one = n - odd.one;
    BASES.iter().all(|&base| {
        let start = odd.pow(odd.enter(base), (n - 1) >> twos);
        let squares = std::iter::successors(Some(start), |&x| Some(odd.mul(x, x)));
        start == odd.one || squares.take(twos as usize).any(|x| x == minus_one)
    })
}

/// Numbers x modulo an odd n, held as x·2^64 mod n (Montgomery, Math. Comp. 44, 1985).
struct Montgomery {
    n: u64,
    /// −1/n modulo 2^64.
    negative_inverse: u64,
    one: u64,
}

impl Montgomery {
    fn new(n: u64) -> Montgomery {
        // Each step doubles the number of bits that are right, five at first.
        let inverse = (0..4).fold(n.wrapping_mul(3) ^ 2, |x, _| {
            x.wrapping_mul(2u64.wrapping_sub(n.wrapping_mul(x)))
        });
        let one = ((1u128 << 64) % u128::from(n)) as u64;
        Montgomery { n, negative_inverse: inverse.wrapping_neg(), one }
    }

    fn enter(&self, x: u64) -> u64 {
        ((u128::from(x) << 64) % u128::from(self.n)) as u64
    }

    fn mul(&self, a: u64, b: u64) -> u64 {
        let product = u128::from(a) * u128::from(b);
        let multiple = (product as u64).wrapping_mul(self.negative_inverse);
        let (sum, carried) = product.overflowing_add(u128::from(multiple) * u128::from(self.n));
        let reduced = (sum >> 64) as u64;
        if carried || reduced >= self.n { reduced.wrapping_sub(self.n) } else { reduced }
    }

    fn pow(&self, mut base: u64, mut exponent: u64) -> u64 {
        let mut result = self.one;
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = self.mul(result, base);
            }
            base = self.mul(base, base);
            exponent >>= 1;
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::{Montgomery, is_prime};

    #[test]
    fn products_are_those_of_integers() {
        for n in [3, 5, (1 << 50) - 27, u64::MAX, u64::MAX - 58] {
            let odd = Montgomery::new(n);
            for (a, b) in [(1, 1), (n - 1, n - 1), (n / 3, n / 2 + 1), (2, n - 2)] {
                let product = (u128::from(a) * u128::from(b) % u128::from(n)) as u64;
                assert_eq!(odd.mul(odd.enter(a), odd.enter(b)), odd.enter(product), "{n}");
            }
        }
    }

    #[test]
    fn primality_matches_trial_division() {
        for n in 0..5000u64 {
            let naive = n >= 2 && (2..n).take_while(|d| d * d <= n).all(|d| n % d != 0);
            assert_eq!(is_prime(n), naive, "{n}");
        }
        assert!(is_prime((1 << 50) - 27) && is_prime(u64::MAX - 58));
        assert!(!is_prime(3_215_031_751));
    }
}
