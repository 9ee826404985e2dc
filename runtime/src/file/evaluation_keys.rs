//! Evaluation keys: parameters, the seed of the uniform halves, a table of sections, then one section for each key.
//!
//! A section starts at a multiple of 4096 bytes (of the file too: the payload of such a file does). It holds the `b`
//! halves of the key's digits, ascending, each limb as N 64-bit words in the NTT domain: what the kernels read.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Mutex;

use bytes::Bytes;
use hecc_grammar::envelope::{FileError, Fingerprint, Kind, Origin, Writer, open};
use hecc_grammar::plan::{Interface, KeyUse, Params};

use crate::ring::Ring;
use crate::rlwe::{EvaluationKeys, KeySwitchKey, Poly};

use super::key_section::{ENTRY_BYTES, KeySection};
use super::{Reader, check_params, params_bytes, put_params};

/// Sections start at multiples of this.
const PAGE: u64 = 4096;

/// The exact size of a file with the evaluation keys of a plan.
pub fn evaluation_keys_bytes(interface: &Interface) -> u64 {
    Kind::EvaluationKeys.file_size(Layout::new(interface).payload_len)
}

/// Writes the evaluation keys of the plan named by `fingerprint`.
///
/// # Errors
/// If `out` fails.
///
/// # Panics
/// If the keys are not those that the plan lists.
pub fn write_evaluation_keys(
    interface: &Interface,
    fingerprint: Fingerprint,
    keys: &EvaluationKeys,
    out: impl Write,
) -> io::Result<()> {
    let layout = Layout::new(interface);
    let origin = Origin { plan: fingerprint, key: keys.id };
    let mut out = Writer::new(out, Kind::EvaluationKeys, origin, layout.payload_len)?;
    let head = layout.head(&interface.params, &keys.seed);
    out.write_all(&head)?;
    let mut end = head.len() as u64;
    for section in &layout.sections {
        out.write_all(&vec![0; (section.offset - end) as usize])?;
        end = section.offset + section.bytes;
        let key = &keys.keys[&section.key];
        assert_eq!(key.limbs, section.limbs, "the key has the limbs that the plan lists");
        for [body, _] in key.digits.values() {
            let words: Vec<u8> = body.data().iter().flat_map(|word| word.to_le_bytes()).collect();
            out.write_all(&words)?;
        }
    }
    out.finish().map(drop)
}

/// Reads the evaluation keys of the plan and the key that `origin` names. Copies the stored halves and expands the others:
/// twice the size of the file in all.
///
/// # Errors
/// If the file is damaged, belongs to another plan or key, or holds anything but the keys that the plan lists.
pub fn read_evaluation_keys(
    interface: &Interface,
    origin: Origin,
    file: Bytes,
) -> Result<EvaluationKeys, FileError> {
    let envelope = open(file, Kind::EvaluationKeys)?;
    envelope.expect(origin)?;
    let payload = &envelope.payload[..];
    let layout = Layout::new(interface);
    let mut reader = Reader::new(Kind::EvaluationKeys, payload);
    check_params(&mut reader, &interface.params)?;
    let seed = reader.seed()?;
    let found = reader.u32()? as usize;
    if found != layout.sections.len() {
        let what = format!("{found} keys, the plan needs {}", layout.sections.len());
        return Err(reader.malformed(what));
    }
    for expected in &layout.sections {
        let found = KeySection::read(&mut reader)?;
        if found != *expected {
            return Err(reader.malformed(format!("section {found:?}, expected {expected:?}")));
        }
    }
    if payload.len() as u64 != layout.payload_len {
        let what = format!("a payload of {} bytes, expected {}", payload.len(), layout.payload_len);
        return Err(reader.malformed(what));
    }
    let ring = Ring::new(&interface.params);
    let mut keys = BTreeMap::new();
    let mut end = payload.len() - reader.left();
    for section in &layout.sections {
        let start = section.offset as usize;
        if payload[end..start].iter().any(|&byte| byte != 0) {
            return Err(reader.malformed("padding that is not zero"));
        }
        end = start + section.bytes as usize;
        let key = read_key(&ring, section, &seed, &payload[start..end])
            .map_err(|what| reader.malformed(what))?;
        keys.insert(section.key, key);
    }
    Ok(EvaluationKeys { id: origin.key, seed, keys })
}

/// The key of one section, or what is wrong with it.
fn read_key(
    ring: &Ring,
    section: &KeySection,
    seed: &[u8; 16],
    bytes: &[u8],
) -> Result<KeySwitchKey, String> {
    let special = ring.n_q..ring.n_q + section.n_special;
    let limbs: Vec<usize> = section.limbs.iter().chain(special).collect();
    let indices = ring.params.digits(section.limbs);
    let mut digits = BTreeMap::new();
    for (digit, bytes) in indices.into_iter().zip(bytes.chunks_exact(8 * ring.n() * limbs.len())) {
        let problem = Mutex::new(None);
        let body = Poly::build(ring.n(), limbs.len(), |k, out| {
            let q = ring.modulus(limbs[k]).value();
            let words = bytes[8 * ring.n() * k..].chunks_exact(8);
            for (out, word) in out.iter_mut().zip(words) {
                *out = u64::from_le_bytes(word.try_into().expect("chunks of eight bytes"));
            }
            if let Some(residue) = out.iter().find(|&&residue| residue >= q) {
                let what = format!("{:?}: residue {residue} modulo {q}", section.key);
                *problem.lock().expect("no panic under this lock") = Some(what);
            }
        });
        if let Some(what) = problem.into_inner().expect("no panic under this lock") {
            return Err(what);
        }
        let uniform = KeySwitchKey::uniform_half(ring, seed, section.key, digit, &limbs);
        digits.insert(digit, [body, uniform]);
    }
    Ok(KeySwitchKey { limbs: section.limbs, n_special: section.n_special, digits })
}

/// Where the keys of a plan lie in a payload.
struct Layout {
    sections: Vec<KeySection>,
    payload_len: u64,
}

impl Layout {
    fn new(interface: &Interface) -> Layout {
        let Interface { params, keys: uses, .. } = interface;
        let mut end = (params_bytes(params) + 16 + 4 + ENTRY_BYTES * uses.len()) as u64;
        let mut place = |&KeyUse { key, limbs, n_special }: &KeyUse| {
            let n_limbs = limbs.len() + n_special;
            let words = params.digits(limbs).len() * n_limbs * params.ring_degree();
            let section = KeySection {
                key,
                limbs,
                n_special,
                offset: end.next_multiple_of(PAGE),
                bytes: 8 * words as u64,
            };
            end = section.offset + section.bytes;
            section
        };
        let sections = uses.iter().map(&mut place).collect();
        Layout { sections, payload_len: end }
    }

    fn head(&self, params: &Params, seed: &[u8; 16]) -> Vec<u8> {
        let mut head = vec![];
        put_params(&mut head, params);
        head.extend(seed);
        head.extend((self.sections.len() as u32).to_le_bytes());
        self.sections.iter().for_each(|section| section.put(&mut head));
        head
    }
}
