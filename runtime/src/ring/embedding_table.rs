//! Roots of unity of the canonical embedding.

use std::f64::consts::PI;

/// Complex numbers, parts apart: loops over them compile to vector instructions.
#[derive(Clone, Debug, PartialEq)]
pub struct Complex {
    /// Real parts.
    pub re: Vec<f64>,
    /// Imaginary parts.
    pub im: Vec<f64>,
}

/// Roots for transforms of N/2 slots.
pub struct EmbeddingTable {
    n_slots: usize,
    levels: Vec<Complex>,
}

impl EmbeddingTable {
    /// Roots for a ring of degree `2·n_slots`, a power of two.
    pub fn new(n_slots: usize) -> EmbeddingTable {
        assert!(n_slots.is_power_of_two(), "rings have power-of-two degrees");
        let level = |log: u32| {
            let order = 4usize << log;
            let powers = std::iter::successors(Some(1usize), |g| Some(g * 5 % order));
            let angles = powers.take(1 << log >> 1).map(|g| 2.0 * PI * g as f64 / order as f64);
            let (re, im) = angles.map(|angle| (angle.cos(), angle.sin())).unzip();
            Complex { re, im }
        };
        let bits = n_slots.trailing_zeros();
        EmbeddingTable { n_slots, levels: (1..=bits).map(level).collect() }
    }

    /// The number of slots.
    pub fn n_slots(&self) -> usize {
        self.n_slots
    }

    /// For each length 2·len of a group, shortest first, the len roots e^(2πi·(5^j mod 8len)/(8len)).
    pub fn levels(&self) -> &[Complex] {
        &self.levels
    }

    /// `i` with its bits, as many as indices of slots have, in reverse order.
    pub fn reversed(&self, i: usize) -> usize {
        reverse(i, self.n_slots)
    }
}

/// `i` below `n`, a power of two, with its bits in reverse order.
pub(crate) fn reverse(i: usize, n: usize) -> usize {
    i.reverse_bits().checked_shr(usize::BITS - n.trailing_zeros()).unwrap_or(0)
}
