//! What bounds the searches for parameters, layouts, degrees and orders: every number that steers them, by name. Numbers that are
//! part of a method, such as the rates of tuning, stand with it.

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
    /// Larger products of computations are not spelled out entry by entry.
    SPELLED_OUT: usize = 1 << 20, "most entries of a map that is spelled out";
    /// A ring of twice the degree takes this many times as long.
    DOUBLE_RING: f64 = 2.2, "time of a ring of twice the degree";
    /// Rings compared: the smallest that does, and this many more in all.
    RINGS_COMPARED: usize = 2, "rings compared, from the smallest that does";
    /// A larger ring must be so much faster to be chosen.
    WORTHWHILE: f64 = 1.03, "by how much a larger ring must be faster";
    /// log2 of the ring degrees of plans without bootstraps.
    LEVELED_RINGS: RangeInclusive<u32> = 11..=16, "rings without bootstraps, log2";
    /// A layout of a step is not looked at if it could take this many times the diagonals of the one with the fewest.
    HOPELESS: usize = 64, "diagonals, times the fewest, of layouts that are looked at";
    /// Layouts with no more diagonals than these are always looked at: they are soon counted.
    DIAGONALS_ALWAYS_COUNTED: usize = 1 << 20, "diagonals of layouts that are always looked at";
    /// Copies of results, which all have products of their own, are looked at up to this many times the products without them.
    COPIES_WORTH: usize = 8, "products for copies of results, times the fewest";
    /// So many products for them are always looked at.
    PRODUCTS_ALWAYS_COUNTED: usize = 64, "products for copies of results that are always looked at";
    /// Inputs are sent at so many bytes a second, 100 Mbit: layouts that take more ciphertexts are to be worth it.
    UPLOAD: f64 = 12.5e6, "bytes of inputs that are sent in a second";
    /// Sets of layouts of what is still to be read that packing goes on with, the cheapest so far.
    STATES: usize = 12, "sets of layouts that packing goes on with";
    /// Times that keys are left out where keys and values take more than memory: values take more with fewer keys.
    FEWER_KEYS: usize = 3, "times that keys are left out where memory is short";
    /// Sums, and products with keys, computed in one pass at most: blocks of all their results are held in the caches at once.
    PRODUCTS_AT_ONCE: usize = 8, "sums or products with keys computed in one pass";
    /// The scale, in bits, of the first noise analysis.
    TRIAL_SCALE: f64 = 40.0, "scale of the first noise analysis, bits";
    /// The smallest scale, in bits: primes any smaller are too few.
    MIN_SCALE: f64 = 24.0, "smallest scale, bits";
    /// More special primes than these do not make the error of keys smaller than that of roundings.
    SPECIAL_PRIMES_OF_PRECISION: usize = 2, "special primes that precision depends on";
    /// Most special primes of plans without bootstraps.
    LEVELED_SPECIAL_PRIMES: usize = 6, "most special primes without bootstraps";
    /// log2 of the ring degrees of plans with bootstraps.
    BOOTSTRAPPED_RINGS: RangeInclusive<u32> = 15..=16, "rings with bootstraps, log2";
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
    /// Bits by which bootstraps are made more precise at once, at most.
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
    /// Bits of room for noise that are kept where a modulus is made smaller.
    SLACK: f64 = 0.5, "bits of room kept in a smaller modulus";
    /// Bits that a modulus is widened by at least: primes have no smaller steps.
    LEAST_ROOM: f64 = 0.25, "least bits that a modulus is widened by";
    /// Times that room is made for noise that does not fit, twice as much each time.
    MAKE_ROOM: i32 = 6, "times that room is made for noise";
    /// Parameters that take this part of the work of those chosen are worth training bits away for.
    WORTH_TRAINING: f64 = 0.8, "work, of the parameters chosen, from which bits are worth training away";
    /// Most bits that are looked for to be trained away.
    BITS_TRAINED_AWAY: u32 = 24, "most bits looked for to be trained away";
    /// A layer with fewer zeros than this part of its weights has hardly a plaintext that could be emptied.
    PERMUTED_ZEROS: f64 = 0.25, "part of a layer's weights that is zero from which units are permuted";
    /// Networks with more weights are not permuted: where each would be takes some hundred bytes.
    PERMUTED_WEIGHTS: usize = 1 << 22, "most weights of networks whose units are permuted";
    /// Bits of precision asked for at least: below, rounding would be visible in the numbers.
    BITS_ASKED_FOR: f64 = 9.0, "bits of precision asked for at least";
    /// Bits asked for at most for decisions: those that are closer are chance.
    BITS_OF_DECISIONS: f64 = 12.0, "bits of precision asked for at most for decisions";
    /// Bits asked for at most for numbers that vary by little of their size.
    BITS_OF_VALUES: f64 = 18.0, "bits of precision asked for at most for numbers";
    /// Largest error of a number, relative to its spread, that precision is asked for.
    ERROR_OF_VALUES: f64 = 0.01, "error of numbers, relative to their spread, that precision is asked for";
    /// Calibration inputs that the precision of results is chosen by, at most.
    INPUTS_FOR_PRECISION: usize = 1024, "calibration inputs that precision is chosen by, at most";
    /// A joined matrix may have this many times the entries of its factors before they are kept apart.
    JOINED_GROWTH: usize = 4, "entries of a joined matrix, times those of its factors, at most";
    /// The same where there are sines: a level more of one segment is a level more of all bootstraps.
    JOINED_GROWTH_WITH_SINES: usize = 16, "entries of a joined matrix, times those of its factors, at most where there are sines";
    /// Of the largest error that is wished for, this part is aimed at: other inputs than those that degrees are chosen by may
    /// have larger ones.
    AIM: f64 = 0.7, "part of a wish for the largest error that is aimed at";
    /// Risk that goes with a share of decisions that differ: most of it is of decisions that do not.
    RISK: f64 = 5.0, "risk of decisions that differ, times their share";
    /// Results that agree with the original network's as often are of use, however large their errors.
    USEFUL_AGREEMENT: f64 = 0.9, "agreement from which results are of use, however large their errors";
    /// Where degrees are chosen by what layers lose one by one, each try's budget is this part of the one before.
    BUDGET_CUT: f64 = 0.25, "part of the budget of degrees that the next try has";
    /// Times that the budget is cut.
    BUDGET_TRIES: usize = 8, "times that the budget of degrees is cut";
    /// A budget that nothing meets is raised to these multiples of the least that is possible.
    BUDGET_RAISED: [f64; 2] = [1.25, 1.02], "budgets, times the least that is possible, where nothing meets them";
    /// A choice whose loss is at most this multiple of the best is as good: the last digits are not worth any cost.
    AS_GOOD_LOSS: f64 = 1.25, "loss, times the best, of degrees that are as good";
    /// So many standard deviations are taken for the largest error among the slots of a bootstrap.
    DEVIATIONS_OF_BOOTSTRAPS: f64 = 6.5, "standard deviations taken for the largest error of a bootstrap";
    /// Degree in 2y² − 1 and doublings, in the order of levels: 7, 7 and 8. Where q_0 is taken away 13 times the sine is exact to 12, 24 and
    /// 39 bits.
    BOOTSTRAP_SINES: [(usize, usize); 3] = [(15, 2), (31, 1), (15, 3)], "degrees and doublings of sines";
    /// Primes of the sine are between these many bits.
    BOOTSTRAP_SINE_BITS: (f64, f64) = (30.0, 49.7), "bits of primes of sines";
    /// Primes of the sine may give so many bits more than are wanted.
    SPARE_SINE_BITS: f64 = 0.25, "bits that primes of sines may give more than wanted";
    /// log2 of q_0 over messages, less half the bits of precision: the sine's distortion, 6.6/ratio², is a third of the error then. Of
    /// the rest, noise in proportion to the ratio, most is left then.
    RATIO_MARGIN: f64 = 2.15, "bits of q_0 over messages beyond half the precision";
    /// log2 of the smallest primes of a transform over what its precision asks for.
    TRANSFORM_MARGIN: f64 = 17.0, "bits of the smallest primes of a transform beyond its precision";
    /// By how many bits primes of CoeffsToSlots are smaller than those of the sine, and where that does.
    SMALLER_TRANSFORM: (f64, f64) = (1.5, 3.0), "bits by which primes of CoeffsToSlots are smaller than those of the sine";
    /// A bootstrap that takes up to so many times as long as the fastest is as good.
    AS_FAST: f64 = 1.01, "time, of the fastest bootstrap, of others that are as good";
    /// By how many bits scales that are tried are above the smallest that is enough for bootstrapping.
    LARGER_SCALES: [f64; 3] = [1.0, 2.0, 4.0], "bits of scales above the smallest that is enough for bootstraps";
    /// log2 of the largest primes of CoeffsToSlots.
    MOST_TRANSFORM_BITS: f64 = 48.0, "bits of the largest primes of CoeffsToSlots";
    /// By how much the smallest scale, and smaller primes of CoeffsToSlots, may lower the precision.
    BOOTSTRAP_TOLERANCE: f64 = 0.1, "bits that smaller primes may lower the precision of a bootstrap by";
    /// Most special primes of plans with bootstraps.
    BOOTSTRAP_SPECIAL_PRIMES: usize = 12, "most special primes of bootstraps";
    /// Limbs of the modulus that noise is first analyzed for.
    TRIAL_LIMBS: usize = 16, "limbs of the first noise analysis of integers";
    /// Between scale-invariant products, a prime is dropped when the noise divided by it still exceeds rounding by this many bits,
    /// at first: where key switches add more than that to sums, primes are dropped later.
    DROP_MARGIN: f64 = 3.0, "bits of noise beyond rounding where a prime is dropped, at first";
    /// Bits that the plaintext primes have beyond what results need so that a result which wraps around is seen: it comes out
    /// within its limit with a probability of 2^-16.
    CHECK_BITS: f64 = 16.0, "bits of plaintext primes that tell results which wrap around";
    /// Weights of a resource below which it begins to be cheaper, as parts of the mean of all, one search after the other; with 0 it
    /// costs what it costs.
    PERMUTE_SOFTNESS: [f64; 4] = [1.0, 0.25, 0.06, 0.0], "weights of a plaintext, of their mean, below which it begins to be cheaper";
    /// Exchanges tried for each unit in one round of the search for an order.
    PERMUTE_PARTNERS: usize = 24, "exchanges tried for each unit in a round";
    /// Rounds of one such search at most.
    PERMUTE_ROUNDS: usize = 12, "rounds of a search for an order of units, at most";
    /// A round that saves less than this part is the last one.
    PERMUTE_GAIN: f64 = 1e-3, "part that a round must save for another one";
    /// Weights moved in one such search at most: about a second.
    PERMUTE_MOVES: u64 = 1 << 26, "weights moved in a search for an order of units, at most";
}
