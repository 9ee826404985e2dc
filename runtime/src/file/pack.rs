//! Residues of one limb packed without gaps, as many bits each as its prime has: what travels is a fifth to a quarter
//! smaller than 64-bit words.

use hecc_grammar::envelope::FileError;
use hecc_grammar::plan::Params;

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
        let q = prime(params, limb);
        if let Some(residue) = unpack(out, reader.bytes(packed_bytes(n, q))?, q) {
            return Err(reader.malformed(format!("residue {residue} modulo {q}")));
        }
    }
    Ok(Poly::from_data(n, words))
}

/// Bytes of a packed limb of `n` residues; exact because 8 divides `n`.
fn packed_bytes(n: usize, q: u64) -> usize {
    n * bits(q) as usize / 8
}

/// Appends the residues of a limb, lowest bits first.
fn pack(out: &mut Vec<u8>, residues: &[u64], q: u64) {
    let (mut waiting, mut filled) = (0u64, 0);
    for residue in residues {
        debug_assert!(*residue < q, "residues are canonical");
        waiting |= residue << filled;
        filled += bits(q);
        while filled >= 8 {
            out.push(waiting as u8);
            waiting >>= 8;
            filled -= 8;
        }
    }
    debug_assert_eq!(filled, 0, "8 divides the ring degree");
}

/// Fills a limb from [`packed_bytes`] bytes and returns the first residue that is not below `q`, if there is one.
fn unpack(out: &mut [u64], bytes: &[u8], q: u64) -> Option<u64> {
    debug_assert_eq!(bytes.len(), packed_bytes(out.len(), q));
    let (mut waiting, mut filled) = (0u64, 0);
    let mut bytes = bytes.iter();
    let mask = (1u64 << bits(q)) - 1;
    for out in out.iter_mut() {
        while filled < bits(q) {
            waiting |= u64::from(*bytes.next().expect("as many bytes as residues need")) << filled;
            filled += 8;
        }
        *out = waiting & mask;
        waiting >>= bits(q);
        filled -= bits(q);
    }
    out.iter().copied().find(|&residue| residue >= q)
}

/// Bits of a residue, at most 50: with the seven bits at most that wait they fit a word.
fn bits(q: u64) -> u32 {
    u64::BITS - q.leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_unpacks() {
        for q in [257u64, 12289, 1125899904679937] {
            let residues: Vec<u64> = (0..64u64).map(|i| (i * 0x9e37_79b9_7f4a) % q).collect();
            let mut bytes = vec![];
            pack(&mut bytes, &residues, q);
            assert_eq!(bytes.len(), packed_bytes(64, q));
            let mut back = vec![0; 64];
            assert_eq!(unpack(&mut back, &bytes, q), None);
            assert_eq!(back, residues);
            bytes[..8].fill(0xff);
            assert!(unpack(&mut back, &bytes, q).is_some_and(|residue| residue >= q));
        }
    }
}
