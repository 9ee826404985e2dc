//! Results that may be given to people who hold the ciphertexts: flooded by noise of their own, next to which the plan's, which
//! depends on the key, is not seen (Li, Micciancio, Schultz, Sorrell, CRYPTO 2022, eprint 2022/816).

use crate::ring::SecretRng;

use super::Precision;
use super::precision::rounded;

/// Digits below this share of the flooding noise's deviation are left out.
const GRAIN: f64 = 1.0 / 32.0;

/// How much noise is added.
#[derive(Clone, Debug, PartialEq)]
pub struct Flood {
    /// How many decryptions may be shared, under one key.
    pub decryptions: u32,
    /// −log2 of the statistical distance between what is shared, all together, and what would be without the plan's noise.
    pub distance_bits: f64,
    /// Standard deviation of the noise for each element of each output.
    deviations: Vec<Vec<f64>>,
}

impl Flood {
    /// Noise for so many decryptions at so small a distance.
    ///
    /// Normal variables of deviation σ whose means differ by at most B have a divergence of at most B²/2σ² (Kullback,
    /// Leibler); the divergences of independent ones add up, and half the root of twice their sum bounds the statistical
    /// distance (Pinsker). With n numbers in each of k decryptions it is at most B·√(nk)/2σ.
    pub fn new(precision: &Precision, decryptions: u32, distance_bits: f64) -> Flood {
        let count = precision.n_numbers() as f64 * f64::from(decryptions);
        let factor = count.sqrt() / 2.0 * distance_bits.exp2();
        let of_output = |bounds: &Vec<f64>| bounds.iter().map(|bound| bound * factor).collect();
        let deviations = precision.0.iter().map(of_output).collect();
        Flood { decryptions, distance_bits, deviations }
    }

    /// Standard deviation of the noise, for each element of an output.
    pub fn deviations(&self, output: usize) -> &[f64] {
        &self.deviations[output]
    }

    /// The largest of all.
    pub fn largest(&self) -> f64 {
        self.deviations.iter().flatten().copied().fold(0.0, f64::max)
    }

    /// Adds noise to an output, and leaves out the digits that are nothing else.
    pub fn add(&self, output: usize, tensor: &mut [f64], rng: &mut SecretRng) {
        for (x, &deviation) in tensor.iter_mut().zip(&self.deviations[output]) {
            *x = rounded(*x + deviation * rng.normal(), deviation * GRAIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_as_large_as_the_distance_takes() {
        let precision = Precision(vec![vec![0.5, 0.0], vec![2.0, 1.0]]);
        let flood = Flood::new(&precision, 25, 10.0);
        // √(4·25)/2·2^10 times the bound.
        assert_eq!(flood.deviations(0), [2560.0, 0.0]);
        assert_eq!(flood.largest(), 10_240.0);
        let distance = |bound: f64, sigma: f64| bound * 100f64.sqrt() / (2.0 * sigma);
        assert_eq!(distance(2.0, flood.deviations(1)[0]), 0.5f64.powi(10));
    }

    #[test]
    fn shared_numbers_are_noise_around_the_result() {
        let precision = Precision(vec![vec![0.001; 1000]]);
        let flood = Flood::new(&precision, 1, 2.0);
        let deviation = flood.largest();
        let mut tensor = vec![3.0; 1000];
        flood.add(0, &mut tensor, &mut SecretRng::from_seed(&[5; 32]));
        let mean = tensor.iter().sum::<f64>() / 1000.0;
        let variance = tensor.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1000.0;
        assert!((mean - 3.0).abs() < 0.2 * deviation, "{mean}");
        assert!((variance.sqrt() / deviation - 1.0).abs() < 0.1, "{variance}");
        // Other noise each time; none where results are exact.
        let mut again = vec![3.0; 1000];
        flood.add(0, &mut again, &mut SecretRng::from_seed(&[6; 32]));
        assert_ne!(tensor, again);
        let mut exact = [7.25];
        let flood = Flood::new(&Precision(vec![vec![0.0]]), 1, 10.0);
        flood.add(0, &mut exact, &mut SecretRng::from_seed(&[7; 32]));
        assert_eq!(exact, [7.25]);
    }
}
