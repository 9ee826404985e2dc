//! Pooled memory for polynomials: a run allocates and frees megabytes thousands of times, and fresh pages cost more
//! than the arithmetic on them.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Most bytes that the pool keeps; beyond it buffers go back to the allocator.
const MAX_POOLED_BYTES: usize = 1 << 30;

static POOL: Mutex<Option<Pool>> = Mutex::new(None);

#[derive(Default)]
struct Pool {
    bytes: usize,
    by_length: HashMap<usize, Vec<Vec<u64>>>,
}

/// Words of arbitrary content, returned to the pool when dropped.
#[derive(Debug, PartialEq, Eq)]
pub struct Buffer(Vec<u64>);

impl Buffer {
    /// `length` words whose content is whatever was there before.
    pub fn new(length: usize) -> Buffer {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = pool.get_or_insert_with(Pool::default);
        match pool.by_length.get_mut(&length).and_then(Vec::pop) {
            Some(words) => {
                pool.bytes -= 8 * length;
                Buffer(words)
            }
            None => Buffer(vec![0; length]),
        }
    }

    /// Takes ownership of words.
    pub fn from_vec(words: Vec<u64>) -> Buffer {
        Buffer(words)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let words = std::mem::take(&mut self.0);
        let bytes = 8 * words.len();
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = pool.get_or_insert_with(Pool::default);
        if bytes > 0 && pool.bytes + bytes <= MAX_POOLED_BYTES {
            pool.bytes += bytes;
            pool.by_length.entry(words.len()).or_default().push(words);
        }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Buffer {
        let mut copy = Buffer::new(self.0.len());
        copy.copy_from_slice(&self.0);
        copy
    }
}

impl Deref for Buffer {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u64] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_equal_and_apart() {
        let mut a = Buffer::new(1000);
        a.fill(7);
        let b = a.clone();
        a[0] = 1;
        assert_eq!((b[0], b.len()), (7, 1000));
        drop(a);
        assert_eq!(Buffer::new(1000).len(), 1000);
    }
}
