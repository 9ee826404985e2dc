//! Chooses how precise results are to be, where the user does not say: so that encryption changes no decision.
//!
//! The error of encryption is compared with the distance of the two largest elements of each output on the calibration
//! inputs. Outputs of one element decide nothing that the network says, and are asked for a fixed precision.

use hecc_grammar::model::Model;
use ndarray::{ArrayD, ArrayViewD, Axis};

use crate::calibrate::Calibration;
use crate::error::CompileError;
use crate::interpret;

/// Bits asked for at least and at most: below, rounding would be visible in the numbers; above, decisions so close are chance.
const BITS: std::ops::RangeInclusive<f64> = 9.0..=12.0;

/// Calibration inputs looked at, at most.
const MOST_INPUTS: usize = 1024;

/// Bits of precision, as a fraction of the outputs' range, that keep all decisions on the calibration inputs, within bounds.
pub fn choose_precision(model: &Model, calibration: &Calibration) -> Result<f64, CompileError> {
    let few = |array: &ArrayD<f64>| match array.shape().first() {
        Some(&n) => array.slice_axis(Axis(0), (0..n.min(MOST_INPUTS)).into()).to_owned(),
        None => array.clone(),
    };
    let inputs: Vec<ArrayD<f64>> = calibration.inputs.iter().map(few).collect();
    let outputs = interpret::visit(model, &inputs, |_, values| {
        model.outputs.iter().map(|o| values[o.tensor.index()].clone()).collect::<Vec<_>>()
    });
    let outputs = outputs.map_err(|error| CompileError::Calibration(error.to_string()))?;
    let of_output = |k: usize| {
        let rows = || outputs.iter().map(|outputs| outputs[k].view());
        let range = rows().flatten().fold(0.0, |most: f64, x| most.max(x.abs()));
        let margins = rows().filter_map(|row| margin(&row)).filter(|&margin| margin > 0.0);
        let smallest = margins.fold(f64::INFINITY, f64::min);
        (2.0 * range / smallest).log2()
    };
    let bits = (0..model.outputs.len()).map(of_output).fold(f64::NEG_INFINITY, f64::max);
    Ok(bits.clamp(*BITS.start(), *BITS.end()))
}

/// By how much the largest element exceeds the next; `None` if there is none.
fn margin(row: &ArrayViewD<'_, f64>) -> Option<f64> {
    let start = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    let (first, second) = row.iter().fold(start, |(first, second), &x| match x > first {
        true => (x, first),
        false => (first, second.max(x)),
    });
    (second > f64::NEG_INFINITY).then_some(first - second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(rows: &str, data: ArrayD<f64>) -> f64 {
        let text = format!("model 1 \"m\"\nt0 = input : [1,{rows}] \"x\"\noutput \"y\" t0\n");
        let model: Model = text.parse().unwrap();
        choose_precision(&model, &Calibration::from_data(vec![data])).unwrap()
    }

    #[test]
    fn close_decisions_ask_for_more_bits() {
        assert_eq!(bits("2", ndarray::array![[1.0, -1.0], [0.5, 0.4]].into_dyn()), 9.0);
        let close = bits("2", ndarray::array![[1.0, -1.0], [0.5, 0.499]].into_dyn());
        assert!((close - 2000f64.log2()).abs() < 1e-6, "{close}");
        assert_eq!(bits("2", ndarray::array![[1.0, 1.0 - 1e-9]].into_dyn()), 12.0);
        assert_eq!(bits("1", ndarray::array![[1.0], [2.0]].into_dyn()), 9.0);
    }
}
