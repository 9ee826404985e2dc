//! What polynomials are good enough: measures without units.

use hecc_grammar::plan::OutputKind;

use crate::judge::Distance;

/// What is good enough. Errors are root mean squares relative to the spread of the output.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// Mean risk of decisions.
    pub risk: f64,
    /// Error of numbers.
    pub error: f64,
    /// Error of numbers that may be scores: these may be off by as much as does not matter to most decisions.
    pub error_of_scores: f64,
    /// Error of scores of classes.
    pub error_of_classes: f64,
    /// Share of decisions that must be alike.
    pub agreement: f64,
    /// Largest error of any output, if that was asked for.
    pub max_error: Option<f64>,
    /// Whether decisions may differ more often in networks of many activations: nobody asked for anything.
    pub grows: bool,
}

/// What is good enough is meant for networks with up to this many activations.
const FEW_LAYERS: usize = 4;

/// With all layers replaced, this much more than the budget will do: it was spent on layers one by one.
pub(super) const SLACK: f64 = 1.2;

impl Goal {
    /// The settings of `hecc compile` without flags.
    pub fn standard() -> Goal {
        Goal {
            risk: 1e-2,
            error: 1e-2,
            error_of_scores: 0.1,
            error_of_classes: 0.2,
            agreement: 0.995,
            max_error: None,
            grows: true,
        }
    }

    /// For a network with this many activations, fitted in sequence: their errors add up as independent ones do.
    pub(super) fn for_layers(&self, n: usize) -> Goal {
        let times = if self.grows { (n as f64 / FEW_LAYERS as f64).max(1.0).sqrt() } else { 1.0 };
        Goal {
            risk: self.risk * times,
            error_of_classes: self.error_of_classes * times,
            agreement: 1.0 - (1.0 - self.agreement) * times,
            ..self.clone()
        }
    }

    /// Asks for errors up to this size only, and for no smaller ones.
    pub fn allow(&mut self, largest: f64) {
        (self.max_error, self.grows) = (Some(largest), false);
        for error in [&mut self.error, &mut self.error_of_scores, &mut self.error_of_classes] {
            *error = largest;
        }
    }

    /// What distances from the right results cost, as a part of what is good enough; squares, so that independent ones add
    /// up.
    pub fn loss(&self, kinds: &[OutputKind], distances: &[Distance]) -> f64 {
        let of = |(kind, distance): (&OutputKind, &Distance)| {
            let size = distance.size();
            let error = |goal: f64| (size.rms / goal).powi(2);
            let usual = match kind {
                OutputKind::Values => error(self.error),
                OutputKind::Scores { .. } => {
                    (distance.risk() / self.risk).max(error(self.error_of_scores))
                }
                OutputKind::Classes { .. } | OutputKind::Threshold { .. } => {
                    (distance.risk() / self.risk).max(error(self.error_of_classes))
                }
            };
            self.max_error.map_or(usual, |most| usual.max((size.largest / most).powi(2)))
        };
        let each = kinds.iter().zip(distances).map(of);
        each.fold(0.0, |most, x| if x.is_nan() { f64::INFINITY } else { x.max(most) })
    }

    /// Whether distances with all layers replaced are good enough.
    pub fn is_met(&self, kinds: &[OutputKind], distances: &[Distance]) -> bool {
        let agree = |distance: &Distance| match distance.agreement() {
            // One decision that differs is always allowed: few inputs say no more.
            Some(share) => {
                (share.of - share.count) as f64 <= (1.0 - self.agreement) * share.of as f64 + 1.0
            }
            None => true,
        };
        self.loss(kinds, distances) <= SLACK && distances.iter().all(agree)
    }
}
