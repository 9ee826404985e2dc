//! Results of layers: what plans say of them, and what becomes of their errors.

use crate::plan::{Op, Plan, Value};

use super::classes::Classes;
use super::content::{Content, grid, mean_of_raised, scatter, spread};
use super::errors::Errors;
use super::known::Known;
use super::profile::Profile;
use super::samples::Samples;

/// The layer that a value is the result of.
pub(super) fn layer_of_values(plan: &Plan) -> Vec<Option<usize>> {
    let mut layers = vec![None; plan.ops.len()];
    for (layer, described) in plan.layers.iter().enumerate() {
        described.slots.iter().for_each(|(value, _)| layers[value.index()] = Some(layer));
    }
    layers
}

/// How many products each result of a layer sums up, by layer.
pub(super) fn fan_ins(plan: &Plan) -> Vec<usize> {
    let mut counts = vec![0; plan.layers.len().max(1)];
    for (value, op) in plan.values() {
        if let Op::DotPlain(terms) = op {
            counts[plan.origins[value.index()] as usize] += terms.len();
        }
    }
    let results = plan.layers.iter().map(|layer| layer.slots.len().max(1));
    counts.iter_mut().zip(results).for_each(|(count, results)| *count /= results);
    counts
}

/// The result of a layer: what it holds is known if its instructions do not tell.
pub(super) fn settled(known: Known, value: Value, quantiles: &[f64]) -> Known {
    if !matches!(known.content, Content::Bounded(_)) && !known.is_bootstrapped {
        return Known { errors: known.errors.settled(value), ..known };
    }
    let is_worst = quantiles.is_empty();
    let content = if is_worst { grid(value) } else { spread(quantiles, value) };
    let variances = known.errors.variances();
    // Bootstrapping brings a value to each slot by another multiple, without regard to what it is.
    let variance = match known.is_bootstrapped {
        true => mean_of_raised(&variances) + scatter(&known.content.samples()),
        false => variances.largest(),
    };
    let deviation = Samples::All(variance.sqrt());
    let errors = Errors::fresh(value, deviation, known.errors.concentration());
    // What came with a slot is in it again; what bootstrapping adds is in all slots alike.
    let profile = match &known.entered {
        Some((profile, entered)) if known.is_bootstrapped => {
            let carried = entered.min(variance);
            Profile::of_sum((Some(profile), carried), (None, variance - carried))
        }
        _ => known.profile,
    };
    let unevenness = match &profile {
        Some(profile) if known.is_bootstrapped => profile.largest().max(1.0),
        _ => known.unevenness,
    };
    Known {
        content: Content::real(content),
        errors,
        profile,
        entered: None,
        unevenness,
        is_worst,
        is_bootstrapped: false,
        is_moved: false,
        ..known
    }
}

/// The result of a layer of which channels were told apart: their errors become those of their slots.
pub(super) fn unclassed(known: Known, classes: &Classes<'_>, n_slots: usize) -> Known {
    let variances = known.errors.variances();
    let largest = known.largest();
    let of_class = |samples: &[f64]| match known.is_worst {
        true => samples.iter().copied().fold(0.0, f64::max),
        false => Samples::mean_of_class(samples),
    };
    let of_classes = variances.of_classes(of_class);
    let mean = of_classes.iter().sum::<f64>() / of_classes.len() as f64;
    // The classes of operands may be others, where a plan says so.
    let are_told_apart = of_classes.len() > 1 && of_classes.len() == classes.count();
    if !are_told_apart || mean.is_nan() || mean <= 0.0 {
        return known;
    }
    let relative: Vec<f64> = of_classes.iter().map(|variance| variance / mean).collect();
    let slots = classes.spread(&relative, n_slots, 0.0);
    let profile = match &known.profile {
        Some(profile) => profile.times(|slot| slots[slot]),
        None => Profile::new(slots.into_iter(), 1.0),
    };
    let errors = known.errors.without_classes();
    // The largest stays what it is.
    let unevenness = largest / errors.variances().largest();
    Known { errors, profile, unevenness, ..known }
}
