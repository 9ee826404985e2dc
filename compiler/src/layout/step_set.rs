//! Sets of steps of rotations, as bits.

/// Numbers below a limit.
#[derive(Clone, Debug, Default)]
pub(super) struct StepSet(Vec<u64>);

impl StepSet {
    /// None of the numbers below `limit`.
    pub(super) fn new(limit: usize) -> StepSet {
        StepSet(vec![0; limit.div_ceil(u64::BITS as usize)])
    }

    pub(super) fn insert(&mut self, step: usize) {
        self.0[step / 64] |= 1 << (step % 64);
    }

    pub(super) fn contains(&self, step: usize) -> bool {
        self.0[step / 64] >> (step % 64) & 1 == 1
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The numbers, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(i, &word)| {
            let rest = std::iter::successors(Some(word), |word| Some(word & word.wrapping_sub(1)));
            rest.take_while(|word| *word != 0)
                .map(move |word| 64 * i + word.trailing_zeros() as usize)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_once_and_in_order() {
        let mut set = StepSet::new(130);
        for step in [129, 0, 63, 64, 0, 65] {
            set.insert(step);
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 65, 129]);
        assert_eq!((set.len(), set.contains(63), set.contains(62)), (5, true, false));
    }
}
