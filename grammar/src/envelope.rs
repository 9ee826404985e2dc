//! The container that every file of hecc is in: what it is, which plan and which keys it belongs to, and a checksum of
//! every byte.
//!
//! | bytes | content |
//! |---|---|
//! | 0..8 | [`MAGIC`] |
//! | 8..12 | format version |
//! | 12..16 | [`Kind`] |
//! | 16..24 | length of the payload |
//! | 24..56 | fingerprint of the plan |
//! | 56..72 | id of the keys; zero in a plan |
//! | 72.. | zeros up to [`Kind::payload_offset`] |
//! | then | payload |
//! | last 32 | BLAKE3 of all bytes before |
//!
//! Integers are little-endian. The checksum comes last so that a file can be written in one pass; it finds damage, not
//! malice: whoever writes a file can write its checksum too, so readers trust nothing in a payload.

mod error;
mod origin;

use std::fmt;
use std::io::{self, Write};

use bytes::Bytes;

pub use error::FileError;
pub use origin::{Fingerprint, KeyId, Origin};

/// The first eight bytes. The first is not text and the last three are changed by text-mode transfers.
pub const MAGIC: [u8; 8] = *b"\x89hecc\r\n\x1a";
/// The version of the container and of all payloads. Readers refuse every other version.
pub const VERSION: u32 = 5;

const FIELDS: usize = 72;
const CHECKSUM: usize = blake3::OUT_LEN;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A compiled network.
    Plan,
    /// A secret key.
    SecretKey,
    /// Evaluation keys.
    EvaluationKeys,
    /// Ciphertexts of an input, on their way to the server.
    Input,
    /// Ciphertexts of a result, on their way back.
    Result,
}

impl Kind {
    const ALL: [Kind; 5] =
        [Kind::Plan, Kind::SecretKey, Kind::EvaluationKeys, Kind::Input, Kind::Result];

    /// The number that stands for it in a file.
    fn code(self) -> u32 {
        match self {
            Kind::Plan => 1,
            Kind::SecretKey => 2,
            Kind::EvaluationKeys => 3,
            Kind::Input => 4,
            Kind::Result => 5,
        }
    }

    fn of_code(code: u32) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The first byte of the payload: a page boundary for evaluation keys, which are memory-mapped.
    pub fn payload_offset(self) -> usize {
        match self {
            Kind::Plan | Kind::SecretKey | Kind::Input | Kind::Result => 80,
            Kind::EvaluationKeys => 4096,
        }
    }

    /// The exact size of a file with a payload of `payload_len` bytes.
    pub fn file_size(self, payload_len: u64) -> u64 {
        (self.payload_offset() + CHECKSUM) as u64 + payload_len
    }
}

/// Prints with its article: `a plan`, `evaluation keys`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Plan => "a plan",
            Kind::SecretKey => "a secret key",
            Kind::EvaluationKeys => "evaluation keys",
            Kind::Input => "an encrypted input",
            Kind::Result => "an encrypted result",
        })
    }
}

/// A file whose header and checksum hold. Its payload is still to be judged.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// What it is.
    pub kind: Kind,
    /// The plan and the keys that it belongs to.
    pub origin: Origin,
    /// The content: a part of the bytes that were opened, not a copy.
    pub payload: Bytes,
}

impl Envelope {
    /// Checks that the file was made for the plan `expected`.
    pub fn expect_plan(&self, expected: Fingerprint) -> Result<(), FileError> {
        let found = self.origin.plan;
        if found == expected {
            return Ok(());
        }
        Err(FileError::OtherPlan { kind: self.kind, found, expected })
    }

    /// Checks that the file was made for the plan and with the keys of `expected`.
    pub fn expect(&self, expected: Origin) -> Result<(), FileError> {
        self.expect_plan(expected.plan)?;
        let (found, expected) = (self.origin.key, expected.key);
        if found == expected {
            return Ok(());
        }
        Err(FileError::OtherKey { kind: self.kind, found, expected })
    }
}

/// Opens a file that should be of kind `expected`. Copies nothing.
pub fn open(bytes: Bytes, expected: Kind) -> Result<Envelope, FileError> {
    let found = kind_of(&bytes)?;
    if found != expected {
        return Err(FileError::Kind { found, expected });
    }
    open_any(bytes)
}

/// Opens a file of any kind. Copies nothing.
pub fn open_any(bytes: Bytes) -> Result<Envelope, FileError> {
    let kind = kind_of(&bytes)?;
    let found = bytes.len() as u64;
    let smallest = kind.file_size(0);
    if found < smallest {
        return Err(FileError::Length { found, expected: smallest });
    }
    let payload_len = u64::from_le_bytes(field(&bytes, 16));
    let expected = payload_len.saturating_add(smallest);
    if found != expected {
        return Err(FileError::Length { found, expected });
    }
    let end = bytes.len() - CHECKSUM;
    let found = Fingerprint(blake3::hash(&bytes[..end]).into());
    let expected = Fingerprint(field(&bytes, end));
    if found != expected {
        return Err(FileError::Checksum { found, expected });
    }
    let offset = kind.payload_offset();
    if bytes[FIELDS..offset].iter().any(|&byte| byte != 0) {
        let what = "the padding of the header is not zero".to_owned();
        return Err(FileError::Content { kind, what });
    }
    let origin = Origin { plan: Fingerprint(field(&bytes, 24)), key: KeyId(field(&bytes, 56)) };
    if kind == Kind::Plan && origin != Origin::of_plan(origin.plan) {
        let what = format!("it belongs to key {}, expected none", origin.key);
        return Err(FileError::Content { kind, what });
    }
    Ok(Envelope { kind, origin, payload: bytes.slice(offset..end) })
}

/// What a file says it is, from its first 16 bytes.
pub fn kind_of(bytes: &[u8]) -> Result<Kind, FileError> {
    if bytes.len() < 16 {
        let starts_well = !bytes.is_empty() && bytes.iter().zip(&MAGIC).all(|(a, b)| a == b);
        let (found, expected) = (bytes.len() as u64, Kind::Plan.file_size(0));
        let truncated = FileError::Length { found, expected };
        return Err(if starts_well || bytes.is_empty() { truncated } else { FileError::Magic });
    }
    if bytes[..8] != MAGIC {
        return Err(FileError::Magic);
    }
    let code = u32::from_le_bytes(field(bytes, 12));
    let kind = Kind::of_code(code);
    let found = u32::from_le_bytes(field(bytes, 8));
    if found != VERSION {
        return Err(FileError::Version { kind, found });
    }
    kind.ok_or(FileError::UnknownKind(code))
}

/// What a file of any version of hecc says it is, from its first 16 bytes; `None` if it is no file of hecc.
pub fn kind_of_any_version(bytes: &[u8]) -> Option<Kind> {
    match kind_of(bytes) {
        Ok(kind) => Some(kind),
        Err(FileError::Version { kind, .. }) => kind,
        Err(_) => None,
    }
}

/// The `N` bytes at `at`, which the caller knows to be there.
fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("a range of N bytes")
}

/// A whole file in memory.
pub fn seal(kind: Kind, origin: Origin, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u64;
    let mut file = Vec::with_capacity(kind.file_size(len) as usize);
    let mut writer = Writer::new(&mut file, kind, origin, len).expect("a Vec takes all bytes");
    writer.write_all(payload).expect("a Vec takes all bytes");
    writer.finish().expect("as many bytes as announced");
    file
}

/// Writes a file in one pass. The length of the payload must be known beforehand.
pub struct Writer<W: Write> {
    inner: W,
    hasher: blake3::Hasher,
    left: u64,
}

impl<W: Write> Writer<W> {
    /// Writes the header. `payload_len` bytes must follow.
    pub fn new(inner: W, kind: Kind, origin: Origin, payload_len: u64) -> io::Result<Writer<W>> {
        let mut header = vec![0; kind.payload_offset()];
        header[..8].copy_from_slice(&MAGIC);
        header[8..12].copy_from_slice(&VERSION.to_le_bytes());
        header[12..16].copy_from_slice(&kind.code().to_le_bytes());
        header[16..24].copy_from_slice(&payload_len.to_le_bytes());
        header[24..56].copy_from_slice(&origin.plan.0);
        header[56..FIELDS].copy_from_slice(&origin.key.0);
        let left = payload_len + header.len() as u64;
        let mut writer = Writer { inner, hasher: blake3::Hasher::new(), left };
        writer.write_all(&header)?;
        Ok(writer)
    }

    /// Writes the checksum. Fails if the payload is not as long as announced.
    pub fn finish(mut self) -> io::Result<W> {
        if self.left != 0 {
            let what = format!("{} bytes of the payload are missing", self.left);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
        }
        self.inner.write_all(self.hasher.finalize().as_bytes())?;
        self.inner.flush()?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.left {
            let what = format!("payload of {} bytes, {} are left", bytes.len(), self.left);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Fingerprint = Fingerprint([0xab; 32]);
    const KEYS: Origin = Origin { plan: PLAN, key: KeyId([0xef; 16]) };

    fn error(file: &[u8]) -> FileError {
        open(Bytes::copy_from_slice(file), Kind::SecretKey).expect_err("the file is wrong")
    }

    #[test]
    fn what_is_sealed_opens() {
        for kind in Kind::ALL {
            let origin = if kind == Kind::Plan { Origin::of_plan(PLAN) } else { KEYS };
            for payload in [&b""[..], b"x", &[7; 5000]] {
                let file = Bytes::from(seal(kind, origin, payload));
                assert_eq!(file.len() as u64, kind.file_size(payload.len() as u64));
                let envelope = open(file.clone(), kind).unwrap();
                assert_eq!((&envelope.payload[..], envelope.origin), (payload, origin));
                assert_eq!(envelope.payload.as_ptr(), file[kind.payload_offset()..].as_ptr());
            }
        }
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_found() {
        let file = seal(Kind::SecretKey, KEYS, b"eleven more");
        for bit in 0..file.len() * 8 {
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            error(&flipped);
        }
        for len in 0..file.len() {
            error(&file[..len]);
        }
        assert!(matches!(error(&[&file[..], b"0"].concat()), FileError::Length { .. }));
    }

    #[test]
    fn errors_name_found_and_expected() {
        let file = seal(Kind::SecretKey, KEYS, b"eleven more");
        let envelope = open(file.clone().into(), Kind::SecretKey).unwrap();
        let mut newer = file.clone();
        newer[8] = 6;
        let mut unknown = newer.clone();
        unknown[12] = 77;
        let messages = [
            open(file.clone().into(), Kind::Plan).unwrap_err(),
            error(&newer),
            error(&unknown),
            error(&file[..120]),
            error(&file[..3]),
            error(b"PK\x03\x04"),
            envelope.expect_plan(Fingerprint([0xcd; 32])).unwrap_err(),
            envelope.expect(Origin { key: KeyId([0xcd; 16]), ..KEYS }).unwrap_err(),
        ]
        .map(|error| error.to_string());
        let expected = [
            "this is a secret key, expected a plan",
            "this is a secret key of format version 6, this program reads version 5 only",
            "this is a file of format version 6, this program reads version 5 only",
            "the file has 120 bytes, expected 123: it is truncated",
            "the file has 3 bytes, expected 112: it is truncated",
            "this is not a file of hecc: it does not start with the eight bytes that all of them do",
            "this is a secret key made for plan abababababab, this plan is cdcdcdcdcdcd",
            "this is a secret key of key efefefefefef, expected those of key cdcdcdcdcdcd",
        ];
        assert_eq!(messages, expected);
    }

    #[test]
    fn a_plan_belongs_to_no_key() {
        let file = Bytes::from(seal(Kind::Plan, KEYS, b"plan"));
        let error = open(file, Kind::Plan).unwrap_err().to_string();
        assert!(error.contains("it belongs to key efefefefefef, expected none"), "{error}");
    }

    #[test]
    fn files_of_other_versions_are_known() {
        let mut file = seal(Kind::SecretKey, KEYS, b"");
        file[8] = 1;
        assert_eq!(kind_of_any_version(&file), Some(Kind::SecretKey));
        assert_eq!(kind_of_any_version(b"\x08\x07 some network"), None);
    }

    #[test]
    fn a_writer_wants_as_many_bytes_as_announced() {
        let mut writer = Writer::new(vec![], Kind::Plan, Origin::of_plan(PLAN), 3).unwrap();
        writer.write_all(b"ab").unwrap();
        assert!(writer.write_all(b"cd").is_err());
        assert!(writer.finish().is_err());
    }
}
