//! Biases as plaintexts: on every copy of an element, and exactly.

use hecc_grammar::plan::{Runs, Scheme, View};

use crate::layout::{Copies, Layout};

use super::Lowering;

/// Tables hold integers below this.
const TABLE_INTEGERS: f64 = (1 << 24) as f64;

impl Lowering<'_> {
    /// The bias on every copy of every element, per ciphertext: views to be added in turn, none where it is zero.
    pub(super) fn bias_views(&mut self, bias: &[f64], layout: &Layout) -> Vec<Vec<View>> {
        if layout.is_by_element() {
            let splat = |&b: &f64| if b == 0.0 { vec![] } else { vec![View::Splat(b)] };
            return bias.iter().map(splat).collect();
        }
        let runs = layout.runs(Copies::OfPeriod);
        let mut views = vec![vec![]; runs.len()];
        for (factor, digit) in self.digits(bias) {
            let (table, elements) = self.tables.add(digit.iter().copied());
            for (views, runs) in views.iter_mut().zip(&runs) {
                let pairs = runs.pairs().into_iter();
                let pairs = pairs.filter(|&(_, element)| digit[element as usize] != 0.0);
                let pairs: Vec<(u32, u32)> =
                    pairs.map(|(slot, element)| (slot, elements[element as usize])).collect();
                if !pairs.is_empty() {
                    let runs = layout.space.plaintext(Runs::from_pairs(&pairs), layout.period());
                    views.push(View::Table { table, factor, runs });
                }
            }
        }
        views
    }

    /// A bias as sums of factors times numbers that tables hold: 32-bit floats hold integers up to 2^24.
    fn digits(&self, bias: &[f64]) -> Vec<(f64, Vec<f64>)> {
        if self.plan.params.scheme() == Scheme::Ckks {
            return vec![(1.0, bias.to_vec())];
        }
        let (mut rest, mut factor, mut digits) = (bias.to_vec(), 1.0, vec![]);
        while rest.iter().any(|&b| b != 0.0) {
            digits.push((factor, rest.iter().map(|b| b % TABLE_INTEGERS).collect()));
            rest.iter_mut().for_each(|b| *b = (*b / TABLE_INTEGERS).trunc());
            factor *= TABLE_INTEGERS;
        }
        digits
    }
}
