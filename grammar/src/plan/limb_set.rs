//! Sets of ciphertext-modulus primes.

use std::fmt;

/// A subset of the plan's ciphertext-modulus primes, as a bit set over their indices (at most 64).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct LimbSet(pub u64);

impl LimbSet {
    /// No plan has more ciphertext-modulus primes.
    pub const MOST: usize = 64;

    /// The first `count` primes.
    pub fn first(count: usize) -> LimbSet {
        LimbSet::range(0, count)
    }

    /// Primes `start..end`; empty if `end <= start`.
    pub fn range(start: usize, end: usize) -> LimbSet {
        assert!(end <= 64, "a plan has at most 64 ciphertext-modulus primes");
        let below = |n: usize| if n == 64 { u64::MAX } else { (1u64 << n) - 1 };
        LimbSet(if end <= start { 0 } else { below(end) & !below(start) })
    }

    /// How many primes.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether prime `limb` is in the set.
    pub fn contains(self, limb: usize) -> bool {
        limb < 64 && self.0 >> limb & 1 == 1
    }

    /// Whether every prime of `self` is in `other`.
    pub fn is_subset(self, other: LimbSet) -> bool {
        self.0 & !other.0 == 0
    }

    /// Primes in both.
    pub fn intersection(self, other: LimbSet) -> LimbSet {
        LimbSet(self.0 & other.0)
    }

    /// Primes in either.
    pub fn union(self, other: LimbSet) -> LimbSet {
        LimbSet(self.0 | other.0)
    }

    /// Primes in `self` but not in `other`.
    pub fn difference(self, other: LimbSet) -> LimbSet {
        LimbSet(self.0 & !other.0)
    }

    /// The largest index; `None` if empty.
    pub fn last(self) -> Option<usize> {
        (!self.is_empty()).then(|| 63 - self.0.leading_zeros() as usize)
    }

    /// The set without its largest index: what a rescale leaves.
    pub fn without_last(self) -> LimbSet {
        self.last().map_or(self, |last| self.difference(LimbSet::range(last, last + 1)))
    }

    /// The set of its `count` smallest indices.
    pub fn lowest(self, count: usize) -> LimbSet {
        self.iter().take(count).fold(LimbSet::default(), |set, limb| LimbSet(set.0 | 1 << limb))
    }

    /// Indices in ascending order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..64).filter(move |&limb| self.contains(limb))
    }
}

/// Prints maximal runs: `q0..2`, `q0..1,q4`; `none` if empty.
impl fmt::Display for LimbSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let mut rest = *self;
        while !rest.is_empty() {
            let start = rest.0.trailing_zeros() as usize;
            let end = (start..64).find(|&limb| !rest.contains(limb)).unwrap_or(64);
            let comma = if rest == *self { "" } else { "," };
            match end - start {
                1 => write!(f, "{comma}q{start}")?,
                _ => write!(f, "{comma}q{start}..{}", end - 1)?,
            }
            rest = rest.difference(LimbSet::range(start, end));
        }
        Ok(())
    }
}

impl fmt::Debug for LimbSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_runs() {
        assert_eq!(LimbSet::first(3).to_string(), "q0..2");
        assert_eq!(LimbSet(0b1_0011).to_string(), "q0..1,q4");
        assert_eq!(LimbSet::default().to_string(), "none");
        assert_eq!(LimbSet::first(64).len(), 64);
    }

    #[test]
    fn rescale_drops_the_largest() {
        assert_eq!(LimbSet(0b1011).without_last(), LimbSet(0b0011));
        assert_eq!(LimbSet(0b1011).last(), Some(3));
        assert_eq!(LimbSet(0b1011).lowest(2), LimbSet(0b0011));
    }
}
