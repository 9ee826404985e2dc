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
//! | 56..72 | id of the keys; zero in a plan and its parts |
//! | 72..80 | zeros |
//! | then | payload |
//! | last 32 | BLAKE3 of all bytes before |
//!
//! Integers are little-endian. The checksum comes last so that a file can be written in one pass; it finds damage, not
//! malice: whoever writes a file can write its checksum too, so readers trust nothing in a payload.

mod error;
mod kind;
mod origin;
mod read;
mod write;

use bytes::Bytes;

pub use error::FileError;
pub use kind::{Kind, MAGIC, PAYLOAD, VERSION, file_size};
pub use origin::{Fingerprint, KeyId, Origin};
pub use read::{ReadError, Reader};
pub use write::{Writer, seal};

use kind::{CHECKSUM, FIELDS};

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
    ///
    /// # Errors
    /// Names the plan that it was made for.
    pub fn expect_plan(&self, expected: Fingerprint) -> Result<(), FileError> {
        self.origin.expect_plan(self.kind, expected)
    }

    /// Checks that the file was made for the plan and with the keys of `expected`.
    ///
    /// # Errors
    /// Names the plan or the keys that it was made for.
    pub fn expect(&self, expected: Origin) -> Result<(), FileError> {
        self.origin.expect(self.kind, expected)
    }
}

/// What a header says of the file, by which its length is judged.
struct Header {
    kind: Kind,
    payload_len: u64,
}

impl Header {
    /// That of a file of `len` bytes which should be of kind `expected`.
    fn of_kind(bytes: &[u8], len: u64, expected: Kind) -> Result<Header, FileError> {
        match kind_of(bytes)? {
            found if found == expected => Header::of(bytes, len),
            found => Err(FileError::Kind { found, expected }),
        }
    }

    /// That of a file of `len` bytes.
    fn of(bytes: &[u8], len: u64) -> Result<Header, FileError> {
        let kind = kind_of(bytes)?;
        let smallest = file_size(0);
        if len < smallest {
            return Err(FileError::Length { found: len, expected: smallest });
        }
        let payload_len = u64::from_le_bytes(field(bytes, 16));
        let expected = payload_len.saturating_add(smallest);
        if len != expected {
            return Err(FileError::Length { found: len, expected });
        }
        Ok(Header { kind, payload_len })
    }
}

impl Origin {
    fn expect_plan(self, kind: Kind, expected: Fingerprint) -> Result<(), FileError> {
        let found = self.plan;
        if found == expected {
            return Ok(());
        }
        Err(FileError::OtherPlan { kind, found, expected })
    }

    fn expect(self, kind: Kind, expected: Origin) -> Result<(), FileError> {
        self.expect_plan(kind, expected.plan)?;
        let (found, expected) = (self.key, expected.key);
        if found == expected {
            return Ok(());
        }
        Err(FileError::OtherKey { kind, found, expected })
    }

    fn of_header(bytes: &[u8]) -> Origin {
        Origin { plan: Fingerprint(field(bytes, 24)), key: KeyId(field(bytes, 56)) }
    }
}

/// Opens a file that should be of kind `expected`. Copies nothing.
///
/// # Errors
/// If it is of another kind or version, of another length than it says, or damaged.
pub fn open(bytes: Bytes, expected: Kind) -> Result<Envelope, FileError> {
    Header::of_kind(&bytes, bytes.len() as u64, expected)?;
    open_any(bytes)
}

/// Opens a file of any kind. Copies nothing.
///
/// # Errors
/// If it is no file of hecc, of another version, of another length than it says, or damaged.
pub fn open_any(bytes: Bytes) -> Result<Envelope, FileError> {
    let Header { kind, .. } = Header::of(&bytes, bytes.len() as u64)?;
    let end = bytes.len() - CHECKSUM;
    let found = Fingerprint(blake3::hash(&bytes[..end]).into());
    let expected = Fingerprint(field(&bytes, end));
    if found != expected {
        return Err(FileError::Checksum { found, expected });
    }
    if bytes[FIELDS..PAYLOAD].iter().any(|&byte| byte != 0) {
        let what = "the padding of the header is not zero".to_owned();
        return Err(FileError::Content { kind, what });
    }
    let origin = Origin::of_header(&bytes);
    if kind.is_of_plan() && origin != Origin::of_plan(origin.plan) {
        let what = format!("it belongs to key {}, expected none", origin.key);
        return Err(FileError::Content { kind, what });
    }
    Ok(Envelope { kind, origin, payload: bytes.slice(PAYLOAD..end) })
}

/// The plan and the keys that a file of kind `expected` says it belongs to. Nothing else of it is checked.
///
/// # Errors
/// If it is of another kind, or of another length than it says.
pub fn origin_of(file: &[u8], expected: Kind) -> Result<Origin, FileError> {
    Header::of_kind(file, file.len() as u64, expected)?;
    Ok(Origin::of_header(file))
}

/// What a file says it is, from its first 16 bytes.
///
/// # Errors
/// If it is no file of hecc, or of a version or kind that this one does not know.
pub fn kind_of(bytes: &[u8]) -> Result<Kind, FileError> {
    if bytes.len() < 16 {
        let starts_well = !bytes.is_empty() && bytes.iter().zip(&MAGIC).all(|(a, b)| a == b);
        let (found, expected) = (bytes.len() as u64, file_size(0));
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

/// The checksum that a file carries, which names its content once the file was opened; zero if it is too short for one.
pub fn checksum(file: &[u8]) -> Fingerprint {
    Fingerprint(file.last_chunk().copied().unwrap_or_default())
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
            let origin = if kind.is_of_plan() { Origin::of_plan(PLAN) } else { KEYS };
            for payload in [&b""[..], b"x", &[7; 5000]] {
                let file = Bytes::from(seal(kind, origin, payload));
                assert_eq!(file.len() as u64, file_size(payload.len() as u64));
                let envelope = open(file.clone(), kind).unwrap();
                assert_eq!((&envelope.payload[..], envelope.origin), (payload, origin));
                assert_eq!(envelope.payload.as_ptr(), file[PAYLOAD..].as_ptr());
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
        newer[8] = 77;
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
            "this is a secret key of format version 77, this program reads version 9 only",
            "this is a file of format version 77, this program reads version 9 only",
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
}
