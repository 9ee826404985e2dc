//! How far the results of one network are from those of another: the only place that says whether two networks decide
//! alike. Errors are relative to how much a result varies, so that units do not matter.

mod client;
mod kinds;
mod r_squared;
mod spread;

use hecc_grammar::model::Model;
use hecc_grammar::plan::{ErrorSize, OutputKind, Share, lanes};
use ndarray::ArrayD;

use crate::error::CompileError;
use crate::interpret;

pub use kinds::{OutputWish, output_kinds};
pub use r_squared::RSquared;

/// The outputs of a network for one input.
pub type Results = Vec<ArrayD<f64>>;

/// The outputs of a network for each of some inputs, before what is left to the client.
///
/// # Errors
/// If the model cannot compute the inputs.
pub fn results(model: &Model, inputs: &[ArrayD<f64>]) -> Result<Vec<Results>, CompileError> {
    let outputs = |_, values: &[ArrayD<f64>]| -> Results {
        model.outputs.iter().map(|output| values[output.tensor.index()].clone()).collect()
    };
    interpret::visit(model, inputs, outputs)
        .map_err(|error| CompileError::Calibration(error.to_string()))
}

/// Compares results with those of the network that was given.
#[derive(Clone, Debug)]
pub struct Judge {
    /// What each output is for.
    pub kinds: Vec<OutputKind>,
    /// For each output how much each of its elements varies.
    spreads: Vec<Vec<f64>>,
}

impl Judge {
    /// A judge of outputs of these kinds, who has seen results of the network that was given.
    pub fn new(kinds: Vec<OutputKind>, seen: &[Results]) -> Judge {
        let spreads = (0..kinds.len()).map(|k| spread::spreads(seen.iter().map(|r| &r[k])));
        let spreads = spreads.collect();
        Judge { kinds, spreads }
    }

    /// The distance of the results for one input from what they should be, output by output.
    pub fn compare(&self, expected: &Results, found: &Results) -> Vec<Distance> {
        let outputs = self.kinds.iter().zip(&self.spreads).zip(expected.iter().zip(found));
        outputs
            .map(|((&kind, spreads), (expected, found))| distance(kind, spreads, expected, found))
            .collect()
    }

    /// As [`Judge::compare`], over many inputs.
    pub fn compare_all(&self, expected: &[Results], found: &[Results]) -> Vec<Distance> {
        let each = expected.iter().zip(found).map(|(a, b)| self.compare(a, b));
        each.fold(vec![Distance::default(); self.kinds.len()], merge)
    }

    /// The spread of the element of an output that varies least, and the one that errors of equal size are divided by for
    /// their root mean square.
    pub fn spread(&self, output: usize) -> (f64, f64) {
        let spreads = &self.spreads[output];
        let least = spreads.iter().copied().fold(f64::INFINITY, f64::min);
        let mean = spreads.iter().map(|s| s.powi(-2)).sum::<f64>() / spreads.len().max(1) as f64;
        if spreads.is_empty() { (1.0, 1.0) } else { (least, mean.sqrt().recip()) }
    }
}

/// The distances of both, output by output.
pub fn merge(a: Vec<Distance>, b: Vec<Distance>) -> Vec<Distance> {
    a.into_iter().zip(b).map(|(a, b)| a.merge(b)).collect()
}

/// How far an output is from what it should be, over some inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Distance {
    /// Elements compared, the sum of squares and the largest of their errors, in units of their spreads.
    count: u64,
    squares: f64,
    largest: f64,
    /// Decisions, those that are alike, and the sum of their risks.
    decisions: u64,
    agreeing: u64,
    risks: f64,
}

impl Distance {
    /// The size of errors, in units of the spreads. Infinite if a result is not a number.
    pub fn size(&self) -> ErrorSize {
        ErrorSize { largest: self.largest, rms: (self.squares / self.count.max(1) as f64).sqrt() }
    }

    /// Decisions that are alike, if there are decisions.
    pub fn agreement(&self) -> Option<Share> {
        (self.decisions > 0).then_some(Share { count: self.agreeing, of: self.decisions })
    }

    /// The mean risk of decisions: the fourth power of the part of the way to another decision that results have moved, at
    /// most 1. It sees how near decisions are to changing where few inputs cannot show any that does, and little of errors
    /// that are small next to the margin.
    pub fn risk(&self) -> f64 {
        self.risks / self.decisions.max(1) as f64
    }

    fn merge(self, other: Distance) -> Distance {
        Distance {
            count: self.count + other.count,
            squares: self.squares + other.squares,
            largest: self.largest.max(other.largest),
            decisions: self.decisions + other.decisions,
            agreeing: self.agreeing + other.agreeing,
            risks: self.risks + other.risks,
        }
    }
}

fn distance(
    kind: OutputKind,
    spreads: &[f64],
    expected: &ArrayD<f64>,
    found: &ArrayD<f64>,
) -> Distance {
    let flat = |array: &ArrayD<f64>| array.iter().copied().collect::<Vec<f64>>();
    let (p, q) = (flat(expected), flat(found));
    let mut distance = Distance { count: p.len() as u64, ..Distance::default() };
    for ((p, q), spread) in p.iter().zip(&q).zip(spreads) {
        // What is no number is infinitely far away.
        let error = Some((p - q).abs() / spread).filter(|e| !e.is_nan()).unwrap_or(f64::INFINITY);
        distance.squares += error * error;
        distance.largest = distance.largest.max(error);
    }
    let decisions = |x: &[f64]| kind.decisions(expected.shape(), x);
    let (a, b) = (decisions(&p), decisions(&q));
    distance.decisions = a.len() as u64;
    distance.agreeing = a.iter().zip(&b).filter(|(a, b)| a == b).count() as u64;
    distance.risks = match kind {
        OutputKind::Values => 0.0,
        OutputKind::Threshold { at } => p.iter().zip(&q).map(|(p, q)| risk(p - at, q - at)).sum(),
        OutputKind::Classes { axis } | OutputKind::Scores { axis } => {
            let of_lane = |(lane, class): (Vec<usize>, &usize)| {
                let best = lane[*class];
                let rivals = lane.iter().filter(|&&rival| rival != best);
                rivals.map(|&r| risk(p[best] - p[r], q[best] - q[r])).fold(0.0, f64::max)
            };
            let lanes = lanes(expected.shape(), axis).map(|lane| lane.collect::<Vec<usize>>());
            lanes.zip(&a).map(of_lane).sum()
        }
    };
    distance
}

/// The risk of a decision that is made by the sign of a number, which moved.
fn risk(from: f64, to: f64) -> f64 {
    let moved = (from - to) / from;
    if moved > 0.0 || moved.is_nan() && from != to { moved.powi(4).min(1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn judge(kind: OutputKind, seen: &[ArrayD<f64>]) -> Judge {
        Judge::new(vec![kind], &seen.iter().map(|x| vec![x.clone()]).collect::<Vec<_>>())
    }

    #[test]
    fn units_do_not_matter() {
        let seen = [array![[1.0, -2.0]].into_dyn(), array![[3.0, 2.0]].into_dyn()];
        let moved = array![[1.5, -2.0]].into_dyn();
        for unit in [1e-3, 1.0, 2.5e5] {
            let seen = seen.clone().map(|x| x * unit);
            let found = vec![&moved * unit];
            let judge = judge(OutputKind::Values, &seen);
            let size = judge.compare(&vec![seen[0].clone()], &found)[0].size();
            assert!((size.largest - 0.5).abs() < 1e-9, "{size:?}");
            assert!((size.rms - 0.5 / 2f64.sqrt()).abs() < 1e-9, "{size:?}");
            assert!((judge.spread(0).0 / unit - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn risks_grow_to_decisions_that_change() {
        let expected = vec![array![[2.0, 1.0, 0.0]].into_dyn()];
        let judge = judge(OutputKind::Classes { axis: 1 }, std::slice::from_ref(&expected[0]));
        let of = |found: [f64; 3]| {
            let found = vec![array![[found[0], found[1], found[2]]].into_dyn()];
            let distance = judge.compare(&expected, &found)[0];
            (distance.risk(), distance.agreement().unwrap().count)
        };
        assert_eq!(of([2.0, 1.0, 0.0]), (0.0, 1));
        assert_eq!(of([3.0, 1.0, 0.0]), (0.0, 1));
        assert_eq!(of([2.0, 1.5, 0.0]), (0.0625, 1));
        assert_eq!(of([2.0, 1.5, 1.5]), (0.316_406_25, 1));
        assert_eq!(of([2.0, 9.0, 0.0]), (1.0, 0));
        assert_eq!(of([f64::NAN, 1.0, 0.0]).1, 0);
    }

    #[test]
    fn thresholds_decide_by_side() {
        let expected = vec![array![[0.9]].into_dyn()];
        let judge = judge(OutputKind::Threshold { at: 0.5 }, &[array![[0.9]].into_dyn()]);
        let of = |x: f64| judge.compare(&expected, &vec![array![[x]].into_dyn()])[0];
        assert!((of(0.7).risk() - 0.0625).abs() < 1e-9);
        assert_eq!(of(0.4).agreement(), Some(Share { count: 0, of: 1 }));
    }
}
