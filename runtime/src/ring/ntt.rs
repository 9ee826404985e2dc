//! Tables of the negacyclic number-theoretic transform modulo one prime.

use super::Modulus;

/// Powers of a primitive 2N-th root ψ, in the forms that the kernels take.
pub struct NttTable {
    modulus: Modulus,
    n: usize,
    n_inverse: u64,
    forward: Twiddles,
    inverse: Twiddles,
}

/// Powers of one root in bit-reversed order.
struct Twiddles {
    /// w and ⌊w·2^64/q⌋.
    shoup: Vec<(u64, u64)>,
    /// w centred and w/q, as doubles.
    doubles: Vec<(f64, f64)>,
    /// For four consecutive groups of the two innermost levels: w of the outer level, of the inner level's even and
    /// odd halves, each four values and four quotients.
    last: Vec<f64>,
}

impl NttTable {
    /// Tables for transforms of length `n` (a power of two ≥ 2) modulo a prime ≡ 1 mod 2n.
    pub fn new(modulus: Modulus, n: usize) -> NttTable {
        assert!(n.is_power_of_two() && n >= 2, "transforms have power-of-two lengths");
        let root = modulus.primitive_root(2 * n as u64);
        let n_inverse = modulus.inverse(n as u64 % modulus.value());
        let forward = Twiddles::new(&modulus, root, n);
        let inverse = Twiddles::new(&modulus, modulus.inverse(root), n);
        NttTable { modulus, n, n_inverse, forward, inverse }
    }

    /// The modulus.
    pub fn modulus(&self) -> &Modulus {
        &self.modulus
    }

    /// The length.
    pub fn n(&self) -> usize {
        self.n
    }

    /// 1/N modulo q.
    pub fn n_inverse(&self) -> u64 {
        self.n_inverse
    }

    /// The root power of group `i − m` of level `m`, `i` in `1..n`, centred, and its quotient by q.
    pub fn forward(&self, i: usize) -> (f64, f64) {
        self.forward.doubles[i]
    }

    /// As [`Self::forward`], of the inverse root.
    pub fn inverse(&self, i: usize) -> (f64, f64) {
        self.inverse.doubles[i]
    }

    /// As [`Self::forward`], with ⌊w·2^64/q⌋.
    pub fn forward_shoup(&self, i: usize) -> (u64, u64) {
        self.forward.shoup[i]
    }

    /// As [`Self::forward_shoup`], of the inverse root.
    pub fn inverse_shoup(&self, i: usize) -> (u64, u64) {
        self.inverse.shoup[i]
    }

    /// The 24 doubles for block `i` of 16 coefficients in the two innermost levels.
    pub fn forward_last(&self, i: usize) -> &[f64] {
        &self.forward.last[24 * i..24 * (i + 1)]
    }

    /// As [`Self::forward_last`], of the inverse root.
    pub fn inverse_last(&self, i: usize) -> &[f64] {
        &self.inverse.last[24 * i..24 * (i + 1)]
    }

    /// The order of the NTT domain: entry `i` is the value at ψ^exponents(n)[i]. Bit-reversed, except that in blocks
    /// of 16 the two pairs of index bits change places: vector kernels leave them so.
    pub fn exponents(n: usize) -> Vec<u32> {
        let bits = n.trailing_zeros();
        let place = |i: usize| if n < 16 { i } else { i & !15 | (i & 3) << 2 | (i >> 2 & 3) };
        (0..n).map(|i| 2 * reverse(place(i), bits) as u32 + 1).collect()
    }
}

fn reverse(i: usize, bits: u32) -> usize {
    i.reverse_bits() >> (usize::BITS - bits)
}

impl Twiddles {
    fn new(modulus: &Modulus, root: u64, n: usize) -> Twiddles {
        let q = modulus.value();
        let mut powers = vec![1; n];
        for i in 1..n {
            powers[i] = modulus.mul(powers[i - 1], root);
        }
        let bits = n.trailing_zeros();
        let w: Vec<u64> = (0..n).map(|i| powers[reverse(i, bits)]).collect();
        let shoup =
            w.iter().map(|&w| (w, ((u128::from(w) << 64) / u128::from(q)) as u64)).collect();
        let doubles: Vec<(f64, f64)> = w
            .iter()
            .map(|&w| {
                let centred = modulus.centred(w) as f64;
                (centred, centred / q as f64)
            })
            .collect();
        let mut last = vec![];
        for block in 0..n / 16 {
            let group = n / 4 + 4 * block;
            for index in [|i: usize| i, |i: usize| 2 * i, |i: usize| 2 * i + 1] {
                last.extend((0..4).map(|k| doubles[index(group + k)].0));
                last.extend((0..4).map(|k| doubles[index(group + k)].1));
            }
        }
        Twiddles { shoup, doubles, last }
    }
}
