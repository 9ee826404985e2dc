//! Of networks over integers: how wide they become, what that costs, and what fewer bits would save.

use std::fmt::Write as _;

use hecc_compiler::analysis::widths::Width;
use hecc_compiler::pass::lift_quantizers::{Effect, Requantization};
use hecc_compiler::pipeline::{Compiled, IntegerReport};
use hecc_grammar::plan::Scheme;
use serde_json::{Value as Json, json};

use super::parameters;
use crate::terminal::table::{Align, Table};
use crate::terminal::units;

/// Widths, parameters, and what was not exact.
pub(super) fn text(report: &IntegerReport, dropped: &[Requantization]) -> String {
    let bound = if report.certified { "certified" } else { "calibrated, with a margin" };
    let mut text = format!(
        "Bits of integers, sign included (results need {:.1}, {bound}). By format: from bits of weights and number of \
         summands alone; certified: for every input in range; calibrated: on the calibration data.\n{}",
        report.required,
        widths(&report.widths)
    );
    for (node, error) in &report.approximations {
        let _ = writeln!(
            text,
            "{node}: quantization scales of its summands have no common measure; weights are off by up to {}",
            units::percent((error * 1e6) as usize, 1_000_000)
        );
    }
    for Requantization { node, effect, scale } in dropped {
        let what = match effect {
            Effect::Rounds => {
                "its rounding is dropped, which moves values by at most half its scale"
            }
            Effect::Clamps => "its rounding and the clamping of few outliers are dropped",
            Effect::Activates => "it is an activation, of which the rounding is dropped",
        };
        let _ = writeln!(text, "{node} (quantization scale {}): {what}", units::number(*scale));
    }
    text.push('\n');
    text
}

/// What fewer bits would save.
pub(super) fn fewer_bits(report: &IntegerReport) -> String {
    match &report.worth_training_away {
        Some((bits, candidate)) => format!(
            "With {} fewer, {} would do: worth training away.\n",
            units::count(*bits as usize, "bit"),
            parameters::in_words(candidate)
        ),
        None => "A few bits fewer would not make it notably cheaper.\n".to_owned(),
    }
}

/// Which scheme was chosen, if there was a choice, and why.
pub(super) fn scheme_text(compiled: &Compiled) -> String {
    let (chosen, other) = match compiled.plan.params.scheme() {
        Scheme::Ckks => ("approximate numbers (CKKS)", "Exact integers (BFV)"),
        Scheme::Bfv => ("exact integers (BFV)", "Approximate numbers (CKKS)"),
    };
    match &compiled.other_scheme {
        None => String::new(),
        Some(Ok(seconds)) => format!(
            "\nScheme: {chosen}, since it is predicted to be faster. {other} would take {}.\n",
            units::seconds(*seconds)
        ),
        Some(Err(reason)) => format!("\nScheme: {chosen}. {other}: {reason}\n"),
    }
}

fn widths(widths: &[Width]) -> Table {
    let mut table = Table::new(&[
        ("layer", Align::Left),
        ("kind", Align::Left),
        ("by format", Align::Right),
        ("certified", Align::Right),
        ("calibrated", Align::Right),
        ("widest channel", Align::Right),
    ]);
    for width in widths {
        table.row(vec![
            width.name.clone(),
            width.kind.to_owned(),
            format!("{:.1}", width.format),
            format!("{:.1}", width.certified),
            format!("{:.1}", width.calibrated),
            width.widest_channel.map_or(String::new(), |channel| channel.to_string()),
        ]);
    }
    table
}

/// The choices for scripts.
pub(super) fn json(report: &IntegerReport) -> Json {
    let width = |width: &Width| {
        json!({
            "layer": width.name,
            "kind": width.kind,
            "format_bits": width.format,
            "certified_bits": width.certified,
            "calibrated_bits": width.calibrated,
            "widest_channel": width.widest_channel,
        })
    };
    json!({
        "required_bits": report.required,
        "certified": report.certified,
        "widths": report.widths.iter().map(width).collect::<Vec<_>>(),
        "bits_worth_training_away": report.worth_training_away.as_ref().map(|(bits, _)| bits),
    })
}

/// What the scheme not chosen would have cost, or why it cannot run the network.
pub(super) fn scheme_json(compiled: &Compiled) -> Json {
    match &compiled.other_scheme {
        None => Json::Null,
        Some(Ok(seconds)) => json!({ "predicted_seconds": seconds }),
        Some(Err(reason)) => json!({ "reason": reason }),
    }
}
