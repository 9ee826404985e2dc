//! A network of 32-bit numbers.

use hecc_grammar::model::{Model, Polynomial, Tensor};

use super::curve::Curve;
use super::operation::{Operation, exact, given};

/// A network, whose activations are functions or curves.
pub struct Network {
    operations: Vec<Operation>,
    lengths: Vec<usize>,
}

impl Network {
    /// The network of a model; `None` if the derivative of one of its operations is not known.
    pub fn new(model: &Model) -> Option<Network> {
        let mut operations: Vec<Operation> = vec![];
        let mut number = 0;
        for node in model.tensors() {
            let operation = Operation::new(model, node, number)?;
            number += usize::from(matches!(operation, Operation::Activation { .. }));
            operations.push(operation);
        }
        let lengths = model.nodes.iter().map(|node| node.shape.iter().product()).collect();
        Some(Network { operations, lengths })
    }

    /// The products of two numbers that one input takes.
    pub fn n_products(&self) -> usize {
        self.operations.iter().map(Operation::n_products).sum()
    }

    /// All values for one input, with the curves of its activations, or else their functions.
    pub fn values(&self, inputs: &[Vec<f32>], curves: Option<&[Curve]>) -> Vec<Vec<f32>> {
        let mut values: Vec<Vec<f32>> = Vec::with_capacity(self.operations.len());
        for (operation, &length) in self.operations.iter().zip(&self.lengths) {
            let of = |x: &Tensor| &values[x.index()];
            let value = match operation {
                Operation::Input(number) => inputs[*number].clone(),
                Operation::Conv(conv) => conv.forwards(of(&conv.x)),
                Operation::Linear(linear) => linear.forwards(&values, length),
                Operation::Mul(a, b) => of(a).iter().zip(of(b)).map(|(a, b)| a * b).collect(),
                Operation::Activation { x, function, number } => match curves {
                    Some(curves) => curves[*number].values(of(x)),
                    None => exact(*function, of(x)),
                },
                Operation::Polynomial(x, polynomial) => given(polynomial, of(x)),
            };
            values.push(value);
        }
        values
    }

    /// The arguments of activations among values.
    pub fn arguments<'v>(&self, values: &'v [Vec<f32>]) -> Vec<&'v [f32]> {
        let argument = |operation: &Operation| match operation {
            Operation::Activation { x, .. } => Some(values[x.index()].as_slice()),
            Operation::Input(_)
            | Operation::Conv(_)
            | Operation::Linear(_)
            | Operation::Mul(..)
            | Operation::Polynomial(..) => None,
        };
        self.operations.iter().filter_map(argument).collect()
    }

    /// Given by how much a sum changes with some of the values, by how much it does with the coefficients of all curves: by
    /// curve, channel and degree.
    pub fn back(
        &self,
        values: &[Vec<f32>],
        curves: &[Curve],
        seeds: Vec<(Tensor, Vec<f32>)>,
    ) -> Vec<Vec<Vec<f64>>> {
        let zeros = |curve: &Curve| -> Vec<Vec<f64>> {
            curve.channels.iter().map(|channel| vec![0.0; channel.coefficients.len()]).collect()
        };
        let mut to_coefficients: Vec<Vec<Vec<f64>>> = curves.iter().map(zeros).collect();
        let mut to_values: Vec<Option<Vec<f32>>> = vec![None; self.operations.len()];
        for (tensor, seed) in seeds {
            add(&mut to_values[tensor.index()], seed);
        }
        for (i, operation) in self.operations.iter().enumerate().rev() {
            let Some(g) = to_values[i].take() else { continue };
            let mut on = |x: Tensor, change: Vec<f32>| add(&mut to_values[x.index()], change);
            match operation {
                Operation::Input(_) => {}
                Operation::Conv(conv) => {
                    let mut change = vec![0.0; self.lengths[conv.x.index()]];
                    conv.backwards(&g, &mut change);
                    on(conv.x, change);
                }
                Operation::Linear(linear) => {
                    for (x, rows) in &linear.terms {
                        let mut change = vec![0.0; self.lengths[x.index()]];
                        rows.add_transposed(&g, &mut change);
                        on(*x, change);
                    }
                }
                Operation::Mul(a, b) => {
                    let times = |x: &Tensor| {
                        g.iter().zip(&values[x.index()]).map(|(g, x)| g * x).collect::<Vec<f32>>()
                    };
                    let (to_a, to_b) = (times(b), times(a));
                    on(*a, to_a);
                    on(*b, to_b);
                }
                Operation::Activation { x, number, .. } => {
                    let sums = &mut to_coefficients[*number];
                    on(*x, curves[*number].back(&values[x.index()], &g, sums));
                }
                Operation::Polynomial(x, polynomial) => {
                    let slope = slope(polynomial);
                    let values = given(&slope, &values[x.index()]);
                    on(*x, g.iter().zip(values).map(|(g, d)| g * d).collect());
                }
            }
        }
        to_coefficients
    }
}

fn add(sum: &mut Option<Vec<f32>>, change: Vec<f32>) {
    match sum {
        Some(sum) => sum.iter_mut().zip(change).for_each(|(sum, x)| *sum += x),
        None => *sum = Some(change),
    }
}

/// The derivative of a polynomial.
fn slope(polynomial: &Polynomial) -> Polynomial {
    let Polynomial { lo, hi, coefficients } = polynomial;
    // T_j' = 2j·(T_{j−1} + T_{j−3} + ..), the last one halved if it is T_0.
    let mut of_slope = vec![0.0; coefficients.len().max(2) - 1];
    for (j, c) in coefficients.iter().enumerate().skip(1) {
        for k in (0..j).rev().step_by(2) {
            of_slope[k] += if k == 0 { 1.0 } else { 2.0 } * j as f64 * c * 2.0 / (hi - lo);
        }
    }
    Polynomial { lo: *lo, hi: *hi, coefficients: of_slope }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpret;
    use crate::poly::{Fit, Variable};

    /// A residual block: two groups of channels, a stride, a dense layer, and every kind of operation.
    fn model() -> Model {
        "model 1 \"m\"\n\
         c0 : [4,1,3,3] = [0.3, -0.2, 0.1, 0.2, -0.1, 0.2, 0.3, -0.3, 0.1, 0.3, -0.4, 0.1, 0.3, -0.1, 0.2, -0.2, 0.1, 0.2, \
         0.2, 0.1, -0.3, 0.1, 0.4, -0.2, 0.1, -0.1, 0.3, -0.2, 0.2, 0.1, 0.3, 0.2, -0.1, 0.1, 0.2, -0.3]\n\
         c1 : [4] = [0.1, -0.2, 0.3, 0.0]\n\
         c2 : [48,2] = [0.3, -0.2, 0.1, 0.2, -0.1, 0.2, 0.3, -0.3, 0.1, 0.3, -0.4, 0.1, 0.3, -0.1, 0.2, -0.2, 0.3, -0.2, \
         0.1, 0.2, -0.1, 0.2, 0.3, -0.3, 0.1, 0.3, -0.4, 0.1, 0.3, -0.1, 0.2, -0.2, 0.3, -0.2, 0.1, 0.2, -0.1, 0.2, 0.3, -0.3, \
         0.1, 0.3, -0.4, 0.1, 0.3, -0.1, 0.2, -0.2, 0.3, -0.2, 0.1, 0.2, -0.1, 0.2, 0.3, -0.3, 0.1, 0.3, -0.4, 0.1, 0.3, -0.1, \
         0.2, -0.2, 0.3, -0.2, 0.1, 0.2, -0.1, 0.2, 0.3, -0.3, 0.1, 0.3, -0.4, 0.1, 0.3, -0.1, 0.2, -0.2, 0.3, -0.2, 0.1, 0.2, \
         -0.1, 0.2, 0.3, -0.3, 0.1, 0.3, -0.4, 0.1, 0.3, -0.1, 0.2, -0.2]\n\
         t0 = input : [1,2,6,5] \"x\"\n\
         t1 = conv t0, c0, c1 strides=[2,1] pads_begin=[1,0] pads_end=[1,1] dilations=[1,1] groups=2 : [1,4,3,4] \"conv\"\n\
         t2 = relu t1 : [1,4,3,4] \"first\"\n\
         t3 = mul t2, t1 : [1,4,3,4] \"product\"\n\
         t4 = add t3, t2 : [1,4,3,4] \"join\"\n\
         t5 = polynomial t4 lo=-2.0 hi=2.0 coefficients=[0.1, 0.5, 0.2, 0.1] : [1,4,3,4] \"given\"\n\
         t6 = relu t5 : [1,4,3,4] \"second\"\n\
         t7 = reshape t6 : [1,48] \"flat\"\n\
         t8 = matmul t7, c2 : [1,2] \"fc\"\n\
         output \"y\" t8\n"
            .parse()
            .expect("the text is a model")
    }

    fn curves() -> Vec<Curve> {
        let fit = |k: usize| Fit {
            polynomial: Polynomial {
                lo: -3.0,
                hi: 3.0,
                coefficients: vec![0.4, 0.5 + 0.1 * k as f64, 0.2, 0.05],
            },
            variable: Variable::Sine(4.0),
            mean_squared_error: 0.0,
            max_error: 0.0,
            max_error_beyond: 0.0,
        };
        let fits: Vec<Fit> = (0..4).map(fit).collect();
        vec![Curve::new(&fits, 48), Curve::new(&fits[1..2], 48)]
    }

    fn input() -> Vec<Vec<f32>> {
        vec![(0..60).map(|i| (i * 7 % 11) as f32 / 4.0 - 1.2).collect()]
    }

    #[test]
    fn values_are_those_of_the_interpreter() {
        let model = model();
        let numbers = input()[0].iter().map(|&x| f64::from(x)).collect();
        let x = ndarray::ArrayD::from_shape_vec(vec![1, 2, 6, 5], numbers).unwrap();
        let wanted = interpret::run_all(&model, &[x]).unwrap();
        let found = Network::new(&model).unwrap().values(&input(), None);
        for (wanted, found) in wanted.iter().zip(&found) {
            for (a, b) in wanted.iter().zip(found) {
                assert!((a - f64::from(*b)).abs() < 1e-4, "{a}, {b}");
            }
        }
    }

    #[test]
    fn gradients_are_quotients_of_differences() {
        let network = Network::new(&model()).unwrap();
        let (curves, output) = (curves(), Tensor(8));
        let values = network.values(&input(), Some(&curves));
        let seed = vec![1.0f32, -0.5];
        let gradient = network.back(&values, &curves, vec![(output, seed.clone())]);
        let sum = |curves: &[Curve]| -> f64 {
            let values = network.values(&input(), Some(curves));
            values[8].iter().zip(&seed).map(|(y, g)| f64::from(y * g)).sum()
        };
        for (layer, channel, j) in [(0, 0, 0), (0, 1, 1), (0, 3, 3), (1, 0, 0), (1, 0, 2)] {
            let moved = |by: f32| {
                let mut curves = curves.clone();
                curves[layer].channels[channel].coefficients[j] += by;
                sum(&curves)
            };
            let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            let found = gradient[layer][channel][j];
            assert!((slope - found).abs() < 1e-2 * slope.abs().max(1.0), "{slope}, {found}");
        }
    }
}
