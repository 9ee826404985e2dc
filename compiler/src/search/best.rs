//! What every search does with the parameters it comes by: rings from the smallest on, plans from the most promising on, the best
//! one kept.

use std::ops::RangeInclusive;

use crate::config::Config;
use crate::error::CompileError;
use crate::limits;
use crate::lower::Choice;

use super::{BootstrapReport, Candidate, Found, Score, Stages};

/// A plan that was built.
pub(super) struct Built {
    pub(super) choice: Choice,
    pub(super) stages: Stages,
    pub(super) score: Score,
    /// Bits of precision of the results; infinite for integers.
    pub(super) precision: f64,
    pub(super) bootstraps: Option<BootstrapReport>,
}

impl Built {
    /// Whether nothing better is to be expected of plans that promise this and worse: it fits into memory, with all of its keys or in
    /// less time than that.
    fn is_final(&self, promised: &Score) -> bool {
        self.score.fits() && (self.stages.has_all_keys || !promised.is_better(&self.score))
    }
}

/// What a plan is expected to be before it is built.
pub(super) struct Promise<T> {
    pub(super) candidate: Candidate,
    pub(super) score: Score,
    /// What it is built of.
    pub(super) option: T,
}

/// The best of the plans built so far, and what else was considered.
#[derive(Default)]
pub(super) struct Best {
    best: Option<(Candidate, Built)>,
    others: Vec<Candidate>,
}

impl Best {
    /// Takes note of parameters that no plan is built for.
    pub(super) fn pass_over(&mut self, candidate: Candidate) {
        self.others.push(candidate);
    }

    /// Keeps a plan if it is better than those before it.
    pub(super) fn offer(&mut self, candidate: Candidate, built: Built) {
        let is_better = self.best.as_ref().is_none_or(|(other, best)| {
            let [own, other] =
                [(&built.score, &candidate, other), (&best.score, other, &candidate)]
                    .map(|(score, candidate, other)| weighed(score, candidate, other));
            own.is_better(&other)
        });
        let lost = match is_better {
            true => self.best.replace((candidate, built)).map(|(candidate, _)| candidate),
            false => Some(candidate),
        };
        self.others.extend(lost);
    }

    /// Builds plans in the order of what they promise until those left promise nothing better: what a plan takes in memory shows
    /// when it is made.
    pub(super) fn build<T>(
        &mut self,
        mut promises: Vec<Promise<T>>,
        mut build: impl FnMut(T) -> Result<Built, CompileError>,
    ) -> Result<(), CompileError> {
        promises.sort_by(|a, b| a.score.order(&b.score));
        for Promise { candidate, score, option } in promises {
            match &self.best {
                Some((_, best)) if best.is_final(&score) => self.pass_over(candidate),
                _ => self.offer(candidate, build(option)?),
            }
        }
        Ok(())
    }

    /// Predicted seconds of the best plan; infinite if there is none.
    pub(super) fn seconds(&self) -> f64 {
        self.best.as_ref().map_or(f64::INFINITY, |(_, best)| best.score.seconds)
    }

    /// The best plan, and all candidates; those alone if there is no plan.
    pub(super) fn found(self) -> Result<Found, Vec<Candidate>> {
        let Best { best, others } = self;
        let Some((candidate, built)) = best else { return Err(others) };
        let Built { choice, stages, score, precision, bootstraps } = built;
        let candidates = std::iter::once(candidate).chain(others).collect();
        Ok(Found { choice, stages, score, precision, candidates, bootstraps })
    }
}

/// Seconds on a larger ring count for more, since it takes more memory.
fn weighed(score: &Score, candidate: &Candidate, other: &Candidate) -> Score {
    let weight = if candidate.log_n > other.log_n { limits::WORTHWHILE } else { 1.0 };
    Score { seconds: weight * score.seconds, ..*score }
}

/// Explores rings, log2, that hold a batch, from the smallest on, until plans fit on as many as are compared; `explore` says whether
/// any does. Of a ring that was asked for alone.
pub(super) fn over_rings(
    config: &Config,
    rings: RangeInclusive<u32>,
    mut explore: impl FnMut(u32) -> Result<bool, CompileError>,
) -> Result<(), CompileError> {
    let mut left = limits::RINGS_COMPARED;
    let rings = config.log_n.map_or(rings, |log_n| log_n..=log_n);
    for log_n in rings.filter(|log_n| config.batch.fits(log_n - 1)) {
        left -= usize::from(explore(log_n)?);
        if left == 0 {
            break;
        }
    }
    Ok(())
}
