//! Chooses the model that is shipped: the cheapest one that keeps to the wishes, or the best one.
//!
//! Before: activations. After: polynomials, and how good they are on inputs that nothing was fitted to.

use hecc_grammar::plan::Validation;

use crate::analysis::validate::HeldOut;
use crate::config::Wishes;
use crate::error::CompileError;
use crate::limits;
use crate::pass::approximate::{
    ApproximateConfig, ApproximateReport, Attempt, Beyond, DegreeSearch, Observed, Recipe,
    Replaced, minimax,
};
use crate::passes::{Artifact, Made};

/// The model that is shipped.
pub struct Shipped {
    /// The model.
    pub replaced: Replaced,
    /// Degrees chosen and considered.
    pub report: ApproximateReport,
    /// How good it is.
    pub validation: Validation,
    /// The next better choice.
    pub beyond: Option<Beyond>,
}

impl Artifact for Shipped {
    fn made(&self) -> Option<Made<'_>> {
        Some(Made::Model(&self.replaced.model))
    }
}

/// Finds degrees for a model's activations. Attempts are compared on the inputs `chosen`; those that are held out are looked at
/// once, when nothing is chosen any more.
///
/// # Errors
/// If a model cannot compute the inputs, or no degrees are as good as wished for.
pub fn choose_degrees(
    observed: Observed<'_>,
    chosen: &HeldOut<'_>,
    held_out: &HeldOut<'_>,
    config: &ApproximateConfig,
    wishes: &Wishes,
) -> Result<Shipped, CompileError> {
    if config.recipe == Recipe::Minimax {
        let (replaced, report) = minimax(observed)?;
        let report = ApproximateReport { minimax: Some(report), ..ApproximateReport::default() };
        let validation = validated(&replaced, &report, held_out, wishes)?;
        return Ok(Shipped { replaced, report, validation, beyond: None });
    }
    let config = wishes.aim(config);
    let mut search = DegreeSearch::new(observed, &config)?;
    let mut best: Option<(Attempt, Validation)> = None;
    while let Some(attempt) = search.try_next()? {
        let validation = chosen.validate(&attempt.replaced.model)?;
        let is_met = wishes.is_met(&validation);
        if is_met || best.as_ref().is_none_or(|(_, other)| wishes.prefer(&validation, other)) {
            best = Some((attempt, validation));
        }
        if is_met {
            break;
        }
    }
    let (Attempt { replaced, mut report }, _) = best.expect("there is a first attempt");
    let validation = validated(&replaced, &report, held_out, wishes)?;
    let beyond = search.beyond(&report)?;
    report.tried = search.tried();
    Ok(Shipped { replaced, report, validation, beyond })
}

/// How good the model is that is to be shipped, if it is as good as is wished for.
fn validated(
    replaced: &Replaced,
    report: &ApproximateReport,
    held_out: &HeldOut<'_>,
    wishes: &Wishes,
) -> Result<Validation, CompileError> {
    let validation = held_out.validate(&replaced.model)?;
    let useless = wishes.useless(&validation, Some(report));
    match useless.or_else(|| wishes.unmet(&validation, Some(report))) {
        Some(why) => Err(CompileError::Approximation(why)),
        None => Ok(validation),
    }
}

impl Wishes {
    /// The goal of degrees that keep to the wishes.
    fn aim(&self, config: &ApproximateConfig) -> ApproximateConfig {
        let mut config = config.clone();
        if let Some(share) = self.min_agreement {
            (config.goal.agreement, config.goal.grows) = (share, false);
            config.goal.risk = (limits::RISK * (1.0 - share)).max(1e-4);
        }
        if let Some(error) = self.max_error {
            config.goal.allow(limits::AIM * error);
        }
        config
    }

    /// Whether nothing is asked for.
    fn is_silent(&self) -> bool {
        self.min_agreement.is_none() && self.max_error.is_none()
    }

    fn is_met(&self, validation: &Validation) -> bool {
        self.useless(validation, None).is_none() && self.unmet(validation, None).is_none()
    }

    /// Whether `a` is nearer to the wishes than `b`.
    fn prefer(&self, a: &Validation, b: &Validation) -> bool {
        let agreement = |v: &Validation| v.agreement.map_or(1.0, |share| share.ratio());
        match self.max_error {
            Some(_) => largest(a) < largest(b),
            None => agreement(a) > agreement(b),
        }
    }

    /// Without wishes, polynomials must leave results that say anything at all: why they do not.
    fn useless(
        &self,
        validation: &Validation,
        report: Option<&ApproximateReport>,
    ) -> Option<String> {
        if !(self.is_silent() && is_worthless(validation)) {
            return None;
        }
        let agreement = validation.agreement.map_or(String::new(), |share| {
            format!(" and {} of decisions agree", percent(share.ratio()))
        });
        Some(format!(
            "with the best polynomials results are off by {} of their spread (root mean square on held-out calibration \
             data){agreement}, so that a constant would do as well; {}; --max-error or --min-agreement say that this is \
             good enough",
            percent(rms(validation)),
            limit(validation, report)
        ))
    }

    /// Which wish is not met, and why, if there is one.
    pub fn unmet(
        &self,
        validation: &Validation,
        report: Option<&ApproximateReport>,
    ) -> Option<String> {
        let limit = || limit(validation, report);
        if let (Some(wish), Some(found)) = (self.min_agreement, validation.agreement)
            && found.ratio() < wish
        {
            return Some(format!(
                "{} of {} decisions on held-out calibration data are those of the original network, {}, --min-agreement {} is \
                 wished for; {}",
                found.count,
                found.of,
                percent(found.ratio()),
                percent(wish),
                limit()
            ));
        }
        let error = largest(validation);
        match self.max_error {
            Some(wish) if error > wish => Some(format!(
                "the largest error of a result on held-out calibration data is {} of its spread, --max-error {} is wished for; {}",
                percent(error),
                percent(wish),
                limit()
            )),
            Some(_) | None => None,
        }
    }
}

/// Whether results say nothing: errors are as large as what they vary by.
fn is_worthless(validation: &Validation) -> bool {
    let agreement = validation.agreement.map_or(0.0, |share| share.ratio());
    !(rms(validation) < 1.0 || agreement >= limits::USEFUL_AGREEMENT)
}

/// The root mean square error of the worst output.
fn rms(validation: &Validation) -> f64 {
    validation.outputs.iter().map(|errors| errors.total.rms).fold(0.0, f64::max)
}

/// The largest error of any output.
fn largest(validation: &Validation) -> f64 {
    validation.outputs.iter().map(|errors| errors.total.largest).fold(0.0, f64::max)
}

/// `98.4%`, so that it can be given to an option.
fn percent(share: f64) -> String {
    format!("{}%", (share * 1e4).round() / 100.0)
}

/// What keeps results from being better.
fn limit(validation: &Validation, report: Option<&ApproximateReport>) -> String {
    let rounds = validation.outputs.iter().any(|e| e.rounding.rms > e.approximation.rms);
    match report.and_then(ApproximateReport::worst_layer) {
        Some(layer) if !rounds => format!(
            "what limits it most is node `{}`, which polynomials of degree up to {} do not fit better",
            layer.node,
            layer.choices.last().map_or(0, |choice| choice.degree)
        ),
        Some(_) | None => "what limits it is rounding: more bits are needed".to_owned(),
    }
}
