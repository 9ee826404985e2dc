//! Base conversion: residues modulo some primes to residues of the same integer modulo others.

use crate::kernel::Kernels;

use super::Modulus;

/// Coefficients handled at a time: all limbs of a block stay in the second-level cache.
const BLOCK: usize = 2048;

/// Doubles of this size are the integers from it on: adding it rounds to the nearest integer, held in the low bits.
const TWO_52: f64 = (1u64 << 52) as f64;

/// Converts residues modulo the primes d_i (product D) to residues modulo primes t_j of the representative in about
/// [−D/2, D/2) (Halevi, Polyakov, Shoup, CT-RSA 2019): with `y_i = x_i·(D/d_i)^−1 mod d_i`,
/// `x = Σ y_i·(D/d_i) − v·D`, `v = round(Σ y_i/d_i)`. The sum is taken in doubles, so within about 2^−50·D of the
/// boundary ±D/2 the other representative may result.
pub struct BaseConverter {
    from: Vec<Modulus>,
    to: Vec<Modulus>,
    /// (D/d_i)^−1 mod d_i.
    inverses: Vec<u64>,
    /// For each t_j: D/d_i mod t_j for all i, then −D mod t_j.
    matrix: Vec<Vec<u64>>,
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

    /// Converts limbs in coefficient form. `from` and `to` are in the order given to [`Self::new`].
    pub fn convert(&self, kernels: &Kernels, from: &[&[u64]], to: &mut [&mut [u64]]) {
        assert!(from.len() == self.from.len() && to.len() == self.to.len());
        let n = from.first().map_or(0, |limb| limb.len());
        let block = BLOCK.min(n);
        let mut scaled = vec![0u64; (self.from.len() + 1) * block];
        let mut quotients = vec![0f64; block];
        for start in (0..n).step_by(block.max(1)) {
            let len = block.min(n - start);
            quotients[..len].fill(0.0);
            let (limbs, counts) = scaled.split_at_mut(self.from.len() * block);
            for ((limb, d), (y, &inverse)) in
                from.iter().zip(&self.from).zip(limbs.chunks_exact_mut(block).zip(&self.inverses))
            {
                let y = &mut y[..len];
                (kernels.scale)(y, &limb[start..start + len], inverse, d);
                let reciprocal = 1.0 / d.value() as f64;
                for (quotient, &y) in quotients.iter_mut().zip(&*y) {
                    // An integer below 2^52 as a double, in a form that compiles to vector instructions.
                    *quotient += (f64::from_bits(y | TWO_52.to_bits()) - TWO_52) * reciprocal;
                }
            }
            for (count, quotient) in counts.iter_mut().zip(&quotients) {
                *count = (quotient + TWO_52).to_bits() ^ TWO_52.to_bits();
            }
            let sources: Vec<&[u64]> = scaled.chunks_exact(block).map(|y| &y[..len]).collect();
            for ((out, t), row) in to.iter_mut().zip(&self.to).zip(&self.matrix) {
                (kernels.combine)(&mut out[start..start + len], &sources, row, t);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::available;

    #[test]
    fn converts_small_signed_integers_exactly() {
        let moduli = |primes: &[u64]| primes.iter().map(|&q| Modulus::new(q)).collect::<Vec<_>>();
        let (from, to) =
            (moduli(&[12289, 40961, 65537]), moduli(&[786433, 12289, 1125899904679937]));
        let converter = BaseConverter::new(&from, &to);
        let product: i128 = 12289 * 40961 * 65537;
        let values: Vec<i128> =
            (0..5000).map(|i| (i * 7919 * 104729 + i) % product - product / 2).collect();
        let residues = |moduli: &[Modulus]| -> Vec<Vec<u64>> {
            let one = |m: &Modulus| {
                values.iter().map(|v| v.rem_euclid(i128::from(m.value())) as u64).collect()
            };
            moduli.iter().map(one).collect()
        };
        let source = residues(&from);
        for kernels in available() {
            let mut out = vec![vec![0; values.len()]; to.len()];
            let from: Vec<&[u64]> = source.iter().map(Vec::as_slice).collect();
            let mut targets: Vec<&mut [u64]> = out.iter_mut().map(Vec::as_mut_slice).collect();
            converter.convert(kernels, &from, &mut targets);
            assert_eq!(out, residues(&to), "{}", kernels.name);
        }
    }
}
