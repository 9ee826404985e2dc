//! The cheapest degrees within a budget, by dynamic programming over the layers.

use super::DegreeOption;

/// For each layer the index of its choice, and the least total loss that there is: the smallest total cost with a total loss
/// within the budget. If there is none, the smallest loss of all.
pub(super) fn cheapest(layers: &[Vec<DegreeOption>], budget: f64) -> (Vec<usize>, f64) {
    // best[cost] is the smallest loss of the layers so far at exactly that cost, with the choices.
    let mut best: Vec<Option<(f64, Vec<usize>)>> = vec![Some((0.0, vec![]))];
    for choices in layers {
        let dearest = choices.iter().map(|choice| choice.cost).max().unwrap_or(0);
        let mut next: Vec<Option<(f64, Vec<usize>)>> = vec![None; best.len() + dearest];
        for (spent, state) in best.iter().enumerate() {
            let Some((loss, chosen)) = state else { continue };
            for (i, choice) in choices.iter().enumerate() {
                let total = loss + choice.loss.unwrap_or(f64::INFINITY);
                let place = &mut next[spent + choice.cost];
                if place.as_ref().is_none_or(|(least, _)| total < *least) {
                    let chosen = chosen.iter().copied().chain([i]).collect();
                    *place = Some((total, chosen));
                }
            }
        }
        best = next;
    }
    let states: Vec<(f64, Vec<usize>)> = best.into_iter().flatten().collect();
    let within = states.iter().find(|(loss, _)| *loss <= budget);
    let least = states.iter().min_by(|a, b| a.0.total_cmp(&b.0)).expect("every layer has a choice");
    (within.unwrap_or(least).1.clone(), least.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poly::{FitConfig, Observed, Variable, fit};

    fn made_up(layers: usize) -> Vec<Vec<DegreeOption>> {
        let nothing = Observed { lo: -1.0, hi: 1.0, points: vec![] };
        let fit = fit(
            |x| x,
            &nothing,
            1,
            FitConfig { margin: 1.0, floor: 1.0, variable: Variable::Argument },
        );
        let choice = |layer: usize, i: usize| DegreeOption {
            degree: i,
            cost: 1 + i * (layer % 3 + 1),
            loss: Some(((layer * 7 + 5) % 11 + 1) as f64 / (1 << (2 * i)) as f64),
            fit: fit.clone(),
        };
        (0..layers).map(|layer| (0..4).map(|i| choice(layer, i)).collect()).collect()
    }

    #[test]
    fn dynamic_programming_equals_trying_everything() {
        let layers = made_up(5);
        for budget in [0.5, 2.0, 5.0, 40.0] {
            let cost = |chosen: &[usize]| {
                chosen.iter().zip(&layers).map(|(&i, c)| c[i].cost).sum::<usize>()
            };
            let total = |chosen: &[usize]| {
                chosen.iter().zip(&layers).filter_map(|(&i, c)| c[i].loss).sum::<f64>()
            };
            let all = (0..4usize.pow(5))
                .map(|k| (0..5).map(|l| k / 4usize.pow(l) % 4).collect::<Vec<_>>());
            let naive =
                all.filter(|chosen| total(chosen) <= budget).map(|chosen| cost(&chosen)).min();
            let (found, _) = cheapest(&layers, budget);
            assert_eq!(Some(cost(&found)), naive, "budget {budget}");
            assert!(total(&found) <= budget);
        }
    }
}
