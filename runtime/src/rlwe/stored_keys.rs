//! Evaluation keys left where they are stored, packed, to be read a limb at a time whenever they are used.

use std::fs::File;
use std::io;
use std::sync::OnceLock;

use crate::ring::{packed_bytes, unpack};

/// Bytes that are read anywhere, from several threads.
pub trait ReadAt: Send + Sync {
    /// Fills `out` with what begins at `offset`.
    ///
    /// # Errors
    /// If it cannot be read, or there is less.
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for File {
    #[cfg(unix)]
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, out, offset)
    }

    #[cfg(not(unix))]
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        // A handle of its own, with a place of its own.
        let mut file = self.try_clone()?;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(out)
    }
}

impl ReadAt for bytes::Bytes {
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        let bytes =
            from.and_then(|bytes| bytes.get(..out.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }
}

/// Where the `b` halves of evaluation keys are stored. They were read once and found right; should they not be any more, results are
/// worthless, and [`StoredKeys::failure`] says so.
pub struct StoredKeys {
    source: Box<dyn ReadAt>,
    failure: OnceLock<String>,
}

impl StoredKeys {
    /// Keys that are read from `source`.
    pub fn new(source: Box<dyn ReadAt>) -> StoredKeys {
        StoredKeys { source, failure: OnceLock::new() }
    }

    /// The packed residues modulo `q` that begin at a byte.
    pub fn limb(&self, offset: u64, q: u64, n: usize) -> Vec<u64> {
        let mut residues = vec![0; n];
        let mut packed = vec![0; packed_bytes(n, q)];
        let problem = match self.source.read_at(&mut packed, offset) {
            Err(error) => Some(error.to_string()),
            Ok(()) => unpack(&mut residues, &packed, q).map(|_| "it has changed".to_owned()),
        };
        if let Some(problem) = problem {
            self.failure.get_or_init(|| problem);
            residues.fill(0);
        }
        residues
    }

    /// What went wrong, if anything did.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }
}
