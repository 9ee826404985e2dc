//! The canonical embedding of slots, the same for every instruction set: what compilers vectorize by themselves.
//!
//! Slots are taken as a matrix, one row after the other. The outer half of the levels combines rows, the inner half columns:
//! each works on a few columns, or rows, that fit the first-level cache, so that memory is passed over twice.

use crate::ring::{EmbeddingTable, reverse};

/// Columns or rows that are worked on at once.
const LANES: usize = 8;

/// Real and imaginary parts of as many numbers.
type Lanes = [[f64; LANES]; 2];

/// Slots, parts apart, to coefficients times `factor`: `out[0]` is the lower, `out[1]` the upper half. Slots are overwritten.
///
/// Butterflies are those of the plain algorithm, operation by operation, so that results do not depend on the order.
#[inline(always)]
pub(super) fn to_coefficients(
    slots: [&mut [f64]; 2],
    out: [&mut [f64]; 2],
    factor: f64,
    table: &EmbeddingTable,
) {
    let n = table.n_slots();
    assert!(slots.iter().all(|part| part.len() == n) && out.iter().all(|part| part.len() == n));
    let bits = n.trailing_zeros();
    let (n_rows, n_columns) = (1 << bits.div_ceil(2), 1 << (bits / 2));
    if n_columns < LANES {
        return short(slots, out, factor, table);
    }
    let (inner, outer) = table.levels().split_at((bits / 2) as usize);
    let [re, im] = slots;
    let mut work: Vec<Lanes> = vec![[[0.0; LANES]; 2]; n_rows];
    for column in (0..n_columns).step_by(LANES) {
        let places = || (column..).step_by(n_columns);
        for (row, place) in work.iter_mut().zip(places()) {
            *row = [lanes(re, place), lanes(im, place)];
        }
        for roots in outer.iter().rev() {
            let half = roots.re.len() / n_columns;
            let root = |j: usize| [&roots.re, &roots.im].map(|w| lanes(w, j * n_columns + column));
            butterflies(&mut work, half, root);
        }
        for (row, place) in work.iter().zip(places()) {
            re[place..place + LANES].copy_from_slice(&row[0]);
            im[place..place + LANES].copy_from_slice(&row[1]);
        }
    }
    work.truncate(n_columns);
    let [low, high] = out;
    for first in (0..n_rows).step_by(LANES) {
        // Rows that lie side by side in the result, whose indices are reversed.
        for lane in 0..LANES {
            let start = reverse(first + lane, n_rows) * n_columns;
            let row = re[start..start + n_columns].iter().zip(&im[start..start + n_columns]);
            for (numbers, (&re, &im)) in work.iter_mut().zip(row) {
                (numbers[0][lane], numbers[1][lane]) = (re, im);
            }
        }
        for roots in inner.iter().rev() {
            let root = |j: usize| [[roots.re[j]; LANES], [roots.im[j]; LANES]];
            butterflies(&mut work, roots.re.len(), root);
        }
        for (i, numbers) in work.iter().enumerate() {
            let start = reverse(i, n_columns) * n_rows + first;
            for (out, part) in [&mut *low, &mut *high].into_iter().zip(numbers) {
                let scaled = part.map(|x| x * factor);
                out[start..start + LANES].copy_from_slice(&scaled);
            }
        }
    }
}

/// The same of few slots.
fn short(
    [re, im]: [&mut [f64]; 2],
    [low, high]: [&mut [f64]; 2],
    factor: f64,
    table: &EmbeddingTable,
) {
    for roots in table.levels().iter().rev() {
        let half = roots.re.len();
        for (re, im) in re.chunks_exact_mut(2 * half).zip(im.chunks_exact_mut(2 * half)) {
            for j in 0..half {
                let (a, b) = ([re[j], im[j]], [re[j + half], im[j + half]]);
                let (w_re, w_im) = (roots.re[j], roots.im[j]);
                let [d_re, d_im] = [a[0] - b[0], a[1] - b[1]];
                (re[j], im[j]) = (a[0] + b[0], a[1] + b[1]);
                (re[j + half], im[j + half]) =
                    (d_re * w_re + d_im * w_im, d_im * w_re - d_re * w_im);
            }
        }
    }
    for i in 0..table.n_slots() {
        let place = table.reversed(i);
        (low[i], high[i]) = (re[place] * factor, im[place] * factor);
    }
}

#[inline(always)]
fn lanes(numbers: &[f64], first: usize) -> [f64; LANES] {
    numbers[first..first + LANES].try_into().expect("as many as there are lanes")
}

/// One level: `(a, b)` become `(a + b, (a − b)/w)`, where a and b lie `half` apart in groups of twice as many, and w has
/// length 1.
#[inline(always)]
fn butterflies(work: &mut [Lanes], half: usize, root: impl Fn(usize) -> Lanes) {
    for group in work.chunks_exact_mut(2 * half) {
        let (low, high) = group.split_at_mut(half);
        for (j, (a, b)) in low.iter_mut().zip(high).enumerate() {
            let [w_re, w_im] = root(j);
            for lane in 0..LANES {
                let (re, im) = (a[0][lane] - b[0][lane], a[1][lane] - b[1][lane]);
                a[0][lane] += b[0][lane];
                a[1][lane] += b[1][lane];
                b[0][lane] = re * w_re[lane] + im * w_im[lane];
                b[1][lane] = im * w_re[lane] - re * w_im[lane];
            }
        }
    }
}
