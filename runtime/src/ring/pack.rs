//! Residues of one limb packed without gaps, as many bits each as its prime has: what travels is a fifth to a half smaller than
//! 64-bit words.

/// Bytes of a packed limb of `n` residues; exact because 8 divides `n`.
pub(crate) fn packed_bytes(n: usize, q: u64) -> usize {
    n * bits(q) as usize / 8
}

/// Appends the residues of a limb, lowest bits first.
pub(crate) fn pack(out: &mut Vec<u8>, residues: &[u64], q: u64) {
    let (mut waiting, mut filled) = (0u64, 0);
    for residue in residues {
        debug_assert!(*residue < q, "residues are canonical");
        waiting |= residue << filled;
        filled += bits(q);
        if let Some(beyond) = filled.checked_sub(u64::BITS) {
            out.extend(waiting.to_le_bytes());
            // All of the residue's bits, if none of them are beyond, are shifted out.
            waiting = residue.checked_shr(bits(q) - beyond).unwrap_or(0);
            filled = beyond;
        }
    }
    debug_assert_eq!(filled % 8, 0, "8 divides the ring degree");
    out.extend(&waiting.to_le_bytes()[..filled as usize / 8]);
}

/// Fills a limb from [`packed_bytes`] bytes and returns the first residue that is not below `q`, if there is one.
pub(crate) fn unpack(out: &mut [u64], bytes: &[u8], q: u64) -> Option<u64> {
    debug_assert_eq!(bytes.len(), packed_bytes(out.len(), q));
    let (n_bits, mask) = (bits(q) as usize, (1u64 << bits(q)) - 1);
    let mut largest = 0;
    for (k, out) in out.iter_mut().enumerate() {
        let (first, shift) = (k * n_bits / 8, k * n_bits % 8);
        // The bytes that a residue begins in and that follow hold all of it.
        let word = match bytes[first..].first_chunk() {
            Some(word) => u64::from_le_bytes(*word),
            None => {
                let mut word = [0; 8];
                word[..bytes.len() - first].copy_from_slice(&bytes[first..]);
                u64::from_le_bytes(word)
            }
        };
        *out = (word >> shift) & mask;
        largest = largest.max(*out);
    }
    if largest < q { None } else { out.iter().copied().find(|&residue| residue >= q) }
}

/// Bits of a residue, at most 50: with the seven bits at most before it in its first byte they fit a word.
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
