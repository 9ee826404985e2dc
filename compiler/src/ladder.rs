//! Levels: on which primes and at which scale values live between layers.

use hecc_grammar::plan::{LimbSet, Params, Scheme};

/// Primes and scale by level; level 0 is where results may be, and where bootstrapping starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Ladder {
    /// Ring and primes.
    pub params: Params,
    levels: Vec<(LimbSet, f64)>,
}

impl Ladder {
    /// Levels up to that of inputs, the lowest on `n_lowest` primes. The scale of a level is that of values which were squared
    /// and rescaled down to it, from the inputs' scale; results of linear maps have it too, so that what follows meets the
    /// primes that were chosen for it.
    pub fn new(params: Params, n_lowest: usize) -> Ladder {
        let mut scale = params.top_scale();
        let mut levels = vec![];
        for last in (n_lowest - 1..=params.input_level).rev() {
            levels.push((params.limbs_at(last), scale));
            if params.scheme() == Scheme::Ckks {
                scale = 2.0 * scale - params.log_q(last);
            }
        }
        levels.reverse();
        Ladder { params, levels }
    }

    /// The primes of a level.
    pub fn limbs(&self, level: usize) -> LimbSet {
        self.levels[level].0
    }

    /// log2 of the scale of a level.
    pub fn scale(&self, level: usize) -> f64 {
        self.levels[level].1
    }

    /// The level of inputs.
    pub fn top(&self) -> usize {
        self.levels.len() - 1
    }
}
