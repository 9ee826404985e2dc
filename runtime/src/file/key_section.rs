//! The table of evaluation keys in their file: an entry for each.

use hecc_grammar::envelope::FileError;
use hecc_grammar::plan::{Key, LimbSet, Params};

use super::fields::Reader;

/// One evaluation key in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySection {
    /// Which key.
    pub key: Key,
    /// Its ciphertext-modulus primes.
    pub limbs: LimbSet,
    /// How many of the special primes it holds.
    pub n_special: usize,
    /// Its first byte in the payload.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
}

/// Bytes of a [`KeySection`] in a file.
pub(super) const ENTRY_BYTES: usize = 40;

impl KeySection {
    /// All of its limbs: its ciphertext-modulus primes, then special primes.
    pub(super) fn all_limbs(&self, params: &Params) -> Vec<usize> {
        let n_q = params.q.len();
        self.limbs.iter().chain(n_q..n_q + self.n_special).collect()
    }

    /// Appends the entry of the table.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        key_code(self.key).iter().for_each(|code| out.extend(code.to_le_bytes()));
        [self.limbs.0, self.n_special as u64, self.offset, self.bytes]
            .iter()
            .for_each(|n| out.extend(n.to_le_bytes()));
    }

    /// Reads an entry of the table.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<KeySection, FileError> {
        let code = [reader.u32()?, reader.u32()?];
        let key = key_of_code(code).ok_or_else(|| reader.malformed(format!("no key {code:?}")))?;
        let (limbs, n_special) = (LimbSet(reader.u64()?), reader.u64()? as usize);
        let (offset, bytes) = (reader.u64()?, reader.u64()?);
        Ok(KeySection { key, limbs, n_special, offset, bytes })
    }
}

/// The number and the steps that stand for a key in a file.
fn key_code(key: Key) -> [u32; 2] {
    match key {
        Key::Relinearize => [0, 0],
        Key::Rotate(steps) => [1, steps],
        Key::Conjugate => [2, 0],
        Key::Encapsulate => [3, 0],
        Key::Decapsulate => [4, 0],
    }
}

/// The inverse of [`key_code`].
fn key_of_code(code: [u32; 2]) -> Option<Key> {
    match code {
        [0, 0] => Some(Key::Relinearize),
        [1, steps] => Some(Key::Rotate(steps)),
        [2, 0] => Some(Key::Conjugate),
        [3, 0] => Some(Key::Encapsulate),
        [4, 0] => Some(Key::Decapsulate),
        _ => None,
    }
}
