//! Automorphisms X → X^g, as permutations of the NTT domain.

use hecc_grammar::plan::Key;

use super::NttTable;

/// The exponent g of the automorphism that a Galois key undoes: 5^steps moves slots left by `steps`, 2N − 1
/// conjugates them. 1 for keys that move no slots.
pub fn galois_element(key: Key, n: usize) -> usize {
    let two_n = 2 * n;
    match key {
        Key::Relinearize | Key::Encapsulate | Key::Decapsulate => 1,
        Key::Conjugate => two_n - 1,
        Key::Rotate(steps) => (0..steps).fold(1, |g, _| g * 5 % two_n),
    }
}

/// `index` such that `out[i] = x[index[i]]` applies X → X^g to a polynomial in the NTT domain: the value of p(X^g) at
/// ψ^e is that of p at ψ^(e·g).
pub fn permutation(n: usize, g: usize) -> Vec<u32> {
    let exponents = NttTable::exponents(n);
    let mut place = vec![0u32; 2 * n];
    for (i, &e) in exponents.iter().enumerate() {
        place[e as usize] = i as u32;
    }
    exponents.iter().map(|&e| place[e as usize * g % (2 * n)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::active;
    use crate::ring::Modulus;

    #[test]
    fn permuting_values_is_substituting_powers() {
        for n in [8usize, 64] {
            let q = 12289;
            let table = NttTable::new(Modulus::new(q), n);
            let p: Vec<u64> = (0..n as u64).map(|i| i * i % q).collect();
            for g in [5, 25, 2 * n - 1] {
                let mut expected = vec![0; n];
                for (i, &c) in p.iter().enumerate() {
                    let e = i * g % (2 * n);
                    expected[e % n] = if e < n { c } else { table.modulus().neg(c) };
                }
                let mut x = p.clone();
                (active().ntt)(&mut x, &table);
                let mut moved: Vec<u64> =
                    permutation(n, g).iter().map(|&i| x[i as usize]).collect();
                (active().intt)(&mut moved, &table);
                assert_eq!(moved, expected);
            }
        }
    }
}
