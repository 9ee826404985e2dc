//! What calibration saw of a list of numbers, and whether another list is like it.
//!
//! Two checks: each number has a range, and the whole list a distance from the center in units of what was usual
//! (Mahalanobis). The second finds lists whose numbers are usual one by one, but not together.

/// What calibration saw of the results of a network, or of a summary of its inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// The usual range of each number, or none.
    pub ranges: Vec<(f64, f64)>,
    /// The mean of each number, or none: then there is no distance.
    pub center: Vec<f64>,
    /// The rows of a lower triangular matrix W, one after the other: the distance is the length of W·(x − center).
    pub whitening: Vec<f64>,
    /// The largest usual distance.
    pub farthest: f64,
}

/// Why a list is unlike what calibration saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unusual {
    /// A number outside its usual range.
    Element {
        /// Which number.
        index: usize,
        /// Its value.
        value: f64,
        /// Its usual range.
        range: (f64, f64),
    },
    /// All numbers together are further from the center than usual.
    Distance {
        /// How many times further than the largest usual distance.
        times: f64,
    },
}

/// Lists of more numbers than this have no distance.
pub const MAX_DISTANCE: usize = 64;

impl Profile {
    /// What is unusual about a list of as many numbers as the profile is of.
    pub fn judge(&self, list: &[f64]) -> Option<Unusual> {
        let is_outside = |(x, (lo, hi)): (&f64, &(f64, f64))| !(x >= lo && x <= hi);
        if let Some(index) = list.iter().zip(&self.ranges).position(is_outside) {
            return Some(Unusual::Element { index, value: list[index], range: self.ranges[index] });
        }
        let times = self.distance(list)? / self.farthest;
        // Infinite, too, and not a number.
        let is_usual = times <= 1.0;
        (!is_usual).then_some(Unusual::Distance { times })
    }

    /// The distance from the center, if the profile has one.
    pub fn distance(&self, list: &[f64]) -> Option<f64> {
        let mut rest = &self.whitening[..];
        let mut square = 0.0;
        for n in 1..=self.center.len() {
            let (row, others) = rest.split_at(n);
            let offsets = list.iter().zip(&self.center).map(|(x, center)| x - center);
            square += row.iter().zip(offsets).map(|(w, offset)| w * offset).sum::<f64>().powi(2);
            rest = others;
        }
        (!self.center.is_empty()).then(|| square.sqrt())
    }

    /// Whether its numbers fit each other and lists of `n`.
    pub(super) fn check(&self, n: usize) -> Result<(), &'static str> {
        let Profile { ranges, center, whitening, farthest } = self;
        if !(ranges.is_empty() || ranges.len() == n) {
            return Err("what was seen of it has neither no range nor one for each number");
        }
        let k = center.len();
        if k > MAX_DISTANCE || !(k == 0 || k == n) || whitening.len() != k * (k + 1) / 2 {
            return Err("what was seen of it has a distance of another length");
        }
        let numbers = ranges.iter().flat_map(|(lo, hi)| [lo, hi]).chain(center).chain(whitening);
        match numbers.chain([farthest]).all(|x| x.is_finite()) && *farthest >= 0.0 {
            true => Ok(()),
            false => Err("what was seen of it is not finite"),
        }
    }
}

/// The numbers that an input is judged by: its elements if they are few, else mean, deviation and roughness along the
/// last dimensions, which tell images apart that a network was not made for.
pub fn summary(shape: &[usize], tensor: &[f64]) -> Vec<f64> {
    if tensor.len() <= MAX_DISTANCE {
        return tensor.to_vec();
    }
    let n = tensor.len() as f64;
    let mean = tensor.iter().sum::<f64>() / n;
    let deviation = (tensor.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    let width = shape.last().copied().unwrap_or(1);
    let mut summary = vec![mean, deviation, roughness(tensor, width, 1)];
    if let [_, _, height, width] = *shape {
        summary.push(roughness(tensor, height * width, width));
    }
    summary
}

/// How many numbers a summary has.
pub(super) fn summary_len(shape: &[usize]) -> usize {
    match (shape.iter().product(), shape.len()) {
        (n, _) if n <= MAX_DISTANCE => n,
        (_, 4) => 4,
        (_, _) => 3,
    }
}

/// The mean difference of elements `step` apart in the same block.
fn roughness(tensor: &[f64], block: usize, step: usize) -> f64 {
    let pairs =
        || tensor.chunks(block).flat_map(|block| block.iter().zip(&block[step.min(block.len())..]));
    let sum: f64 = pairs().map(|(a, b)| (a - b).abs()).sum();
    sum / (pairs().count().max(1)) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two numbers that are usually equal.
    fn alike() -> Profile {
        Profile {
            ranges: vec![(-1.0, 1.0), (-1.0, 1.0)],
            center: vec![0.0, 0.0],
            whitening: vec![1.0, -5.0, 5.0],
            farthest: 2.0,
        }
    }

    #[test]
    fn numbers_are_judged_one_by_one_and_together() {
        assert_eq!(alike().judge(&[0.9, 1.0]), None);
        let (index, value, range) = (1, 1.5, (-1.0, 1.0));
        assert_eq!(alike().judge(&[0.9, 1.5]), Some(Unusual::Element { index, value, range }));
        let Some(Unusual::Distance { times }) = alike().judge(&[0.9, -0.9]) else {
            panic!("the two differ")
        };
        assert!((times - (0.81f64 + 81.0).sqrt() / 2.0).abs() < 1e-12);
        for odd in [f64::NAN, f64::INFINITY] {
            assert!(alike().judge(&[odd, 0.0]).is_some());
            assert!(Profile { ranges: vec![], ..alike() }.judge(&[odd, 0.0]).is_some());
        }
        assert_eq!(Profile::default().judge(&[7.0]), None);
    }

    #[test]
    fn profiles_fit_their_lists() {
        assert_eq!(alike().check(2), Ok(()));
        assert!(alike().check(3).is_err());
        assert!(Profile { whitening: vec![1.0; 4], ..alike() }.check(2).is_err());
        assert!(Profile { farthest: f64::NAN, ..alike() }.check(2).is_err());
        assert_eq!(Profile::default().check(9), Ok(()));
    }

    #[test]
    fn images_are_summarized_by_their_texture() {
        let shape = [1, 1, 10, 10];
        let lengths = [&shape[..], &[1, 4], &[1, 100]].map(summary_len);
        assert_eq!(lengths, [4, 4, 3]);
        let stripes: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        assert_eq!(summary(&shape, &stripes), [0.5, 0.5, 1.0, 0.0]);
        assert_eq!(summary(&[1, 4], &stripes[..4]), stripes[..4]);
        assert_eq!(summary(&[1, 100], &stripes), [0.5, 0.5, 1.0]);
    }
}
