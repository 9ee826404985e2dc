//! Evaluation keys: exactly those that a plan lists, each only as large as its largest use.

use hecc_grammar::plan::{Interface, Key, KeyUse};

use crate::kernel::active;
use crate::ring::{Ring, SecretRng, galois_element};
use crate::rlwe::{EvaluationKeys, KeyDigit, KeySwitchKey, Poly};

use super::SecretKey;
use super::secret_key::{Secret, SecretPoly};

/// Makes the evaluation keys of a plan. `progress(done, total)` is called after each.
///
/// Noise: each digit carries one RLWE error, see `noise::key_product`.
pub fn evaluation_keys(
    interface: &Interface,
    secret: &SecretKey,
    rng: &mut SecretRng,
    progress: &dyn Fn(usize, usize),
) -> EvaluationKeys {
    let ring = Ring::new(&interface.params);
    let uses = &interface.keys;
    let total = uses.len();
    let seed = rng.public_seed();
    let make = |(done, key_use): (usize, &KeyUse)| {
        let key = key_switch_key(&ring, secret, rng, key_use, &seed);
        progress(done + 1, total);
        (key_use.key, key)
    };
    EvaluationKeys {
        id: secret.id(),
        seed,
        stored: None,
        keys: uses.iter().enumerate().map(make).collect(),
    }
}

fn key_switch_key(
    ring: &Ring,
    secret: &SecretKey,
    rng: &mut SecretRng,
    key_use: &KeyUse,
    seed: &[u8; 16],
) -> KeySwitchKey {
    let special = ring.n_q..ring.n_q + key_use.n_special;
    let limbs: Vec<usize> = key_use.limbs.iter().chain(special).collect();
    let own = secret.poly(ring, &limbs);
    let sparse = || secret.ephemeral(ring.n()).poly(ring, &limbs);
    let moved = || moved_secret(ring, secret, key_use.key, &limbs);
    let (from, to) = match key_use.key {
        Key::Relinearize => {
            let square = SecretPoly(Poly::build(ring.n(), limbs.len(), |k, out| {
                (active().mul)(out, own.limb(k), own.limb(k), ring.modulus(limbs[k]));
            }));
            (square, own)
        }
        Key::Rotate(_) | Key::Conjugate => (own, moved()),
        Key::Encapsulate => (own, sparse()),
        Key::Decapsulate => (sparse(), own),
    };
    let params = &ring.params;
    let digits = params.digits(key_use.limbs).into_iter().map(|digit| {
        let members = params.digit(key_use.limbs, digit);
        let uniform = KeySwitchKey::uniform_half(ring, seed, key_use.key, digit, &limbs);
        let error = Secret(rng.error(ring.n())).poly(ring, &limbs);
        let body = Poly::build(ring.n(), limbs.len(), |k, out| {
            let q = ring.modulus(limbs[k]);
            (active().mul)(out, uniform.limb(k), to.limb(k), q);
            out.iter_mut().zip(error.limb(k)).for_each(|(b, &e)| *b = q.sub(e, *b));
            if members.contains(limbs[k]) {
                let p = params.p.iter().fold(1, |product, &p| q.mul(product, q.reduce(p)));
                (active().scale_add)(out, from.limb(k), p, q);
            }
        });
        (digit, KeyDigit::Held { body, uniform })
    });
    let KeyUse { limbs, n_special, .. } = *key_use;
    KeySwitchKey { limbs, n_special, digits: digits.collect() }
}

/// The secret moved by the inverse of a key's automorphism.
fn moved_secret(ring: &Ring, secret: &SecretKey, key: Key, limbs: &[usize]) -> SecretPoly {
    let n = ring.n();
    let two_n = 2 * n;
    let g = galois_element(key, n);
    // The group of odd numbers modulo 2N has exponent N/2 (or 1 for the smallest rings): g^(N−1) is an inverse.
    let inverse = (0..n - 1).fold(1, |power, _| power * g % two_n);
    let coefficients = secret.coefficients(n);
    let mut moved = Secret(vec![0; n]);
    for (i, &c) in coefficients.0.iter().enumerate() {
        let e = i * inverse % two_n;
        moved.0[e % n] = if e < n { c } else { -c };
    }
    moved.poly(ring, limbs)
}
