//! Ciphertexts: polynomials whose combination with powers of the secret is the message plus noise.

use hecc_grammar::plan::{Form, LimbSet, Type};

use crate::ring::{Ring, Seed, expand_uniform};

use super::Poly;

/// `c_0 + c_1·s (+ c_2·s²) = Δ·m + e` on the primes of `ty`; P times that in the form QP.
#[derive(Clone, Debug, PartialEq)]
pub struct Ciphertext {
    /// The polynomials, degree + 1 of them.
    pub polys: Vec<Poly>,
    /// Limbs, form, scale and degree. Never `Form::Digits`.
    pub ty: Type,
}

/// Ring indices of the limbs of a value: its ciphertext-modulus primes, then the special ones if it is on QP.
pub fn limb_indices(ring: &Ring, limbs: LimbSet, form: Form) -> Vec<usize> {
    match form {
        Form::Q => limbs.iter().collect(),
        Form::QP | Form::Digits => limbs.iter().chain(ring.special(limbs)).collect(),
    }
}

impl Ciphertext {
    /// Ring indices of the limbs, in the order of the polynomials.
    pub fn limb_indices(&self, ring: &Ring) -> Vec<usize> {
        limb_indices(ring, self.ty.limbs, self.ty.form)
    }
}

/// A ciphertext as the client sends it.
#[derive(Clone, Debug, PartialEq)]
pub struct FreshCiphertext {
    /// `c_1`.
    pub mask: Mask,
    /// `c_0`.
    pub body: Poly,
    /// Form Q, degree 1.
    pub ty: Type,
}

/// The polynomial of a fresh ciphertext that hides its message.
#[derive(Clone, Debug, PartialEq)]
pub enum Mask {
    /// Uniform, given by a seed: under the secret key.
    Seed(Seed),
    /// As it is: under the public key.
    Poly(Poly),
}

impl FreshCiphertext {
    /// The ciphertext with both polynomials.
    pub fn expand(self, ring: &Ring) -> Ciphertext {
        let mask = match self.mask {
            Mask::Seed(seed) => {
                let limbs: Vec<usize> = self.ty.limbs.iter().collect();
                FreshCiphertext::uniform_half(ring, &seed, &limbs)
            }
            Mask::Poly(poly) => poly,
        };
        Ciphertext { polys: vec![self.body, mask], ty: self.ty }
    }

    /// `c_1` of a seed.
    pub fn uniform_half(ring: &Ring, seed: &Seed, limbs: &[usize]) -> Poly {
        Poly::build(ring.n(), limbs.len(), |k, out| {
            expand_uniform(seed, 0, limbs[k] as u32, ring.modulus(limbs[k]).value(), out);
        })
    }
}
