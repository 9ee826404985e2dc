//! Evaluation keys.

use crate::plan::Scheme;

/// What a ciphertext is switched from (to the plan's secret s) by an evaluation key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// From s².
    Relinearize,
    /// From s(X^g), g = 5^steps mod 2N: slots move left by `steps`, cyclically (in BFV within both rows), 0 < steps < N/2.
    Rotate(u32),
    /// From s(X^−1): slots are conjugated; in BFV the rows change places.
    Conjugate,
    /// From s to the ephemeral sparse secret (Bossuat, Troncoso-Pastoriza, Hubaux, ACNS 2022, eprint 2022/024).
    Encapsulate,
    /// From the ephemeral sparse secret back to s.
    Decapsulate,
}

impl Key {
    /// The scheme that it belongs to, if not to all.
    pub(in crate::plan) fn scheme(self) -> Option<Scheme> {
        match self {
            Key::Encapsulate | Key::Decapsulate => Some(Scheme::Ckks),
            Key::Relinearize | Key::Rotate(_) | Key::Conjugate => None,
        }
    }
}
