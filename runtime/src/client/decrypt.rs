//! Ciphertexts to slots to tensors.

use hecc_grammar::plan::VerifiedPlan;

use crate::kernel::active;
use crate::ring::Ring;
use crate::rlwe::{Ciphertext, Poly};
use crate::scheme::ckks::{Embedding, decode};

use super::secret_key::SecretPoly;
use super::{SecretKey, read_outputs};

/// Decrypts the plan's output ciphertexts to its output tensors, flattened in row-major order.
///
/// # Panics
/// If the number of ciphertexts is not the plan's.
pub fn decrypt(
    plan: &VerifiedPlan,
    secret: &SecretKey,
    ciphertexts: &[Ciphertext],
) -> Vec<Vec<f64>> {
    read_outputs(plan, &decrypt_slots(plan, secret, ciphertexts))
}

/// The slots of ciphertexts of form Q.
pub fn decrypt_slots(
    plan: &VerifiedPlan,
    secret: &SecretKey,
    ciphertexts: &[Ciphertext],
) -> Vec<Vec<f64>> {
    let ring = Ring::new(&plan.params);
    let embedding = Embedding::new(plan.params.n_slots());
    let decrypt_one = |ciphertext: &Ciphertext| {
        let limbs = ciphertext.limb_indices(&ring);
        let s = secret.poly(&ring, &limbs);
        let message = SecretPoly(Poly::build(ring.n(), limbs.len(), |k, out| {
            // Horner's rule in s.
            let mut polys = ciphertext.polys.iter().rev();
            out.copy_from_slice(polys.next().expect("a ciphertext has polynomials").limb(k));
            let q = ring.modulus(limbs[k]);
            for poly in polys {
                let previous = out.to_vec();
                out.copy_from_slice(poly.limb(k));
                (active().mul_add)(out, &previous, s.limb(k), q);
            }
        }));
        decode(&ring, &embedding, &message, &limbs, ciphertext.ty.scale)
    };
    ciphertexts.iter().map(decrypt_one).collect()
}
