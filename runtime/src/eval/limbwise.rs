//! Arithmetic on ciphertexts, limb by limb.

use hecc_grammar::plan::Type;

use crate::kernel::active;
use crate::ring::{Modulus, Ring};
use crate::rlwe::{Ciphertext, Plaintext, Poly};

/// Combines two ciphertexts limb by limb.
pub(super) fn zip(
    ring: &Ring,
    a: &Ciphertext,
    b: &Ciphertext,
    ty: Type,
    f: impl Fn(&mut [u64], [&[u64]; 2], &Modulus) + Sync,
) -> Ciphertext {
    let limbs = a.limb_indices(ring);
    let combine = |(a, b): (&Poly, &Poly)| {
        Poly::build(ring.n(), limbs.len(), |k, out| {
            f(out, [a.limb(k), b.limb(k)], ring.modulus(limbs[k]));
        })
    };
    Ciphertext { polys: a.polys.iter().zip(&b.polys).map(combine).collect(), ty }
}

/// The sum with a plaintext.
pub(super) fn add_plain(ring: &Ring, a: &Ciphertext, plain: &Plaintext, ty: Type) -> Ciphertext {
    let limbs = a.limb_indices(ring);
    let sum = Poly::build(ring.n(), limbs.len(), |k, out| {
        let (limb, q) = (a.polys[0].limb(k), ring.modulus(limbs[k]));
        match plain {
            Plaintext::Scalar(residues) => {
                out.fill(residues[k]);
                (active().scale_add)(out, limb, 1, q);
            }
            Plaintext::Full(blocks) => {
                let mut scratch = vec![0; ring.n()];
                (active().add)(out, limb, blocks.part(k, 0..ring.n(), &mut scratch), q);
            }
        }
    });
    let polys = std::iter::once(sum).chain(a.polys[1..].iter().cloned()).collect();
    Ciphertext { polys, ty }
}

/// The product, of degree 2.
pub(super) fn mul(ring: &Ring, a: &Ciphertext, b: &Ciphertext, ty: Type) -> Ciphertext {
    let limbs = a.limb_indices(ring);
    let product = |parts: &[(usize, usize)]| {
        Poly::build(ring.n(), limbs.len(), |k, out| {
            let pairs: Vec<(&[u64], &[u64])> =
                parts.iter().map(|&(i, j)| (a.polys[i].limb(k), b.polys[j].limb(k))).collect();
            (active().dot)(out, &pairs, ring.modulus(limbs[k]));
        })
    };
    Ciphertext {
        polys: vec![product(&[(0, 0)]), product(&[(0, 1), (1, 0)]), product(&[(1, 1)])],
        ty,
    }
}

/// The ciphertext times a number.
pub(super) fn times(ring: &Ring, a: &Ciphertext, factor: u64) -> Ciphertext {
    let limbs = a.limb_indices(ring);
    let product = |poly: &Poly| {
        Poly::build(ring.n(), limbs.len(), |k, out| {
            let q = ring.modulus(limbs[k]);
            (active().scale)(out, poly.limb(k), q.reduce(factor), q);
        })
    };
    Ciphertext { polys: a.polys.iter().map(product).collect(), ty: a.ty }
}

/// Keeps the primes of `ty`.
pub(super) fn drop_limbs(source: &Ciphertext, ty: Type) -> Ciphertext {
    let limbs = source.ty.limbs.iter().enumerate();
    let places: Vec<usize> =
        limbs.filter(|(_, limb)| ty.limbs.contains(*limb)).map(|(k, _)| k).collect();
    Ciphertext { polys: source.polys.iter().map(|poly| poly.select(&places)).collect(), ty }
}
