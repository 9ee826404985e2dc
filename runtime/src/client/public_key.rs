//! The public key, with which others encrypt for its owner.

use hecc_grammar::envelope::KeyId;
use hecc_grammar::plan::Params;

use crate::kernel::active;
use crate::ring::{Ring, SecretRng, Seed};
use crate::rlwe::{FreshCiphertext, Mask, Poly};

use super::SecretKey;
use super::secret_key::{Secret, SecretPoly};

/// An encryption of zero, `b = −a·s + e` and `a`, on the primes of inputs and the first special prime, if there is one: what is
/// encrypted under it is divided by that prime, which leaves hardly more than rounding of its noise.
pub struct PublicKey {
    /// Names the secret key that it belongs to.
    pub(super) id: KeyId,
    /// The seed of `a`.
    pub(super) seed: Seed,
    /// `b`.
    pub(super) body: Poly,
}

impl PublicKey {
    /// The public key of a secret key.
    pub fn of(params: &Params, secret: &SecretKey, rng: &mut SecretRng) -> PublicKey {
        let (ring, limbs) = (Ring::new(params), limbs(params));
        let seed = rng.public_seed();
        let uniform = FreshCiphertext::uniform_half(&ring, &seed, &limbs);
        let error = Secret(rng.error(ring.n())).poly(&ring, &limbs);
        let s = secret.poly(&ring, &limbs);
        let body = Poly::build(ring.n(), limbs.len(), |k, out| {
            let q = ring.modulus(limbs[k]);
            (active().mul)(out, uniform.limb(k), s.limb(k), q);
            out.iter_mut().zip(error.limb(k)).for_each(|(b, &e)| *b = q.sub(e, *b));
        });
        PublicKey { id: secret.id(), seed, body }
    }

    /// Names the key in its file and in all that is encrypted under it.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// A fresh encryption of zero on the primes of inputs: `(v·b + e_0, v·a + e_1)` divided by the special prime.
    ///
    /// Noise: `noise::fresh_public`.
    pub(super) fn zero(&self, ring: &Ring, rng: &mut SecretRng) -> (SecretPoly, Mask) {
        let limbs = limbs(&ring.params);
        let uniform = FreshCiphertext::uniform_half(ring, &self.seed, &limbs);
        let v = Secret(rng.ternary(ring.n())).poly(ring, &limbs);
        let mut half = |of: &Poly| {
            let error = Secret(rng.error(ring.n())).poly(ring, &limbs);
            let sum = SecretPoly(Poly::build(ring.n(), limbs.len(), |k, out| {
                out.copy_from_slice(error.limb(k));
                (active().mul_add)(out, of.limb(k), v.limb(k), ring.modulus(limbs[k]));
            }));
            divided(ring, sum)
        };
        let (body, mask) = (half(&self.body), half(&uniform));
        (body, Mask::Poly((*mask).clone()))
    }
}

/// Indices of the primes that the key is on.
pub(super) fn limbs(params: &Params) -> Vec<usize> {
    let special = params.p.first().map(|_| params.q.len());
    params.input_limbs().iter().chain(special).collect()
}

/// A polynomial on the primes of a public key, divided by the special one and rounded.
fn divided(ring: &Ring, poly: SecretPoly) -> SecretPoly {
    if ring.params.p.is_empty() {
        return poly;
    }
    let (special, n_kept) = (&ring.tables[ring.n_q], poly.n_limbs() - 1);
    let remainder = SecretPoly(poly.coefficients(&[n_kept], |_| special));
    let kept: Vec<usize> = ring.params.input_limbs().iter().collect();
    SecretPoly(Poly::build(ring.n(), n_kept, |k, out| {
        let table = &ring.tables[kept[k]];
        let q = table.modulus();
        for (out, &r) in out.iter_mut().zip(remainder.limb(0)) {
            *out = q.from_signed(special.modulus().centered(r));
        }
        (active().ntt)(out, table);
        let inverse = q.inverse(q.reduce(special.modulus().value()));
        (active().sub_scale)(out, poly.limb(k), inverse, q);
    }))
}
