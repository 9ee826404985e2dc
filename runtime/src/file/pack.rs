//! Polynomials packed as [`ring::pack`](crate::ring) packs limbs.

use hecc_grammar::envelope::FileError;
use hecc_grammar::plan::Params;

use crate::ring::{pack, packed_bytes, unpack};
use crate::rlwe::Poly;

use super::Reader;

/// The prime of a limb: those of ciphertexts first, then the special ones.
fn prime(params: &Params, limb: usize) -> u64 {
    params.q.get(limb).copied().unwrap_or_else(|| params.p[limb - params.q.len()])
}

/// Bytes of a polynomial on some limbs.
pub(crate) fn packed_limbs_bytes(params: &Params, limbs: &[usize]) -> usize {
    let n = params.ring_degree();
    limbs.iter().map(|&limb| packed_bytes(n, prime(params, limb))).sum()
}

/// Appends a polynomial on some limbs.
pub(crate) fn put_limbs(out: &mut Vec<u8>, params: &Params, limbs: &[usize], poly: &Poly) {
    for (k, &limb) in limbs.iter().enumerate() {
        pack(out, poly.limb(k), prime(params, limb));
    }
}

/// Reads a polynomial on some limbs.
pub(crate) fn read_limbs(
    reader: &mut Reader<'_>,
    params: &Params,
    limbs: &[usize],
) -> Result<Poly, FileError> {
    let n = params.ring_degree();
    let mut words = vec![0; n * limbs.len()];
    for (out, &limb) in words.chunks_exact_mut(n).zip(limbs) {
        let bytes = reader.bytes(packed_bytes(n, prime(params, limb)))?;
        unpack_limb(out, bytes, params, limb).map_err(|what| reader.malformed(what))?;
    }
    Ok(Poly::from_data(n, words))
}

/// Fills a limb from all of its bytes, or says which residue is none.
pub(crate) fn unpack_limb(
    out: &mut [u64],
    bytes: &[u8],
    params: &Params,
    limb: usize,
) -> Result<(), String> {
    let q = prime(params, limb);
    match unpack(out, bytes, q) {
        None => Ok(()),
        Some(residue) => Err(format!("residue {residue} modulo {q}")),
    }
}
