//! The canonical embedding as a product of sparse matrices: the constants of bootstrapping.
//!
//! Slot j of a real polynomial m of degree below 2n is m(ζ^(5^j)), ζ = e^(πi/2n). With c_k = m_k + i·m_(k+n) the slots are
//! `B·R·c`, R the bit reversal and B a product of log2 n butterfly matrices, one for each bit b of the index, b = 0 first:
//! `(x, y) → (x + w·y, x − w·y)` on pairs of indices that differ in bit b, `w = e^(2πi·5^(j mod 2^b)/2^(b+3))`
//! (Cheon, Han, Kim, Kim, Song, EUROCRYPT 2018; Chen, Chillotti, Song, EUROCRYPT 2019). Every entry of the product over
//! some bits is one root of unity, so a diagonal of it needs no storage.

use std::f64::consts::PI;

use super::Slots;

/// One diagonal of the product of the butterflies of some bits, moved by a giant step.
///
/// Slot s holds `factor · M[r][(r + rotation) mod n]`, `r = (s − shift) mod n`, for all s. M maps coefficients towards
/// slots; if `inverse` it is the conjugate transpose, which is `2^(bits.1 − bits.0)` times the inverse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EmbeddingDiagonal {
    /// log2 of n. The content of slots repeats with period n.
    pub log_slots: u32,
    /// Whether M maps slots towards coefficients.
    pub inverse: bool,
    /// The bits of the index that the butterflies mix, the first and one past the last.
    pub bits: (u32, u32),
    /// Which diagonal.
    pub rotation: u32,
    /// How far the diagonal is moved to the right.
    pub shift: u32,
    /// Multiplies every entry.
    pub factor: f64,
}

impl EmbeddingDiagonal {
    /// The rotations whose diagonals are not zero, ascending.
    pub fn rotations(log_slots: u32, bits: (u32, u32)) -> Vec<u32> {
        let (n, radix) = (1i64 << log_slots, 1i64 << (bits.1 - bits.0));
        let mut all: Vec<u32> =
            (1 - radix..radix).map(|k| (k << bits.0).rem_euclid(n) as u32).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The share of its entries that are not zero.
    pub fn density(&self) -> f64 {
        let (n, radix) = (1u32 << self.log_slots, 1u32 << (self.bits.1 - self.bits.0));
        let steps = self.rotation >> self.bits.0;
        let forward = f64::from(radix.saturating_sub(steps));
        let backward = f64::from(radix.saturating_sub((n >> self.bits.0) - steps));
        match (self.rotation.trailing_zeros() < self.bits.0, self.rotation) {
            (_, 0) => 1.0,
            (true, _) => 0.0,
            (false, _) => (forward + backward) / f64::from(radix),
        }
    }

    /// The numbers in `n_slots` slots.
    pub fn slots(&self, n_slots: usize) -> Slots {
        let n = 1usize << self.log_slots;
        let order = 4 * n;
        let roots = Powers::new(self.log_slots);
        let (mut re, mut im) = (vec![0.0; n], vec![0.0; n]);
        for row in 0..n {
            let column = (row + self.rotation as usize) % n;
            let (r, c) = if self.inverse { (column, row) } else { (row, column) };
            let Some(exponent) = self.exponent(r, c, &roots) else { continue };
            let angle = 2.0 * PI * exponent as f64 / order as f64;
            let slot = (row + self.shift as usize) % n;
            re[slot] = self.factor * angle.cos();
            im[slot] = self.factor * angle.sin() * if self.inverse { -1.0 } else { 1.0 };
        }
        Slots { re: re.repeat(n_slots / n), im: Some(im.repeat(n_slots / n)) }
    }

    /// The entry of row r and column c as a power of the 4n-th root of unity; `None` if it is zero.
    fn exponent(&self, r: usize, c: usize, roots: &Powers) -> Option<usize> {
        let (low, high) = self.bits;
        let mixed = (1usize << high) - (1usize << low);
        if (r ^ c) & !mixed != 0 {
            return None;
        }
        let n = 1usize << self.log_slots;
        let set = (low..high).filter(|b| c >> b & 1 == 1);
        let of_bit = |b: u32| roots.twiddle(r, b) + if r >> b & 1 == 1 { 2 * n } else { 0 };
        Some(set.map(of_bit).sum::<usize>() % (4 * n))
    }
}

/// Powers of five.
struct Powers {
    log_slots: u32,
    powers: Vec<usize>,
}

impl Powers {
    fn new(log_slots: u32) -> Powers {
        let order = 4usize << log_slots;
        let powers = std::iter::successors(Some(1), |g| Some(g * 5 % order));
        Powers { log_slots, powers: powers.take(1 << log_slots).collect() }
    }

    /// The twiddle of bit b for index r, as a power of the 4n-th root of unity.
    fn twiddle(&self, r: usize, b: u32) -> usize {
        self.powers[r & ((1 << b) - 1)] << (self.log_slots - b - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slots of `M·x` by the diagonals of M.
    fn apply(x: &[(f64, f64)], inverse: bool, bits: (u32, u32)) -> Vec<(f64, f64)> {
        let n = x.len();
        let log_slots = n.ilog2();
        let mut sum = vec![(0.0, 0.0); n];
        for rotation in EmbeddingDiagonal::rotations(log_slots, bits) {
            let diagonal =
                EmbeddingDiagonal { log_slots, inverse, bits, rotation, shift: 0, factor: 1.0 };
            let Slots { re, im } = diagonal.slots(n);
            let im = im.unwrap();
            let nonzero = re.iter().zip(&im).filter(|(a, b)| a.hypot(**b) > 0.5).count();
            assert_eq!(diagonal.density() * n as f64, nonzero as f64);
            for (s, sum) in sum.iter_mut().enumerate() {
                let (a, b) = x[(s + rotation as usize) % n];
                sum.0 += re[s] * a - im[s] * b;
                sum.1 += re[s] * b + im[s] * a;
            }
        }
        sum
    }

    #[test]
    fn the_product_of_all_bits_evaluates_the_polynomial() {
        let (log_slots, n) = (4u32, 16usize);
        let c: Vec<(f64, f64)> =
            (0..n).map(|i| ((i * 7 % 5) as f64 - 2.0, (i * 3 % 7) as f64)).collect();
        let reversed: Vec<(f64, f64)> =
            (0..n).map(|i| c[i.reverse_bits() >> (usize::BITS - log_slots)]).collect();
        let mut g = 1;
        for (re, im) in apply(&apply(&reversed, false, (0, 3)), false, (3, 4)) {
            // m(ζ^g), the coefficients k + n being the imaginary parts.
            let (mut a, mut b) = (0.0, 0.0);
            for (k, &(x, y)) in c.iter().enumerate() {
                for (c, k) in [(x, k), (y, k + n)] {
                    let angle = PI * (k * g) as f64 / (2 * n) as f64;
                    (a, b) = (a + c * angle.cos(), b + c * angle.sin());
                }
            }
            assert!((a - re).abs() < 1e-9 && (b - im).abs() < 1e-9);
            g = g * 5 % (4 * n);
        }
    }

    #[test]
    fn inverse_undoes_and_shifts_move() {
        let x: Vec<(f64, f64)> = (0..32).map(|i| (f64::from(i), f64::from(i * i % 7))).collect();
        let forth = apply(&x, false, (1, 4));
        for ((a, b), (c, d)) in apply(&forth, true, (1, 4)).into_iter().zip(x) {
            assert!((a / 8.0 - c).abs() < 1e-9 && (b / 8.0 - d).abs() < 1e-9);
        }
        let at = |shift: u32| {
            let bits = (0, 5);
            EmbeddingDiagonal { log_slots: 5, inverse: true, bits, rotation: 3, shift, factor: 0.5 }
                .slots(64)
        };
        let (plain, mut moved) = (at(0), at(9));
        moved.re.rotate_left(9);
        assert_eq!(plain.re, moved.re);
        assert_eq!(plain.re[..32], plain.re[32..]);
    }
}
