//! Accuracy against time: the plan next to those of other polynomials that were tried.

use std::collections::BTreeMap;

use hecc_compiler::pipeline::CurvePoint;
use hecc_grammar::plan::{Share, Validation};
use serde_json::{Value as Json, json};

use crate::terminal::table::{Align, Table};
use crate::terminal::units;

/// The curve for people; empty if there is nothing to compare.
pub(super) fn text(curve: &[CurvePoint]) -> String {
    if curve.len() < 2 {
        return String::new();
    }
    let mut table = Table::new(&[
        ("degrees", Align::Left),
        ("predicted", Align::Right),
        ("decided alike", Align::Right),
        ("rms error", Align::Right),
    ]);
    for point in curve {
        let marks = match (point.is_chosen, point.is_tuned) {
            (true, true) => "* (tuned)",
            (true, false) => "*",
            (false, true) => " (tuned)",
            (false, false) => "",
        };
        let mut row = vec![format!("{}{marks}", summary(&point.degrees))];
        match &point.plan {
            Ok((seconds, validation)) => row.extend([
                units::seconds(*seconds),
                validation.agreement.map_or("-".to_owned(), share),
                format!("{} %", units::number(100.0 * rms(validation))),
            ]),
            Err(_) => row.extend(["no plan".to_owned(), "-".to_owned(), "-".to_owned()]),
        }
        table.row(row);
    }
    format!(
        "Accuracy against time (`*`: chosen). Each line is a plan with polynomials that were tried, on held-out inputs; \
         --min-agreement or --max-error ask for another one.\n{table}\n"
    )
}

/// The curve for scripts.
pub(super) fn json(point: &CurvePoint) -> Json {
    let mut json = json!({
        "degrees": point.degrees,
        "tuned": point.is_tuned,
        "chosen": point.is_chosen,
    });
    match &point.plan {
        Ok((seconds, validation)) => {
            json["predicted_seconds"] = (*seconds).into();
            json["agreement"] = validation.agreement.map(|share| share.ratio()).into();
            json["rms_error"] = rms(validation).into();
        }
        Err(why) => json["refused"] = why.as_str().into(),
    }
    json
}

/// `7 in 14, 3 in 5`, the most frequent degree first.
fn summary(degrees: &[usize]) -> String {
    let mut counts = BTreeMap::new();
    degrees.iter().for_each(|degree| *counts.entry(*degree).or_insert(0) += 1);
    let mut counts: Vec<(usize, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(degree, count)| (usize::MAX - count, *degree));
    match counts[..] {
        [(degree, _)] => degree.to_string(),
        _ => {
            let of = |(degree, count): &(usize, usize)| format!("{degree} in {count}");
            counts.iter().map(of).collect::<Vec<_>>().join(", ")
        }
    }
}

fn share(share: Share) -> String {
    units::percent(share.count as usize, share.of as usize)
}

/// The root mean square error of the worst output.
fn rms(validation: &Validation) -> f64 {
    validation.outputs.iter().map(|errors| errors.total.rms).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_are_counted() {
        assert_eq!(summary(&[7, 7, 7]), "7");
        assert_eq!(summary(&[3, 7, 7, 15]), "7 in 2, 3 in 1, 15 in 1");
    }
}
