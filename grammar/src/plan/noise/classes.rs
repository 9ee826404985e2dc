//! Slots that plaintexts of a layer multiply by the same numbers: those of a channel.

use crate::plan::{Plan, Runs, View};

use super::samples::{SAMPLES, Samples};

/// Layers of more channels have several in each class.
pub const MOST_CLASSES: usize = 64;

/// The number of classes that so many channels are in.
pub fn count_classes(n_channels: usize) -> usize {
    n_channels.min(MOST_CLASSES)
}

/// The class of a channel of so many.
pub fn class_of(channel: usize, n_channels: usize) -> usize {
    channel * count_classes(n_channels) / n_channels
}

/// The channels of a layer's slots.
pub(super) struct Classes<'a> {
    /// Slots with their channels.
    runs: &'a Runs,
    n_channels: usize,
}

impl<'a> Classes<'a> {
    /// For each layer its classes, if it computes polynomials of which channels have their own coefficients. Where plaintexts do not
    /// agree in what channels there are, there are none.
    pub(super) fn of_layers(plan: &'a Plan) -> Vec<Option<Classes<'a>>> {
        let mut found: Vec<Option<Classes<'a>>> = plan.layers.iter().map(|_| None).collect();
        let mut disagree = vec![false; plan.layers.len()];
        for (value, op) in plan.values() {
            let layer = plan.origins[value.index()] as usize;
            if plan.layers.get(layer).is_none_or(|layer| layer.degree < 2) {
                continue;
            }
            for constant in op.constants() {
                let View::Table { table, runs, .. } = &plan.constants[constant.index()].view else {
                    continue;
                };
                let n_channels = plan.tables[*table as usize].len();
                disagree[layer] |= n_channels == 0;
                let first = found[layer].get_or_insert(Classes { runs, n_channels });
                disagree[layer] |= first.n_channels != n_channels || first.runs != runs;
            }
        }
        let agreed = found.into_iter().zip(disagree);
        agreed.map(|(classes, disagree)| classes.filter(|_| !disagree)).collect()
    }

    /// How many classes there are.
    pub(super) fn count(&self) -> usize {
        count_classes(self.n_channels)
    }

    /// Whether each channel is a class.
    pub(super) fn are_channels(&self) -> bool {
        self.n_channels <= MOST_CLASSES
    }

    /// Numbers of channels, for each sample of each class.
    pub(super) fn samples(&self, number: impl Fn(usize) -> f64) -> Samples {
        let n_classes = self.count();
        let first = |class: usize| (class * self.n_channels).div_ceil(n_classes);
        let of = |i: usize| {
            let (class, sample) = (i / SAMPLES, i % SAMPLES);
            let (from, to) = (first(class), first(class + 1));
            number(from + sample * (to - from) / SAMPLES)
        };
        Samples::Each((0..n_classes * SAMPLES).map(of).collect())
    }

    /// The numbers of classes in their slots; `other` in all other slots.
    pub(super) fn spread(&self, numbers: &[f64], n_slots: usize, other: f64) -> Vec<f64> {
        let mut slots = vec![other; n_slots];
        for run in &self.runs.0 {
            run.for_each(|slot, channel| {
                slots[slot as usize] = numbers[class_of(channel as usize, self.n_channels)];
            });
        }
        slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_their_classes_as_far_as_there_are_so_many() {
        let classes = |n: usize| -> Vec<usize> { (0..n).map(|i| class_of(i, n)).collect() };
        assert_eq!(classes(3), [0, 1, 2]);
        let many = classes(100);
        assert!(many.is_sorted() && many[0] == 0 && many[99] == MOST_CLASSES - 1);
        assert_eq!(count_classes(100), MOST_CLASSES);

        let runs = Runs::from_pairs(&[(0, 1), (2, 0), (3, 99)]);
        let of_many = Classes { runs: &runs, n_channels: 100 };
        let samples = of_many.samples(|channel| channel as f64);
        for i in 0..MOST_CLASSES * SAMPLES {
            assert_eq!(class_of(samples.at(i) as usize, 100), i / SAMPLES, "sample {i}");
        }
        let numbers: Vec<f64> = (0..MOST_CLASSES).map(|class| 10.0 + class as f64).collect();
        let slots = of_many.spread(&numbers, 4, -1.0);
        assert_eq!(slots, [10.0 + class_of(1, 100) as f64, -1.0, 10.0, 73.0]);
    }
}
