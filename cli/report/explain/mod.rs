//! `hecc compile --explain`: what was chosen, and what else was considered.

mod curve;
mod integers;
mod parameters;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hecc_compiler::limits;
use hecc_compiler::pass::approximate::{LayerReport, MinimaxReport, TuneReport};
use hecc_compiler::pipeline::Compiled;
use hecc_compiler::search::BootstrapReport;
use hecc_compiler::search::place_bootstraps::Placements;
use serde_json::{Value as Json, json};

use crate::terminal::table::{Align, Table};
use crate::terminal::units;

/// The choices for people.
pub(crate) fn text(compiled: &Compiled) -> String {
    let mut text = String::new();
    let report = &compiled.approximation;
    if !report.layers.is_empty() {
        let _ = write!(
            text,
            "Polynomials for activations (`*`: chosen). Loss is how much of what is good enough is spent when this layer \
             alone is replaced, cost is in products of ciphertexts.\n{}\
             With all of them, the loss is {} on {} that they were not fitted to.\n\n",
            degrees(&report.layers),
            units::number(report.loss),
            units::count(report.n_inputs, "input")
        );
    }
    if let Some(TuneReport { before }) = report.tuned {
        let _ = write!(
            text,
            "Coefficients were tuned together; before, the loss was {}.\n\n",
            units::number(before)
        );
    }
    if let Some(MinimaxReport { degrees, bound, error }) = &report.minimax {
        let degrees: Vec<String> = degrees.iter().map(usize::to_string).collect();
        let _ = write!(
            text,
            "Rectifiers are x·(1 + sign(x/B))/2 with B = {}, the sign composed of minimax polynomials of degrees {}; \
             they are off by at most {} of B.\n\n",
            units::number(*bound),
            degrees.join(", "),
            units::number(*error)
        );
    }
    text += &curve::text(&compiled.curve);
    if let Some(report) = &compiled.integers {
        text += &integers::text(report, &compiled.dropped);
    }
    let _ = write!(text, "Parameters (first: chosen)\n{}", parameters::table(&compiled.candidates));
    if let Some(report) = &compiled.integers {
        text += &integers::fewer_bits(report);
    }
    text += &integers::scheme_text(compiled);
    if let Some(report) = &compiled.bootstraps {
        let _ = write!(text, "\n{}", bootstraps(report));
    }
    let _ = write!(text, "\nLimits of the search\n{}", limits_of_search());
    text
}

fn degrees(layers: &[LayerReport]) -> Table {
    let mut table = Table::new(&[
        ("layer", Align::Left),
        ("degree", Align::Right),
        ("cost", Align::Right),
        ("loss", Align::Right),
        ("largest error", Align::Right),
    ]);
    for layer in layers {
        for (i, choice) in layer.choices.iter().enumerate() {
            let (chosen, error) = match i == layer.chosen {
                true => ("*", layer.shipped.max_error()),
                false => ("", choice.fit.max_error),
            };
            table.row(vec![
                if i == 0 { layer.node.clone() } else { String::new() },
                format!("{chosen}{}", choice.degree),
                choice.cost.to_string(),
                choice.loss.map_or("-".to_owned(), units::number),
                units::number(error),
            ]);
        }
    }
    table
}

/// Every number that steers the search.
fn limits_of_search() -> Table {
    let mut table = Table::new(&[("limit", Align::Left), ("value", Align::Right)]);
    limits::list().into_iter().for_each(|(name, value)| table.row(vec![name.to_owned(), value]));
    table
}

/// Where values are bootstrapped, and what one bootstrap more or fewer would cost.
fn bootstraps(report: &BootstrapReport) -> String {
    let mut table = Table::new(&[
        ("bootstrapped after", Align::Left),
        ("level", Align::Right),
        ("to level", Align::Right),
    ]);
    for (name, from, to) in &report.steps {
        table.row(vec![name.clone(), from.to_string(), to.to_string()]);
    }
    let Placements { best, one_fewer, one_more } = &report.placements;
    let other = |seconds: &Option<f64>| seconds.map_or("not possible".to_owned(), units::seconds);
    format!(
        "Bootstraps: {} in all, {} with one fewer, {} with one more (shortest paths over steps and levels). A run fails with {}: \
         q_0 is taken away up to {} times.\n{table}",
        units::seconds(best.seconds),
        other(one_fewer),
        other(one_more),
        units::probability(report.failure),
        report.chain.parameters.overflow_bound
    )
}

/// The choices for scripts.
pub(crate) fn json(compiled: &Compiled) -> Json {
    let report = &compiled.approximation;
    let layer = |layer: &LayerReport| {
        let choices = layer.choices.iter().map(|choice| {
            json!({
                "degree": choice.degree,
                "cost": choice.cost,
                "loss": choice.loss,
                "mean_squared_error": choice.fit.mean_squared_error,
                "max_error": choice.fit.max_error,
            })
        });
        json!({
            "node": layer.node,
            "function": format!("{:?}", layer.function),
            "chosen": layer.choices[layer.chosen].degree,
            "choices": choices.collect::<Vec<_>>(),
        })
    };
    json!({
        "activations": report.layers.iter().map(layer).collect::<Vec<_>>(),
        "loss": report.loss,
        "choosing_inputs": report.n_inputs,
        "curve": compiled.curve.iter().map(curve::json).collect::<Vec<_>>(),
        "parameters": compiled.candidates.iter().map(parameters::json).collect::<Vec<Json>>(),
        "integers": compiled.integers.as_ref().map(integers::json),
        "other_scheme": integers::scheme_json(compiled),
        "bootstraps": compiled.bootstraps.as_ref().map(|report| json!({
            "steps": report.steps.iter().map(|(name, from, to)| {
                json!({ "after": name, "level": from, "to_level": to })
            }).collect::<Vec<_>>(),
            "log2_failure": report.failure.is_finite().then_some(report.failure),
            "overflow_bound": report.chain.parameters.overflow_bound,
            "predicted_seconds": report.placements.best.seconds,
            "predicted_seconds_one_fewer": report.placements.one_fewer,
            "predicted_seconds_one_more": report.placements.one_more,
        })),
        "limits": limits::list().into_iter().collect::<BTreeMap<_, _>>(),
    })
}
