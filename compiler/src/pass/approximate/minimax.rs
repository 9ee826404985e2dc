//! The baseline that others compare with: every rectifier is `x·(1 + sign(x/B))/2`, the sign a composition of minimax polynomials
//! of degrees 15, 15 and 27 (Lee et al., "Low-complexity deep convolutional neural networks on fully homomorphic encryption using
//! multiplexed parallel convolutions", ICML 2022). Nothing is fitted to the network but B, one number for all of it.

use hecc_grammar::model::{Function, Model, Op, Polynomial, Tensor};

use super::degree_search::Observed;
use super::replaced::{Replaced, with_activations};
use crate::error::CompileError;
use crate::poly::CompositeSign;

/// Degrees of the sign's polynomials: 13 bits of precision at the least depth.
const DEGREES: [usize; 3] = [15, 15, 27];

/// B over the largest argument that was seen: what is beyond B explodes.
const MARGIN: f64 = 1.5;

/// How rectifiers were replaced.
#[derive(Clone, Debug, PartialEq)]
pub struct MinimaxReport {
    /// Degrees of the sign's polynomials, each on the values of the one before.
    pub degrees: Vec<usize>,
    /// Arguments are within ± this number.
    pub bound: f64,
    /// The largest error of a rectifier, in parts of the bound.
    pub error: f64,
}

/// Replaces rectifiers by compositions of minimax polynomials.
///
/// # Errors
/// If there are other activations.
pub fn minimax(observed: Observed<'_>) -> Result<(Replaced, MinimaxReport), CompileError> {
    let Observed { model, ranges, .. } = observed;
    let mut largest = 0.0f64;
    for (_, node) in model.tensors() {
        let Op::Activation { x, function } = node.op else { continue };
        if function != Function::Relu {
            return Err(CompileError::Approximation(format!(
                "node `{}`: minimax compositions of the sign make rectifiers (Relu) only, this is {function:?}; without \
                 --activation minimax polynomials are fitted to it",
                node.name
            )));
        }
        let (lo, hi) = ranges[x.index()];
        largest = largest.max(lo.abs()).max(hi.abs());
    }
    let bound = if largest > 0.0 { MARGIN * largest } else { 1.0 };
    let sign = CompositeSign::of_rectifier(&DEGREES);
    let replaced = with_activations(model, |new, _, x| rectifier(new, x, &sign, bound));
    let error = sign.error_of_rectifier();
    Ok((replaced, MinimaxReport { degrees: DEGREES.to_vec(), bound, error }))
}

/// `x·(1 + sign(x/bound))/2`.
fn rectifier(model: &mut Model, x: Tensor, sign: &CompositeSign, bound: f64) -> Op {
    let (name, shape) = (model.node(x).name.clone(), model.shape(x).to_vec());
    let last = sign.stages.len() - 1;
    let mut value = x;
    for (k, stage) in sign.stages.iter().enumerate() {
        let mut polynomial = stage.clone();
        if k == 0 {
            polynomial = Polynomial { lo: -bound, hi: bound, ..polynomial };
        }
        if k == last {
            polynomial.coefficients.iter_mut().for_each(|c| *c /= 2.0);
            polynomial.coefficients[0] += 0.5;
        }
        value = model.push(Op::Polynomial { x: value, polynomial }, &name, shape.clone());
    }
    Op::Mul(x, value)
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayD;

    use super::*;
    use crate::calibrate::{Calibration, Split};
    use crate::interpret;
    use crate::judge::{Judge, output_kinds, results};
    use crate::passes::Passes;

    fn model(function: &str) -> Model {
        let text = format!(
            "model 1 \"m\"\nt0 = input : [1,4] \"x\"\nt1 = {function} t0 : [1,4] \"f\"\noutput \"y\" t1\n"
        );
        text.parse().unwrap()
    }

    fn replaced(model: &Model) -> Result<(Replaced, MinimaxReport), CompileError> {
        let x = ArrayD::from_shape_fn(vec![16, 4], |at| (at[0] * 4 + at[1]) as f64 / 8.0 - 4.0);
        let calibration = Calibration::from_data(vec![x]);
        let kinds = output_kinds(model, Default::default(), None);
        let judge = Judge::new(kinds, &results(model, &calibration.inputs).unwrap());
        let split = Split::new(model, &calibration);
        let ranges = [(-4.0, 3.9); 2];
        let passes = Passes::unobserved();
        let (ranges, split, judge) = (&ranges, &split, &judge);
        minimax(Observed { model, ranges, split, expected: &[], judge, passes: &passes })
    }

    #[test]
    fn rectifiers_are_products_with_signs() {
        let model = model("relu");
        let (replaced, report) = replaced(&model).unwrap();
        assert_eq!((report.bound, report.degrees), (6.0, vec![15, 15, 27]));
        replaced.model.verify().unwrap();
        let x = ArrayD::from_shape_fn(vec![1000, 4], |at| (at[0] * 4 + at[1]) as f64 * 3e-3 - 6.0);
        let inputs = [x];
        let found = interpret::run(&replaced.model, &inputs).unwrap();
        let wanted = interpret::run(&model, &inputs).unwrap();
        let error =
            (&found[0] - &wanted[0]).into_iter().map(f64::abs).max_by(f64::total_cmp).unwrap();
        assert!(error < 6.0 * report.error * 1.01 && error > 3.0 * report.error, "{error:e}");
    }

    #[test]
    fn other_activations_are_refused() {
        let error = replaced(&model("tanh")).unwrap_err().to_string();
        assert_eq!(
            error,
            "approximation: node `f`: minimax compositions of the sign make rectifiers (Relu) only, this is Tanh; without \
             --activation minimax polynomials are fitted to it"
        );
    }
}
