//! Sums of products with vectors: what slots were is in others of the sum.

use std::collections::BTreeMap;

use crate::plan::{ConstantId, Value, View};

use super::analysis::{Analysis, NEGLIGIBLE, splat_rounding};
use super::content::Content;
use super::errors::Errors;
use super::formulas::encode;
use super::groups::related;
use super::known::Known;
use super::lineage::{Lineage, Root};
use super::mixture::Transform;
use super::profile::Profile;
use super::samples::Samples;
use super::slot_sums::{SlotSums, Term};

/// Sums of at least this number of products have about as much error as the mean of what they sum.
const WIDE: usize = 8;

impl Analysis<'_> {
    /// `Σ ciphertext · plaintext` in the slot where its error is largest: the ciphertexts' errors times the plaintexts, and
    /// the ciphertexts times the plaintexts' rounding errors.
    pub(super) fn mixture(&self, terms: &[(Value, ConstantId)]) -> Known {
        let plan = self.plan();
        let is_wide = self.of_plan.fan_ins[plan.origins[self.value.index()] as usize] >= WIDE;
        let lineages: Vec<Lineage> =
            terms.iter().map(|(value, _)| self.lineage(*value, is_wide)).collect();
        let described: Vec<Term<'_>> =
            terms.iter().map(|(value, constant)| self.term(*value, *constant, is_wide)).collect();
        let mut groups: BTreeMap<usize, Vec<&Term<'_>>> = BTreeMap::new();
        let firsts = related(&lineages.iter().collect::<Vec<_>>(), self.at.moves).firsts();
        for (term, first) in described.iter().zip(firsts) {
            groups.entry(first).or_default().push(term);
        }
        let mut sums = SlotSums::new(plan, !self.of_plan.is_layered);
        for group in groups.values() {
            match group.as_slice() {
                [term] => sums.add(term),
                terms => sums.add_together(terms),
            }
        }
        let summed = sums.finish();
        let roundings = self.roundings(&described);
        let rounding: f64 = roundings.values().map(|deviation| deviation.powi(2)).sum();
        let is_apart = !self.at.is_layered && rounding > NEGLIGIBLE.powi(2) * summed.most;
        let within = if is_apart { 0.0 } else { rounding };
        let (most, mean) = (summed.most + within, summed.mean + within);
        let concentration = (summed.squares + within * within) / (most * most);
        let concentration = if most > 0.0 { concentration.min(1.0) } else { 1.0 };
        let transform = self.transform(terms);
        let first = terms.first().filter(|_| transform.is_some());
        let lineage = Lineage::union(&lineages, self.at.moves);
        let part = (Samples::All(mean.sqrt()), concentration);
        let mut errors = Errors::mixed(self.at, part, lineage, transform);
        for (constant, deviation) in roundings.into_iter().filter(|_| is_apart) {
            let root = Root::Encoded(constant);
            let encoded = Errors::encoded(root, self.value, Samples::All(deviation));
            errors = errors.plus(&encoded, self.at);
        }
        Known {
            added: rounding,
            // Sums of what has something in common could be larger in a slot where only one summand is.
            profile: summed
                .profile
                .filter(|_| self.at.is_layered)
                .and_then(|profile| Profile::of_sum((Some(&profile), summed.mean), (None, within))),
            entered: first.and_then(|(value, _)| self.of(*value).entering()),
            is_worst: terms.iter().any(|(value, _)| self.of(*value).is_worst),
            unevenness: match summed.mean + rounding > 0.0 {
                true => (summed.most + rounding) / (summed.mean + rounding),
                false => 1.0,
            },
            ..Known::new(self.value, self.mixed_content(terms, summed.size), errors)
        }
    }

    /// What an operand's error is made of; layers are new in wide sums.
    fn lineage(&self, v: Value, is_wide: bool) -> Lineage {
        let known = self.of(v);
        let lineage = known.errors.lineage(known.of, self.at.moves);
        let is_layer = |root: Root| match root {
            Root::Whole(value) => self.of_plan.layers[value.index()].is_some(),
            Root::Added(_) | Root::Encoded(_) => false,
        };
        if is_wide && lineage.has_kin() { lineage.cut(is_layer) } else { lineage }
    }

    fn term(&self, v: Value, constant: ConstantId, is_wide: bool) -> Term<'_> {
        let operand = self.of(v);
        let variance = operand.typical();
        // A sum of few may have the slot whose error is largest.
        let beyond = if is_wide { 0.0 } else { (operand.largest() - variance).max(0.0) };
        Term {
            constant,
            view: &self.of_plan.plan.constants[constant.index()].view,
            variance,
            beyond,
            profile: operand.profile.as_ref(),
            concentration: operand.errors.concentration(),
            size: operand.content.size(),
        }
    }

    /// What rounding each constant does to a sum.
    fn roundings(&self, terms: &[Term<'_>]) -> BTreeMap<ConstantId, f64> {
        let mut all = BTreeMap::new();
        for Term { constant, view, size, .. } in terms {
            let unit = (-self.plan().constants[constant.index()].scale).exp2();
            let off = match view {
                View::Splat(x) | View::Imaginary(x) => splat_rounding(*x, unit).abs(),
                View::Table { .. } | View::Embedding(_) => encode(&self.of_plan.moduli) * unit,
            };
            *all.entry(self.of_plan.constants[constant.index()]).or_insert(0.0) += off * size;
        }
        all
    }

    /// The factor of the embedding that all of a sum's constants are diagonals of.
    fn transform(&self, terms: &[(Value, ConstantId)]) -> Option<Transform> {
        let mut transforms =
            terms.iter().map(|(_, constant)| match &self.plan().constants[constant.index()].view {
                View::Embedding(diagonal) => Some(Transform::of(diagonal)),
                View::Splat(_) | View::Imaginary(_) | View::Table { .. } => None,
            });
        let first = transforms.next()??;
        transforms.all(|transform| transform == Some(first)).then_some(first)
    }

    /// What slots hold that come of mixing others.
    fn mixed_content(&self, terms: &[(Value, ConstantId)], size: f64) -> Content {
        let mut content = Content::Bounded(size);
        for (value, constant) in terms {
            let View::Embedding(diagonal) = &self.plan().constants[constant.index()].view else {
                continue;
            };
            if let Content::Raised { size, unit } = self.of(*value).content {
                let before = if let Content::Raised { size, .. } = content { size } else { 0.0 };
                let power = diagonal.density() * diagonal.factor.powi(2);
                content = Content::Raised { size: f64::hypot(before, power.sqrt() * size), unit };
            }
        }
        content
    }
}
