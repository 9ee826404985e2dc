//! `hecc compile --explain`: what was chosen, and what else was considered.

use std::fmt::Write as _;

use hecc_compiler::pass::approximate::LayerReport;
use hecc_compiler::pass::search::Candidate;
use hecc_compiler::pipeline::Compiled;
use serde_json::{Value as Json, json};

use crate::table::{Align, Table};
use crate::units;

/// The choices for people.
pub(crate) fn text(compiled: &Compiled) -> String {
    let mut text = String::new();
    let report = &compiled.approximation;
    if !report.layers.is_empty() {
        let _ = write!(
            text,
            "Polynomials for activations (`*`: chosen). Divergence is how far the network's output moves when this layer \
             alone is replaced, cost is in products of ciphertexts.\n{}\
             With all of them, {} of {} held-out inputs are decided as by the original network.\n\n",
            degrees(&report.layers),
            units::percent((report.agreement * 1e6) as usize, 1_000_000),
            units::count(report.n_validation, "")
        );
    }
    let _ = write!(text, "Parameters (first: chosen)\n{}", parameters(&compiled.candidates));
    text
}

fn degrees(layers: &[LayerReport]) -> Table {
    let mut table = Table::new(&[
        ("layer", Align::Left),
        ("degree", Align::Right),
        ("cost", Align::Right),
        ("divergence", Align::Right),
        ("largest error", Align::Right),
    ]);
    for layer in layers {
        for (i, choice) in layer.choices.iter().enumerate() {
            let chosen = if i == layer.chosen { "*" } else { "" };
            table.row(vec![
                if i == 0 { layer.node.clone() } else { String::new() },
                format!("{chosen}{}", choice.degree),
                choice.cost.to_string(),
                units::number(choice.divergence),
                units::number(choice.fit.max_error),
            ]);
        }
    }
    table
}

fn parameters(candidates: &[Candidate]) -> Table {
    let mut table = Table::new(&[
        ("ring degree", Align::Right),
        ("scale, bits", Align::Right),
        ("key primes", Align::Right),
        ("modulus, bits", Align::Right),
        ("allowed", Align::Right),
        ("time, 1 core", Align::Right),
    ]);
    for candidate in candidates {
        table.row(vec![
            format!("2^{}", candidate.log_n),
            format!("{:.0}", candidate.scale),
            candidate.n_special.to_string(),
            format!("{:.1}", candidate.log_qp),
            candidate.max_log_qp.to_string(),
            candidate.seconds.map_or("not secure".to_owned(), units::seconds),
        ]);
    }
    table
}

/// The choices for scripts.
pub(crate) fn json(compiled: &Compiled) -> Json {
    let report = &compiled.approximation;
    let layer = |layer: &LayerReport| {
        let choices = layer.choices.iter().map(|choice| {
            json!({
                "degree": choice.degree,
                "cost": choice.cost,
                "divergence": choice.divergence,
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
    let candidate = |candidate: &Candidate| {
        json!({
            "log_n": candidate.log_n,
            "scale_bits": candidate.scale,
            "special_primes": candidate.n_special,
            "log_qp": candidate.log_qp,
            "max_log_qp": candidate.max_log_qp,
            "predicted_seconds": candidate.seconds,
        })
    };
    json!({
        "activations": report.layers.iter().map(layer).collect::<Vec<_>>(),
        "agreement": report.agreement,
        "validation_inputs": report.n_validation,
        "parameters": compiled.candidates.iter().map(candidate).collect::<Vec<_>>(),
    })
}
