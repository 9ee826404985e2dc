//! How wide the integers of a network become: what the plaintext modulus must hold.
//!
//! Three bounds, from loose to tight. *Format*: from the bits of weights and inputs and the number of summands alone.
//! *Certified*: interval arithmetic with the actual weights, element by element, in integers of any size; it holds for
//! every input in range. *Calibrated*: the largest magnitude on the calibration data, which a result beyond it may pass.
//! Only results must fit: sums and products modulo t are right whatever passed t on the way.

use hecc_grammar::model::{Quantizer, Tensor};
use hecc_grammar::plan::Magnitude;
use num_bigint::{BigInt, Sign};
use num_traits::{One, Signed, ToPrimitive, Zero};

use crate::graph::{Graph, NodeId, Step};
use crate::linear::LinearMap;

use crate::pass::integers::Integers;

/// Bits that the integers of a step take, sign included.
#[derive(Clone, Debug, PartialEq)]
pub struct Width {
    /// Names of the ONNX nodes.
    pub name: String,
    /// What it does: `input`, `linear`, `square` or `product`.
    pub kind: &'static str,
    /// From bit widths alone.
    pub format: f64,
    /// From interval arithmetic.
    pub certified: f64,
    /// From the calibration data.
    pub calibrated: f64,
    /// The channel that needs most of them, by the certified bound, if there are several.
    pub widest_channel: Option<usize>,
}

impl Width {
    /// The largest magnitude of its integers.
    pub fn magnitude(&self) -> Magnitude {
        let of_bits = |bits: f64| ((bits.exp2() - 1.0) / 2.0).round();
        Magnitude { calibrated: of_bits(self.calibrated), certified: of_bits(self.certified) }
    }
}

/// An interval of integers.
#[derive(Clone, Debug, PartialEq)]
struct Interval {
    lo: BigInt,
    hi: BigInt,
}

/// The widths of every step. `range` gives the range of a tensor on the calibration data.
pub fn widths(
    integers: &Integers,
    quantizers: &[Option<Quantizer>],
    range: &dyn Fn(Tensor) -> (f64, f64),
) -> Vec<Width> {
    let graph = &integers.graph;
    let (mut intervals, mut formats): (Vec<Vec<Interval>>, Vec<f64>) = (vec![], vec![]);
    let mut widths = vec![];
    for id in graph.ids() {
        let node = graph.node(id);
        let mut limit = f64::INFINITY;
        let (kind, elements, format) = match &node.step {
            Step::Input(index) => {
                let quantizer = quantizers[*index].expect("inputs of integer networks are rounded");
                let (lo, hi) = range(node.tensor);
                let (lo, hi) = (quantizer.quantize(lo), quantizer.quantize(hi));
                let interval = Interval { lo: lo.into(), hi: hi.into() };
                let most = lo.unsigned_abs().max(hi.unsigned_abs()) as f64;
                limit = most;
                ("input", vec![interval; graph.len(id)], most)
            }
            Step::Affine { terms, bias } => {
                let elements = affine(terms, bias, &intervals);
                ("linear", elements, affine_format(terms, bias, &formats))
            }
            Step::Mul(a, b) => {
                let kind = if a == b { "square" } else { "product" };
                let pairs = intervals[a.0].iter().zip(&intervals[b.0]);
                let product =
                    |(x, y): (&Interval, &Interval)| if a == b { x.square() } else { x.times(y) };
                (kind, pairs.map(product).collect(), formats[a.0] * formats[b.0])
            }
            Step::Polynomial(..) | Step::Sine(..) => {
                unreachable!("integer networks have products only")
            }
        };
        let (lo, hi) = range(node.tensor);
        let scale = integers.scales[id.0].iter().fold(f64::INFINITY, |least, s| least.min(s.abs()));
        widths.push(Width {
            name: node.name.clone(),
            kind,
            format: bits(format),
            certified: elements.iter().map(Interval::bits).fold(0.0, f64::max),
            // Beyond a quantizer's levels inputs are clamped.
            calibrated: bits((lo.abs().max(hi.abs()) / scale).min(limit)),
            widest_channel: widest_channel(graph, id, &elements),
        });
        intervals.push(elements);
        formats.push(format);
    }
    widths
}

/// Bits of the integers up to a magnitude, sign included.
pub fn bits(magnitude: f64) -> f64 {
    (2.0 * magnitude.round() + 1.0).log2()
}

impl Interval {
    fn zero() -> Interval {
        Interval { lo: BigInt::zero(), hi: BigInt::zero() }
    }

    /// Bits, sign included.
    fn bits(&self) -> f64 {
        let most = self.lo.abs().max(self.hi.abs());
        // Beyond the range of doubles a bit more or less is of no interest.
        most.to_f64().filter(|m| m.is_finite()).map_or(most.bits() as f64 + 1.0, bits)
    }

    /// `x·x`, which is never negative.
    fn square(&self) -> Interval {
        let (lo, hi) = (&self.lo * &self.lo, &self.hi * &self.hi);
        let across = self.lo.sign() == Sign::Minus && self.hi.sign() == Sign::Plus;
        let least = if across { BigInt::zero() } else { lo.clone().min(hi.clone()) };
        Interval { lo: least, hi: lo.max(hi) }
    }

    fn times(&self, other: &Interval) -> Interval {
        let ends = [
            &self.lo * &other.lo,
            &self.lo * &other.hi,
            &self.hi * &other.lo,
            &self.hi * &other.hi,
        ];
        let [mut lo, mut hi] = [ends[0].clone(), ends[0].clone()];
        for end in ends {
            lo = lo.min(end.clone());
            hi = hi.max(end);
        }
        Interval { lo, hi }
    }

    /// Adds `weight·x`.
    fn add_scaled(&mut self, weight: &BigInt, x: &Interval) {
        let (low, high) = if weight.is_negative() { (&x.hi, &x.lo) } else { (&x.lo, &x.hi) };
        self.lo += weight * low;
        self.hi += weight * high;
    }
}

fn affine(
    terms: &[(NodeId, LinearMap)],
    bias: &[f64],
    intervals: &[Vec<Interval>],
) -> Vec<Interval> {
    let row = |o: usize| {
        let mut sum = Interval::zero();
        sum.add_scaled(&integer(bias[o]), &Interval { lo: BigInt::one(), hi: BigInt::one() });
        for (source, matrix) in terms {
            for (i, weight) in matrix.row(o) {
                sum.add_scaled(&held(weight), &intervals[source.0][i]);
            }
        }
        sum
    };
    (0..bias.len()).map(row).collect()
}

/// The largest magnitude that weights of the matrices' bit widths allow.
fn affine_format(terms: &[(NodeId, LinearMap)], bias: &[f64], formats: &[f64]) -> f64 {
    let of_term = |(source, matrix): &(NodeId, LinearMap)| {
        let rows = 0..matrix.n_rows();
        let fan_in = rows.clone().map(|o| matrix.row(o).count()).max().unwrap_or(0) as f64;
        let largest = rows.flat_map(|o| matrix.row(o).map(|(_, w)| w.abs())).fold(0.0, f64::max);
        // The largest signed integer as wide as the widest weight.
        let widest =
            if largest <= 1.0 { largest } else { (largest + 1.0).log2().ceil().exp2() - 1.0 };
        fan_in * widest * formats[source.0]
    };
    let largest_bias = bias.iter().fold(0.0f64, |most, b| most.max(b.abs()));
    terms.iter().map(of_term).sum::<f64>() + largest_bias
}

/// A weight as plans hold it, in 32 bits, which round what is beyond 2^24; biases are held in digits, exactly.
fn held(weight: f64) -> BigInt {
    integer(f64::from(weight as f32))
}

/// An integer-valued double.
fn integer(x: f64) -> BigInt {
    let whole = num_traits::FromPrimitive::from_f64(x);
    whole.expect("weights and biases of integer networks are finite")
}

/// The channel (dimension 1) whose certified interval is widest.
fn widest_channel(graph: &Graph, id: NodeId, elements: &[Interval]) -> Option<usize> {
    let shape = &graph.node(id).shape;
    let channels = *shape.get(1).filter(|&&channels| channels > 1)?;
    let inner: usize = shape[2..].iter().product();
    let magnitude = |interval: &Interval| interval.lo.abs().max(interval.hi.abs());
    let widest = (0..elements.len()).max_by_key(|&i| magnitude(&elements[i]))?;
    Some(widest / inner % channels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(lo: i64, hi: i64) -> Interval {
        Interval { lo: lo.into(), hi: hi.into() }
    }

    #[test]
    fn squares_know_that_both_factors_are_one() {
        assert_eq!(interval(-3, 2).square(), interval(0, 9));
        assert_eq!(interval(-3, -2).square(), interval(4, 9));
        assert_eq!(interval(-3, 2).times(&interval(-3, 2)), interval(-6, 9));
    }

    #[test]
    fn sums_take_each_end_by_the_sign_of_its_weight() {
        let matrix = LinearMap::from_rows(1, 2, |_, row| row.extend([(0, 2.0), (1, -3.0)]));
        let sources = vec![vec![interval(0, 4), interval(-1, 5)]];
        let found = affine(&[(NodeId(0), matrix)], &[7.0], &sources);
        assert_eq!(found, [interval(7 - 15, 7 + 8 + 3)]);
    }

    #[test]
    fn widths_beyond_machine_words_are_exact() {
        let mut wide = interval(-3, 1 << 40);
        (0..3).for_each(|_| wide = wide.square());
        assert_eq!(wide.hi, BigInt::from(2).pow(320));
        assert_eq!(wide.bits().round(), 321.0);
    }
    #[test]
    fn large_weights_are_those_of_the_plan() {
        let large = f64::from((1 << 24) + 3);
        let matrix = LinearMap::identity(&[1]).scaled(large);
        let sums = affine(&[(NodeId(0), matrix)], &[large], &[vec![interval(0, 1)]]);
        assert_eq!(sums[0].lo, BigInt::from((1 << 24) + 3));
        assert_eq!(sums[0].hi, BigInt::from((1 << 24) + 4 + (1 << 24) + 3));
    }
}
