//! The primitives of a plan's payload. Each value has one encoding, so that a plan has one fingerprint.

/// What is wrong with the bytes, and where.
#[derive(Debug)]
pub(super) struct Malformed(pub(super) String);

/// Appends values to bytes.
#[derive(Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    /// LEB128: seven bits a byte, lowest first.
    pub(super) fn varint(&mut self, mut x: u64) {
        while x >= 0x80 {
            self.0.push(x as u8 | 0x80);
            x >>= 7;
        }
        self.0.push(x as u8);
    }

    /// A signed number near zero.
    pub(super) fn zigzag(&mut self, x: i64) {
        self.varint((x << 1 ^ x >> 63) as u64);
    }

    pub(super) fn u32(&mut self, x: u32) {
        self.0.extend(x.to_le_bytes());
    }

    pub(super) fn u64(&mut self, x: u64) {
        self.0.extend(x.to_le_bytes());
    }

    pub(super) fn f64(&mut self, x: f64) {
        self.0.extend(x.to_le_bytes());
    }

    pub(super) fn f64s(&mut self, list: &[f64]) {
        self.varint(list.len() as u64);
        list.iter().for_each(|&x| self.f64(x));
    }

    pub(super) fn string(&mut self, text: &str) {
        self.varint(text.len() as u64);
        self.0.extend(text.as_bytes());
    }

    /// What `write` appends, its length before it.
    pub(super) fn block(&mut self, write: impl FnOnce(&mut Writer)) {
        let at = self.0.len();
        self.u64(0);
        write(self);
        let len = (self.0.len() - at - 8) as u64;
        self.0[at..at + 8].copy_from_slice(&len.to_le_bytes());
    }
}

/// Takes values off bytes that may say anything. What it allocates is at most what it takes.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    total: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes, total: bytes.len() }
    }

    /// An error at this place.
    pub(super) fn fail<T>(&self, what: impl std::fmt::Display) -> Result<T, Malformed> {
        Err(Malformed(format!("{what} (byte {} of {})", self.total - self.rest.len(), self.total)))
    }

    /// Checks that all was read.
    pub(super) fn finish(&self) -> Result<(), Malformed> {
        match self.rest.len() {
            0 => Ok(()),
            left => self.fail(format!("{left} bytes are left over")),
        }
    }

    pub(super) fn bytes(&mut self, len: u64) -> Result<&'a [u8], Malformed> {
        let split = usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len));
        let Some((head, rest)) = split else {
            return self.fail(format!("{len} bytes expected, {} are left", self.rest.len()));
        };
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        Ok(self.bytes(N as u64)?.try_into().expect("as many bytes as asked for"))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn f64(&mut self) -> Result<f64, Malformed> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    pub(super) fn varint(&mut self) -> Result<u64, Malformed> {
        let mut x = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits || (byte == 0 && shift > 0) {
                return self.fail("a number is too large or has leading zeros");
            }
            x |= bits << shift;
            if byte < 0x80 {
                return Ok(x);
            }
        }
        self.fail("a number has more than ten bytes")
    }

    /// A number of the type wanted.
    pub(super) fn number<T: TryFrom<u64>>(&mut self) -> Result<T, Malformed> {
        let x = self.varint()?;
        T::try_from(x).or_else(|_| self.fail(format!("{x} is too large")))
    }

    pub(super) fn zigzag(&mut self) -> Result<i64, Malformed> {
        let x = self.varint()?;
        Ok((x >> 1) as i64 ^ -((x & 1) as i64))
    }

    /// A zigzag number that fits 32 bits.
    pub(super) fn small(&mut self) -> Result<i32, Malformed> {
        let x = self.zigzag()?;
        i32::try_from(x).or_else(|_| self.fail(format!("{x} is too large")))
    }

    /// How many things follow, each of which takes at least `least` bytes.
    pub(super) fn count(&mut self, least: usize) -> Result<usize, Malformed> {
        let count = self.varint()?;
        if count > (self.rest.len() / least) as u64 {
            return self.fail(format!("{count} things in {} bytes", self.rest.len()));
        }
        Ok(count as usize)
    }

    /// How many things follow, at most `most`; each takes a byte or more.
    pub(super) fn at_most(&mut self, most: usize) -> Result<usize, Malformed> {
        let count = self.count(1)?;
        if count > most {
            return self.fail(format!("{count} things, expected at most {most}"));
        }
        Ok(count)
    }

    pub(super) fn bool(&mut self) -> Result<bool, Malformed> {
        match self.varint()? {
            0 => Ok(false),
            1 => Ok(true),
            x => self.fail(format!("{x}, expected 0 or 1")),
        }
    }

    pub(super) fn f64s(&mut self) -> Result<Vec<f64>, Malformed> {
        list(self.count(8)?, || self.f64())
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        let len = self.varint()?;
        let bytes = self.bytes(len)?;
        std::str::from_utf8(bytes).or_else(|_| self.fail("a text is not UTF-8"))
    }

    pub(super) fn string(&mut self) -> Result<String, Malformed> {
        Ok(self.text()?.to_owned())
    }

    /// What a [`Writer::block`] holds.
    pub(super) fn block(&mut self) -> Result<Reader<'a>, Malformed> {
        let len = self.u64()?;
        Ok(Reader::new(self.bytes(len)?))
    }

    /// Whether all was read.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The bytes not yet read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// `count` things, in memory of exactly their size.
pub(super) fn list<T, E>(
    count: usize,
    mut read: impl FnMut() -> Result<T, E>,
) -> Result<Vec<T>, E> {
    let mut list = Vec::with_capacity(count);
    for _ in 0..count {
        list.push(read()?);
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_encoding() {
        for x in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut w = Writer::default();
            w.varint(x);
            w.zigzag(x as i64);
            let mut r = Reader::new(&w.0);
            assert_eq!((r.varint().unwrap(), r.zigzag().unwrap()), (x, x as i64));
            r.finish().unwrap();
        }
        for bytes in [&[0x80, 0][..], &[0xff; 9], &[0xff; 11], &[0x80]] {
            assert!(Reader::new(bytes).varint().is_err(), "{bytes:?}");
        }
        let mut largest = vec![0xff; 9];
        largest.push(2);
        assert!(Reader::new(&largest).varint().is_err());
    }

    #[test]
    fn lengths_are_checked_before_anything_is_taken() {
        let mut w = Writer::default();
        w.varint(1 << 60);
        assert!(Reader::new(&w.0).count(1).is_err());
        assert!(Reader::new(&w.0).string().is_err());
        assert!(Reader::new(&[0xff; 12]).block().is_err());
    }
}
