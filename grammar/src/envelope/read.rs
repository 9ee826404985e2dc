//! Reading files in one pass, piece by piece: memory need not hold them whole.

use std::io::{self, Read};

use super::error::FileError;
use super::kind::{CHECKSUM, FIELDS, Kind, PAYLOAD};
use super::origin::{Fingerprint, Origin};
use super::{Header, field};

/// Why a file could not be read: there is no third reason.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be got at.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not what it should be.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Largest piece that is read only to be checked.
const PIECE: usize = 1 << 16;

/// Reads the payload of a file in one pass. That no byte of it changed is known in the end only: until [`Reader::finish`] it may
/// hold anything, and what is wrong with it is to be told by [`Reader::refuse`].
pub struct Reader<R> {
    inner: R,
    hasher: blake3::Hasher,
    kind: Kind,
    origin: Origin,
    payload_len: u64,
    /// Bytes of the payload that are to come.
    left: u64,
}

impl<R: Read> Reader<R> {
    /// Reads the header of a file of `len` bytes that should be of kind `expected`.
    ///
    /// # Errors
    /// If it is no such file, or of another length than it says.
    pub fn new(mut inner: R, len: u64, expected: Kind) -> Result<Reader<R>, ReadError> {
        let mut header = vec![];
        inner.by_ref().take(PAYLOAD as u64).read_to_end(&mut header)?;
        let Header { kind, payload_len } = Header::of_kind(&header, len, expected)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&header);
        let origin = Origin::of_header(&header);
        let mut reader = Reader { inner, hasher, kind, origin, payload_len, left: payload_len };
        if header[FIELDS..].iter().any(|&byte| byte != 0) {
            let what = "the padding of the header is not zero".to_owned();
            return Err(reader.refuse(FileError::Content { kind, what }));
        }
        Ok(reader)
    }

    /// Checks that the file says to be made for the plan and with the keys of `expected`.
    ///
    /// # Errors
    /// Names what it is of.
    pub fn expect(&self, expected: Origin) -> Result<(), FileError> {
        self.origin.expect(self.kind, expected)
    }

    /// Bytes of the whole payload.
    pub fn payload_len(&self) -> u64 {
        self.payload_len
    }

    /// Fills `out` with the next bytes of the payload.
    ///
    /// # Errors
    /// If it has fewer.
    pub fn fill(&mut self, out: &mut [u8]) -> Result<(), ReadError> {
        if out.len() as u64 > self.left {
            let what = format!("{} bytes are left where {} are expected", self.left, out.len());
            return Err(FileError::Content { kind: self.kind, what }.into());
        }
        self.inner.read_exact(out)?;
        self.hasher.update(out);
        self.left -= out.len() as u64;
        Ok(())
    }

    /// Reads what is left and compares checksums. Returns that of the file, which names its content.
    ///
    /// # Errors
    /// If a byte changed.
    pub fn finish(&mut self) -> Result<Fingerprint, ReadError> {
        let mut piece = [0; PIECE];
        while self.left > 0 {
            let count = PIECE.min(usize::try_from(self.left).unwrap_or(PIECE));
            self.fill(&mut piece[..count])?;
        }
        let mut recorded = [0; CHECKSUM];
        self.inner.read_exact(&mut recorded)?;
        let found = Fingerprint(self.hasher.finalize().into());
        let expected = Fingerprint(field(&recorded, 0));
        if found != expected {
            return Err(FileError::Checksum { found, expected }.into());
        }
        Ok(expected)
    }

    /// What to tell of a payload with an error: that the file is damaged, if it is.
    pub fn refuse(&mut self, error: impl Into<ReadError>) -> ReadError {
        match error.into() {
            ReadError::File(error) => self.finish().err().unwrap_or(ReadError::File(error)),
            ReadError::Io(error) => ReadError::Io(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{KeyId, seal};
    use super::*;

    const ORIGIN: Origin = Origin { plan: Fingerprint([0xab; 32]), key: KeyId([0xef; 16]) };

    fn read(file: &[u8]) -> Result<Fingerprint, ReadError> {
        let mut reader = Reader::new(file, file.len() as u64, Kind::EvaluationKeys)?;
        assert_eq!(reader.payload_len(), 6);
        let mut payload = [0; 4];
        reader.fill(&mut payload)?;
        match &payload {
            b"some" => reader.finish(),
            _ => Err(reader.refuse(FileError::Promise("other words".to_owned()))),
        }
    }

    #[test]
    fn files_are_read_and_every_flipped_bit_is_found() {
        let file = seal(Kind::EvaluationKeys, ORIGIN, b"some 6");
        let checksum = read(&file).unwrap();
        assert_eq!(checksum, super::super::checksum(&file));
        for byte in (0..FIELDS + 2).chain(file.len() - 40..file.len()) {
            for bit in 0..8 {
                let mut flipped = file.clone();
                flipped[byte] ^= 1 << bit;
                let error = read(&flipped).unwrap_err();
                let is_content = matches!(error, ReadError::File(FileError::Promise(_)));
                assert!(!is_content, "byte {byte}: {error}");
            }
        }
        assert!(read(&file[..file.len() - 1]).is_err());
    }

    #[test]
    fn what_is_sound_but_wrong_is_told_as_such() {
        let file = seal(Kind::EvaluationKeys, ORIGIN, b"same 6");
        assert_eq!(read(&file).unwrap_err().to_string(), "the plan breaks a promise: other words");
        let mut reader = Reader::new(&file[..], file.len() as u64, Kind::EvaluationKeys).unwrap();
        let error = reader.fill(&mut [0; 7]).unwrap_err().to_string();
        assert!(error.contains("6 bytes are left where 7 are expected"), "{error}");
        let error = Reader::new(&file[..], 1 << 40, Kind::EvaluationKeys).err().unwrap();
        assert!(matches!(error, ReadError::File(FileError::Length { .. })), "{error}");
    }
}
