//! Randomness: public uniform limbs from a seed, secrets and errors from the operating system.
//!
//! What is drawn decides no branch and no index, but for words that are thrown away: how many these are says nothing about
//! those that are kept. Generators wipe their state.

use aes::Aes128;
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};

use zeroize::{Zeroize, Zeroizing};

use super::sign_mask;

/// The seed of a public uniform polynomial.
pub type Seed = [u8; 16];

/// Bytes of key stream drawn at a time.
const CHUNK: usize = 8192;

/// Uniform residues below `q` from a public seed: AES-128 in counter mode, the counter block starting with `stream`
/// (which polynomial) and `limb`, 64-bit little-endian words masked to q's length, those not below q rejected.
pub fn expand_uniform(seed: &Seed, stream: u64, limb: u32, q: u64, out: &mut [u64]) {
    let mut iv = [0u8; 16];
    iv[..8].copy_from_slice(&stream.to_be_bytes());
    iv[8..12].copy_from_slice(&limb.to_be_bytes());
    let mut cipher = Ctr128BE::<Aes128>::new(seed.into(), &iv.into());
    let mask = u64::MAX >> q.leading_zeros();
    let mut buffer = [0u8; CHUNK];
    let mut filled = 0;
    while filled < out.len() {
        buffer.fill(0);
        cipher.apply_keystream(&mut buffer);
        let words = buffer.chunks_exact(8).map(|bytes| {
            let word: [u8; 8] = bytes.try_into().expect("chunks of eight bytes");
            u64::from_le_bytes(word) & mask
        });
        for word in words.filter(|&word| word < q) {
            if filled == out.len() {
                break;
            }
            out[filled] = word;
            filled += 1;
        }
    }
}

/// The generator of secrets and errors: ChaCha20, seeded by the operating system. It stays where it was made, and is wiped
/// there.
pub struct SecretRng(Box<ChaCha20Rng>);

impl SecretRng {
    /// A generator seeded by the operating system.
    ///
    /// # Errors
    /// If the operating system has no randomness to give.
    pub fn from_os() -> Result<SecretRng, getrandom::Error> {
        let mut seed = Zeroizing::new([0u8; 32]);
        getrandom::fill(seed.as_mut())?;
        Ok(SecretRng::from_seed(&seed))
    }

    /// A reproducible generator, for tests and for secrets that are stored as a seed.
    pub fn from_seed(seed: &[u8; 32]) -> SecretRng {
        let rng = seeded(seed);
        wipe_stack();
        SecretRng(rng)
    }

    /// As [`Self::from_seed`], another stream of the same seed.
    pub fn from_seed_stream(seed: &[u8; 32], stream: u64) -> SecretRng {
        let mut rng = SecretRng::from_seed(seed);
        rng.0.set_stream(stream);
        rng
    }

    /// A public seed.
    pub fn public_seed(&mut self) -> Seed {
        let mut seed = [0; 16];
        self.0.fill_bytes(&mut seed);
        seed
    }

    /// Coefficients uniform in {−1, 0, 1}.
    pub fn ternary(&mut self, n: usize) -> Vec<i64> {
        let mut draw = || loop {
            let word = self.0.next_u32() & 3;
            if word < 3 {
                return i64::from(word) - 1;
            }
        };
        (0..n).map(|_| draw()).collect()
    }

    /// Coefficients in {−1, 0, 1}, `weight` of them not zero, uniform among all such vectors; `n` is a power of two.
    pub fn sparse(&mut self, n: usize, weight: usize) -> Vec<i64> {
        assert!(n.is_power_of_two() && weight <= n);
        let mut coefficients = vec![0; n];
        let mut left = weight;
        while left > 0 {
            let word = self.0.next_u64();
            let (place, value) = (word >> 1 & (n as u64 - 1), 1 - 2 * (word & 1) as i64);
            // Every coefficient is visited, so that the place stays secret.
            let mut taken = 0;
            for (i, coefficient) in coefficients.iter_mut().enumerate() {
                let is_here = sign_mask((i as u64 ^ place).wrapping_sub(1)) as i64;
                let is_taken = -(*coefficient & 1);
                taken |= is_here & is_taken;
                *coefficient |= value & is_here & !is_taken;
            }
            left -= usize::from(taken == 0);
        }
        coefficients
    }

    /// A normal variable of deviation 1 (Box, Muller, 1958), of 53-bit numbers: none is beyond 8.6.
    pub fn normal(&mut self) -> f64 {
        let mut uniform = || ((self.0.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        let (radius, angle) = ((-2.0 * uniform().ln()).sqrt(), std::f64::consts::TAU * uniform());
        radius * angle.cos()
    }

    /// Coefficients of the error: a centered binomial of 42 bits, variance 21/2 (standard deviation 3.24, at least the
    /// 3.19 that the security tables assume; eprint 2024/463 allows it in place of the discrete Gaussian).
    pub fn error(&mut self, n: usize) -> Vec<i64> {
        let draw = |word: u64| {
            let (a, b) = (word & 0x1f_ffff, word >> 21 & 0x1f_ffff);
            i64::from(a.count_ones()) - i64::from(b.count_ones())
        };
        (0..n).map(|_| draw(self.0.next_u64())).collect()
    }
}

/// A function of its own, so that the copies of the seed that it makes are below its caller's frame.
#[inline(never)]
fn seeded(seed: &[u8; 32]) -> Box<ChaCha20Rng> {
    Box::new(ChaCha20Rng::from_seed(*seed))
}

/// Overwrites what functions that have returned left on the stack: it ends up on the heap where memory is moved whose padding
/// nobody has written.
#[inline(never)]
fn wipe_stack() {
    [0u8; 4096].zeroize();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_limbs_are_reproducible_and_below_q() {
        let q = 1_125_899_904_679_937;
        let expand = |stream, limb| {
            let mut out = vec![0; 5000];
            expand_uniform(&[7; 16], stream, limb, q, &mut out);
            out
        };
        assert_eq!(expand(1, 2), expand(1, 2));
        assert_ne!(expand(1, 2)[..4], expand(1, 3)[..4]);
        assert_ne!(expand(1, 2)[..4], expand(2, 2)[..4]);
        assert!(expand(1, 2).iter().all(|&x| x < q));
        let mean = expand(1, 2).iter().map(|&x| x as f64 / q as f64).sum::<f64>() / 5000.0;
        assert!((mean - 0.5).abs() < 0.03);
    }

    /// Keys are stored as seeds: what is drawn from a seed never changes.
    #[test]
    fn secrets_of_a_seed_stay_the_same() {
        use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
        let mut expected = rand_chacha::ChaCha20Rng::from_seed([7; 32]);
        expected.set_stream(1);
        let mut rng = SecretRng::from_seed_stream(&[7; 32], 1);
        for _ in 0..1000 {
            assert_eq!(rng.0.next_u64(), expected.next_u64());
        }
        let mut words = rand_chacha::ChaCha20Rng::from_seed([7; 32]);
        let below_3 = std::iter::repeat_with(|| words.next_u32() & 3).filter(|&word| word < 3);
        let ternary: Vec<i64> = below_3.take(1000).map(|word| i64::from(word) - 1).collect();
        assert_eq!(SecretRng::from_seed(&[7; 32]).ternary(1000), ternary);
        // As a branch would place them.
        let mut rng = SecretRng::from_seed(&[7; 32]);
        let (n, mut naive) = (64, vec![0; 64]);
        while naive.iter().filter(|&&c| c != 0).count() < 32 {
            let word = rng.0.next_u64();
            let place = &mut naive[word as usize >> 1 & (n - 1)];
            *place = if *place != 0 { *place } else { 1 - 2 * (word & 1) as i64 };
        }
        assert_eq!(SecretRng::from_seed(&[7; 32]).sparse(n, 32), naive);
    }

    #[test]
    fn moments_of_secret_and_error() {
        let mut rng = SecretRng::from_seed(&[3; 32]);
        let n = 1 << 15;
        let variance = |x: &[i64]| x.iter().map(|&x| (x * x) as f64).sum::<f64>() / n as f64;
        let mean = |x: &[i64]| x.iter().sum::<i64>() as f64 / n as f64;
        let (secret, error) = (rng.ternary(n), rng.error(n));
        let sparse = rng.sparse(n, 32);
        assert_eq!(sparse.iter().map(|x| x * x).sum::<i64>(), 32);
        assert_ne!(sparse, SecretRng::from_seed_stream(&[3; 32], 1).sparse(n, 32));
        assert!((variance(&secret) - 2.0 / 3.0).abs() < 0.02 && mean(&secret).abs() < 0.03);
        assert!((variance(&error) - 10.5).abs() < 0.5 && mean(&error).abs() < 0.1);
        assert!(variance(&error).sqrt() > 3.19);
        let normal: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
        let moment = |k: i32| normal.iter().map(|x| x.powi(k)).sum::<f64>() / n as f64;
        assert!(moment(1).abs() < 0.03 && (moment(2) - 1.0).abs() < 0.05, "{}", moment(2));
        assert!((moment(4) - 3.0).abs() < 0.3, "{}", moment(4));
    }
}
