//! Polynomials in RNS form. Which domain they are in is part of their type: that of the transform, where products are elementwise,
//! or that of coefficients, where bases are converted.

use std::marker::PhantomData;

use rayon::prelude::*;
use zeroize::Zeroize;

use crate::kernel::active;
use crate::ring::{NttTable, Ring};

use super::Buffer;

/// The domain of the number-theoretic transform, in the order of [`NttTable::exponents`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ntt {}

/// The domain of coefficients, ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coefficients {}

/// A polynomial on some limbs of a ring, residues canonical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poly<Domain = Ntt> {
    n: usize,
    data: Buffer,
    domain: PhantomData<Domain>,
}

impl<Domain> Poly<Domain> {
    /// A polynomial from its limbs, one after the other.
    pub fn from_data(n: usize, data: Vec<u64>) -> Self {
        assert!(data.len().is_multiple_of(n), "a polynomial has whole limbs");
        Poly { n, data: Buffer::from_vec(data), domain: PhantomData }
    }

    /// The ring degree.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Number of limbs.
    pub fn n_limbs(&self) -> usize {
        self.data.len() / self.n
    }

    /// The residues of the `k`-th limb.
    pub fn limb(&self, k: usize) -> &[u64] {
        &self.data[k * self.n..(k + 1) * self.n]
    }

    /// All limbs, to be written.
    pub fn limbs_mut(&mut self) -> Vec<&mut [u64]> {
        self.data.chunks_exact_mut(self.n).collect()
    }

    /// All limbs in blocks of `length` coefficients, to be written.
    pub fn blocks_mut(&mut self, length: usize) -> impl Iterator<Item = &mut [u64]> {
        self.data.chunks_exact_mut(length)
    }

    /// All limbs, one after the other.
    pub fn data(&self) -> &[u64] {
        &self.data
    }

    /// Computes every limb in parallel: `f(k, out)` fills the `k`-th, whose content is arbitrary before.
    pub fn build(n: usize, n_limbs: usize, f: impl Fn(usize, &mut [u64]) + Sync) -> Self {
        let mut poly = Poly::uninitialized(n, n_limbs);
        poly.update(f);
        poly
    }

    /// A polynomial of arbitrary residues, to be overwritten.
    pub fn uninitialized(n: usize, n_limbs: usize) -> Self {
        Poly { n, data: Buffer::new(n * n_limbs), domain: PhantomData }
    }

    /// Computes two polynomials limb by limb: `f(k, out)` fills the `k`-th of both.
    pub fn build_pair(
        n: usize,
        n_limbs: usize,
        f: impl Fn(usize, [&mut [u64]; 2]) + Sync,
    ) -> [Self; 2] {
        let mut pair = [(); 2].map(|()| Poly::uninitialized(n, n_limbs));
        let [a, b] = &mut pair;
        let limbs = a.data.par_chunks_exact_mut(n).zip(b.data.par_chunks_exact_mut(n));
        limbs.enumerate().for_each(|(k, (a, b))| f(k, [a, b]));
        pair
    }

    /// Changes every limb in parallel.
    pub fn update(&mut self, f: impl Fn(usize, &mut [u64]) + Sync) {
        self.data.par_chunks_exact_mut(self.n).enumerate().for_each(|(k, limb)| f(k, limb));
    }

    /// Overwrites all limbs with zeros, in a way that is not optimized away: of what is secret, before its buffer is used again.
    pub fn wipe(&mut self) {
        self.data.zeroize();
    }

    /// Only the limbs at the given places.
    pub fn select(&self, places: &[usize]) -> Self {
        let mut data = Buffer::new(places.len() * self.n);
        for (out, &k) in data.chunks_exact_mut(self.n).zip(places) {
            out.copy_from_slice(self.limb(k));
        }
        Poly { n: self.n, data, domain: PhantomData }
    }
}

impl Poly<Ntt> {
    /// The polynomial with the given small signed coefficients.
    pub fn from_signed(ring: &Ring, limbs: &[usize], coefficients: &[i64]) -> Poly {
        Poly::build(ring.n(), limbs.len(), |k, out| {
            let table = &ring.tables[limbs[k]];
            for (out, &c) in out.iter_mut().zip(coefficients) {
                *out = table.modulus().from_signed(c);
            }
            (active().ntt)(out, table);
        })
    }

    /// The coefficients on the limbs at the given places; `table` is that of the limb at a place.
    pub fn coefficients<'t>(
        &self,
        places: &[usize],
        table: impl Fn(usize) -> &'t NttTable + Sync,
    ) -> Poly<Coefficients> {
        Poly::build(self.n, places.len(), |k, out| {
            out.copy_from_slice(self.limb(places[k]));
            (active().intt)(out, table(places[k]));
        })
    }
}

impl Poly<Coefficients> {
    /// The transform; `table` is that of a limb. `then` changes each limb right after, while it is in the caches.
    pub fn into_ntt<'t>(
        mut self,
        table: impl Fn(usize) -> &'t NttTable + Sync,
        then: impl Fn(usize, &mut [u64]) + Sync,
    ) -> Poly {
        self.update(|k, out| {
            (active().ntt)(out, table(k));
            then(k, out);
        });
        Poly { n: self.n, data: self.data, domain: PhantomData }
    }
}
