//! What decrypted numbers tell about the key: all of it if every digit is given away, nothing if they are rounded or flooded.
//!
//! A slot's real part is half of m + m̄, where m̄ is m at X^-1. Of a ciphertext (c_0, c_1) it is thus known, modulo each prime and
//! at every root ψ^e, what c_0 + c_1·s at ψ^e and ψ^-e have as their sum: two ciphertexts are two equations for s at both.

use hecc_grammar::plan::{Slots, Value, VerifiedPlan};
use hecc_runtime::client::{Flood, Precision, decrypt};
use hecc_runtime::kernel::active;
use hecc_runtime::ring::{NttTable, Ring, SecretRng};
use hecc_runtime::rlwe::Ciphertext;
use hecc_runtime::scheme::ckks::{Embedding, encode_slots};

use crate::common::{Build, run, setup, usual};

/// The coefficients of the secret key that fit what is known of both outputs of a plan, where there is just one solution.
fn solved(plan: &VerifiedPlan, ciphertexts: &[Ciphertext], known: &[Vec<f64>]) -> Vec<i64> {
    let ring = Ring::new(&plan.params);
    let (n, q, table) = (ring.n(), ring.modulus(0), &ring.tables[0]);
    let exponents = NttTable::exponents(n);
    let mut place = vec![0; 2 * n];
    exponents.iter().enumerate().for_each(|(i, &e)| place[e as usize] = i);
    let embedding = Embedding::new(plan.params.n_slots());
    let sums: Vec<_> = known
        .iter()
        .zip(ciphertexts)
        .map(|(slots, ciphertext)| {
            let twice = Slots::real(slots.iter().map(|x| 2.0 * x).collect());
            encode_slots(&ring, &embedding, twice.clone(), ciphertext.ty.scale, &[0])
        })
        .collect();
    let mut secret: Vec<u64> = (0..n)
        .map(|i| {
            let j = place[2 * n - exponents[i] as usize];
            let row = |k: usize| {
                let [c_0, c_1] = [0, 1].map(|part| ciphertexts[k].polys[part].limb(0));
                let right = q.sub(q.sub(sums[k].limb(0)[i], c_0[i]), c_0[j]);
                (c_1[i], c_1[j], right)
            };
            // Cramer's rule.
            let ((a, b, u), (c, d, v)) = (row(0), row(1));
            let determinant = q.sub(q.mul(a, d), q.mul(b, c));
            q.mul(q.inverse(determinant), q.sub(q.mul(u, d), q.mul(b, v)))
        })
        .collect();
    (active().intt)(&mut secret, table);
    secret.into_iter().map(|x| q.centered(x)).collect()
}

#[test]
fn the_key_follows_from_all_digits_and_not_from_fewer() {
    let plan = Build::new(usual(10, 2, 1), 2).finish(&[Value(0), Value(1)]);
    let setup = setup(&plan, 9);
    let ciphertexts = run(&plan, &setup, 1, 0);
    let client = plan.client_part();
    let exact = decrypt(&client, &setup.secret, &ciphertexts).expect("the noise is small");
    let key = SecretRng::from_seed(setup.secret.seed()).ternary(plan.params.ring_degree());
    let is_small = |solution: &[i64]| solution.iter().filter(|x| x.abs() <= 1).count();
    assert_eq!(solved(&plan, &ciphertexts, &exact), key, "every digit gives the key away");

    let precision = Precision::of(&client);
    let mut rounded = exact.clone();
    rounded.iter_mut().enumerate().for_each(|(i, tensor)| precision.round(i, tensor));
    let (mut rng, mut flooded) = (SecretRng::from_seed(&[4; 32]), exact);
    let flood = Flood::new(&precision, 1, 10.0);
    flooded.iter_mut().enumerate().for_each(|(i, tensor)| flood.add(i, tensor, &mut rng));
    for fewer in [rounded, flooded] {
        let solution = solved(&plan, &ciphertexts, &fewer);
        assert!(is_small(&solution) < 8, "{} coefficients look right", is_small(&solution));
    }
}
