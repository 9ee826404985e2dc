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
    BASES.iter().all(|&base| {
        let start = pow_mod(base, (n - 1) >> twos, n);
        let squares = std::iter::successors(Some(start), |&x| Some(mul_mod(x, x, n)));
        start == 1 || squares.take(twos as usize).any(|x| x == n - 1)
    })
}

fn mul_mod(a: u64, b: u64, n: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(n)) as u64
}

fn pow_mod(mut base: u64, mut exponent: u64, n: u64) -> u64 {
    let mut result = 1;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = mul_mod(result, base, n);
        }
        base = mul_mod(base, base, n);
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::is_prime;

    #[test]
    fn primality_matches_trial_division() {
        for n in 0..5000u64 {
            let naive = n >= 2 && (2..n).take_while(|d| d * d <= n).all(|d| n % d != 0);
            assert_eq!(is_prime(n), naive, "{n}");
        }
        assert!(is_prime((1 << 50) - 27));
        assert!(!is_prime(3_215_031_751));
    }
}
