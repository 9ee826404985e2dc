//! Ring, primes and scales of a plan, all fixed by the compiler.

use crate::security::Security;

use super::LimbSet;

/// Scales are multiples of this, so that sums of them are exact in `f64` (see [`log2_of`]).
const SCALE_STEP: f64 = 1.0 / (1u64 << 44) as f64;

/// Slack of comparisons of log2 of products of primes.
pub(super) const ROUNDING: f64 = 1e-9;

/// The scheme that a plan's instructions mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Approximate arithmetic on real slots (Cheon, Kim, Kim, Song, ASIACRYPT 2017), in RNS form.
    Ckks,
    /// Exact arithmetic on integers modulo t (Brakerski, CRYPTO 2012; Fan, Vercauteren, eprint 2012/144), in RNS form.
    Bfv,
}

/// What plaintexts are: the parameters of which each scheme has its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Plaintexts {
    /// Real numbers in slots, times a scale.
    Ckks {
        /// log2 of the scale of a fresh ciphertext.
        top_scale: f64,
    },
    /// Integers in slots.
    Bfv {
        /// The plaintext primes, distinct, ≡ 1 mod 2N. A plan runs once for each; results are integers modulo their
        /// product, by the Chinese remainder theorem.
        t: Vec<u64>,
    },
}

impl Plaintexts {
    /// What files write: plaintext primes, of which CKKS has none, and a scale, which is 0 in BFV.
    ///
    /// # Errors
    /// One sentence if that is neither scheme's.
    pub fn from_fields(t: Vec<u64>, top_scale: f64) -> Result<Plaintexts, String> {
        match (t.is_empty(), top_scale == 0.0) {
            (true, _) => Ok(Plaintexts::Ckks { top_scale }),
            (false, true) => Ok(Plaintexts::Bfv { t }),
            (false, false) => Err(format!("top scale {top_scale}, expected 0 in BFV")),
        }
    }
}

/// Parameters of a plan. `q` and `p` are distinct primes of at most 50 bits, ≡ 1 mod 2N.
#[derive(Clone, Debug, PartialEq)]
pub struct Params {
    /// What plaintexts are, and with that the scheme.
    pub plaintexts: Plaintexts,
    /// log2 of the ring degree N.
    pub log_n: u32,
    /// Ciphertext-modulus primes q_0, q_1, ..; a ciphertext lives on a subset of them.
    pub q: Vec<u64>,
    /// Special primes of key switching. A digit of the gadget decomposition holds as many ciphertext-modulus primes.
    pub p: Vec<u64>,
    /// Level of a fresh ciphertext: it lives on the first `input_level + 1` of `q`. Those above are bootstrapping's.
    pub input_level: usize,
    /// The security that the modulus was chosen for; the verifier holds the plan to it.
    pub security: Security,
}

/// log2 of a positive number, rounded to a multiple of 2^-44: below 256 such numbers add without rounding, which
/// is what lets scales be compared exactly. The rounding is a relative error of 2^-45 in the message.
pub fn log2_of(x: f64) -> f64 {
    round_scale(x.log2())
}

/// Rounds a log2 scale to the grid on which scales are compared.
pub fn round_scale(scale: f64) -> f64 {
    (scale / SCALE_STEP).round() * SCALE_STEP
}

/// How many special primes it takes whose product is at least that of the largest digit; of both log2.
pub(crate) fn fewest_special(log_p: &[f64], largest_digit: f64) -> usize {
    let enough = |&count: &usize| {
        let product: f64 = log_p[..count].iter().sum();
        product + ROUNDING >= largest_digit
    };
    (0..log_p.len()).find(enough).unwrap_or(log_p.len())
}

impl Params {
    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        match self.plaintexts {
            Plaintexts::Ckks { .. } => Scheme::Ckks,
            Plaintexts::Bfv { .. } => Scheme::Bfv,
        }
    }

    /// log2 of the scale of a fresh ciphertext; 0 in BFV, where ciphertexts have no scales.
    pub fn top_scale(&self) -> f64 {
        match self.plaintexts {
            Plaintexts::Ckks { top_scale } => top_scale,
            Plaintexts::Bfv { .. } => 0.0,
        }
    }

    /// The plaintext primes; none in CKKS.
    pub fn t(&self) -> &[u64] {
        match &self.plaintexts {
            Plaintexts::Ckks { .. } => &[],
            Plaintexts::Bfv { t } => t,
        }
    }

    /// The ring degree N.
    pub fn ring_degree(&self) -> usize {
        1 << self.log_n
    }

    /// The number of slots: N/2 real ones in CKKS, N integers in BFV, which are two rows of N/2.
    pub fn n_slots(&self) -> usize {
        match self.scheme() {
            Scheme::Ckks => self.row_length(),
            Scheme::Bfv => self.ring_degree(),
        }
    }

    /// The slots that rotate among themselves, N/2.
    pub fn row_length(&self) -> usize {
        self.ring_degree() / 2
    }

    /// How many times a plan runs for one input: once for each plaintext prime.
    pub fn n_instances(&self) -> usize {
        self.t().len().max(1)
    }

    /// The largest plaintext prime; what noise is judged by.
    pub fn largest_t(&self) -> f64 {
        self.t().iter().copied().max().unwrap_or(1) as f64
    }

    /// All ciphertext-modulus primes.
    pub fn all_limbs(&self) -> LimbSet {
        LimbSet::first(self.q.len())
    }

    /// The first `level + 1` ciphertext-modulus primes: what a ciphertext with `level` levels left lives on.
    pub fn limbs_at(&self, level: usize) -> LimbSet {
        LimbSet::first(level + 1)
    }

    /// Ciphertext-modulus primes in one digit of the gadget decomposition (α).
    pub fn digit_width(&self) -> usize {
        self.p.len()
    }

    /// The limbs of digit `digit` among `limbs`; may be empty.
    pub fn digit(&self, limbs: LimbSet, digit: usize) -> LimbSet {
        let width = self.digit_width();
        LimbSet::range(digit * width, ((digit + 1) * width).min(self.q.len())).intersection(limbs)
    }

    /// The indices of the digits that are not empty on `limbs` (their count is β).
    pub fn digits(&self, limbs: LimbSet) -> Vec<usize> {
        let count = if self.p.is_empty() { 0 } else { self.q.len().div_ceil(self.digit_width()) };
        (0..count).filter(|&digit| !self.digit(limbs, digit).is_empty()).collect()
    }

    /// How many of the special primes a key switch on `limbs` uses: the first few whose product P is at least that of
    /// every digit. Keys are made for the product of all special primes, and `decompose` divides the digits by the
    /// product of the unused ones, modulo the ciphertext-modulus primes, which takes no additional step.
    pub fn n_special(&self, limbs: LimbSet) -> usize {
        let log = |&prime: &u64| (prime as f64).log2();
        let digits = self.digits(limbs).into_iter();
        let of_digit = |digit| self.digit(limbs, digit).iter().map(|limb| log(&self.q[limb])).sum();
        let largest: f64 = digits.map(of_digit).fold(0.0, f64::max);
        fewest_special(&self.p.iter().map(log).collect::<Vec<f64>>(), largest)
    }

    /// log2 of one ciphertext-modulus prime, on the scale grid.
    pub fn log_q(&self, limb: usize) -> f64 {
        log2_of(self.q[limb] as f64)
    }

    /// What a fresh ciphertext lives on.
    pub fn input_limbs(&self) -> LimbSet {
        self.limbs_at(self.input_level)
    }

    /// log2 of the product of all ciphertext-modulus and special primes: what security is judged by.
    pub fn log_qp(&self) -> f64 {
        self.q.iter().chain(&self.p).map(|&prime| (prime as f64).log2()).sum()
    }

    /// log2 of the product of the ciphertext-modulus primes.
    pub fn log_total_q(&self) -> f64 {
        self.q.iter().map(|&prime| (prime as f64).log2()).sum()
    }
}
