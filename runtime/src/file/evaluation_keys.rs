//! Evaluation keys: parameters, the seed of the uniform halves, a table of sections, then one section for each key.
//!
//! A section holds the `b` halves of the key's digits, ascending, their limbs in the NTT domain as the kernels read them, packed
//! ([`pack`](super::pack)).

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Mutex;

use hecc_grammar::envelope::{self, FileError, Fingerprint, Kind, Origin, ReadError, Writer};
use hecc_grammar::plan::{Interface, KeyUse, Params};

use crate::ring::{Ring, Seed};
use crate::rlwe::{EvaluationKeys, KeyDigit, KeySwitchKey, Poly, ReadAt, StoredKeys};

use super::key_section::{ENTRY_BYTES, KeySection};
use super::pack::{packed_limbs_bytes, put_limbs, unpack_limb};
use super::{Reader, check_params, params_bytes, put_params};

/// The exact size of a file with the evaluation keys of a plan.
pub fn evaluation_keys_bytes(interface: &Interface) -> u64 {
    envelope::file_size(Layout::new(interface).payload_len)
}

/// Writes the evaluation keys of the plan named by `fingerprint`.
///
/// # Errors
/// If `out` fails.
///
/// # Panics
/// If the keys are not those that the plan lists, or not held.
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
    let mut packed = vec![];
    for section in &layout.sections {
        let key = &keys.keys[&section.key];
        assert_eq!(key.limbs, section.limbs, "the key has the limbs that the plan lists");
        for digit in key.digits.values() {
            let KeyDigit::Held { body, .. } = digit else { panic!("stored keys are not copied") };
            packed.clear();
            put_limbs(&mut packed, &interface.params, &section.all_limbs(&interface.params), body);
            out.write_all(&packed)?;
        }
    }
    out.finish().map(drop)
}

/// Reads the evaluation keys of the plan and the key that `origin` names from a file of `len` bytes, and the file's checksum. Takes
/// the stored halves into memory as they come, and expands the others meanwhile.
///
/// # Errors
/// If the file cannot be read, is damaged, belongs to another plan or key, or holds anything but the keys that the plan lists.
pub fn read_evaluation_keys(
    interface: &Interface,
    origin: Origin,
    file: impl Read + Send,
    len: u64,
) -> Result<(EvaluationKeys, Fingerprint), ReadError> {
    read(interface, origin, file, len, Keep::Held)
}

/// As [`read_evaluation_keys`], but leaves the keys in the file: it is read once now and found right, and limb by limb when keys are
/// used.
///
/// # Errors
/// Those of [`read_evaluation_keys`].
pub fn open_evaluation_keys(
    interface: &Interface,
    origin: Origin,
    file: Box<dyn ReadAt>,
    len: u64,
) -> Result<(EvaluationKeys, Fingerprint), ReadError> {
    let all = InTurn { file: &*file, at: 0, len };
    let (keys, checksum) = read(interface, origin, all, len, Keep::Stored)?;
    Ok((EvaluationKeys { stored: Some(StoredKeys::new(file)), ..keys }, checksum))
}

/// A file from its start.
struct InTurn<'a> {
    file: &'a dyn ReadAt,
    at: u64,
    len: u64,
}

impl Read for InTurn<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len - self.at).unwrap_or(usize::MAX);
        let count = out.len().min(left);
        self.file.read_at(&mut out[..count], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// What is kept of keys that were read.
#[derive(Clone, Copy)]
enum Keep {
    /// Their words, with the uniform halves.
    Held,
    /// Where they are.
    Stored,
}

fn read(
    interface: &Interface,
    origin: Origin,
    file: impl Read + Send,
    len: u64,
    keep: Keep,
) -> Result<(EvaluationKeys, Fingerprint), ReadError> {
    let mut file = envelope::Reader::new(file, len, Kind::EvaluationKeys)?;
    match read_payload(interface, origin, &mut file, keep) {
        Ok(keys) => Ok((keys, file.finish()?)),
        Err(error) => Err(file.refuse(error)),
    }
}

fn read_payload(
    interface: &Interface,
    origin: Origin,
    file: &mut envelope::Reader<impl Read + Send>,
    keep: Keep,
) -> Result<EvaluationKeys, ReadError> {
    file.expect(origin)?;
    let layout = Layout::new(interface);
    let mut head = vec![0; layout.head_len.min(file.payload_len()) as usize];
    file.fill(&mut head)?;
    let seed = check_head(&layout, interface, &head, file.payload_len())?;
    let ring = Ring::new(&interface.params);
    let mut keys = BTreeMap::new();
    let mut read = |section: &KeySection| {
        let mut packed = vec![0; section.bytes as usize];
        file.fill(&mut packed).map(|()| packed)
    };
    let mut sections = layout.sections.iter().peekable();
    let mut packed = sections.peek().map(|first| read(first)).transpose()?;
    while let (Some(section), Some(read_before)) = (sections.next(), packed.take()) {
        let (key, following) = rayon::join(
            || complete(&ring, section, &seed, keep, &read_before),
            || sections.peek().map(|next| read(next)).transpose(),
        );
        let key = key.map_err(malformed)?;
        keys.insert(section.key, key);
        packed = following?;
    }
    Ok(EvaluationKeys { id: origin.key, seed, keys, stored: None })
}

fn malformed(what: String) -> FileError {
    FileError::Content { kind: Kind::EvaluationKeys, what }
}

/// Checks parameters, keys and length of a payload, and returns the seed of the uniform halves.
fn check_head(
    layout: &Layout,
    interface: &Interface,
    head: &[u8],
    payload_len: u64,
) -> Result<Seed, FileError> {
    let mut reader = Reader::new(Kind::EvaluationKeys, head);
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
    if payload_len != layout.payload_len {
        let what = format!("a payload of {payload_len} bytes, expected {}", layout.payload_len);
        return Err(reader.malformed(what));
    }
    Ok(seed)
}

/// What is kept of the key of one section, or what is wrong with it.
fn complete(
    ring: &Ring,
    section: &KeySection,
    seed: &Seed,
    keep: Keep,
    packed: &[u8],
) -> Result<KeySwitchKey, String> {
    let limbs = section.all_limbs(&ring.params);
    let places: Vec<usize> =
        (0..=limbs.len()).map(|k| packed_limbs_bytes(&ring.params, &limbs[..k])).collect();
    let of_digit = places[limbs.len()];
    let mut digits = BTreeMap::new();
    let in_file = ring.params.digits(section.limbs).into_iter();
    for ((digit, packed), i) in in_file.zip(packed.chunks_exact(of_digit)).zip(0..) {
        let problem = Mutex::new(None);
        let body = Poly::build(ring.n(), limbs.len(), |k, words| {
            let bytes = &packed[places[k]..places[k + 1]];
            if let Err(what) = unpack_limb(words, bytes, &ring.params, limbs[k]) {
                let what = format!("{:?}: {what}", section.key);
                *problem.lock().expect("no panic under this lock") = Some(what);
            }
        });
        if let Some(what) = problem.into_inner().expect("no panic under this lock") {
            return Err(what);
        }
        let digit_kept = match keep {
            Keep::Held => {
                let uniform = KeySwitchKey::uniform_half(ring, seed, section.key, digit, &limbs);
                KeyDigit::Held { body, uniform }
            }
            Keep::Stored => {
                let start = envelope::PAYLOAD as u64 + section.offset + i * of_digit as u64;
                KeyDigit::Stored(places.iter().map(|&place| start + place as u64).collect())
            }
        };
        digits.insert(digit, digit_kept);
    }
    Ok(KeySwitchKey { limbs: section.limbs, n_special: section.n_special, digits })
}

/// Where the keys of a plan lie in a payload.
struct Layout {
    /// Bytes before the first section.
    head_len: u64,
    sections: Vec<KeySection>,
    payload_len: u64,
}

impl Layout {
    fn new(interface: &Interface) -> Layout {
        let Interface { params, keys: uses, .. } = interface;
        let head_len = (params_bytes(params) + 16 + 4 + ENTRY_BYTES * uses.len()) as u64;
        let mut end = head_len;
        let mut place = |&KeyUse { key, limbs, n_special }: &KeyUse| {
            let mut section = KeySection { key, limbs, n_special, offset: end, bytes: 0 };
            let of_digit = packed_limbs_bytes(params, &section.all_limbs(params));
            section.bytes = (params.digits(limbs).len() * of_digit) as u64;
            end = section.offset + section.bytes;
            section
        };
        let sections = uses.iter().map(&mut place).collect();
        Layout { head_len, sections, payload_len: end }
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
