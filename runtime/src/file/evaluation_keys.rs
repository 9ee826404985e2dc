//! Evaluation keys: parameters, the seed of the uniform halves, a table of sections, then one section for each key.
//!
//! A section starts at a multiple of 4096 bytes (of the file too: the payload of such a file does). It holds the `b`
//! halves of the key's digits, ascending, each limb as N 64-bit words in the NTT domain: what the kernels read.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Mutex;

use hecc_grammar::envelope::{self, FileError, Fingerprint, Kind, Origin, ReadError, Writer};
use hecc_grammar::plan::{Interface, KeyUse, Params};

use crate::ring::{Ring, Seed};
use crate::rlwe::{EvaluationKeys, KeyDigit, KeySwitchKey, Poly};

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
        for KeyDigit { body, .. } in key.digits.values() {
            let words: Vec<u8> = body.data().iter().flat_map(|word| word.to_le_bytes()).collect();
            out.write_all(&words)?;
        }
    }
    out.finish().map(drop)
}

/// What becomes of the uniform halves of keys, which are not stored but expanded from a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UniformHalves {
    /// They are expanded once, and held: twice the size of the file in all.
    Held,
    /// They are expanded whenever they are used: the size of the file, and more time.
    Expanded,
}

/// Reads the evaluation keys of the plan and the key that `origin` names from a file of `len` bytes, and the file's checksum. Takes
/// the stored halves into memory as they come, and expands the others meanwhile if they are to be held.
///
/// # Errors
/// If the file cannot be read, is damaged, belongs to another plan or key, or holds anything but the keys that the plan lists.
pub fn read_evaluation_keys(
    interface: &Interface,
    origin: Origin,
    file: impl Read + Send,
    len: u64,
    halves: UniformHalves,
) -> Result<(EvaluationKeys, Fingerprint), ReadError> {
    let mut file = envelope::Reader::new(file, len, Kind::EvaluationKeys)?;
    match read_payload(interface, origin, &mut file, halves) {
        Ok(keys) => Ok((keys, file.finish()?)),
        Err(ReadError::File(error)) => Err(file.refuse(error)),
        Err(ReadError::Io(error)) => Err(ReadError::Io(error)),
    }
}

fn read_payload(
    interface: &Interface,
    origin: Origin,
    file: &mut envelope::Reader<impl Read + Send>,
    halves: UniformHalves,
) -> Result<EvaluationKeys, ReadError> {
    file.expect(origin)?;
    let layout = Layout::new(interface);
    let mut head = vec![0; layout.head_len.min(file.payload_len()) as usize];
    file.fill(&mut head)?;
    let seed = check_head(&layout, interface, &head, file.payload_len())?;
    let ring = Ring::new(&interface.params);
    let expanded = (halves == UniformHalves::Held).then_some(&seed);
    let (mut keys, mut end) = (BTreeMap::new(), layout.head_len);
    let mut read = |section: &KeySection| {
        let bodies = read_section(&ring, section, section.offset - end, file);
        end = section.offset + section.bytes;
        bodies
    };
    let mut sections = layout.sections.iter().peekable();
    let mut bodies = sections.peek().map(|first| read(first)).transpose()?;
    while let (Some(section), Some(read_before)) = (sections.next(), bodies.take()) {
        let (key, following) = rayon::join(
            || complete(&ring, section, expanded, read_before),
            || sections.peek().map(|next| read(next)).transpose(),
        );
        let key = key.map_err(malformed)?;
        keys.insert(section.key, key);
        bodies = following?;
    }
    Ok(EvaluationKeys { id: origin.key, seed, keys })
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

/// The stored half of each digit of a key, residues not yet checked, after so much padding.
fn read_section(
    ring: &Ring,
    section: &KeySection,
    padding: u64,
    file: &mut envelope::Reader<impl Read>,
) -> Result<Vec<Poly>, ReadError> {
    let mut zeros = [0; PAGE as usize];
    let zeros = &mut zeros[..padding as usize];
    file.fill(zeros)?;
    if zeros.iter().any(|&byte| byte != 0) {
        return Err(malformed("padding that is not zero".to_owned()).into());
    }
    let n_limbs = section.limbs.len() + section.n_special;
    let body = |_| {
        let mut body = Poly::uninitialized(ring.n(), n_limbs);
        for limb in body.limbs_mut() {
            file.fill(bytemuck::cast_slice_mut(limb))?;
        }
        Ok(body)
    };
    ring.params.digits(section.limbs).into_iter().map(body).collect()
}

/// The key of one section, with uniform halves if it is given their seed, or what is wrong with it.
fn complete(
    ring: &Ring,
    section: &KeySection,
    seed: Option<&Seed>,
    bodies: Vec<Poly>,
) -> Result<KeySwitchKey, String> {
    let special = ring.n_q..ring.n_q + section.n_special;
    let limbs: Vec<usize> = section.limbs.iter().chain(special).collect();
    let mut digits = BTreeMap::new();
    for (digit, mut body) in ring.params.digits(section.limbs).into_iter().zip(bodies) {
        let problem = Mutex::new(None);
        body.update(|k, words| {
            let q = ring.modulus(limbs[k]).value();
            words.iter_mut().for_each(|word| *word = u64::from_le(*word));
            if let Some(residue) = words.iter().find(|&&residue| residue >= q) {
                let what = format!("{:?}: residue {residue} modulo {q}", section.key);
                *problem.lock().expect("no panic under this lock") = Some(what);
            }
        });
        if let Some(what) = problem.into_inner().expect("no panic under this lock") {
            return Err(what);
        }
        let expand = |seed| KeySwitchKey::uniform_half(ring, seed, section.key, digit, &limbs);
        digits.insert(digit, KeyDigit { body, uniform: seed.map(expand) });
    }
    Ok(KeySwitchKey { limbs: section.limbs, n_special: section.n_special, digits })
}

/// Where the keys of a plan lie in a payload.
struct Layout {
    /// Bytes before the padding of the first section.
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
