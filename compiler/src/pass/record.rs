//! Writes into a plan what calibration saw: what the client holds inputs and results to.
//!
//! Before: one range for each input, nothing of results. After: ranges of features, and profiles of inputs and results.

use hecc_grammar::model::Model;
use hecc_grammar::plan::{Normalization, Plan, Profile, Ranges};
use ndarray::ArrayD;

use crate::calibrate::{Calibration, Stats, input_profiles, input_ranges, profile};

/// What calibration saw of the inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenInputs {
    /// For each input the ranges of its elements.
    pub ranges: Vec<Ranges>,
    /// For each input the profile of its summary; usual of everything if there were no data.
    pub profiles: Vec<Profile>,
    /// Whether there were data.
    is_real: bool,
}

impl SeenInputs {
    /// What was seen of the inputs as they were given, before they are rounded.
    pub fn of(
        model: &Model,
        calibration: &Calibration,
        normalization: Option<&Normalization>,
    ) -> SeenInputs {
        if let Some((lo, hi)) = calibration.assumed {
            let n_inputs = model.inputs().count();
            return SeenInputs {
                ranges: vec![Ranges::all(lo, hi); n_inputs],
                profiles: vec![Profile::default(); n_inputs],
                is_real: false,
            };
        }
        let inputs = model.inputs().zip(&calibration.inputs);
        SeenInputs {
            ranges: inputs
                .map(|((_, node), batch)| input_ranges(&node.shape, batch, normalization))
                .collect(),
            profiles: input_profiles(model, &calibration.inputs),
            is_real: true,
        }
    }
}

/// Records what was seen of the inputs, and of the results of the network as it is computed.
pub fn record(mut plan: Plan, inputs: &SeenInputs, computed: &Stats) -> Plan {
    for ((input, ranges), seen) in plan.inputs.iter_mut().zip(&inputs.ranges).zip(&inputs.profiles)
    {
        (input.ranges, input.seen) = (ranges.clone(), seen.clone());
    }
    if inputs.is_real {
        for (k, output) in plan.outputs.iter_mut().enumerate() {
            let elements = |results: &Vec<ArrayD<f64>>| results[k].iter().copied().collect();
            let lists: Vec<Vec<f64>> = computed.results.iter().map(elements).collect();
            output.seen = profile(&lists);
        }
    }
    plan
}
