//! Base conversion: residues modulo some primes to residues of the same integer modulo others.

use super::Modulus;

/// Converts residues modulo the k primes d_i (product D) to residues modulo primes t_j of the representative in about
/// [−D/2, D/2) (Halevi, Polyakov, Shoup, CT-RSA 2019): with the centered digits `y_i = x_i·(D/d_i)^−1 mod d_i`,
/// `x = Σ y_i·(D/d_i) − v·D`, `v = ⌊Σ y_i/d_i + 1/2⌋`. The sum of quotients is taken in doubles, in order: it is off by
/// at most k·(k + 3)·2^−54, so within that part of D of the boundary the other representative may result.
pub struct BaseConverter {
    /// The d_i.
    pub(crate) from: Vec<Modulus>,
    /// The t_j.
    pub(crate) to: Vec<Modulus>,
    /// (D/d_i)^−1 mod d_i.
    pub(crate) inverses: Vec<u64>,
    /// For each t_j: D/d_i mod t_j for all i, then −D mod t_j.
    pub(crate) matrix: Vec<Vec<u64>>,
}

impl BaseConverter {
    /// The tables for a conversion.
    pub fn new(from: &[Modulus], to: &[Modulus]) -> BaseConverter {
        let product_except = |skip: Option<usize>, m: &Modulus| {
            let others = from.iter().enumerate().filter(|(i, _)| Some(*i) != skip);
            others.fold(1, |product, (_, d)| m.mul(product, m.reduce(d.value())))
        };
        let inverses =
            from.iter().enumerate().map(|(i, d)| d.inverse(product_except(Some(i), d))).collect();
        let row = |t: &Modulus| {
            let mut row: Vec<u64> = (0..from.len()).map(|i| product_except(Some(i), t)).collect();
            row.push(t.neg(product_except(None, t)));
            row
        };
        let matrix = to.iter().map(row).collect();
        BaseConverter { from: from.to_vec(), to: to.to_vec(), inverses, matrix }
    }

    /// The conversion of `factor` times its argument.
    pub fn times(mut self, factor: u64) -> BaseConverter {
        for (inverse, d) in self.inverses.iter_mut().zip(&self.from) {
            *inverse = d.mul(*inverse, d.reduce(factor));
        }
        self
    }

    /// The conversion with its results divided by `divisor` modulo the t_j.
    pub fn over(mut self, divisor: u64) -> BaseConverter {
        for (row, t) in self.matrix.iter_mut().zip(&self.to) {
            let inverse = t.inverse(t.reduce(divisor));
            row.iter_mut().for_each(|entry| *entry = t.mul(*entry, inverse));
        }
        self
    }

    /// The common length of all limbs, which must be as many as the primes.
    pub(crate) fn check(&self, to: &[&mut [u64]], from: &[&[u64]]) -> usize {
        assert!(from.len() == self.from.len() && to.len() == self.to.len());
        let n = from.first().map_or(0, |limb| limb.len());
        assert!(from.iter().all(|limb| limb.len() == n) && to.iter().all(|limb| limb.len() == n));
        n
    }
}
