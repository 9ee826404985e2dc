//! The coefficient of determination, R²: how much of what varies is predicted.

/// Sums over many cases.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RSquared {
    count: f64,
    /// For each target: its first value, then sums of differences from that, of their squares, and of squared errors.
    targets: Vec<[f64; 4]>,
}

impl RSquared {
    /// Adds a case.
    pub fn add(&mut self, targets: &[f64], predicted: &[f64]) {
        if self.targets.is_empty() {
            self.targets = targets.iter().map(|&t| [t, 0.0, 0.0, 0.0]).collect();
        }
        self.count += 1.0;
        for ([first, sum, squares, errors], (t, p)) in
            self.targets.iter_mut().zip(targets.iter().zip(predicted))
        {
            let shifted = t - *first;
            *sum += shifted;
            *squares += shifted * shifted;
            *errors += (t - p).powi(2);
        }
    }

    /// Both together.
    pub fn merge(mut self, other: RSquared) -> RSquared {
        if self.targets.is_empty() {
            return other;
        }
        self.count += other.count;
        for ([first, sum, squares, errors], [from, s, q, e]) in
            self.targets.iter_mut().zip(other.targets)
        {
            let shift = from - *first;
            *squares += q + 2.0 * shift * s + other.count * shift * shift;
            *sum += s + other.count * shift;
            *errors += e;
        }
        self
    }

    /// The mean of R² over all targets that vary; `None` if there are none.
    pub fn value(&self) -> Option<f64> {
        let of = |&[_, sum, squares, errors]: &[f64; 4]| {
            let variation = squares - sum * sum / self.count;
            (variation > 0.0).then(|| 1.0 - errors / variation)
        };
        let each: Vec<f64> = self.targets.iter().filter_map(of).collect();
        let mean = each.iter().sum::<f64>() / each.len().max(1) as f64;
        (!each.is_empty() && !mean.is_nan()).then_some(mean)
    }

    /// Root mean square error over all targets.
    pub fn rmse(&self) -> f64 {
        let errors: f64 = self.targets.iter().map(|target| target[3]).sum();
        (errors / (self.count * self.targets.len() as f64).max(1.0)).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_can_be_merged() {
        let cases = [(1.0, 1.5), (2.0, 2.0), (4.0, 3.0), (9.0, 9.5)];
        let of = |cases: &[(f64, f64)]| {
            let mut sums = RSquared::default();
            cases.iter().for_each(|(t, p)| sums.add(&[*t], &[*p]));
            sums
        };
        let all = of(&cases);
        assert!((all.value().unwrap() - (1.0 - 1.5 / 38.0)).abs() < 1e-12);
        assert!((all.rmse() - (1.5f64 / 4.0).sqrt()).abs() < 1e-12);
        let merged = of(&cases[..1]).merge(of(&cases[1..]));
        assert!((merged.value().unwrap() - all.value().unwrap()).abs() < 1e-12);
        assert_eq!(of(&[(1.0, 2.0)]).value(), None);
    }
}
