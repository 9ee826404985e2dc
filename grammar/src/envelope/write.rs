//! Writing files in one pass.

use std::io::{self, Write};

use super::kind::{FIELDS, Kind, MAGIC, PAYLOAD, VERSION, file_size};
use super::origin::Origin;

/// A whole file in memory.
pub fn seal(kind: Kind, origin: Origin, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u64;
    let mut file = Vec::with_capacity(file_size(len) as usize);
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
    ///
    /// # Errors
    /// If `inner` fails.
    pub fn new(inner: W, kind: Kind, origin: Origin, payload_len: u64) -> io::Result<Writer<W>> {
        let mut header = vec![0; PAYLOAD];
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

    /// Writes the checksum.
    ///
    /// # Errors
    /// If `inner` fails, or the payload is not as long as announced.
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
    use super::super::origin::Fingerprint;
    use super::*;

    #[test]
    fn a_writer_wants_as_many_bytes_as_announced() {
        let mut writer =
            Writer::new(vec![], Kind::Plan, Origin::of_plan(Fingerprint([0xab; 32])), 3).unwrap();
        writer.write_all(b"ab").unwrap();
        assert!(writer.write_all(b"cd").is_err());
        assert!(writer.finish().is_err());
    }
}
