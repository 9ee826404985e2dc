//! Random numbers for simulated errors.

use std::f64::consts::TAU;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// Points that a radius and an angle are drawn from.
const POINTS: usize = 1 << 12;
/// Pairs drawn at once.
const PAIRS: usize = 128;

/// Draws normal numbers of mean 0 and deviation 1, at most 4.3, as pairs of a radius and an angle (Box and Muller 1958), each
/// one of 4,096 that are equally likely.
pub(super) struct Normal {
    radii: Vec<f64>,
    directions: Vec<[f64; 2]>,
}

impl Normal {
    pub(super) fn new() -> Normal {
        let at = |i: usize| (i as f64 + 0.5) / POINTS as f64;
        let direction = |i| [(TAU * at(i)).cos(), (TAU * at(i)).sin()];
        Normal {
            radii: (0..POINTS).map(|i| (-2.0 * at(i).ln()).sqrt()).collect(),
            directions: (0..POINTS).map(direction).collect(),
        }
    }

    /// Adds `deviation` times such a number to each of `xs`.
    pub(super) fn disturb(&self, xs: &mut [f64], deviation: f64, rng: &mut ChaCha8Rng) {
        let mut bytes = [0; 4 * PAIRS];
        for chunk in xs.chunks_mut(2 * PAIRS) {
            rng.fill_bytes(&mut bytes);
            for (pair, bytes) in chunk.chunks_mut(2).zip(bytes.as_chunks::<4>().0) {
                let word = u32::from_le_bytes(*bytes) as usize;
                let radius = deviation * self.radii[word % POINTS];
                let direction = &self.directions[(word >> 16) % POINTS];
                pair.iter_mut().zip(direction).for_each(|(x, part)| *x += radius * part);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn errors_have_the_moments_of_the_normal_distribution() {
        let mut draws = vec![1.0; 200_001];
        Normal::new().disturb(&mut draws, 2.0, &mut ChaCha8Rng::seed_from_u64(1));
        let n = draws.len() as f64;
        let moment = |k: i32| draws.iter().map(|x| ((x - 1.0) / 2.0).powi(k)).sum::<f64>() / n;
        assert!(moment(1).abs() < 0.01);
        assert!((moment(2) - 1.0).abs() < 0.02);
        assert!(moment(3).abs() < 0.03);
        assert!((moment(4) - 3.0).abs() < 0.1);
        let product = |pair: &[f64]| (pair[0] - 1.0) * (pair[1] - 1.0) / 4.0;
        let together: f64 = draws.chunks_exact(2).map(product).sum();
        assert!((2.0 * together / n).abs() < 0.02, "numbers of a pair are independent");
    }
}
