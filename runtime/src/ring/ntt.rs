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
    /// w centered and w/q, as doubles.
    doubles: Vec<(f64, f64)>,
    last: Vec<LastTwiddles>,
}

/// For four consecutive groups of four coefficients: w of the outer level, and of the two halves of the inner one.
pub(crate) type LastTwiddles = [[f64; 4]; 3];

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

    /// 1/ψ^(N/2), a square root of −1: ψ^(e·N/2) is its inverse or, in the upper half of [`Self::exponents`], the negative of that.
    pub fn inverse_of_i(&self) -> u64 {
        self.inverse.shoup[1].0
    }

    /// Powers of the root, centered, and their quotients by q. Group `i` of the level of `m` groups takes entry `m + i`.
    pub(crate) fn forward(&self) -> &[(f64, f64)] {
        &self.forward.doubles
    }

    /// As [`Self::forward`], of the inverse root.
    pub(crate) fn inverse(&self) -> &[(f64, f64)] {
        &self.inverse.doubles
    }

    /// As [`Self::forward`], in `[0, q)` and with ⌊w·2^64/q⌋.
    pub(crate) fn forward_shoup(&self) -> &[(u64, u64)] {
        &self.forward.shoup
    }

    /// As [`Self::forward_shoup`], of the inverse root.
    pub(crate) fn inverse_shoup(&self) -> &[(u64, u64)] {
        &self.inverse.shoup
    }

    /// The powers for the two innermost levels, one entry for 16 coefficients.
    pub(crate) fn forward_last(&self) -> &[LastTwiddles] {
        &self.forward.last
    }

    /// As [`Self::forward_last`], of the inverse root.
    pub(crate) fn inverse_last(&self) -> &[LastTwiddles] {
        &self.inverse.last
    }

    /// The order of the NTT domain: entry `i` is the value at `ψ^exponents(n)[i]`. Bit-reversed, except that in blocks
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
                let centered = modulus.centered(w) as f64;
                (centered, centered / q as f64)
            })
            .collect();
        let last = (0..n / 16).map(|block| {
            let of = |index: fn(usize) -> usize| {
                std::array::from_fn(|k| doubles[index(n / 4 + 4 * block + k)].0)
            };
            [of(|group| group), of(|group| 2 * group), of(|group| 2 * group + 1)]
        });
        let last = last.collect();
        Twiddles { shoup, doubles, last }
    }
}
