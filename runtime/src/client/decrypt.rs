//! Ciphertexts to slots to tensors.

use hecc_grammar::plan::{ClientPart, Interface, Params, ResultType, Scheme};

use zeroize::Zeroizing;

use crate::error::RunError;
use crate::kernel::active;
use crate::ring::{MixedRadix, Modulus, Ring};
use crate::rlwe::{Ciphertext, Coefficients, Poly};
use crate::scheme::bfv::{Batch, Rounding};
use crate::scheme::ckks::{Embedding, decode};

use super::secret_key::SecretPoly;
use super::{SecretKey, read_outputs};

/// As a fraction of Q/t. A verified plan stays below it. Noise that has wrapped around is beyond it in half of the coefficients
/// that have any: all of them as a rule, two after a sum over all slots.
const LARGEST_NOISE: f64 = 0.25;

/// Decrypts the plan's output ciphertexts to its output tensors, flattened in row-major order.
///
/// # Errors
/// In BFV, if noise has passed its bound. Results may be outside of what the plan was calibrated on: [`super::outside`]
/// tells.
///
/// # Panics
/// If the number of ciphertexts is not the plan's.
pub fn decrypt(
    client: &ClientPart,
    secret: &SecretKey,
    ciphertexts: &[Ciphertext],
) -> Result<Vec<Vec<f64>>, RunError> {
    Ok(read_outputs(client, &decrypt_slots(&client.interface, secret, ciphertexts)?))
}

/// The slots of ciphertexts of form Q, the plan's outputs: one vector for each, but in BFV with several plaintext primes for each group of
/// ciphertexts that differ in nothing else.
///
/// # Errors
/// In BFV, if noise has passed its bound.
pub fn decrypt_slots(
    interface: &Interface,
    secret: &SecretKey,
    ciphertexts: &[Ciphertext],
) -> Result<Vec<Vec<f64>>, RunError> {
    let params = &interface.params;
    let ring = Ring::new(params);
    match params.scheme() {
        Scheme::Ckks => {
            let embedding = Embedding::new(params.n_slots());
            let slots = |ciphertext: &Ciphertext| {
                let (message, limbs) = phase(&ring, secret, ciphertext);
                decode(&ring, &embedding, &message, &limbs, ciphertext.ty.scale)
            };
            Ok(ciphertexts.iter().map(slots).collect())
        }
        Scheme::Bfv => decrypt_integers(interface, &ring, secret, ciphertexts),
    }
}

/// BFV: log2 of the largest coefficient of the noise in each ciphertext of the first plaintext prime.
pub fn measure_noise(params: &Params, secret: &SecretKey, ciphertexts: &[Ciphertext]) -> Vec<f64> {
    let ring = Ring::new(params);
    let t = params.t()[0];
    let noise = |ciphertext: &Ciphertext| {
        let (message, limbs) = phase(&ring, secret, ciphertext);
        // Of least magnitude modulo Q, t times the message's share is nothing.
        let scaled: SecretPoly<Coefficients> =
            SecretPoly(Poly::build(ring.n(), limbs.len(), |k, out| {
                let table = &ring.tables[limbs[k]];
                (active().scale)(out, message.limb(k), table.modulus().reduce(t), table.modulus());
                (active().intt)(out, table);
            }));
        let moduli: Vec<Modulus> = limbs.iter().map(|&limb| ring.modulus(limb).clone()).collect();
        let radix = MixedRadix::new(&moduli);
        let noise = |i: usize| {
            let residues: Vec<u64> = (0..limbs.len()).map(|k| scaled.limb(k)[i]).collect();
            radix.centered(&residues).abs() / t as f64
        };
        (0..ring.n()).map(noise).fold(0.0, f64::max).log2()
    };
    ciphertexts.iter().map(noise).collect()
}

/// `c_0 + c_1·s (+ c_2·s²)` and the limbs that it is on.
fn phase(ring: &Ring, secret: &SecretKey, ciphertext: &Ciphertext) -> (SecretPoly, Vec<usize>) {
    let limbs = ciphertext.limb_indices(ring);
    let s = secret.poly(ring, &limbs);
    let message = SecretPoly(Poly::build(ring.n(), limbs.len(), |k, out| {
        // Horner's rule in s.
        let mut polys = ciphertext.polys.iter().rev();
        out.copy_from_slice(polys.next().expect("a ciphertext has polynomials").limb(k));
        let q = ring.modulus(limbs[k]);
        for poly in polys {
            let previous = Zeroizing::new(out.to_vec());
            out.copy_from_slice(poly.limb(k));
            (active().mul_add)(out, &previous, s.limb(k), q);
        }
    }));
    (message, limbs)
}

/// The integers of least magnitude that all plaintext primes agree on, rounded to doubles beyond 2^53.
fn decrypt_integers(
    interface: &Interface,
    ring: &Ring,
    secret: &SecretKey,
    ciphertexts: &[Ciphertext],
) -> Result<Vec<Vec<f64>>, RunError> {
    let primes = interface.params.t();
    let count = ciphertexts.len() / primes.len();
    let residues = |(i, &t): (usize, &u64)| {
        let batch = Batch::new(ring.n(), t);
        let slots =
            |(ciphertext, result): (&Ciphertext, &ResultType)| -> Result<Vec<u64>, RunError> {
                let (message, limbs) = phase(ring, secret, ciphertext);
                let messages = Rounding::new(ring, &limbs).messages(&message, batch.modulus());
                let fits = messages.noise < LARGEST_NOISE;
                let t = batch.modulus();
                let inverse = t.inverse(result.correction_factors[i]);
                let mut coefficients =
                    fits.then_some(messages.coefficients).ok_or(RunError::Noise)?;
                coefficients.iter_mut().for_each(|m| *m = t.mul(*m, inverse));
                Ok(batch.to_slots(coefficients))
            };
        let ciphertexts = ciphertexts[i * count..][..count].iter();
        ciphertexts.zip(&interface.results).map(slots).collect::<Result<Vec<_>, _>>()
    };
    let residues = primes.iter().enumerate().map(residues).collect::<Result<Vec<_>, _>>()?;
    let moduli: Vec<Modulus> = primes.iter().map(|&t| Modulus::new(t)).collect();
    let radix = MixedRadix::new(&moduli);
    let integers = |ciphertext: usize| {
        let integer = |slot: usize| {
            let of_slot: Vec<u64> = residues.iter().map(|of| of[ciphertext][slot]).collect();
            radix.centered(&of_slot)
        };
        (0..ring.n()).map(integer).collect()
    };
    Ok((0..count).map(integers).collect())
}
