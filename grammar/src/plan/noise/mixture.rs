//! An error that came of mixing slots: one deviation, and what it is made of.

use crate::plan::{EmbeddingDiagonal, Value};

use super::lineage::Lineage;
use super::prints::Name;
use super::samples::Samples;
use super::shifts::Moves;

impl Transform {
    /// That of a diagonal.
    pub(super) fn of(diagonal: &EmbeddingDiagonal) -> Transform {
        let EmbeddingDiagonal { log_slots, bits, inverse, .. } = *diagonal;
        let n_diagonals = EmbeddingDiagonal::rotations(log_slots, bits).len();
        Transform { log_slots, bits, inverse, n_diagonals }
    }
}

/// Where errors are combined.
#[derive(Clone, Copy)]
pub(super) struct At {
    /// What the value is called.
    pub(super) name: Name,
    pub(super) moves: Moves,
    /// Whether the plan says what its layers are.
    pub(super) is_layered: bool,
}

/// What a source is like.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Standard deviations, with a sign.
    pub(super) deviations: Samples,
    /// See [`super::errors::Errors::concentration`].
    pub(super) concentration: f64,
}

/// An error that came of mixing slots.
#[derive(Clone, Debug)]
pub(super) struct Mixture {
    /// The value where it came up, and whether it is that error's conjugate.
    pub(super) id: (Value, bool),
    pub(super) part: Part,
    pub(super) lineage: Lineage,
    pub(super) transform: Option<Transform>,
}

/// A factor of the canonical embedding that slots were mixed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transform {
    /// log2 of the period of the slots.
    pub(super) log_slots: u32,
    /// The bits that it mixes.
    pub(super) bits: (u32, u32),
    /// Towards coefficients.
    pub(super) inverse: bool,
    /// How many diagonals it has.
    pub(super) n_diagonals: usize,
}

impl Part {
    /// Of a sum whose parts have something in common. Each stays within its own tail, so their sum within a mean of both.
    pub(super) fn together(&self, other: &Part) -> Part {
        let weighted = |a: f64, b: f64| {
            let (a, b) = (a.abs(), b.abs());
            let total = a + b;
            let sum = self.concentration * a + other.concentration * b;
            if total > 0.0 { sum / total } else { 1.0 }
        };
        Part {
            deviations: self.deviations.zip(&other.deviations, |a, b| a.abs() + b.abs()),
            concentration: self.deviations.zip(&other.deviations, weighted).largest(),
        }
    }

    /// Of a sum of independent parts.
    pub(super) fn apart(&self, other: &Part) -> Part {
        let squared = |part: &Part| part.deviations.map(|x| x * x);
        let (a, b) = (squared(self), squared(other));
        let squares = a.zip(&b, |a, b| self.concentration * a * a + other.concentration * b * b);
        let total = a.zip(&b, |a, b| a + b);
        let share =
            |square: f64, total: f64| if total > 0.0 { square / (total * total) } else { 1.0 };
        Part {
            concentration: squares.zip(&total, share).largest().min(1.0),
            deviations: total.map(f64::sqrt),
        }
    }
}

impl Mixture {
    pub(super) fn plus(self, other: &Mixture, at: At) -> Mixture {
        if self.id == other.id {
            let deviations = self.part.deviations.zip(&other.part.deviations, |a, b| a + b);
            return Mixture { part: Part { deviations, ..self.part }, ..self };
        }
        let part = match self.lineage.meets(&other.lineage) {
            true => self.part.together(&other.part),
            false => self.part.apart(&other.part),
        };
        Mixture {
            id: (at.name.same, false),
            part,
            lineage: Lineage::union([&self.lineage, &other.lineage], at.moves),
            transform: self.transform.filter(|_| self.transform == other.transform),
        }
    }
}
