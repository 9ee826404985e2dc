//! Sums of products with plaintexts, slot by slot: how large the error of each may be.

use crate::plan::{ConstantId, Plan, View};

use super::profile::Profile;

/// What is known of one term of a sum.
pub(super) struct Term<'a> {
    pub(super) constant: ConstantId,
    pub(super) view: &'a View,
    /// Of the operand's error.
    pub(super) variance: f64,
    /// How that differs from slot to slot.
    pub(super) profile: Option<&'a Profile>,
    /// By how much that may be larger in some slot.
    pub(super) beyond: f64,
    pub(super) concentration: f64,
    /// The largest number that the operand holds.
    pub(super) size: f64,
}

impl Term<'_> {
    /// The variance in a slot.
    fn variance_at(&self, slot: usize) -> f64 {
        self.variance * self.profile.map_or(1.0, |profile| profile.at(slot))
    }
}

/// What is carried to the slots of a sum.
pub(super) struct SlotSums<'a> {
    plan: &'a Plan,
    /// None as long as all slots are alike.
    slots: Vec<Carried>,
    everywhere: Carried,
    /// The largest numbers that there may be, if they are wanted.
    sizes: Vec<f64>,
    size_everywhere: f64,
}

/// What operands' errors are in one slot of a sum.
#[derive(Clone, Debug, Default)]
struct Carried {
    variance: f64,
    /// Of independent errors: the sum of the squares of their variances.
    squares: f64,
    /// By how much the variance of one of them may be larger.
    worst: f64,
}

impl Carried {
    fn add(&mut self, variance: f64, concentration: f64) {
        self.variance += variance;
        self.squares += concentration * variance * variance;
    }
}

/// What comes of a sum.
pub(super) struct Summed {
    /// The largest variance.
    pub(super) most: f64,
    /// Its mean.
    pub(super) mean: f64,
    /// How it differs from slot to slot, if it does.
    pub(super) profile: Option<Profile>,
    /// See [`super::errors::Errors::concentration`].
    pub(super) squares: f64,
    /// The largest number; none if sizes are not wanted.
    pub(super) size: f64,
}

impl<'a> SlotSums<'a> {
    /// Of no terms.
    pub(super) fn new(plan: &'a Plan, wants_sizes: bool) -> SlotSums<'a> {
        let n_slots = plan.params.n_slots();
        SlotSums {
            plan,
            slots: vec![],
            everywhere: Carried::default(),
            sizes: if wants_sizes { vec![0.0; n_slots] } else { vec![] },
            size_everywhere: 0.0,
        }
    }

    fn tell_slots_apart(&mut self) {
        self.slots.resize(self.plan.params.n_slots(), Carried::default());
    }

    /// Adds what a term holds.
    fn add_size(&mut self, term: &Term<'_>) {
        match term.view {
            View::Splat(x) | View::Imaginary(x) => self.size_everywhere += x.abs() * term.size,
            View::Embedding(diagonal) => self.size_everywhere += diagonal.factor.abs() * term.size,
            View::Table { table, factor, runs } => {
                let table = &self.plan.tables[*table as usize];
                for run in &runs.0 {
                    run.for_each(|slot, element| {
                        let number = f64::from(table[element as usize]) * factor;
                        self.sizes[slot as usize] += number.abs() * term.size;
                    });
                }
            }
        }
    }

    /// Adds a term whose error is independent of the others'.
    pub(super) fn add(&mut self, term: &Term<'_>) {
        let Term { variance, beyond, concentration, .. } = *term;
        if !self.sizes.is_empty() {
            self.add_size(term);
        }
        match term.view {
            View::Splat(x) | View::Imaginary(x) => {
                self.everywhere.add(x * x * variance, concentration);
            }
            View::Table { table, factor, runs } => {
                let table = &self.plan.tables[*table as usize];
                self.tell_slots_apart();
                for run in &runs.0 {
                    run.for_each(|slot, element| {
                        let weight = (f64::from(table[element as usize]) * factor).powi(2);
                        let carried = &mut self.slots[slot as usize];
                        carried.add(weight * term.variance_at(slot as usize), concentration);
                        carried.worst = carried.worst.max(weight * beyond);
                    });
                }
            }
            View::Embedding(diagonal) => {
                let power = diagonal.density() * diagonal.factor.powi(2);
                self.everywhere.add(power * variance, concentration);
            }
        }
    }

    /// Adds terms whose errors have something in common: deviations add up.
    pub(super) fn add_together(&mut self, terms: &[&Term<'_>]) {
        let are_alike = terms.iter().all(|term| !matches!(term.view, View::Table { .. }));
        let n_slots = self.plan.params.n_slots();
        let mut slots = vec![0.0; if are_alike { 0 } else { n_slots }];
        let (mut everywhere, mut concentration) = (0.0, 0.0f64);
        for term in terms {
            let deviation = (term.variance + term.beyond).sqrt();
            concentration = concentration.max(term.concentration);
            if !self.sizes.is_empty() {
                self.add_size(term);
            }
            let mut add = |slot: i64, x: f64| {
                let variance = term.variance_at(slot as usize) + term.beyond;
                slots[slot as usize] += x.abs() * variance.sqrt();
            };
            match term.view {
                View::Splat(x) | View::Imaginary(x) => {
                    everywhere += x.abs() * deviation;
                }
                View::Table { table, factor, runs } => {
                    let table = &self.plan.tables[*table as usize];
                    let number = |element: i64| f64::from(table[element as usize]) * factor;
                    let runs = runs.0.iter();
                    runs.for_each(|run| run.for_each(|slot, of| add(slot, number(of))));
                }
                View::Embedding(diagonal) => {
                    everywhere += diagonal.factor.abs() * deviation;
                }
            }
        }
        if are_alike {
            return self.everywhere.add(everywhere * everywhere, concentration);
        }
        self.tell_slots_apart();
        for (carried, deviation) in self.slots.iter_mut().zip(slots) {
            carried.add((deviation + everywhere).powi(2), concentration);
        }
    }

    /// The sum.
    pub(super) fn finish(&self) -> Summed {
        let largest = |of: fn(&Carried) -> f64| self.slots.iter().map(of).fold(0.0, f64::max);
        let used = self.slots.iter().map(|c| c.variance).filter(|&variance| variance > 0.0);
        let (sum, count) = used.fold((0.0, 0), |(sum, count), x| (sum + x, count + 1));
        let everywhere = self.everywhere.variance;
        let mean = sum / f64::from(count.max(1)) + everywhere;
        let profile = match self.slots.is_empty() {
            true => None,
            false => Profile::new(self.slots.iter().map(|c| c.variance + everywhere), mean),
        };
        Summed {
            most: largest(|c| c.variance + c.worst) + everywhere,
            mean,
            profile,
            squares: largest(|c| c.squares + c.worst * c.worst) + self.everywhere.squares,
            size: self.sizes.iter().copied().fold(0.0, f64::max) + self.size_everywhere,
        }
    }
}
