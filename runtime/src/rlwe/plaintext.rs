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

/// A polynomial in the NTT domain whose limbs are constant on blocks of equal length, a power of two: one word for each.
///
/// Slots that repeat with period p hold a polynomial in X^(N/2p), which takes equal values on N/2p neighbors of the bit-
/// reversed order. From 16 on these are neighbors in [`NttTable::exponents`](crate::ring::NttTable::exponents) too.
#[derive(Clone, Debug, PartialEq)]
pub struct Blocks {
    values: Poly,
    block: usize,
}

/// Blocks shorter than this are not neighbors in the order that transforms leave.
const SHORTEST_BLOCK: usize = 16;

impl Blocks {
    /// A polynomial of ring degree `n`, in the longest blocks that it has.
    pub fn new(n: usize, poly: Poly) -> Blocks {
        let constant = |block: usize| {
            let limb = |k: usize| poly.limb(k).chunks_exact(block).all(is_constant);
            (0..poly.n_limbs()).all(limb)
        };
        let longer = std::iter::successors(Some(SHORTEST_BLOCK), |block| Some(2 * block));
        let fitting = longer.take_while(|&block| 2 * block <= n && constant(block));
        match fitting.last() {
            None => Blocks { values: poly, block: 1 },
            Some(block) => {
                let pick = |k: usize, out: &mut [u64]| {
                    let firsts = poly.limb(k).iter().step_by(block);
                    out.iter_mut().zip(firsts).for_each(|(out, &first)| *out = first);
                };
                Blocks { values: Poly::build(n / block, poly.n_limbs(), pick), block }
            }
        }
    }

    /// Words `range` of a limb, which starts at a multiple of its length, a power of two: as they are held, or spread out in
    /// `scratch`, which is as long.
    pub fn part<'a>(&'a self, k: usize, range: Range<usize>, scratch: &'a mut [u64]) -> &'a [u64] {
        let limb = self.values.limb(k);
        if self.block == 1 {
            return &limb[range];
        }
        let step = self.block.min(range.len());
        for (i, out) in scratch.chunks_mut(step).enumerate() {
            out.fill(limb[(range.start + i * step) / self.block]);
        }
        scratch
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
        let (blocks, long) = (Blocks::new(64, varied.clone()), Blocks::new(64, periodic.clone()));
        assert_eq!((blocks.block, long.block), (1, 32));
        for (blocks, poly) in [(blocks, varied), (long, periodic)] {
            for range in [0..64, 16..32, 32..64] {
                let mut scratch = vec![0; range.len()];
                let part = blocks.part(1, range.clone(), &mut scratch);
                assert_eq!(part, &poly.limb(1)[range]);
            }
        }
    }
}
