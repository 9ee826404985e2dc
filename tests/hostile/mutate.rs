//! Random changes: of bits, of numbers, of lengths, and parts of one file in another.

use crate::common::next;

/// Numbers that are at the edge of something.
const EDGES: [u64; 12] =
    [0, 1, 2, 7, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 40, i64::MAX as u64, u64::MAX];
/// Words that texts and headers have, and shorter or longer ones than these.
const WORDS: [&[u8]; 10] =
    [b"-1", b"0", b"99999999999999999999", b"1e308", b"nan", b"[", b"]", b",", b"\n", b"[1,1,1,1]"];
/// The beginning, where counts and lengths are, is changed as often as the rest.
const HEAD: usize = 300;

/// Random numbers that depend on the name of a reader and the number of a file only.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(name: &str, n: u64) -> Dice {
        let hash = name.bytes().fold(n, |hash, byte| hash.rotate_left(9) ^ u64::from(byte));
        Dice(hash.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        next(&mut self.0) as usize % end.max(1)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// One of the seeds after a few changes.
pub(crate) fn changed(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut content = dice.pick(seeds).clone();
    for _ in 0..=dice.below(4) {
        change(&mut content, seeds, dice);
    }
    content
}

fn change(content: &mut Vec<u8>, seeds: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.below(content.len() + 1);
    let at = if dice.below(2) == 0 { at % HEAD } else { at }.min(content.len());
    let end = (at + 1 + dice.below(16)).min(content.len());
    match dice.below(9) {
        0 => overwrite(content, at, &[1 << dice.below(8)], |old, new| old ^ new),
        1 => overwrite(content, at, &[dice.below(256) as u8], |_, new| new),
        2 | 3 => {
            let number = dice.pick(&EDGES).to_le_bytes();
            let width = [1, 2, 4, 8][dice.below(4)];
            overwrite(content, at, &number[..width], |_, new| new);
        }
        4 => drop(content.drain(at..end)),
        5 => content.truncate(at),
        6 => drop(content.splice(at..at, dice.pick(&WORDS).iter().copied())),
        7 => {
            // A huge number, a huge length.
            let varint = [0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
            drop(content.splice(at..(at + 1).min(content.len()), varint));
        }
        _ => {
            let other = dice.pick(seeds);
            let from = dice.below(other.len());
            let to = (from + dice.below(64)).min(other.len());
            drop(content.splice(at..end, other[from..to].iter().copied()));
        }
    }
}

fn overwrite(content: &mut [u8], at: usize, bytes: &[u8], combine: impl Fn(u8, u8) -> u8) {
    for (old, new) in content[at..].iter_mut().zip(bytes) {
        *old = combine(*old, *new);
    }
}
