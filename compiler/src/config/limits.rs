//! What bounds the search for parameters: every number that steers it, by name.

use std::ops::RangeInclusive;

/// Without a wish, results may be less precise by this many bits where bootstrapping could make up for it, at a cost of minutes.
pub const SPARE_BITS: f64 = 4.0;

/// Results are never less precise than this, in bits, unless that is wished for.
pub const LEAST_BITS: f64 = 5.0;

/// Rings of this degree (log2) and more are so slow that bootstrapping on a smaller one may be cheaper.
pub const LARGE_RING: u32 = 16;

/// A ring of twice the degree takes this many times as long.
pub const DOUBLE_RING: f64 = 2.2;

/// Rings compared: the smallest that does, and this many more in all.
pub const RINGS_COMPARED: usize = 2;

/// log2 of the ring degrees of plans without bootstraps.
pub const LEVELED_RINGS: RangeInclusive<u32> = 11..=16;

/// The scale, in bits, of the first noise analysis.
pub const TRIAL_SCALE: f64 = 40.0;

/// The smallest scale, in bits: primes any smaller are too few.
pub const MIN_SCALE: f64 = 24.0;

/// More special primes than these do not make the error of keys smaller than that of roundings.
pub const SPECIAL_PRIMES_OF_PRECISION: usize = 2;

/// Most special primes of plans without bootstraps.
pub const LEVELED_SPECIAL_PRIMES: usize = 6;

/// log2 of the ring degrees of plans with bootstraps.
pub const BOOTSTRAPPED_RINGS: [u32; 2] = [16, 15];

/// Most levels between bootstraps beyond those of the deepest step.
pub const SPARE_LEVELS: usize = 8;

/// −log2 of the largest error of one bootstrap: more than a network is asked for, since errors add up.
pub const BOOTSTRAP_BITS: f64 = 14.5;

/// Times that bootstraps are made more precise where results are not.
pub const MORE_PRECISE_BOOTSTRAPS: usize = 2;

/// log2 of the ring degrees of plans over integers.
pub const INTEGER_RINGS: RangeInclusive<u32> = 12..=16;

/// Most plaintext primes.
pub const PLAINTEXT_PRIMES: usize = 8;

/// Most special primes of plans over integers.
pub const INTEGER_SPECIAL_PRIMES: usize = 3;

/// More special primes change predictions by a tenth at most, more plaintext primes mostly for the worse: neither is tried
/// where the fewest take so much longer than the best.
pub const NOTABLY: f64 = 1.1;

/// A larger ring must be so much faster to be chosen for integers.
pub const WORTHWHILE: f64 = 1.03;

/// Bits of room for noise that are kept where a modulus is made smaller.
pub const SLACK: f64 = 0.5;

/// Bits that a modulus is widened by at least: primes have no smaller steps.
pub const LEAST_ROOM: f64 = 0.25;

/// Times that room is made for noise that does not fit, twice as much each time.
pub const MAKE_ROOM: i32 = 6;

/// Most bits that are looked for to be trained away.
pub const BITS_TRAINED_AWAY: u32 = 24;

/// Names and values, as `--explain` prints them.
pub fn list() -> Vec<(&'static str, String)> {
    let range = |range: RangeInclusive<u32>| format!("2^{} to 2^{}", range.start(), range.end());
    vec![
        ("bits of precision spared before bootstrapping is tried", SPARE_BITS.to_string()),
        ("least bits of precision", LEAST_BITS.to_string()),
        ("rings compared beyond the smallest", (RINGS_COMPARED - 1).to_string()),
        ("ring degrees without bootstraps", range(LEVELED_RINGS)),
        ("least scale in bits", MIN_SCALE.to_string()),
        ("most special primes without bootstraps", LEVELED_SPECIAL_PRIMES.to_string()),
        ("ring degrees with bootstraps", "2^15 and 2^16".to_owned()),
        ("most levels between bootstraps beyond the deepest step", SPARE_LEVELS.to_string()),
        ("bits of precision of a bootstrap at first", BOOTSTRAP_BITS.to_string()),
        ("ring degrees of integers", range(INTEGER_RINGS)),
        ("most plaintext primes", PLAINTEXT_PRIMES.to_string()),
        ("most special primes of integers", INTEGER_SPECIAL_PRIMES.to_string()),
        ("by how much a larger ring must be faster for integers", WORTHWHILE.to_string()),
    ]
}
