//! The largest modulus that a ring may carry.
//!
//! Source: Bossuat et al., "Security Guidelines for Implementing Homomorphic Encryption", IACR CiC 1(4), 2024
//! (eprint 2024/463), table 5.2: uniform ternary secret, error of standard deviation 3.19, classical attacks.

/// A number of bits of security that a plan can promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Security {
    /// None: parameters so small exist only in tests, and the plan's text says `insecure`.
    Insecure,
    /// 128 bits.
    Bits128,
    /// 192 bits.
    Bits192,
    /// 256 bits.
    Bits256,
}

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
/// `Insecure` has no limit.
pub fn max_log_qp(log_n: u32, security: Security) -> Option<u32> {
    let column = match security {
        Security::Insecure => return Some(u32::MAX),
        Security::Bits128 => 0,
        Security::Bits192 => 1,
        Security::Bits256 => 2,
    };
    TABLE.iter().find(|row| row.log_n == log_n).map(|row| row.max_log_qp[column])
}

/// Weight of the ephemeral sparse secret of bootstrapping: so many coefficients are 1 or −1, the others 0.
pub const EPHEMERAL_WEIGHT: usize = 32;

/// The largest log2(qp) of a key under a secret of weight [`EPHEMERAL_WEIGHT`], for 128 bits: by ring degree 2^15 and 2^16.
/// These are the moduli that Bossuat, Troncoso-Pastoriza and Hubaux (ACNS 2022, eprint 2022/024) and the parameters of
/// Lattigo 6 use such keys at (N15QP768H192H32: 33 + 61 bits; for 2^16 it states 121).
const EPHEMERAL: [(u32, u32); 2] = [(15, 94), (16, 121)];

/// As [`max_log_qp`], under the ephemeral sparse secret.
pub fn max_log_qp_ephemeral(log_n: u32, security: Security) -> Option<u32> {
    match security {
        Security::Insecure => Some(u32::MAX),
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
            Security::Insecure => 0,
            Security::Bits128 => 128,
            Security::Bits192 => 192,
            Security::Bits256 => 256,
        }
    }

    /// The level that promises exactly `bits`.
    pub fn from_bits(bits: u32) -> Option<Security> {
        [Security::Insecure, Security::Bits128, Security::Bits192, Security::Bits256]
            .into_iter()
            .find(|level| level.bits() == bits)
    }
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
    fn unknown_rings_have_no_secure_modulus() {
        assert_eq!(max_log_qp(9, Security::Bits128), None);
        assert_eq!(max_log_qp(15, Security::Bits128), Some(868));
    }
}
