//! How good a plan is: what it says of itself, and what encryption adds.

use hecc_grammar::noise::{self, Deviation};
use hecc_grammar::plan::{
    Accuracy, Better, ErrorSize, OutputErrors, Scheme, Share, Validation, VerifiedPlan,
};
use serde_json::{Value as Json, json};

use crate::terminal::table::Sheet;
use crate::terminal::units;

/// Agreement below this is warned of.
const GOOD: f64 = 0.99;

/// Errors above this part of the spread are warned of, unless the output is known to be for decisions only.
const LARGE: f64 = 0.1;

/// Errors of an output, by cause.
#[derive(Clone, Debug, PartialEq)]
struct Errors {
    name: String,
    /// Whether only the decisions count that are made of it.
    decides: bool,
    validated: OutputErrors,
    encryption: ErrorSize,
}

/// How good a plan is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fidelity {
    validation: Validation,
    outputs: Vec<Errors>,
}

impl Fidelity {
    /// What a plan says of itself, if it was compared with its network.
    pub(crate) fn of(plan: &VerifiedPlan) -> Option<Fidelity> {
        let validation = plan.validation.clone()?;
        let noise = match plan.params.scheme() {
            Scheme::Ckks => noise::analyze(plan),
            // Integers are exact.
            Scheme::Bfv => vec![Deviation::NONE; plan.ops.len()],
        };
        let errors = |(output, validated): (&hecc_grammar::plan::Output, &OutputErrors)| {
            let most = |of: fn(&Deviation) -> f64| {
                let errors = output.slots.iter().map(|(value, _)| of(&noise[value.index()]));
                errors.fold(0.0, f64::max) * output.factor.abs()
            };
            let encryption = ErrorSize {
                largest: most(|noise| noise.bound) / validated.least_spread,
                rms: most(|noise| noise.total) / validated.spread,
            };
            let (name, decides) = (output.name.clone(), output.kind.decides());
            Errors { name, decides, validated: *validated, encryption }
        };
        let outputs = plan.outputs.iter().zip(&validation.outputs).map(errors).collect();
        Some(Fidelity { validation, outputs })
    }

    /// For people: agreement, accuracy, errors, what better would cost.
    pub(crate) fn lines(&self, sheet: &mut Sheet) {
        let Validation { n_inputs, agreement, accuracy, better, .. } = &self.validation;
        let inputs = units::count(*n_inputs as usize, "held-out input");
        if let Some(share) = agreement {
            let (lo, hi) = share.interval();
            sheet.line(
                "agreement",
                format!(
                    "{} of {} on {inputs} are the original network's (95 % sure: {:.2} to {:.2} %)",
                    percent(share.ratio()),
                    units::count(share.of as usize, "decision"),
                    lo * 100.0,
                    hi * 100.0
                ),
            );
        }
        match accuracy {
            None => {}
            Some(Accuracy::Classes { original, compiled }) => sheet.line(
                "accuracy",
                format!(
                    "{} of {inputs} are right, {} by the original network",
                    percent(compiled.ratio()),
                    percent(original.ratio())
                ),
            ),
            Some(Accuracy::Values { original, compiled }) => sheet.line(
                "accuracy",
                format!("R² is {compiled:.4} on {inputs}, {original:.4} by the original network"),
            ),
        }
        for errors in &self.outputs {
            self.error_lines(errors, &inputs, sheet);
        }
        if let Some(better) = better {
            sheet.line("better", better_text(better));
        }
    }

    fn error_lines(&self, errors: &Errors, inputs: &str, sheet: &mut Sheet) {
        let OutputErrors { approximation, rounding, total, .. } = errors.validated;
        let of = match self.outputs.len() {
            1 => "the spread of results".to_owned(),
            _ => format!("the spread of `{}`", errors.name),
        };
        sheet.line("error", format!("{} of {of} on {inputs}", size(total)));
        sheet.line(
            "",
            format!(
                "(approximation {}; rounding {}; encryption {})",
                size(approximation),
                size(rounding),
                size(errors.encryption)
            ),
        );
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Json {
        let Validation { n_inputs, agreement, accuracy, better, .. } = &self.validation;
        let accuracy = match accuracy {
            None => Json::Null,
            Some(Accuracy::Classes { original, compiled }) => {
                json!({ "compiled": share_json(*compiled), "original": share_json(*original) })
            }
            Some(Accuracy::Values { original, compiled }) => {
                json!({ "r2": { "compiled": compiled, "original": original } })
            }
        };
        let output = |errors: &Errors| {
            let OutputErrors { least_spread, spread, approximation, rounding, total } =
                errors.validated;
            json!({
                "name": errors.name,
                "spread": spread,
                "least_spread": least_spread,
                "error": size_json(total),
                "approximation": size_json(approximation),
                "rounding": size_json(rounding),
                "encryption": size_json(errors.encryption),
            })
        };
        let better = better.as_ref().map(|Better { degrees, time, agreement, rms }| {
            json!({ "degrees": degrees, "time_factor": time, "agreement": agreement, "rms": rms })
        });
        json!({
            "held_out_inputs": n_inputs,
            "agreement": agreement.map(share_json),
            "accuracy": accuracy,
            "outputs": self.outputs.iter().map(output).collect::<Vec<_>>(),
            "better": better,
            "warning": self.warning(),
        })
    }

    /// What is not good about it.
    pub(crate) fn warning(&self) -> Option<String> {
        let inputs = units::count(self.validation.n_inputs as usize, "held-out input");
        let hint = "more calibration data, or --min-agreement and --max-error, may help";
        if let Some(share) = self.validation.agreement.filter(|share| share.ratio() < GOOD) {
            return Some(format!(
                "only {} of {} on {inputs} are those of the original network; {hint}",
                percent(share.ratio()),
                units::count(share.of as usize, "decision")
            ));
        }
        let poor = |errors: &&Errors| !errors.decides && errors.validated.total.largest > LARGE;
        let worst = self.outputs.iter().find(poor)?;
        Some(format!(
            "results of `{}` are off by {} of their spread on {inputs}; {hint}",
            worst.name,
            size(worst.validated.total)
        ))
    }
}

fn better_text(Better { degrees, time, agreement, rms }: &Better) -> String {
    let list: Vec<String> = degrees.iter().map(u32::to_string).collect();
    let agreement =
        agreement.map_or(String::new(), |share| format!("agreement of about {}, ", percent(share)));
    format!(
        "--degrees {}: {agreement}rms error of about {}, {time:.1} times as long",
        list.join(":"),
        relative(*rms)
    )
}

/// `at most 1.2 %, rms 0.13 %`.
fn size(ErrorSize { largest, rms }: ErrorSize) -> String {
    if largest == 0.0 {
        return "none".to_owned();
    }
    if !largest.is_finite() {
        return "not known: `hecc simulate` measures it".to_owned();
    }
    format!("at most {}, rms {}", relative(largest), relative(rms))
}

fn relative(x: f64) -> String {
    format!("{} %", units::number(x * 100.0))
}

fn percent(share: f64) -> String {
    let rounded = (share * 1e4).round() / 100.0;
    // 99.996 % is not all of them.
    format!("{:.2} %", if share < 1.0 { rounded.min(99.99) } else { rounded })
}

fn share_json(share: Share) -> Json {
    let (lo, hi) = share.interval();
    json!({
        "share": share.ratio(),
        "count": share.count,
        "of": share.of,
        "interval_95": [lo, hi],
    })
}

fn size_json(size: ErrorSize) -> Json {
    json!({ "largest": size.largest, "rms": size.rms })
}
