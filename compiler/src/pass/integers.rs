//! Turns a quantized network into one over integers: each element is an integer times a known scale.
//!
//! Before: a model without rounding whose weights are integers, with their scales in products behind them, and inputs that
//! the client rounds. After: a [`Graph`] of integer matrices, integer biases and products, and the scale of each element.
//! Scales multiply and never divide, so nothing is rounded but biases, to the scale of the sum that they are added to, and
//! ratios of scales where elements of different scales are summed (counted in [`Integers::approximations`]).

use std::collections::BTreeMap;

use hecc_grammar::model::{Model, Op, Quantizer, Tensor};

use crate::error::CompileError;
use crate::graph::{Graph, GraphOutput, Node, NodeId, Step};
use crate::linear::{LinearMap, affine_of};
use crate::scales::is_uniform;

use super::expression::Expression;
use super::linearize::composition_grows;

/// Bits that ratios of scales are rounded to, where elements of different scales are summed.
const RATIO_BITS: i32 = 6;

/// Largest relative error of such a ratio.
const RATIO_ERROR: f64 = 1.0 / 128.0;

/// Largest error of a rounded bias, as a share of the largest result that there can be.
const BIAS_ERROR: f64 = 1.0 / 256.0;

/// Numbers this near to an integer, relative to it, are that integer: scales are products of 32-bit floats.
const TOLERANCE: f64 = 1e-6;

/// A network over integers.
#[derive(Clone, Debug)]
pub struct Integers {
    /// Matrices and biases are integers; the factor of a node is 1/scale where all elements have one scale.
    pub graph: Graph,
    /// For each step of the graph, what an integer stands for: the quantization scale of each element.
    pub scales: Vec<Vec<f64>>,
    /// Sums of elements whose scales have no integer ratio: the name and the largest relative error made.
    pub approximations: Vec<(String, f64)>,
}

/// A tensor as `scale_o · (Σ map · integers)_o + bias_o`.
#[derive(Clone)]
struct Scaled {
    expression: Expression,
    scales: Vec<f64>,
}

/// The integer network of a model, whose inputs the client rounds by `quantizers`.
///
/// # Errors
/// If an input is not rounded, weights are not integers, or an operation has no meaning for integers.
pub fn integers(model: &Model, quantizers: &[Option<Quantizer>]) -> Result<Integers, CompileError> {
    let mut builder = Builder {
        model,
        integers: Integers { graph: Graph::default(), scales: vec![], approximations: vec![] },
        expressions: vec![],
        input_magnitudes: quantizers
            .iter()
            .map(|quantizer| quantizer.map_or(1.0, magnitude))
            .collect(),
        magnitudes: vec![],
    };
    let mut n_inputs = 0;
    for (tensor, node) in model.tensors() {
        let expression = match &node.op {
            Op::Input => {
                let Some(quantizer) = quantizers[n_inputs] else {
                    return Err(not_integer(&node.name, "input", "it is not rounded to a grid"));
                };
                n_inputs += 1;
                let scales = vec![quantizer.scale; model.shape(tensor).iter().product()];
                builder.step(Step::Input(n_inputs - 1), &node.name, tensor, scales)
            }
            Op::Mul(a, b) => {
                let (x, y) = (builder.operand(*a), builder.operand(*b));
                let of = |tensor: &Tensor| builder.expressions[tensor.index()].scales.iter();
                let scales = of(a).zip(of(b)).map(|(a, b)| a * b).collect();
                builder.step(Step::Mul(x, y), &node.name, tensor, scales)
            }
            Op::MulConst(x, _) => builder.scaled(tensor, *x),
            Op::Activation { function, .. } => {
                let what = format!("{function:?}");
                return Err(not_integer(&node.name, &what, "only squares and products stay exact"));
            }
            Op::Polynomial { .. } | Op::ChannelPolynomials { .. } | Op::Sine { .. } => {
                let what = "polynomial";
                return Err(not_integer(&node.name, what, "only squares and products stay exact"));
            }
            Op::FakeQuant { .. }
            | Op::Conv { .. }
            | Op::AveragePool { .. }
            | Op::MatMul { .. }
            | Op::MatMulLeft { .. }
            | Op::Add(..)
            | Op::AddConst(..)
            | Op::Expand(_)
            | Op::Sum { .. }
            | Op::Reshape(_)
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::Pad { .. }
            | Op::Gather { .. }
            | Op::Concat { .. } => builder.linear(tensor)?,
        };
        builder.expressions.push(expression);
    }
    for output in &model.outputs {
        let node = builder.materialize(output.tensor);
        let (name, client) = (output.name.clone(), output.client.clone());
        let shape = model.shape(output.tensor).to_vec();
        builder.integers.graph.outputs.push(GraphOutput { name, node, shape, client });
    }
    Ok(builder.integers)
}

struct Builder<'a> {
    model: &'a Model,
    integers: Integers,
    expressions: Vec<Scaled>,
    /// The largest magnitude of each input's integers.
    input_magnitudes: Vec<f64>,
    /// The largest magnitude of each step's integers.
    magnitudes: Vec<f64>,
}

impl Builder<'_> {
    /// Appends a step; its result is the identity of itself.
    fn step(&mut self, step: Step, name: &str, tensor: Tensor, scales: Vec<f64>) -> Scaled {
        let shape = self.integers.graph.shape_of(&step, self.model.shape(tensor));
        let factor = if is_uniform(&scales) { 1.0 / scales[0] } else { 1.0 };
        self.magnitudes.push(self.magnitude(&step));
        let (name, offset) = (name.to_owned(), 0.0);
        let node = Node { step, name, tensor, shape: shape.clone(), factor, offset };
        let id = self.integers.graph.push(node);
        self.integers.scales.push(scales.clone());
        Scaled { expression: Expression::of_step(id, &shape, self.model.shape(tensor)), scales }
    }

    /// The operand of a product.
    fn operand(&mut self, tensor: Tensor) -> NodeId {
        let integers = self.expressions[tensor.index()].expression.step();
        integers.unwrap_or_else(|| self.materialize(tensor))
    }

    /// The step of the graph that holds `tensor`, appended if there is none yet.
    fn materialize(&mut self, tensor: Tensor) -> NodeId {
        let Scaled { expression, scales } = &self.expressions[tensor.index()];
        if let Some(id) = expression.step()
            && self.integers.scales[id.0] == *scales
        {
            return id;
        }
        let (name, mut scales) = (expression.name(), scales.clone());
        let Expression { terms, bias, .. } = expression.clone();
        let finer = self.finer(&terms, &bias, &scales);
        scales.iter_mut().for_each(|scale| *scale /= finer);
        let bias =
            bias.iter().zip(&scales).map(|(b, scale)| (b / scale).round_ties_even()).collect();
        let terms = terms.into_iter().map(|(id, matrix)| (id, matrix.scaled(finer))).collect();
        let step = Step::Affine { terms, bias };
        self.expressions[tensor.index()] = self.step(step, &name, tensor, scales);
        NodeId(self.integers.graph.nodes.len() - 1)
    }

    /// The power of two by which scales are to be finer, so that biases rounded to them are off by little of what results can
    /// be.
    fn finer(&self, terms: &BTreeMap<NodeId, LinearMap>, bias: &[f64], scales: &[f64]) -> f64 {
        let mut sums = vec![0.0; scales.len()];
        for (id, matrix) in terms {
            let size = |o: usize| matrix.row(o).map(|(_, w)| w.abs()).sum::<f64>();
            let largest = self.magnitudes[id.0];
            sums.iter_mut().enumerate().for_each(|(o, sum)| *sum += largest * size(o));
        }
        let rows = || bias.iter().zip(scales).zip(&sums);
        let largest =
            rows().map(|((b, scale), sum)| (scale * sum).abs() + b.abs()).fold(0.0, f64::max);
        let off = |factor: f64| {
            let error = |b: f64, scale: f64| b - (b / scale).round_ties_even() * scale;
            rows().map(|((b, scale), _)| error(*b, scale / factor).abs()).fold(0.0, f64::max)
        };
        let factors = (0..=RATIO_BITS).map(|bits| f64::from(bits).exp2());
        let good = factors.clone().find(|&factor| off(factor) <= BIAS_ERROR * largest);
        good.or(factors.max_by(f64::total_cmp)).expect("there are factors")
    }

    /// The largest magnitude of a step's integers.
    fn magnitude(&self, step: &Step) -> f64 {
        match step {
            Step::Input(index) => self.input_magnitudes[*index],
            Step::Mul(a, b) => self.magnitudes[a.0] * self.magnitudes[b.0],
            Step::Polynomial(x, _) | Step::Sine(x, _) => self.magnitudes[x.0],
            Step::Affine { terms, bias } => {
                let row = |(o, b): (usize, &f64)| {
                    let term = |(id, matrix): &(NodeId, LinearMap)| {
                        let sum: f64 = matrix.row(o).map(|(_, w)| w.abs()).sum();
                        self.magnitudes[id.0] * sum
                    };
                    terms.iter().map(term).sum::<f64>() + b.abs()
                };
                bias.iter().enumerate().map(row).fold(0.0, f64::max)
            }
        }
    }

    /// The product with a constant that broadcasts: it changes the scales, and what is multiplied by zero loses its weights.
    fn scaled(&mut self, tensor: Tensor, x: Tensor) -> Scaled {
        let affine = affine_of(self.model, tensor).expect("a product with a constant is linear");
        let Scaled { mut expression, mut scales } = self.expressions[x.index()].clone();
        let (_, diagonal) = &affine.terms[0];
        let factor = |o: usize| diagonal.row(o).next().map_or(0.0, |(_, factor)| factor);
        let factors: Vec<f64> = (0..diagonal.n_rows()).map(factor).collect();
        // Zero is zero in any scale.
        let any = factors.iter().copied().find(|&factor| factor != 0.0).unwrap_or(1.0);
        for (o, &factor) in factors.iter().enumerate() {
            expression.bias[o] *= factor;
            scales[o] *= if factor == 0.0 { any } else { factor };
        }
        if factors.contains(&0.0) {
            let is_kept = |&factor: &f64| if factor == 0.0 { 0.0 } else { 1.0 };
            let kept: Vec<f64> = factors.iter().map(is_kept).collect();
            for map in expression.terms.values_mut() {
                *map = map.with_rows_scaled(kept.clone(), self.model.shape(tensor));
            }
        }
        expression.add_name(&self.model.node(tensor).name);
        Scaled { expression, scales }
    }

    fn linear(&mut self, tensor: Tensor) -> Result<Scaled, CompileError> {
        let model = self.model;
        let name = &model.node(tensor).name;
        let affine = affine_of(model, tensor).expect("called for linear operators only");
        let n_out: usize = model.shape(tensor).iter().product();
        let bias = affine.bias.unwrap_or_else(|| vec![0.0; n_out]);
        let mut expression = Expression::constant(bias);
        let mut terms = vec![];
        for (x, map) in affine.terms {
            let inner = &self.expressions[x.index()].expression;
            if inner.terms.values().any(|inner| composition_grows(&map, inner)) {
                self.materialize(x);
            }
            let inner = &self.expressions[x.index()].expression;
            expression.add_bias(&map, inner);
            expression.add_names(inner);
            let (whole, rows) = integral_rows(&map).ok_or_else(|| {
                not_integer(name, "weights", "they are not integers times a scale for each row")
            })?;
            terms.push((x, whole, rows));
        }
        expression.add_name(name);
        let (scales, error) = self.common_scales(&terms, n_out);
        if error > TOLERANCE {
            self.integers.approximations.push((name.clone(), error));
        }
        for (x, map, rows) in terms {
            let inner = &self.expressions[x.index()];
            let map = in_scales(map, &rows, &inner.scales, &scales, model.shape(tensor));
            expression.add_terms(&map, &inner.expression);
        }
        Ok(Scaled { expression, scales })
    }

    /// A scale for each row that the scales of all its summands are multiples of, or nearly, and the largest relative error
    /// that this makes. A row without summands takes that of another: it is zero, or a bias, in any.
    fn common_scales(
        &self,
        terms: &[(Tensor, LinearMap, Vec<f64>)],
        n_out: usize,
    ) -> (Vec<f64>, f64) {
        let mut worst = 0.0f64;
        let scale = |o: usize| {
            let summands = || {
                terms.iter().flat_map(move |(x, matrix, rows)| {
                    let scales = &self.expressions[x.index()].scales;
                    matrix.row(o).map(move |(i, _)| rows[o] * scales[i])
                })
            };
            let magnitudes = || summands().map(f64::abs);
            let least = magnitudes().fold(f64::INFINITY, f64::min);
            if least == f64::INFINITY {
                return None;
            }
            let error = |unit: f64| {
                let off = |s: f64| (s / unit - (s / unit).round()).abs() / (s / unit).abs();
                magnitudes().map(off).fold(0.0, f64::max)
            };
            // Signs stay in the matrix. The scale of a summand says nothing of its size, so the least one counts as well.
            let units = (0..=RATIO_BITS).map(|bits| least * f64::from(-bits).exp2());
            let good = units.clone().find(|&unit| error(unit) <= RATIO_ERROR);
            let unit = good.or(units.min_by(f64::total_cmp)).expect("there are units");
            worst = worst.max(error(unit));
            Some(unit)
        };
        let scales: Vec<Option<f64>> = (0..n_out).map(scale).collect();
        let any = scales.iter().find_map(|scale| *scale).unwrap_or(1.0);
        (scales.into_iter().map(|scale| scale.unwrap_or(any)).collect(), worst)
    }
}

/// A map of integers with results in other scales: every entry times the ratio of what it adds, in the scale of its operand and with
/// the number of its row, and the result's scale, rounded to an integer. `shape` is the result's.
fn in_scales(
    map: LinearMap,
    rows: &[f64],
    operand: &[f64],
    result: &[f64],
    shape: &[usize],
) -> LinearMap {
    let ratio = |row: f64, operand: f64, result: f64| (row * operand / result).round_ties_even();
    if is_uniform(operand) {
        let factors = rows.iter().zip(result).map(|(&row, &result)| ratio(row, operand[0], result));
        return map.with_rows_scaled(factors.collect(), shape);
    }
    let (rows, operand, result) = (rows.to_vec(), operand.to_vec(), result.to_vec());
    map.with_values(move |o, i, w| w * ratio(rows[o], operand[i], result[o]))
}

/// The largest magnitude of what a quantizer rounds to, in units of its scale.
fn magnitude(quantizer: Quantizer) -> f64 {
    let of = |q: i64| (q - quantizer.zero_point).unsigned_abs() as f64;
    of(quantizer.q_min).max(of(quantizer.q_max))
}

/// A matrix as integers times a number for each row: that number is 1 where the row is whole, else its entry of least
/// magnitude.
fn integral_rows(matrix: &LinearMap) -> Option<(LinearMap, Vec<f64>)> {
    let is_whole = |w: f64| w == w.round();
    let mut rows = vec![1.0; matrix.n_rows()];
    for (o, unit) in rows.iter_mut().enumerate() {
        if matrix.row(o).all(|(_, w)| is_whole(w)) {
            continue;
        }
        *unit = matrix.row(o).map(|(_, w)| w.abs()).fold(f64::INFINITY, f64::min);
        let near =
            |w: f64| (w / *unit - (w / *unit).round()).abs() <= TOLERANCE * (w / *unit).abs();
        if !matrix.row(o).all(|(_, w)| near(w)) {
            return None;
        }
    }
    let whole = match rows.iter().all(|&unit| unit == 1.0) {
        true => matrix.clone(),
        false => matrix.in_units(rows.clone()),
    };
    Some((whole, rows))
}

fn not_integer(node: &str, what: &str, why: &str) -> CompileError {
    let (node, what, why) = (node.to_owned(), what.to_owned(), why.to_owned());
    CompileError::NotInteger { node, what, why }
}

#[cfg(test)]
mod tests {
    use hecc_grammar::model::Rounding;

    use super::*;

    #[test]
    fn whole_weights_keep_their_structure() {
        let text = r#"
model 1 "whole"
c0 : [2,1,3,3] = [1,-2,3,0,5,1, 2,2,1, 1,0,7,1,2,3,-1,0,1]
c1 : [3,2,5,5] = [WEIGHTS]
t0 = input : [1,1,7,7] "x"
t1 = conv t0, c0 strides=[1,1] pads_begin=[0,0] pads_end=[0,0] dilations=[1,1] groups=1 : [1,2,5,5] "conv"
t2 = mul t1, t1 : [1,2,5,5] "square"
t3 = conv t2, c1 strides=[1,1] pads_begin=[0,0] pads_end=[0,0] dilations=[1,1] groups=1 : [1,3,1,1] "last"
output "y" t3
"#;
        let weights = (0..150).map(|k| (k % 7 - 3).to_string()).collect::<Vec<_>>().join(",");
        let text = text.replace("WEIGHTS", &weights);
        let model = hecc_grammar::model::parse(&text, &mut |_| None).expect("it is a model");
        let (zero_point, rounding) = (0, Rounding::HalfEven);
        let quantizer = Quantizer { scale: 0.5, zero_point, q_min: -8, q_max: 7, rounding };
        let integers = integers(&model, &[Some(quantizer)]).expect("its weights are integers");
        let maps = integers.graph.nodes.iter().filter_map(|node| match &node.step {
            Step::Affine { terms, .. } => Some(&terms[0].1),
            Step::Input(_) | Step::Mul(..) | Step::Polynomial(..) | Step::Sine(..) => None,
        });
        let known = maps.map(|map| map.structure().is_some_and(|one| one.factor.is_some()));
        assert_eq!(known.collect::<Vec<_>>(), [true, true]);
    }
}
