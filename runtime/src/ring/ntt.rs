//! Tables of the negacyclic number-theoretic transform modulo one prime.

use std::sync::OnceLock;

use super::Modulus;

/// Powers of a primitive 2N-th root ψ. Each kernel has them in a form of its own, which is made when it is first asked for.
pub struct NttTable {
    modulus: Modulus,
    n: usize,
    n_inverse: u64,
    forward: Twiddles,
    inverse: Twiddles,
}

/// Powers of one root in bit-reversed order.
struct Twiddles {
    root: u64,
    /// w and ⌊w·2^64/q⌋.
    shoup: OnceLock<Vec<(u64, u64)>>,
    /// w centered and w/q, as doubles.
    doubles: OnceLock<Vec<(f64, f64)>>,
    last: OnceLock<Vec<LastTwiddles>>,
}

/// For four consecutive groups of four coefficients: w of the outer level, and of the two halves of the inner one.
pub(crate) type LastTwiddles = [[f64; 4]; 3];

impl NttTable {
    /// Tables for transforms of length `n` (a power of two ≥ 2) modulo a prime ≡ 1 mod 2n.
    pub fn new(modulus: Modulus, n: usize) -> NttTable {
        assert!(n.is_power_of_two() && n >= 2, "transforms have power-of-two lengths");
        let root = modulus.primitive_root(2 * n as u64);
        let n_inverse = modulus.inverse(n as u64 % modulus.value());
        let forward = Twiddles::new(root);
        let inverse = Twiddles::new(modulus.inverse(root));
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
        self.modulus.pow(self.inverse.root, self.n as u64 / 2)
    }

    /// Powers of the root, centered, and their quotients by q. Group `i` of the level of `m` groups takes entry `m + i`.
    pub(crate) fn forward(&self) -> &[(f64, f64)] {
        self.forward.doubles(&self.modulus, self.n)
    }

    /// As [`Self::forward`], of the inverse root.
    pub(crate) fn inverse(&self) -> &[(f64, f64)] {
        self.inverse.doubles(&self.modulus, self.n)
    }

    /// As [`Self::forward`], in `[0, q)` and with ⌊w·2^64/q⌋.
    pub(crate) fn forward_shoup(&self) -> &[(u64, u64)] {
        self.forward.shoup(&self.modulus, self.n)
    }

    /// As [`Self::forward_shoup`], of the inverse root.
    pub(crate) fn inverse_shoup(&self) -> &[(u64, u64)] {
        self.inverse.shoup(&self.modulus, self.n)
    }

    /// The powers for the two innermost levels, one entry for 16 coefficients.
    pub(crate) fn forward_last(&self) -> &[LastTwiddles] {
        self.forward.last(&self.modulus, self.n)
    }

    /// As [`Self::forward_last`], of the inverse root.
    pub(crate) fn inverse_last(&self) -> &[LastTwiddles] {
        self.inverse.last(&self.modulus, self.n)
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
    fn new(root: u64) -> Twiddles {
        let (shoup, doubles, last) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Twiddles { root, shoup, doubles, last }
    }

    fn powers(&self, modulus: &Modulus, n: usize) -> impl Iterator<Item = u64> {
        let mut powers = vec![1; n];
        for i in 1..n {
            powers[i] = modulus.mul(powers[i - 1], self.root);
        }
        let bits = n.trailing_zeros();
        (0..n).map(move |i| powers[reverse(i, bits)])
    }

    fn shoup(&self, modulus: &Modulus, n: usize) -> &[(u64, u64)] {
        let q = u128::from(modulus.value());
        let of = |w: u64| (w, ((u128::from(w) << 64) / q) as u64);
        self.shoup.get_or_init(|| self.powers(modulus, n).map(of).collect())
    }

    fn doubles(&self, modulus: &Modulus, n: usize) -> &[(f64, f64)] {
        let of = |w: u64| {
            let centered = modulus.centered(w) as f64;
            (centered, centered / modulus.value() as f64)
        };
        self.doubles.get_or_init(|| self.powers(modulus, n).map(of).collect())
    }

    fn last(&self, modulus: &Modulus, n: usize) -> &[LastTwiddles] {
        let doubles = self.doubles(modulus, n);
        let of_block = |block: usize| {
            let of = |index: fn(usize) -> usize| {
                std::array::from_fn(|k| doubles[index(n / 4 + 4 * block + k)].0)
            };
            [of(|group| group), of(|group| 2 * group), of(|group| 2 * group + 1)]
        };
        self.last.get_or_init(|| (0..n / 16).map(of_block).collect())
    }
}
