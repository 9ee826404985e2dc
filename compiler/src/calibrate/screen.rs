//! Looks for what is wrong with calibration data: outliers, features that never change, inputs that are all the same.
//!
//! One outlier would stretch the intervals that polynomials are fitted on, and the ranges of inputs, until nothing fits
//! well; it is left out.

use std::fmt;

use hecc_grammar::model::{Model, Op};
use ndarray::{ArrayD, Axis};

use super::groups::{Grouping, rows};
use super::ranges::input_ranges;

/// Fewer inputs have no outliers.
const LEAST_ROWS: usize = 8;

/// An outlier is this many times further from the median than all but a hundredth of the inputs,
const BEYOND_MOST: f64 = 4.0;
/// or than all but a twentieth of them.
const BEYOND_MANY: f64 = 10.0;

/// Inputs that polynomials and ranges are fitted to, for each approximated layer and once more for the input itself.
const ROWS_PER_LAYER: usize = 64;

/// Something that is wrong with calibration data.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// All inputs are the same.
    Same {
        /// How many there are.
        count: usize,
    },
    /// A feature is the same in all inputs.
    Constant {
        /// Name of the network's input.
        input: String,
        /// Which feature.
        feature: usize,
        /// Its value.
        value: f64,
    },
    /// A value is far from all others.
    Outlier {
        /// Name of the network's input.
        input: String,
        /// Which row of the data.
        row: usize,
        /// Which feature or channel.
        place: String,
        /// Its value.
        value: f64,
        /// The range of the others.
        others: (f64, f64),
    },
}

/// Calibration data that were looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Screened {
    /// The number of rows.
    pub n_rows: usize,
    /// The rows without outliers, ascending.
    pub kept: Vec<usize>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// How many calibration inputs a model needs: more, the more layers polynomials are fitted for.
pub fn rows_wanted(model: &Model) -> usize {
    let is_fitted = |op: &Op| matches!(op, Op::Activation { .. });
    let n_fitted = model.nodes.iter().filter(|node| is_fitted(&node.op)).count();
    ROWS_PER_LAYER * (1 + n_fitted)
}

/// Looks at the inputs that a model is to be calibrated on.
pub fn screen(model: &Model, inputs: &[ArrayD<f64>]) -> Screened {
    let mut findings = vec![];
    for ((_, node), batch) in model.inputs().zip(inputs) {
        findings.extend(outliers(&node.name, &node.shape, batch));
    }
    let n_rows =
        model.inputs().zip(inputs).next().map_or(0, |((_, node), batch)| {
            batch.len() / node.shape.iter().product::<usize>().max(1)
        });
    let is_kept = |row: &usize| {
        let is_it =
            |finding: &Finding| matches!(finding, Finding::Outlier { row: r, .. } if r == row);
        !findings.iter().any(is_it)
    };
    let kept: Vec<usize> = (0..n_rows).filter(is_kept).collect();
    let mut same = n_rows > 1;
    let mut constants = vec![];
    for ((_, node), batch) in model.inputs().zip(inputs) {
        let rows = rows(&node.shape, batch);
        same &= rows.iter().all(|row| *row == rows[0]);
        if Grouping::of(&node.shape) == Grouping::Feature {
            constants.extend(constant_features(&node.name, &node.shape, batch, &kept));
        }
    }
    match same {
        true => findings.push(Finding::Same { count: n_rows }),
        false => findings.extend(constants),
    }
    Screened { n_rows, kept, findings }
}

fn outliers(input: &str, shape: &[usize], batch: &ArrayD<f64>) -> Vec<Finding> {
    let (grouping, rows) = (Grouping::of(shape), rows(shape, batch));
    if rows.len() < LEAST_ROWS {
        return vec![];
    }
    let groups = grouping.index(shape);
    let mut findings = vec![];
    for group in 0..grouping.len(shape) {
        let members: Vec<usize> = (0..groups.len()).filter(|&e| groups[e] == group).collect();
        let (rows, members) = (&rows, &members);
        let values = |row: usize| members.iter().map(move |&element| *rows[row][element]);
        let median = middle((0..rows.len()).flat_map(values).collect());
        let farthest = |row: usize| {
            let further =
                |a: f64, b: f64| if (b - median).abs() > (a - median).abs() { b } else { a };
            values(row).fold(median, further)
        };
        let extremes: Vec<f64> = (0..rows.len()).map(farthest).collect();
        let far = far_rows(&extremes, median);
        let others = || (0..rows.len()).filter(|row| !far.contains(row)).flat_map(values);
        let range =
            others().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), x| (lo.min(x), hi.max(x)));
        findings.extend(far.iter().map(|&row| Finding::Outlier {
            input: input.to_owned(),
            row,
            place: grouping.name(group),
            value: extremes[row],
            others: range,
        }));
    }
    findings
}

/// The rows whose extremes are far from the median.
fn far_rows(extremes: &[f64], median: f64) -> Vec<usize> {
    let distance = |row: usize| (extremes[row] - median).abs();
    let mut sorted: Vec<f64> = (0..extremes.len()).map(distance).collect();
    sorted.sort_by(f64::total_cmp);
    // The largest distance of all but one `part`-th of the rows.
    let all_but = |part: usize| sorted[sorted.len() - 1 - sorted.len().div_ceil(part)];
    let (most, many) = (all_but(100), all_but(20));
    let is_far = |row: &usize| {
        let beyond = |usual: f64, times: f64| usual > 0.0 && distance(*row) > times * usual;
        beyond(most, BEYOND_MOST) || beyond(many, BEYOND_MANY)
    };
    (0..extremes.len()).filter(is_far).collect()
}

fn middle(mut values: Vec<f64>) -> f64 {
    let at = values.len() / 2;
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}

/// The features that are the same in all rows kept, and about which nothing else is known.
fn constant_features(
    input: &str,
    shape: &[usize],
    batch: &ArrayD<f64>,
    kept: &[usize],
) -> Vec<Finding> {
    let per_row = batch.shape().first().copied().unwrap_or(1) / shape.first().copied().unwrap_or(1);
    if kept.len() < 2 || per_row == 0 || shape.is_empty() {
        return vec![];
    }
    let rows: Vec<usize> =
        kept.iter().flat_map(|row| row * shape[0]..(row + 1) * shape[0]).collect();
    let ranges = input_ranges(shape, &batch.select(Axis(0), &rows), None);
    (0..shape.iter().product())
        .map(|feature| (feature, ranges.of(shape, feature)))
        .filter(|(_, (lo, hi))| lo == hi)
        .map(|(feature, (value, _))| Finding::Constant { input: input.to_owned(), feature, value })
        .collect()
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Same { count } => write!(
                f,
                "all {count} calibration inputs are the same: the plan is made for this one input, and others are refused"
            ),
            Finding::Constant { input, feature, value } => write!(
                f,
                "input `{input}`: feature {feature} is {value} in all calibration inputs: nothing is known about other values, \
                 which are refused"
            ),
            Finding::Outlier { input, row, place, value, others: (lo, hi) } => write!(
                f,
                "input `{input}`: row {row} has {value} in {place}, all others are within [{lo}, {hi}]: the row is left out of \
                 the calibration"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(shape: &[usize]) -> Model {
        let mut model = Model { name: "network".to_owned(), ..Model::default() };
        model.push(Op::Input, "x", shape.to_vec());
        model
    }

    fn table(of: impl Fn(usize, usize) -> f64) -> ArrayD<f64> {
        ArrayD::from_shape_fn(vec![100, 3], |index| of(index[0], index[1]))
    }

    /// Numbers in [0, 1) that look random.
    fn noise(row: usize, feature: usize) -> f64 {
        ((row * 7919 + feature * 104_729 + 13) % 1009) as f64 / 1009.0
    }

    #[test]
    fn an_outlier_is_named_and_left_out() {
        let data =
            table(|row, feature| if (row, feature) == (17, 1) { 1e4 } else { noise(row, feature) });
        let Screened { kept, findings, .. } = screen(&model(&[1, 3]), &[data]);
        assert_eq!(kept.len(), 99);
        assert!(!kept.contains(&17));
        let [Finding::Outlier { row: 17, place, value, others, .. }] = &findings[..] else {
            panic!("{findings:?}")
        };
        assert_eq!((place.as_str(), *value), ("feature 1", 1e4));
        assert!(others.1 < 1.0);
    }

    #[test]
    fn heavy_tails_are_no_outliers() {
        // Logarithms are spread evenly over six powers of e.
        let data = table(|row, feature| (6.0 * noise(row, feature)).exp());
        let screened = screen(&model(&[1, 3]), &[data]);
        assert_eq!(screened, Screened { n_rows: 100, kept: (0..100).collect(), findings: vec![] });
    }

    #[test]
    fn images_in_another_unit_are_outliers() {
        let data = ArrayD::from_shape_fn(vec![50, 1, 4, 4], |index| {
            noise(index[0], index[2] * 4 + index[3]) * if index[0] == 30 { 255.0 } else { 1.0 }
        });
        let Screened { kept, findings, .. } = screen(&model(&[1, 1, 4, 4]), &[data]);
        assert_eq!((kept.len(), findings.len()), (49, 1), "{findings:?}");
    }

    #[test]
    fn constants_are_named() {
        let data = table(|row, feature| if feature == 2 { 5.0 } else { noise(row, feature) });
        let Screened { kept, findings, .. } = screen(&model(&[1, 3]), &[data]);
        let constant = Finding::Constant { input: "x".to_owned(), feature: 2, value: 5.0 };
        assert_eq!((kept.len(), findings), (100, vec![constant]));
        let data = table(|_, feature| feature as f64);
        let screened = screen(&model(&[1, 3]), &[data]);
        assert_eq!(screened.findings, [Finding::Same { count: 100 }]);
    }
}
