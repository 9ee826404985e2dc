//! Encoded plaintexts, whatever the scheme.

use std::ops::Range;

use super::Poly;

/// An encoded plaintext.
#[derive(Clone, Debug, PartialEq)]
pub enum Plaintext {
    /// The same number in every slot: one residue for each limb.
    Scalar(Vec<u64>),
    /// Any slots.
    Full(Blocks),
}

/// A polynomial in the NTT domain, without the words that others tell.
///
/// Slots that repeat with period p hold a polynomial in X^(N/2p), which takes equal values on N/2p neighbors of the bit-
/// reversed order. From 16 on these are neighbors in [`NttTable::exponents`](crate::ring::NttTable::exponents) too. If slots are
/// real, the upper half of each limb is the mirror image of the lower one.
#[derive(Clone, Debug, PartialEq)]
pub struct Blocks {
    /// One word for each block of equal ones.
    values: Poly,
    block: usize,
    /// Words of a limb that its values tell, from the first: half of them if the others are mirrored.
    told: usize,
}

/// Blocks shorter than this are not neighbors in the order that transforms leave.
const SHORTEST_BLOCK: usize = 16;

impl Blocks {
    /// A polynomial in the longest blocks that it has.
    pub fn new(poly: Poly) -> Blocks {
        let told = poly.n();
        let constant = |block: usize| {
            let limb = |k: usize| poly.limb(k).chunks_exact(block).all(is_constant);
            (0..poly.n_limbs()).all(limb)
        };
        let longer = std::iter::successors(Some(SHORTEST_BLOCK), |block| Some(2 * block));
        let fitting = longer.take_while(|&block| 2 * block <= told && constant(block));
        match fitting.last() {
            None => Blocks { values: poly, block: 1, told },
            Some(block) => {
                let pick = |k: usize, out: &mut [u64]| {
                    let firsts = poly.limb(k).iter().step_by(block);
                    out.iter_mut().zip(firsts).for_each(|(out, &first)| *out = first);
                };
                Blocks { values: Poly::build(told / block, poly.n_limbs(), pick), block, told }
            }
        }
    }

    /// Words `range` of a limb, which starts at a multiple of its length, a power of two: as they are held, or spread out in
    /// `scratch`, which is as long. Beyond the words that are told they are mirrored.
    pub fn part<'a>(&'a self, k: usize, range: Range<usize>, scratch: &'a mut [u64]) -> &'a [u64] {
        if range.end <= self.told {
            return self.told_part(k, range, scratch);
        }
        // A range of the upper half, or all.
        let n_told = self.told.saturating_sub(range.start);
        let (low, high) = scratch.split_at_mut(n_told);
        if n_told > 0 {
            self.spread(k, range.start, low);
        }
        self.spread(k, 2 * self.told - range.end, high);
        high.reverse();
        scratch
    }

    fn told_part<'a>(&'a self, k: usize, range: Range<usize>, scratch: &'a mut [u64]) -> &'a [u64] {
        if self.block == 1 {
            return &self.values.limb(k)[range];
        }
        self.spread(k, range.start, scratch);
        scratch
    }

    /// Words from `start` on.
    fn spread(&self, k: usize, start: usize, out: &mut [u64]) {
        let limb = self.values.limb(k);
        if self.block == 1 {
            return out.copy_from_slice(&limb[start..start + out.len()]);
        }
        let step = self.block.min(out.len());
        for (i, out) in out.chunks_mut(step).enumerate() {
            out.fill(limb[(start + i * step) / self.block]);
        }
    }
}

fn is_constant(words: &[u64]) -> bool {
    words.iter().all(|word| *word == words[0])
}

impl Plaintext {
    /// Bytes that it takes in memory.
    pub fn bytes(&self) -> usize {
        match self {
            Plaintext::Scalar(residues) => 8 * residues.len(),
            Plaintext::Full(blocks) => 8 * blocks.values.data().len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_spread_out_again() {
        let varied = Poly::from_data(64, (0..128).collect());
        let periodic = Poly::from_data(64, (0..128).map(|i| i / 32).collect());
        let (blocks, long) = (Blocks::new(varied.clone()), Blocks::new(periodic.clone()));
        assert_eq!((blocks.block, long.block), (1, 32));
        for (blocks, poly) in [(blocks, varied), (long, periodic)] {
            for range in [0..64, 16..32, 32..64] {
                let mut scratch = vec![0; range.len()];
                let part = blocks.part(1, range.clone(), &mut scratch);
                assert_eq!(part, &poly.limb(1)[range]);
            }
        }
    }

    #[test]
    fn upper_halves_are_mirrored() {
        let varied = Poly::from_data(64, (0..128).collect());
        let periodic = Poly::from_data(64, (0..128).map(|i| i / 16).collect());
        for half in [varied, periodic] {
            let whole: Vec<u64> =
                half.limb(1).iter().chain(half.limb(1).iter().rev()).copied().collect();
            let blocks = Blocks::new(half);
            for range in [0..128, 0..64, 64..128, 32..64, 96..128, 112..128] {
                let mut scratch = vec![0; range.len()];
                assert_eq!(blocks.part(1, range.clone(), &mut scratch), &whole[range]);
            }
        }
    }
}
