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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_once() {
        let mut set = StepSet::new(130);
        for step in [129, 0, 63, 64, 0, 65] {
            set.insert(step);
        }
        assert_eq!((set.len(), set.contains(63), set.contains(62)), (5, true, false));
    }
}
