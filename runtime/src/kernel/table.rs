//! What a table of kernels has.

use rayon::prelude::*;

use crate::ring::{BaseConverter, EmbeddingTable, Modulus, NttTable};

/// Coefficients that one thread takes at a time.
const BLOCK: usize = 2048;

/// Two limbs to be multiplied.
pub type Pair<'a> = (&'a [u64], &'a [u64]);

/// A limb, and two that it is to be multiplied by.
pub type Term<'a> = (&'a [u64], [&'a [u64]; 2]);

/// A limb, and a number in `[0, q)` that it is to be multiplied by.
pub type Multiple<'a> = (&'a [u64], u64);

/// Two equally long lists to be written.
pub type Two<'a, T> = [&'a mut [T]; 2];

/// Limbs to be written.
pub type Limbs<'a, 'limb> = &'a mut [&'limb mut [u64]];

/// One function per kernel.
pub struct Kernels {
    /// Name, as `HECC_KERNEL` takes it.
    pub name: &'static str,
    /// Coefficients to NTT domain, in place. The order of the result is [`NttTable::exponents`].
    pub ntt: fn(x: &mut [u64], table: &NttTable),
    /// NTT domain to coefficients, in place.
    pub intt: fn(x: &mut [u64], table: &NttTable),
    /// `out[i] = a[i] + b[i]`.
    pub add: fn(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus),
    /// `out[i] = a[i] − b[i]`.
    pub sub: fn(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus),
    /// `out[i] = −a[i]`.
    pub neg: fn(out: &mut [u64], a: &[u64], q: &Modulus),
    /// `out[i] = a[i]·b[i]`.
    pub mul: fn(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus),
    /// `acc[i] += a[i]·b[i]`.
    pub mul_add: fn(acc: &mut [u64], a: &[u64], b: &[u64], q: &Modulus),
    /// `out[i] = a[i]·factor`, factor in `[0, q)`.
    pub scale: fn(out: &mut [u64], a: &[u64], factor: u64, q: &Modulus),
    /// `out[i]` is modulo `to` what `a[i]` stands for modulo `from`, the integer of least magnitude.
    pub lift: fn(out: &mut [u64], a: &[u64], from: &Modulus, to: &Modulus),
    /// `acc[i] += a[i]·factor`, factor in `[0, q)`.
    pub scale_add: fn(acc: &mut [u64], a: &[u64], factor: u64, q: &Modulus),
    /// `acc[i] += Σ_k multiples[k].0[i]·multiples[k].1`.
    pub add_multiples: fn(acc: &mut [u64], multiples: &[Multiple<'_>], q: &Modulus),
    /// `out[i] = (a[i] − out[i])·factor`, factor in `[0, q)`.
    pub sub_scale: fn(out: &mut [u64], a: &[u64], factor: u64, q: &Modulus),
    /// `out[i] = Σ_k pairs[k].0[i]·pairs[k].1[i]`.
    pub dot: fn(out: &mut [u64], pairs: &[Pair<'_>], q: &Modulus),
    /// `out[part][i] = Σ_k terms[k].0[i]·terms[k].1[part][i]`: two sums of products whose first factors are shared.
    pub dot_pair: fn(out: [&mut [u64]; 2], terms: &[Term<'_>], q: &Modulus),
    /// What [`Kernels::convert`] says, on equally long parts of all limbs.
    pub base_convert: fn(to: Limbs<'_, '_>, from: &[&[u64]], converter: &BaseConverter),
    /// Slots, real and imaginary parts, to the lower and the upper half of the coefficients, times a factor. Slots are
    /// overwritten.
    pub embed: fn(slots: Two<'_, f64>, out: Two<'_, f64>, factor: f64, table: &EmbeddingTable),
    /// `out[0][i] = (x[i] + x[N−1−i])·factors[0]` and `out[1][i] = (x[i] − x[N−1−i])·factors[1]` for the lower half of
    /// the indices, factors in `[0, q)`.
    pub split_mirrored: fn(out: Two<'_, u64>, x: &[u64], factors: [u64; 2], q: &Modulus),
    /// `out[i] = a[index[i]]`.
    pub permute: fn(out: &mut [u64], a: &[u64], index: &[u32]),
}

impl Kernels {
    /// Converts limbs in coefficient form, in parallel. `from` and `to` are in the order given to
    /// [`BaseConverter::new`].
    pub fn convert(&self, converter: &BaseConverter, from: &[&[u64]], to: &mut [&mut [u64]]) {
        let n = converter.check(to, from);
        let mut blocks: Vec<Vec<&mut [u64]>> = (0..n.div_ceil(BLOCK)).map(|_| vec![]).collect();
        for limb in to {
            blocks.iter_mut().zip(limb.chunks_mut(BLOCK)).for_each(|(to, part)| to.push(part));
        }
        blocks.par_iter_mut().enumerate().for_each(|(i, to)| {
            let range = i * BLOCK..n.min((i + 1) * BLOCK);
            let from: Vec<&[u64]> = from.iter().map(|limb| &limb[range.clone()]).collect();
            (self.base_convert)(to, &from, converter);
        });
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
            kernels.convert(&converter, &from, &mut targets);
            assert_eq!(out, residues(&to), "{}", kernels.name);
        }
    }
}
