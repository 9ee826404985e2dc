//! Chooses how precise results are to be, where the user does not say: so that encryption changes no decision, and no
//! number by much of what it varies by.
//!
//! The error of encryption is compared with the distance of the two largest scores of each decision on the calibration
//! inputs, and with the spread of numbers.

use hecc_grammar::plan::{OutputKind, lanes};
use ndarray::ArrayD;

use crate::judge::{Judge, Results};
use crate::limits;

/// Bits of precision, as a fraction of the outputs' range, that are enough for results on the calibration inputs, within bounds.
pub fn choose_precision(results: &[Results], judge: &Judge) -> f64 {
    let outputs = &results[..results.len().min(limits::INPUTS_FOR_PRECISION)];
    let of_output = |(k, kind): (usize, &OutputKind)| {
        let rows = || outputs.iter().map(|outputs| &outputs[k]);
        let range = rows().flatten().fold(0.0, |most: f64, x| most.max(x.abs()));
        let margins = rows().flat_map(|row| margins(*kind, row)).filter(|&margin| margin > 0.0);
        let smallest = margins.fold(f64::INFINITY, f64::min);
        let decisions = (2.0 * range / smallest).log2().min(limits::BITS_OF_DECISIONS);
        let values = (range / (limits::ERROR_OF_VALUES * judge.spread(k).0))
            .log2()
            .min(limits::BITS_OF_VALUES);
        match kind {
            OutputKind::Classes { .. } => decisions,
            // A single number is read as one, even if it decides.
            OutputKind::Threshold { .. } | OutputKind::Scores { .. } | OutputKind::Values => {
                decisions.max(values)
            }
        }
    };
    judge.kinds.iter().enumerate().map(of_output).fold(limits::BITS_ASKED_FOR, f64::max)
}

/// How far decisions are from others.
fn margins(kind: OutputKind, row: &ArrayD<f64>) -> Vec<f64> {
    let numbers: Vec<f64> = row.iter().copied().collect();
    match kind {
        OutputKind::Values => vec![],
        // Only one of two numbers that are compared is off.
        OutputKind::Threshold { at } => numbers.iter().map(|x| 2.0 * (x - at).abs()).collect(),
        OutputKind::Classes { axis } | OutputKind::Scores { axis } => {
            lanes(row.shape(), axis).map(|lane| margin(lane.map(|i| numbers[i]))).collect()
        }
    }
}

/// By how much the largest number exceeds the next.
fn margin(lane: impl Iterator<Item = f64>) -> f64 {
    let start = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    let (first, second) = lane.fold(start, |(first, second), x| match x > first {
        true => (x, first),
        false => (first, second.max(x)),
    });
    first - second
}

#[cfg(test)]
mod tests {
    use hecc_grammar::model::Model;

    use super::*;
    use crate::judge::results;

    fn bits(rows: &str, kind: OutputKind, data: ArrayD<f64>) -> f64 {
        let text = format!("model 1 \"m\"\nt0 = input : [1,{rows}] \"x\"\noutput \"y\" t0\n");
        let model: Model = text.parse().unwrap();
        let seen = results(&model, &[data]).unwrap();
        choose_precision(&seen, &Judge::new(vec![kind], &seen))
    }

    #[test]
    fn close_decisions_ask_for_more_bits() {
        let kind = OutputKind::Classes { axis: 1 };
        assert_eq!(bits("2", kind, ndarray::array![[1.0, -1.0], [0.5, 0.4]].into_dyn()), 9.0);
        let close = bits("2", kind, ndarray::array![[1.0, -1.0], [0.5, 0.499]].into_dyn());
        assert!((close - 2000f64.log2()).abs() < 1e-6, "{close}");
        assert_eq!(bits("2", kind, ndarray::array![[1.0, 1.0 - 1e-9]].into_dyn()), 12.0);
        let near = OutputKind::Threshold { at: 0.5 };
        let close = bits("1", near, ndarray::array![[1.0], [0.501]].into_dyn());
        assert!((close - 1000f64.log2()).abs() < 1e-6, "{close}");
    }

    #[test]
    fn numbers_that_vary_little_ask_for_more_bits() {
        let of = |data: ArrayD<f64>| bits("1", OutputKind::Values, data);
        assert_eq!(of(ndarray::array![[-1.0], [2.0]].into_dyn()), 9.0);
        let kelvin = of(ndarray::array![[299.0], [301.0]].into_dyn());
        assert!((kelvin - 30_100f64.log2()).abs() < 1e-6, "{kelvin}");
    }
}
