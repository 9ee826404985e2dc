//! What values should be, and by how much a loss changes with them: the divergence of decisions from those of the network that was
//! given, softened so that all scores count; the squared error of numbers; and how far values are off where branches fork, the ends
//! of residual blocks.

use hecc_grammar::model::{Model, Output, Tensor};
use hecc_grammar::plan::{OutputKind, lanes};

use super::super::degree_search::Layer;
use crate::judge::Judge;

/// Scores are divided by this before they are compared.
const TEMPERATURE: f64 = 3.0;

/// An input whose decisions diverge by more is lost, and pulls no more.
const MOST_DIVERGENCE: f64 = 5.0;

/// Weight of all forks together, the square of the size of their values being 1.
const WEIGHT_OF_FORKS: f64 = 2.0;

/// What is wanted of a network.
pub(super) struct Wanted<'a> {
    model: &'a Model,
    judge: &'a Judge,
    /// Activations that are read more than once.
    forks: Vec<Tensor>,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(model: &'a Model, layers: &[Layer], judge: &'a Judge) -> Wanted<'a> {
        let mut uses = vec![0; model.nodes.len()];
        for (_, node) in model.tensors() {
            node.op.operands().iter().for_each(|x| uses[x.index()] += 1);
        }
        let is_fork = |layer: &&Layer| uses[layer.tensor.index()] > 1;
        let forks = layers.iter().filter(is_fork).map(|layer| layer.tensor).collect();
        Wanted { model, judge, forks }
    }

    /// Numbers that are compared for one input.
    pub(super) fn n_numbers(&self) -> usize {
        self.compared().map(|tensor| self.model.shape(tensor).iter().product::<usize>()).sum()
    }

    /// Those of the values of the network that was given which are compared.
    pub(super) fn of(&self, values: &[Vec<f32>]) -> Vec<Vec<f32>> {
        self.compared().map(|tensor| values[tensor.index()].clone()).collect()
    }

    /// By how much the loss changes with values, given what is wanted.
    pub(super) fn gradients(
        &self,
        wanted: &[Vec<f32>],
        values: &[Vec<f32>],
    ) -> Vec<(Tensor, Vec<f32>)> {
        let (of_outputs, of_forks) = wanted.split_at(self.model.outputs.len());
        let outputs = self.model.outputs.iter().zip(of_outputs).enumerate();
        let of_output = |(k, (output, wanted)): (usize, (&Output, &Vec<f32>))| {
            let (tensor, found) = (output.tensor, &values[output.tensor.index()]);
            let gradient = match self.judge.kinds[k] {
                OutputKind::Classes { axis } | OutputKind::Scores { axis } => {
                    divergence(self.model.shape(tensor), axis, wanted, found)
                }
                OutputKind::Values | OutputKind::Threshold { .. } => {
                    let spread = self.judge.spread(k).1;
                    squares(wanted, found, spread * spread * found.len() as f64)
                }
            };
            (tensor, gradient)
        };
        let of_fork = |(&tensor, wanted): (&Tensor, &Vec<f32>)| {
            let found = &values[tensor.index()];
            let size = wanted.iter().map(|&x| f64::from(x * x)).sum::<f64>();
            let error = wanted.iter().zip(found).map(|(p, q)| f64::from((p - q) * (p - q)));
            // What is lost pulls no more.
            let is_lost = error.sum::<f64>() > size;
            let share = WEIGHT_OF_FORKS / self.forks.len() as f64;
            (!is_lost).then(|| (tensor, squares(wanted, found, size / share)))
        };
        let forks = self.forks.iter().zip(of_forks).filter_map(of_fork);
        outputs.map(of_output).chain(forks).collect()
    }

    fn compared(&self) -> impl Iterator<Item = Tensor> {
        let outputs = self.model.outputs.iter().map(|output| output.tensor);
        outputs.chain(self.forks.iter().copied())
    }
}

/// The gradient of `Σ (p − q)²/unit` in q.
fn squares(p: &[f32], q: &[f32], unit: f64) -> Vec<f32> {
    let factor = if unit > 0.0 { (2.0 / unit) as f32 } else { 0.0 };
    p.iter().zip(q).map(|(p, q)| factor * (q - p)).collect()
}

/// The gradient in q of the divergence of softened decisions, in units in which it does not depend on the temperature.
fn divergence(shape: &[usize], axis: usize, p: &[f32], q: &[f32]) -> Vec<f32> {
    let mut gradient = vec![0.0; q.len()];
    for lane in lanes(shape, axis) {
        let lane: Vec<usize> = lane.collect();
        let of = |x: &[f32]| log_softmax(lane.iter().map(|&i| f64::from(x[i]) / TEMPERATURE));
        let (p, q) = (of(p), of(q));
        let divergence: f64 = p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum();
        if divergence < MOST_DIVERGENCE {
            for ((p, q), &i) in p.iter().zip(&q).zip(&lane) {
                gradient[i] = (TEMPERATURE * (q.exp() - p.exp())) as f32;
            }
        }
    }
    gradient
}

fn log_softmax(scores: impl Iterator<Item = f64>) -> Vec<f64> {
    let scores: Vec<f64> = scores.collect();
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum = scores.iter().map(|x| (x - most).exp()).sum::<f64>().ln();
    scores.into_iter().map(|x| x - most - sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_of_divergences_are_quotients_of_differences() {
        let (p, q) = ([1.0, -2.0, 4.0], [0.5, 1.0, 2.0]);
        let gradient = divergence(&[1, 3], 1, &p, &q);
        let loss = |q: &[f32]| -> f64 {
            let of = |x: &[f32]| log_softmax(x.iter().map(|&x| f64::from(x) / TEMPERATURE));
            let (p, q) = (of(&p), of(q));
            let terms = p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q));
            terms.sum::<f64>() * TEMPERATURE * TEMPERATURE
        };
        for i in 0..3 {
            let moved = |by: f32| {
                let mut q = q;
                q[i] += by;
                loss(&q)
            };
            let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((slope - f64::from(gradient[i])).abs() < 1e-3, "{i}: {slope}, {gradient:?}");
        }
        assert!(divergence(&[1, 2], 1, &[100.0, 0.0], &[0.0, 100.0]).iter().all(|g| *g == 0.0));
    }
}
