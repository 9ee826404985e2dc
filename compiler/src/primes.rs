//! Chooses primes for a depth, a scale and a ring, and says whether they are secure.

use hecc_grammar::plan::{LimbSet, Params, Plaintexts, is_prime, log2_of};
use hecc_grammar::security::{Security, max_log_qp};

/// log2 of the largest prime, and so of the largest scale that leaves room above it.
const MAX_PRIME_BITS: f64 = 50.0;

/// Bits of q_0 above the scale: results are within [−1, 1], and sums on their way there within 2^HEADROOM.
pub const HEADROOM: f64 = 5.0;

/// The largest scale: q_0 is one prime.
pub const MAX_SCALE: f64 = MAX_PRIME_BITS - HEADROOM;

/// What parameters are asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Levels between a fresh ciphertext and the result.
    pub depth: usize,
    /// log2 of the scale; primes are chosen next to it.
    pub scale: f64,
    /// Number of special primes; 0 if no key switching is needed.
    pub n_special: usize,
    /// Security to promise.
    pub security: Security,
}

/// Parameters for a request; `None` if there are too few primes of that size, or a plan cannot have so many. Security is not judged.
pub fn params_for(request: &Request) -> Option<Params> {
    if request.depth >= LimbSet::MOST {
        return None;
    }
    let mut taken = vec![];
    let first = prime_near(request.scale + HEADROOM, request.log_n, &mut taken)?;
    let mut q = vec![first];
    q.extend(rescaling_primes(request.scale, request.depth, request.log_n, &mut taken)?);
    // A special prime a little above every ciphertext-modulus prime: the key's noise, divided by P, stays below rounding.
    let special = (request.scale + HEADROOM + 1.0).min(MAX_PRIME_BITS);
    let mut p = vec![];
    for _ in 0..request.n_special {
        p.push(prime_near(special, request.log_n, &mut taken)?);
    }
    Some(Params {
        plaintexts: Plaintexts::Ckks { top_scale: request.scale },
        log_n: request.log_n,
        q,
        p,
        input_level: request.depth,
        security: request.security,
    })
}

/// The primes that rescaling drops, the last one first to go. From the top, each is the nearest to what returns a square to
/// the scale: without that, every further squaring would double the distance between the two.
pub fn rescaling_primes(
    top_scale: f64,
    depth: usize,
    log_n: u32,
    taken: &mut Vec<u64>,
) -> Option<Vec<u64>> {
    let mut scale = top_scale;
    let mut primes = vec![];
    for _ in 0..depth {
        let prime = prime_near(2.0 * scale - top_scale, log_n, taken)?;
        scale = 2.0 * scale - log2_of(prime as f64);
        primes.push(prime);
    }
    primes.reverse();
    Some(primes)
}

/// Whether the ring carries the modulus at the promised security.
pub fn is_secure(params: &Params) -> bool {
    max_log_qp(params.log_n, params.security)
        .is_some_and(|allowed| params.log_qp() <= f64::from(allowed))
}

/// The prime ≡ 1 mod 2N nearest to 2^bits that is not taken yet, below 2^50.
pub fn prime_near(bits: f64, log_n: u32, taken: &mut Vec<u64>) -> Option<u64> {
    let step = 2u64 << log_n;
    let middle = bits.exp2() as u64 / step;
    let valid = |k: u64| {
        let candidate = k.checked_mul(step)?.checked_add(1)?;
        (candidate < 1 << 50 && !taken.contains(&candidate) && is_prime(candidate))
            .then_some(candidate)
    };
    let near = |distance: u64| [middle.checked_add(distance), middle.checked_sub(distance)];
    let prime = (0..middle.min(1 << 16)).flat_map(near).flatten().find_map(valid)?;
    taken.push(prime);
    Some(prime)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::Ladder;

    #[test]
    fn primes_are_distinct_and_near_the_scale() {
        let request =
            Request { log_n: 14, depth: 6, scale: 40.0, n_special: 2, security: Security::Bits128 };
        let params = params_for(&request).unwrap();
        let mut all = [params.q.clone(), params.p.clone()].concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 9);
        assert!(params.q[1..].iter().all(|&q| ((q as f64).log2() - 40.0).abs() < 1e-3));
        assert!(is_secure(&params));
    }

    #[test]
    fn squaring_returns_to_the_scale() {
        let request = Request {
            log_n: 16,
            depth: 60,
            scale: 40.0,
            n_special: 1,
            security: Security::insecure_for_tests(),
        };
        let params = params_for(&request).unwrap();
        let ladder = Ladder::new(params, 1);
        for level in 0..60 {
            assert!((ladder.scale(level) - 40.0).abs() < 1e-3, "{level}");
        }
    }

    #[test]
    fn too_few_primes_is_no_answer() {
        let request = Request {
            log_n: 16,
            depth: 60,
            scale: 18.0,
            n_special: 1,
            security: Security::Bits128,
        };
        assert_eq!(params_for(&request), None);
    }
}
