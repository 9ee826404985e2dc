//! The secret key.

use std::ops::Deref;

use hecc_grammar::envelope::KeyId;
use hecc_grammar::security::EPHEMERAL_WEIGHT;
use zeroize::{Zeroize, Zeroizing};

use crate::ring::{Ring, SecretRng};
use crate::rlwe::{Ntt, Poly};

/// The stream of the generator that the sparse secret is drawn from; the secret is drawn from stream 0.
const EPHEMERAL_STREAM: u64 = 1;

/// A uniform ternary secret, kept as the 32-byte seed that it is drawn from. Neither printed nor copied.
pub struct SecretKey {
    id: KeyId,
    /// In one place, since what is moved leaves a copy behind.
    seed: Box<Zeroizing<[u8; 32]>>,
}

/// The small coefficients of a secret or an error, wiped when dropped.
pub(super) struct Secret(pub(super) Vec<i64>);

/// A polynomial that the key could be computed from, wiped when dropped: buffers are used again.
pub(super) struct SecretPoly<Domain = Ntt>(pub(super) Poly<Domain>);

impl<Domain> Drop for SecretPoly<Domain> {
    fn drop(&mut self) {
        self.0.wipe();
    }
}

impl<Domain> Deref for SecretPoly<Domain> {
    type Target = Poly<Domain>;

    fn deref(&self) -> &Poly<Domain> {
        &self.0
    }
}

impl Secret {
    /// On some limbs, in the NTT domain.
    pub(super) fn poly(&self, ring: &Ring, limbs: &[usize]) -> SecretPoly {
        SecretPoly(Poly::from_signed(ring, limbs, &self.0))
    }
}

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
        let mut seed = Box::new(Zeroizing::new([0; 32]));
        getrandom::fill(&mut seed[..])?;
        // Random too, and not computed from the seed: nothing about the seed is published.
        let mut id = [0; 16];
        getrandom::fill(&mut id)?;
        Ok(SecretKey { id: KeyId(id), seed })
    }

    /// The key of a seed, for keys that never meet others: its id is zero.
    pub fn from_seed(seed: [u8; 32]) -> SecretKey {
        SecretKey::from_stored(KeyId([0; 16]), &seed)
    }

    /// The key of a stored id and seed.
    pub fn from_stored(id: KeyId, stored: &[u8; 32]) -> SecretKey {
        let mut seed = Box::new(Zeroizing::new([0; 32]));
        seed.copy_from_slice(stored);
        SecretKey { id, seed }
    }

    /// Names the key in its files and in all that is encrypted under it.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What to store. As secret as the key.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The coefficients in {−1, 0, 1}.
    pub(super) fn coefficients(&self, n: usize) -> Secret {
        Secret(SecretRng::from_seed(&self.seed).ternary(n))
    }

    /// The coefficients of the sparse secret of bootstrapping, from a stream of the same seed.
    pub(super) fn ephemeral(&self, n: usize) -> Secret {
        Secret(
            SecretRng::from_seed_stream(&self.seed, EPHEMERAL_STREAM).sparse(n, EPHEMERAL_WEIGHT),
        )
    }

    /// The secret on some limbs.
    pub(super) fn poly(&self, ring: &Ring, limbs: &[usize]) -> SecretPoly {
        self.coefficients(ring.n()).poly(ring, limbs)
    }
}
