//! What results should be: classes, or numbers.

use std::path::Path;

use anyhow::{Result, ensure};
use hecc_compiler::calibrate::Targets;
use hecc_grammar::model::{ClientOp, Function, Model, Op, Output};
use hecc_grammar::plan::Plan;
use ndarray::Axis;

use crate::data::array_file::ArrayFile;
use crate::data::npy::Array;

/// The array of an archive that holds them.
const NAME: &str = "y";

/// The output that labels speak of, the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LabelSpec {
    /// Numbers that it has under encryption.
    raw: usize,
    /// Numbers that the client makes of these.
    applied: usize,
    /// Whether it is a probability, so that 0 and 1 are what it tells apart.
    is_probability: bool,
}

/// Labels as they are in a file.
#[derive(Clone, Debug)]
pub(crate) struct Labels {
    array: Array,
}

impl LabelSpec {
    /// Of a network.
    pub(crate) fn of_model(model: &Model) -> LabelSpec {
        let Some(Output { tensor, client, .. }) = model.outputs.first() else {
            return LabelSpec { raw: 0, applied: 0, is_probability: false };
        };
        let sigmoid = |op: &ClientOp| matches!(op, ClientOp::Activation(Function::Sigmoid));
        let last = &model.node(*tensor).op;
        let is_probability = matches!(last, Op::Activation { function: Function::Sigmoid, .. })
            || client.iter().any(sigmoid);
        LabelSpec { is_probability, ..LabelSpec::new(model.shape(*tensor), client) }
    }

    /// Of a plan, with the network that it was made from if that is known.
    pub(crate) fn of_plan(plan: &Plan, source: Option<&Model>) -> LabelSpec {
        match (source, plan.outputs.first()) {
            (Some(model), _) => LabelSpec::of_model(model),
            (None, Some(output)) => LabelSpec::new(&output.shape, &output.client),
            (None, None) => LabelSpec { raw: 0, applied: 0, is_probability: false },
        }
    }

    fn new(shape: &[usize], client: &[ClientOp]) -> LabelSpec {
        let applied = client.iter().try_fold(shape.to_vec(), |shape, op| op.shape(&shape));
        let applied = applied.map_or(0, |shape| shape.iter().product());
        LabelSpec { raw: shape.iter().product(), applied, is_probability: false }
    }
}

impl LabelSpec {
    /// Whether labels of this shape are for so many results.
    fn accept(self, shape: &[usize], n_examples: usize) -> Result<()> {
        let count = shape.iter().try_fold(1usize, |n, &dim| n.checked_mul(dim));
        let fits =
            |each: usize| n_examples > 0 && each > 0 && count == n_examples.checked_mul(each);
        ensure!(
            shape.first() == Some(&n_examples) && (fits(1) || fits(self.applied)),
            "labels `{NAME}` have shape {shape:?}, expected [{n_examples}] for classes or [{n_examples}, {}] for numbers",
            self.applied
        );
        Ok(())
    }
}

impl Labels {
    /// The array `y` of a file, if it has one, for so many results.
    pub(crate) fn read(path: &Path, n_examples: usize, spec: LabelSpec) -> Result<Option<Labels>> {
        let mut file = ArrayFile::open(path)?;
        if !file.names().iter().any(|name| name == NAME) {
            return Ok(None);
        }
        Ok(Some(Labels { array: file.read(NAME, |shape| spec.accept(shape, n_examples))? }))
    }

    /// What they say of each of `n_examples` results: a class if they are whole numbers and the output has a score for each
    /// class, or if they are 0 and 1 and it is one number; else numbers.
    pub(crate) fn targets(&self, n_examples: usize, spec: LabelSpec) -> Result<Targets> {
        let Array { data, is_float, .. } = &self.array;
        spec.accept(data.shape(), n_examples)?;
        let is_one_each = data.len() == n_examples;
        if let Some(x) = data.iter().find(|x| !x.is_finite()) {
            anyhow::bail!("a label is {x}, expected a finite number");
        }
        if is_one_each {
            let numbers: Vec<f64> = data.iter().copied().collect();
            if is_class(&numbers, *is_float, spec) {
                return Ok(Targets::Classes(numbers.iter().map(|&y| y as usize).collect()));
            }
            ensure!(
                spec.applied == 1,
                "label {} is not a class 0, 1, 2, ..., and for numbers expected shape [{n_examples}, {}]",
                numbers.iter().find(|y| !is_whole(**y)).unwrap_or(&0.0),
                spec.applied
            );
            return Ok(Targets::Values(numbers.into_iter().map(|y| vec![y]).collect()));
        }
        let rows = data.axis_iter(Axis(0)).map(|row| row.iter().copied().collect());
        let rows: Vec<Vec<f64>> = rows.collect();
        let one_hot: Option<Vec<usize>> = rows.iter().map(|row| one_hot(row)).collect();
        Ok(match one_hot {
            Some(classes) if spec.raw == spec.applied => Targets::Classes(classes),
            Some(_) | None => Targets::Values(rows),
        })
    }
}

fn is_whole(y: f64) -> bool {
    y >= 0.0 && y.fract() == 0.0 && y < 1e9
}

fn is_class(numbers: &[f64], is_float: bool, spec: LabelSpec) -> bool {
    let is_yes_or_no = || numbers.iter().all(|&y| y == 0.0 || y == 1.0);
    match spec.raw {
        1 => is_yes_or_no() && (!is_float || spec.is_probability),
        _ => numbers.iter().all(|&y| is_whole(y)),
    }
}

/// The place of the only 1 among zeros.
fn one_hot(row: &[f64]) -> Option<usize> {
    let is_one_hot = row.iter().all(|&y| y == 0.0 || y == 1.0) && row.iter().sum::<f64>() == 1.0;
    row.iter().position(|&y| y == 1.0).filter(|_| is_one_hot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, array};

    fn labels(data: ArrayD<f64>, is_float: bool) -> Labels {
        Labels { array: Array { data, is_bytes: false, is_float } }
    }

    #[test]
    fn classes_and_numbers_are_told_apart() {
        let spec = |raw, is_probability| LabelSpec { raw, applied: raw, is_probability };
        let of = |data: ArrayD<f64>, is_float, spec| labels(data, is_float).targets(3, spec);
        let classes = |list: &[usize]| Targets::Classes(list.to_vec());
        let numbers = |list: &[f64]| Targets::Values(list.iter().map(|&y| vec![y]).collect());
        let bits = array![1.0, 0.0, 1.0].into_dyn();
        assert_eq!(of(bits.clone(), true, spec(10, false)).unwrap(), classes(&[1, 0, 1]));
        assert_eq!(of(bits.clone(), false, spec(1, false)).unwrap(), classes(&[1, 0, 1]));
        assert_eq!(of(bits.clone(), true, spec(1, true)).unwrap(), classes(&[1, 0, 1]));
        assert_eq!(of(bits, true, spec(1, false)).unwrap(), numbers(&[1.0, 0.0, 1.0]));
        let prices = array![[3.0], [2.5], [9.0]].into_dyn();
        assert_eq!(of(prices.clone(), true, spec(1, false)).unwrap(), numbers(&[3.0, 2.5, 9.0]));
        let error = of(prices, true, spec(4, false)).unwrap_err().to_string();
        assert!(error.contains("label 2.5 is not a class") && error.contains("[3, 4]"), "{error}");
        let hot = array![[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]].into_dyn();
        assert_eq!(of(hot, true, spec(2, false)).unwrap(), classes(&[1, 0, 1]));
        let two = array![[0.5, 1.0], [1.0, 0.0], [0.0, 1.0]].into_dyn();
        assert!(
            matches!(of(two, true, spec(2, false)).unwrap(), Targets::Values(rows) if rows.len() == 3)
        );
        assert!(of(array![1.0, 2.0].into_dyn(), true, spec(2, false)).is_err());
    }
}
