//! The secret key.

use zeroize::{Zeroize, Zeroizing};

use crate::ring::{Ring, SecretRng};
use crate::rlwe::Poly;

/// A uniform ternary secret, kept as the 32-byte seed that it is drawn from. Neither printed nor copied.
pub struct SecretKey {
    seed: Zeroizing<[u8; 32]>,
}

/// The coefficients of a secret, wiped when dropped.
pub(super) struct Secret(pub(super) Vec<i64>);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl SecretKey {
    /// A fresh key.
    ///
    /// # Errors
    /// If the operating system has no randomness to give.
    pub fn generate() -> Result<SecretKey, getrandom::Error> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut())?;
        Ok(SecretKey { seed })
    }

    /// The key of a stored seed.
    pub fn from_seed(seed: [u8; 32]) -> SecretKey {
        SecretKey { seed: Zeroizing::new(seed) }
    }

    /// What to store. As secret as the key.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The coefficients in {−1, 0, 1}.
    pub(super) fn coefficients(&self, n: usize) -> Secret {
        Secret(SecretRng::from_seed(*self.seed).ternary(n))
    }

    /// The secret on some limbs.
    pub(super) fn poly(&self, ring: &Ring, limbs: &[usize]) -> Poly {
        Poly::from_signed(ring, limbs, &self.coefficients(ring.n()).0)
    }
}
