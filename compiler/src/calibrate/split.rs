//! Which calibration inputs polynomials are fitted to, which they are chosen by, and which tell how good the result is.

use hecc_grammar::model::Model;

use super::data::Calibration;

/// Inputs held out at least, if that leaves as many.
const LEAST_HELD_OUT: usize = 20;

/// Three parts of calibration data that have nothing in common, but for too few inputs.
#[derive(Clone, Debug)]
pub struct Split {
    /// Half of the inputs: what polynomials are fitted to, before they are chosen.
    pub fitted: Calibration,
    /// A quarter: what they are chosen by.
    pub chosen: Calibration,
    /// Both: what the chosen ones are fitted to.
    pub kept: Calibration,
    /// The rest, which nothing is fitted to.
    pub held_out: Calibration,
    /// Which inputs these are.
    pub rows: Rows,
}

/// The numbers of the inputs in each part, ascending.
#[derive(Clone, Debug)]
pub struct Rows {
    /// See [`Split::chosen`].
    pub chosen: Vec<usize>,
    /// See [`Split::kept`].
    pub kept: Vec<usize>,
    /// See [`Split::held_out`].
    pub held_out: Vec<usize>,
}

impl Split {
    /// Splits inputs of a model, the same way each time.
    pub fn new(model: &Model, calibration: &Calibration) -> Split {
        let n = calibration.len(model);
        let mut order: Vec<usize> = (0..n).collect();
        // Neighbors may be alike, and so may every second or fourth.
        order.sort_by_key(|&row| mixed(row as u64));
        let n_held_out = (n / 4).max(LEAST_HELD_OUT.min(n / 2));
        let n_chosen = (n - n_held_out).div_ceil(3);
        let rows = |from: usize, to: usize| {
            let mut rows = order[from..to].to_vec();
            rows.sort_unstable();
            rows
        };
        let part = |rows: &[usize]| calibration.rows(model, rows);
        // A single input is all there is.
        let start = if n == 1 { 0 } else { n_held_out };
        let middle = start + n_chosen;
        let fitted = if n > middle { rows(middle, n) } else { rows(start, n) };
        let rows = Rows {
            held_out: rows(0, n_held_out.max(1)),
            chosen: rows(start, middle),
            kept: rows(start, n),
        };
        Split {
            held_out: part(&rows.held_out),
            chosen: part(&rows.chosen),
            fitted: part(&fitted),
            kept: part(&rows.kept),
            rows,
        }
    }

    /// The parts after a change to each of their inputs.
    pub fn map(&self, change: impl Fn(&Calibration) -> Calibration) -> Split {
        Split {
            fitted: change(&self.fitted),
            chosen: change(&self.chosen),
            kept: change(&self.kept),
            held_out: change(&self.held_out),
            rows: self.rows.clone(),
        }
    }
}

/// A number that looks random (SplitMix64, Steele, Lea, Flood, OOPSLA 2014).
fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ArrayD;

    #[test]
    fn parts_are_disjoint_and_whole() {
        let model: Model =
            "model 1 \"m\"\nt0 = input : [1,1] \"x\"\noutput \"y\" t0\n".parse().unwrap();
        for (n, sizes) in [
            (1, [1, 1, 1]),
            (2, [1, 1, 1]),
            (3, [1, 1, 1]),
            (10, [3, 2, 5]),
            (64, [29, 15, 20]),
            (256, [128, 64, 64]),
            (1000, [500, 250, 250]),
        ] {
            let data = ArrayD::from_shape_fn(vec![n, 1], |index| index[0] as f64);
            let split = Split::new(&model, &Calibration::from_data(vec![data]));
            let parts = [&split.fitted, &split.chosen, &split.held_out];
            assert_eq!(parts.map(|part| part.inputs[0].len()), sizes, "{n}");
            if n >= 3 {
                let all = parts.into_iter().flat_map(|part| part.inputs[0].iter().copied());
                let mut all: Vec<f64> = all.collect();
                all.sort_by(f64::total_cmp);
                assert!(all.iter().enumerate().all(|(i, &x)| x == i as f64), "{n}");
            }
        }
    }
}
