//! What bounds the search for parameters: every number that steers it, by name.

use std::ops::RangeInclusive;

/// Constants with the words that `--explain` prints them by.
macro_rules! limits {
    ($($(#[$doc:meta])+ $name:ident: $type:ty = $value:expr, $words:literal;)+) => {
        $($(#[$doc])+ pub const $name: $type = $value;)+

        /// Words and values of all limits.
        pub fn list() -> Vec<(&'static str, String)> {
            vec![$(($words, format!("{:?}", $name))),+]
        }
    };
}

limits! {
    /// Without a wish, results may be less precise by this many bits where bootstrapping could make up for it, at a cost of minutes.
    SPARE_BITS: f64 = 4.0, "bits of precision given up before bootstrapping is tried";
    /// Results are never less precise than this, in bits, unless that is wished for.
    LEAST_BITS: f64 = 5.0, "least bits of precision";
    /// Rings of this degree (log2) and more are so slow that bootstrapping on a smaller one may be cheaper.
    LARGE_RING: u32 = 16, "ring, log2, from which bootstrapping is weighed";
    /// A ring of twice the degree takes this many times as long.
    DOUBLE_RING: f64 = 2.2, "time of a ring of twice the degree";
    /// Rings compared: the smallest that does, and this many more in all.
    RINGS_COMPARED: usize = 2, "rings compared, from the smallest that does";
    /// log2 of the ring degrees of plans without bootstraps.
    LEVELED_RINGS: RangeInclusive<u32> = 11..=16, "rings without bootstraps, log2";
    /// A layout of a step is not looked at if it could take this many times the diagonals of the one with the fewest,
    HOPELESS: usize = 64, "diagonals, times the fewest, of layouts that are looked at";
    /// unless those are no more than these, which are soon counted.
    DIAGONALS_ALWAYS_COUNTED: usize = 1 << 20, "diagonals of layouts that are always looked at";
    /// The scale, in bits, of the first noise analysis.
    TRIAL_SCALE: f64 = 40.0, "scale of the first noise analysis, bits";
    /// The smallest scale, in bits: primes any smaller are too few.
    MIN_SCALE: f64 = 24.0, "smallest scale, bits";
    /// More special primes than these do not make the error of keys smaller than that of roundings.
    SPECIAL_PRIMES_OF_PRECISION: usize = 2, "special primes that precision depends on";
    /// Most special primes of plans without bootstraps.
    LEVELED_SPECIAL_PRIMES: usize = 6, "most special primes without bootstraps";
    /// log2 of the ring degrees of plans with bootstraps.
    BOOTSTRAPPED_RINGS: [u32; 2] = [16, 15], "rings with bootstraps, log2";
    /// Most levels between bootstraps beyond those of the deepest step.
    SPARE_LEVELS: usize = 8, "most levels between bootstraps beyond the deepest step";
    /// −log2 of the largest error of one bootstrap that is first tried at most: what is cheap to have.
    BOOTSTRAP_BITS: f64 = 14.5, "bits of precision of a bootstrap at first, at most";
    /// Bits that a bootstrap is more precise than what results are wanted to be, at first: its errors add up, and only part of them
    /// reach the results.
    BOOTSTRAP_MORE_BITS: f64 = 2.5, "bits that a bootstrap is more precise than results at first";
    /// How much longer a plan may take that fits activations through sines than one that does not.
    SINES_FAVOR: f64 = 1.1, "time, of a plan without sines, up to which one with sines is taken";
    /// Levels that the smallest of large rings has without bootstraps: networks with more than these are compiled with sines, and
    /// not in any other way first.
    LEVELS_WITHOUT_BOOTSTRAPS: usize = 34, "levels beyond which activations are fitted through sines at once";
    /// −log2 of the largest error of a bootstrap, relative to the range of its values, that is first tried where polynomials are in
    /// its sine: ResNets decide alike with all that is left from 9.5 on.
    SINE_BITS: f64 = 10.0, "bits of precision of a bootstrap that leaves a sine, at first";
    /// log2 of the probability that a run may fail with because raising adds more multiples of q_0 than bootstraps take away.
    BOOTSTRAP_FAILURE: f64 = -40.0, "probability that bootstraps of a run fail at most, log2";
    /// Bootstraps that this is divided among: where there are more of them, none ever fails.
    MOST_BOOTSTRAPS: f64 = 4096.0, "bootstraps of a run that may fail";
    /// Times that bootstraps are made more precise where results are not.
    MORE_PRECISE_BOOTSTRAPS: usize = 3, "times that bootstraps are made more precise";
    /// By so many bits at most.
    MORE_BITS_AT_ONCE: f64 = 2.5, "bits that bootstraps are made more precise by, at most";
    /// log2 of the ring degrees of plans over integers.
    INTEGER_RINGS: RangeInclusive<u32> = 12..=16, "rings of integers, log2";
    /// Most plaintext primes.
    PLAINTEXT_PRIMES: usize = 8, "most plaintext primes";
    /// Most special primes of plans over integers.
    INTEGER_SPECIAL_PRIMES: usize = 3, "most special primes of integers";
    /// More special primes change predictions by a tenth at most, more plaintext primes mostly for the worse: neither is tried
    /// where the fewest take so much longer than the best.
    NOTABLY: f64 = 1.1, "time, of the best, up to which more primes are tried";
    /// A larger ring must be so much faster to be chosen for integers.
    WORTHWHILE: f64 = 1.03, "by how much a larger ring must be faster for integers";
    /// Bits of room for noise that are kept where a modulus is made smaller.
    SLACK: f64 = 0.5, "bits of room kept in a smaller modulus";
    /// Bits that a modulus is widened by at least: primes have no smaller steps.
    LEAST_ROOM: f64 = 0.25, "least bits that a modulus is widened by";
    /// Times that room is made for noise that does not fit, twice as much each time.
    MAKE_ROOM: i32 = 6, "times that room is made for noise";
    /// Most bits that are looked for to be trained away.
    BITS_TRAINED_AWAY: u32 = 24, "most bits looked for to be trained away";
    /// A layer with fewer zeros than this part of its weights has hardly a plaintext that could be emptied.
    PERMUTED_ZEROS: f64 = 0.25, "part of a layer's weights that is zero from which units are permuted";
    /// Networks with more weights are not permuted: where each would be takes some hundred bytes.
    PERMUTED_WEIGHTS: usize = 1 << 22, "most weights of networks whose units are permuted";
}
