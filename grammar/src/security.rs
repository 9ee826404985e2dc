//! The largest modulus that a ring may carry.
//!
//! Source: Bossuat et al., "Security Guidelines for Implementing Homomorphic Encryption", IACR CiC 1(4), 2024
//! (eprint 2024/463), table 5.2: uniform ternary secret, error of standard deviation 3.19, classical attacks.

/// A number of bits of security that a plan can promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Security {
    /// None: parameters so small exist only in tests, which alone can make what is inside. The plan's text says
    /// `insecure`.
    Insecure(ForTests),
    /// 128 bits.
    Bits128,
    /// 192 bits.
    Bits192,
    /// 256 bits.
    Bits256,
}

/// What only tests have: see `Security::insecure_for_tests`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForTests(());

/// One row of table 5.2: log2 of the ring degree, then the largest log2(QP) for 128, 192 and 256 bits.
pub struct Row {
    /// log2 of the ring degree N.
    pub log_n: u32,
    /// Largest log2(QP) for 128, 192, 256 bits; 0 where no modulus is secure.
    pub max_log_qp: [u32; 3],
}

/// Table 5.2 for the uniform ternary secret.
pub const TABLE: [Row; 8] = [
    Row { log_n: 10, max_log_qp: [26, 0, 0] },
    Row { log_n: 11, max_log_qp: [53, 36, 27] },
    Row { log_n: 12, max_log_qp: [106, 73, 56] },
    Row { log_n: 13, max_log_qp: [214, 147, 114] },
    Row { log_n: 14, max_log_qp: [430, 297, 230] },
    Row { log_n: 15, max_log_qp: [868, 597, 462] },
    Row { log_n: 16, max_log_qp: [1747, 1199, 929] },
    Row { log_n: 17, max_log_qp: [3523, 2411, 1866] },
];

/// The largest log2(QP) that a ring of degree `2^log_n` may carry at this level; `None` outside the table.
/// Insecure plans have no limit.
pub fn max_log_qp(log_n: u32, security: Security) -> Option<u32> {
    let column = match security {
        Security::Insecure(ForTests(())) => return Some(u32::MAX),
        Security::Bits128 => 0,
        Security::Bits192 => 1,
        Security::Bits256 => 2,
    };
    TABLE.iter().find(|row| row.log_n == log_n).map(|row| row.max_log_qp[column])
}

/// Weight of the ephemeral sparse secret of bootstrapping: the number of its coefficients that are 1 or −1, the others being 0.
pub const EPHEMERAL_WEIGHT: usize = 32;

/// The largest log2(qp) of a key under a secret of weight [`EPHEMERAL_WEIGHT`], for 128 bits: by ring degree 2^15 and 2^16.
/// Such keys are those of Bossuat, Troncoso-Pastoriza and Hubaux (ACNS 2022, eprint 2022/024). The second modulus is theirs;
/// the first stands on an estimate of its own: hybrid attacks on 94 bits take 2^145 steps with the Meet-LWE exponent that
/// is reached (May, CRYPTO 2021), 2^155 by meeting in the middle (lattice-estimator, MATZOV). The nearest published set,
/// Lattigo's N15QP768H192H32, stays at 33 + 51 = 84 bits.
const EPHEMERAL: [(u32, u32); 2] = [(15, 94), (16, 121)];

/// As [`max_log_qp`], under the ephemeral sparse secret.
pub fn max_log_qp_ephemeral(log_n: u32, security: Security) -> Option<u32> {
    match security {
        Security::Insecure(ForTests(())) => Some(u32::MAX),
        Security::Bits128 => {
            EPHEMERAL.iter().find(|(degree, _)| *degree == log_n).map(|(_, bits)| *bits)
        }
        Security::Bits192 | Security::Bits256 => None,
    }
}

impl Security {
    /// The promised bits; 0 if insecure.
    pub fn bits(self) -> u32 {
        match self {
            Security::Insecure(ForTests(())) => 0,
            Security::Bits128 => 128,
            Security::Bits192 => 192,
            Security::Bits256 => 256,
        }
    }

    /// Every level that promises something, the strongest first.
    pub const LEVELS: [Security; 3] = [Security::Bits256, Security::Bits192, Security::Bits128];

    /// The level that promises exactly `bits`; none promises 0.
    pub fn from_bits(bits: u32) -> Option<Security> {
        Security::LEVELS.into_iter().find(|level| level.bits() == bits)
    }

    /// The level of files that state `bits` bits: as [`Self::from_bits`], in tests also 0.
    pub fn from_file(bits: u32) -> Option<Security> {
        #[cfg(any(test, feature = "insecure-for-tests"))]
        if bits == 0 {
            return Some(Security::insecure_for_tests());
        }
        Security::from_bits(bits)
    }

    /// The level that a plan's text names: `128`, `192`, `256`, in tests also `insecure`.
    pub fn from_word(word: &str) -> Option<Security> {
        #[cfg(any(test, feature = "insecure-for-tests"))]
        if word == "insecure" {
            return Some(Security::insecure_for_tests());
        }
        word.parse().ok().and_then(Security::from_bits)
    }

    /// No security, for plans so small that tests are quick. It exists with the feature `insecure-for-tests` only, which only
    /// dev-dependencies name.
    #[cfg(any(test, feature = "insecure-for-tests"))]
    pub const fn insecure_for_tests() -> Security {
        Security::Insecure(ForTests(()))
    }
}

/// The strongest level that a ring of degree `2^log_n` has with a modulus of `log_qp` bits under a uniform ternary secret
/// and, where one is published, a key of `ephemeral` bits under the sparse secret; `None` if it has none.
pub fn level_of(log_n: u32, log_qp: f64, ephemeral: Option<f64>) -> Option<Security> {
    let holds =
        |allowed: Option<u32>, bits: f64| allowed.is_some_and(|most| bits <= f64::from(most));
    Security::LEVELS.into_iter().find(|&level| {
        holds(max_log_qp(log_n, level), log_qp)
            && ephemeral.is_none_or(|bits| holds(max_log_qp_ephemeral(log_n, level), bits))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_rings_and_lower_levels_allow_more() {
        for pair in TABLE.windows(2) {
            assert_eq!(pair[0].log_n + 1, pair[1].log_n);
            for column in 0..3 {
                assert!(
                    pair[0].max_log_qp[column] < pair[1].max_log_qp[column] || pair[0].log_n == 10
                );
            }
        }
        for row in &TABLE {
            assert!(
                row.max_log_qp[0] > row.max_log_qp[1] && row.max_log_qp[1] >= row.max_log_qp[2]
            );
        }
    }

    #[test]
    fn levels_are_judged_by_ring_and_modulus() {
        assert_eq!(level_of(3, 10.0, None), None);
        assert_eq!(level_of(15, 868.0, None), Some(Security::Bits128));
        assert_eq!(level_of(15, 868.1, None), None);
        assert_eq!(level_of(15, 462.0, None), Some(Security::Bits256));
        // The sparse secret gives 128 bits at most.
        assert_eq!(level_of(15, 462.0, Some(94.0)), Some(Security::Bits128));
        assert_eq!(level_of(15, 462.0, Some(94.1)), None);
        assert_eq!(level_of(14, 230.0, Some(50.0)), None);
    }

    #[test]
    fn no_number_or_word_but_one_names_an_insecure_level() {
        assert_eq!([0, 80, 127].map(Security::from_bits), [None; 3]);
        assert_eq!(["0", "", "none"].map(Security::from_word), [None; 3]);
        assert_eq!(Security::from_word("insecure"), Some(Security::insecure_for_tests()));
        assert_eq!(Security::from_word("192"), Some(Security::Bits192));
    }

    #[test]
    fn unknown_rings_have_no_secure_modulus() {
        assert_eq!(max_log_qp(9, Security::Bits128), None);
        assert_eq!(max_log_qp(15, Security::Bits128), Some(868));
    }
}
