//! Pooled memory for polynomials: a run allocates and frees megabytes thousands of times, and fresh pages cost more
//! than the arithmetic on them. Large buffers ask for huge pages, of which a five-hundredth are to be touched first, and
//! which sums of products over many limbs read faster.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use memmap2::MmapMut;

/// Most bytes that the pool keeps; beyond it the buffers that were returned first go back to the allocator.
const MAX_POOLED_BYTES: usize = 1 << 30;

/// Most buffers that the pool keeps: they are looked through one by one.
const MAX_POOLED: usize = 4096;

/// A buffer is used for anything that leaves at most this share of it unused.
const MAX_UNUSED: f64 = 0.5;

/// Buffers of at least this many bytes are mapped, in whole huge pages where the system has them.
const MAPPED_BYTES: usize = 1 << 20;

static POOL: Mutex<Option<Pool>> = Mutex::new(None);

#[derive(Default)]
struct Pool {
    bytes: usize,
    /// In order of their return.
    free: VecDeque<Memory>,
}

impl Pool {
    /// The smallest buffer for `length` words; of several the one that was returned last, which the caches may still hold.
    fn take(&mut self, length: usize) -> Option<Memory> {
        let enough = length..=(length as f64 / (1.0 - MAX_UNUSED)) as usize;
        let free = self.free.iter().enumerate().rev();
        let fitting = free.filter(|(_, memory)| enough.contains(&memory.words().len()));
        let (place, _) = fitting.min_by_key(|(_, memory)| memory.words().len())?;
        let memory = self.free.remove(place)?;
        self.bytes -= size_of_val(memory.words());
        Some(memory)
    }

    /// Keeps a buffer and returns those for which there is no more room.
    fn give(&mut self, memory: Memory) -> Vec<Memory> {
        self.bytes += size_of_val(memory.words());
        self.free.push_back(memory);
        let mut dropped = vec![];
        while (self.bytes > MAX_POOLED_BYTES || self.free.len() > MAX_POOLED)
            && let Some(oldest) = self.free.pop_front()
        {
            self.bytes -= size_of_val(oldest.words());
            dropped.push(oldest);
        }
        dropped
    }
}

#[derive(Debug)]
enum Memory {
    Heap(Vec<u64>),
    Mapped(MmapMut),
}

impl Memory {
    fn new(length: usize) -> Memory {
        let bytes = size_of::<u64>() * length;
        let mapped = (bytes >= MAPPED_BYTES).then(|| MmapMut::map_anon(bytes));
        let Some(Ok(map)) = mapped else {
            return Memory::Heap(vec![0; length]);
        };
        // Where there are no huge pages, small ones do.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        Memory::Mapped(map)
    }

    fn words(&self) -> &[u64] {
        match self {
            Memory::Heap(words) => words,
            Memory::Mapped(map) => bytemuck::cast_slice(map),
        }
    }

    fn words_mut(&mut self) -> &mut [u64] {
        match self {
            Memory::Heap(words) => words,
            Memory::Mapped(map) => bytemuck::cast_slice_mut(map),
        }
    }
}

/// Words of arbitrary content, returned to the pool when dropped.
#[derive(Debug)]
pub struct Buffer {
    memory: Memory,
    length: usize,
}

fn with_pool<T>(f: impl FnOnce(&mut Pool) -> T) -> T {
    f(POOL.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Pool::default))
}

impl Buffer {
    /// `length` words whose content is whatever was there before.
    pub fn new(length: usize) -> Buffer {
        let pooled = with_pool(|pool| pool.take(length));
        Buffer { memory: pooled.unwrap_or_else(|| Memory::new(length)), length }
    }

    /// Takes ownership of words.
    pub fn from_vec(words: Vec<u64>) -> Buffer {
        Buffer { length: words.len(), memory: Memory::Heap(words) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let memory = std::mem::replace(&mut self.memory, Memory::Heap(vec![]));
        // What the pool has no room for is unmapped without holding it up.
        drop(with_pool(|pool| pool.give(memory)));
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Buffer {
        let mut copy = Buffer::new(self.len());
        copy.copy_from_slice(self);
        copy
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Buffer) -> bool {
        **self == **other
    }
}

impl Eq for Buffer {}

impl Deref for Buffer {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        &self.memory.words()[..self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u64] {
        &mut self.memory.words_mut()[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_equal_and_apart() {
        for length in [1000, MAPPED_BYTES] {
            let mut a = Buffer::new(length);
            a.fill(7);
            let b = a.clone();
            assert!(a == b);
            a[0] = 1;
            assert_eq!((b[0], b.len()), (7, length));
            drop(a);
            assert_eq!(Buffer::new(length).len(), length);
        }
    }
}
