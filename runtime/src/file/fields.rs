//! Fields of a payload, one after the other; and the parameters that every payload starts with.

use hecc_grammar::envelope::{FileError, Fingerprint, Kind};
use hecc_grammar::plan::{Params, Plaintexts};
use hecc_grammar::security::Security;

/// Most primes of either sort that a payload may list: as many as a plan may have.
const MAX_PRIMES: usize = 64;

/// Reads a payload from its start.
pub(crate) struct Reader<'a> {
    /// What the file is, for errors.
    pub(crate) kind: Kind,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// At the start of a payload.
    pub(crate) fn new(kind: Kind, payload: &'a [u8]) -> Reader<'a> {
        Reader { kind, rest: payload }
    }

    /// The error that says what was found and what was expected.
    pub(crate) fn malformed(&self, what: impl Into<String>) -> FileError {
        FileError::Content { kind: self.kind, what: what.into() }
    }

    /// The next `len` bytes.
    pub(crate) fn bytes(&mut self, len: usize) -> Result<&'a [u8], FileError> {
        let Some((bytes, rest)) = self.rest.split_at_checked(len) else {
            let left = self.rest.len();
            return Err(self.malformed(format!("{left} bytes are left where {len} are expected")));
        };
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FileError> {
        Ok(self.bytes(N)?.try_into().expect("N bytes were asked for"))
    }

    /// The next four bytes.
    pub(crate) fn u32(&mut self) -> Result<u32, FileError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// The next eight bytes.
    pub(crate) fn u64(&mut self) -> Result<u64, FileError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// The next eight bytes, as a double.
    pub(crate) fn f64(&mut self) -> Result<f64, FileError> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// A seed of 16 bytes.
    pub(crate) fn seed(&mut self) -> Result<[u8; 16], FileError> {
        self.array()
    }

    /// A checksum of 32 bytes.
    pub(crate) fn fingerprint(&mut self) -> Result<Fingerprint, FileError> {
        Ok(Fingerprint(self.array()?))
    }

    /// Bytes that are not read yet.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Checks that nothing is left.
    pub(crate) fn finish(&self) -> Result<(), FileError> {
        match self.left() {
            0 => Ok(()),
            left => Err(self.malformed(format!("{left} bytes follow its end"))),
        }
    }

    /// The parameters, each number sane by itself.
    pub(crate) fn params(&mut self) -> Result<Params, FileError> {
        let log_n = self.u32()?;
        let bits = self.u32()?;
        let (input_level, top_scale) = (self.u64()? as usize, self.f64()?);
        let counts = [self.u32()?, self.u32()?, self.u32()?].map(|count| count as usize);
        if !(3..=17).contains(&log_n) {
            return Err(self.malformed(format!("log_n is {log_n}, expected 3 to 17")));
        }
        if counts[0] == 0 || counts.iter().any(|&count| count > MAX_PRIMES) {
            let what = format!("{counts:?} primes, expected at most {MAX_PRIMES} of each sort");
            return Err(self.malformed(what));
        }
        let Some(security) = Security::from_file(bits) else {
            return Err(self.malformed(format!("{bits} bits of security are no known level")));
        };
        let mut primes = |count: usize| (0..count).map(|_| self.u64()).collect::<Result<_, _>>();
        let (q, t, p): (_, Vec<u64>, _) =
            (primes(counts[0])?, primes(counts[1])?, primes(counts[2])?);
        let plaintexts = Plaintexts::from_fields(t, top_scale);
        let plaintexts = plaintexts.map_err(|what| self.malformed(what))?;
        Ok(Params { plaintexts, log_n, q, p, input_level, security })
    }
}

/// Reads the parameters and checks that they are the plan's.
pub(crate) fn check_params(reader: &mut Reader<'_>, params: &Params) -> Result<(), FileError> {
    if reader.params()? == *params {
        return Ok(());
    }
    Err(reader.malformed("its parameters are not those of the plan that it names"))
}

/// Bytes that the parameters take.
pub(crate) fn params_bytes(params: &Params) -> usize {
    36 + 8 * (params.q.len() + params.t().len() + params.p.len())
}

/// Appends the parameters.
pub(crate) fn put_params(out: &mut Vec<u8>, params: &Params) {
    out.extend(params.log_n.to_le_bytes());
    out.extend(params.security.bits().to_le_bytes());
    out.extend((params.input_level as u64).to_le_bytes());
    out.extend(params.top_scale().to_le_bytes());
    let primes = [&params.q, params.t(), &params.p];
    primes.iter().for_each(|primes| out.extend((primes.len() as u32).to_le_bytes()));
    primes.into_iter().flatten().for_each(|prime| out.extend(prime.to_le_bytes()));
}
