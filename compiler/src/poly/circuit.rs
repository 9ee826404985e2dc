//! Polynomials over ciphertexts: baby-step giant-step evaluation in the Chebyshev basis.
//!
//! A polynomial of degree d is divided by T_g (g a power of two) into quotient and remainder, recursively, until the
//! pieces are short enough to be sums of the T_j that were computed once (Bossuat, Mouchet, Troncoso-Pastoriza,
//! Hubaux, EUROCRYPT 2021, section 5). The depth is ⌈log2(d + 1)⌉, coefficients included. Scales are exact without
//! any alignment: the scalar coefficients of a piece are encoded at whatever scale makes its product come out right.
//! Products are summed before they are relinearized.

use std::collections::{BTreeMap, BTreeSet};

use hecc_grammar::plan::{ConstantId, Key, LimbSet, Op, TypeError, Value, View};

use crate::emit::Emit;

use super::{Coefficients, Row};

/// Makes the plaintext of a coefficient: one number, or one for each channel.
pub(super) type Plaintexts<'a> = &'a mut dyn FnMut(&[f64]) -> View;

/// How a polynomial is taken apart.
#[derive(Clone, Debug, PartialEq)]
enum Tree {
    /// `Σ c_j T_j`.
    Sum(Vec<Row>),
    /// `quotient · T_g + remainder`.
    Split { g: usize, quotient: Box<Tree>, remainder: Box<Tree> },
}

/// Levels that a polynomial of this degree consumes: ⌈log2(degree + 1)⌉.
pub fn polynomial_depth(degree: usize) -> usize {
    (degree + 1).next_power_of_two().trailing_zeros() as usize
}

/// The number of products of two ciphertexts that [`evaluate`] spends on a polynomial.
pub fn multiplications(coefficients: &Coefficients) -> usize {
    tree(coefficients).1
}

/// Where a result is to be.
#[derive(Clone, Copy)]
pub struct Target {
    /// On the lowest `level + 1` primes of the operand.
    pub level: usize,
    /// log2 of its scale.
    pub scale: f64,
}

/// Evaluates a polynomial, given by Chebyshev coefficients, on a value in [−1, 1], which must be at least ⌈log2(degree + 1)⌉
/// levels higher than the result.
///
/// # Errors
/// If the value has too few levels.
pub fn evaluate(
    emit: &mut Emit<'_>,
    x: Value,
    coefficients: &Coefficients,
    plaintexts: Plaintexts<'_>,
    target: Target,
) -> Result<Value, TypeError> {
    let (tree, _) = tree(coefficients);
    let limbs = emit.plan.ty(x).limbs;
    let emit = Emit { plan: emit.plan, origin: emit.origin };
    let mut circuit = Circuit { emit, plaintexts, limbs, basis: [(1, x)].into() };
    circuit.rescaled(&tree, target.level, target.scale)
}

/// The plaintext of a polynomial that is the same for all elements.
///
/// # Panics
/// If it is not.
pub fn one_number(row: &[f64]) -> View {
    assert_eq!(row.len(), 1, "one polynomial for all elements");
    View::Splat(row[0])
}

/// The cheapest tree, over all lengths of the pieces, with its number of products.
fn tree(coefficients: &Coefficients) -> (Tree, usize) {
    let mut coefficients = coefficients.rows().to_vec();
    while coefficients.len() > 2 && coefficients.last().is_some_and(Row::is_zero) {
        coefficients.pop();
    }
    coefficients.resize(coefficients.len().max(2), coefficients[0].zero());
    let degree = coefficients.len() - 1;
    let depth = polynomial_depth(degree);
    let trees = (1..=degree).map(|longest| {
        let tree = divide(coefficients.clone(), longest, depth - 1);
        let count = count(&tree);
        (tree, count)
    });
    trees.min_by_key(|&(_, count)| count).expect("the degree is at least 1")
}

/// Divides until pieces have degree at most `longest` and need only T_j of depth at most `room`.
fn divide(coefficients: Vec<Row>, longest: usize, room: usize) -> Tree {
    let degree = coefficients.iter().rposition(|c| !c.is_zero()).unwrap_or(0);
    if degree <= 1 || (degree <= longest && basis_depth(degree) <= room) {
        return Tree::Sum(coefficients[..=degree].to_vec());
    }
    let g = 1 << degree.ilog2();
    // T_(g+j) = 2 T_g T_j − T_(g−j).
    let mut quotient = vec![coefficients[g].clone()];
    let mut remainder = coefficients[..g].to_vec();
    for j in 1..=degree - g {
        quotient.push(coefficients[g + j].scaled(2.0));
        remainder[g - j] = remainder[g - j].plus(&coefficients[g + j].scaled(-1.0));
    }
    Tree::Split {
        g,
        quotient: Box::new(divide(quotient, longest, room.saturating_sub(1))),
        remainder: Box::new(divide(remainder, longest, room)),
    }
}

/// Levels that T_j consumes.
fn basis_depth(j: usize) -> usize {
    j.next_power_of_two().trailing_zeros() as usize
}

fn count(tree: &Tree) -> usize {
    let mut basis = BTreeSet::new();
    let products = needs(tree, &mut basis);
    products + basis.len()
}

/// Products outside the basis; collects the T_j, j ≥ 2, that must be computed.
fn needs(tree: &Tree, basis: &mut BTreeSet<usize>) -> usize {
    match tree {
        Tree::Sum(coefficients) => {
            let used = coefficients.iter().enumerate().filter(|(_, c)| !c.is_zero());
            used.for_each(|(j, _)| need_basis(j, basis));
            0
        }
        Tree::Split { g, quotient, remainder } => {
            need_basis(*g, basis);
            let product = usize::from(constant_of(quotient).is_none());
            product + needs(quotient, basis) + needs(remainder, basis)
        }
    }
}

fn need_basis(j: usize, basis: &mut BTreeSet<usize>) {
    if j >= 2 && basis.insert(j) {
        need_basis(j.div_ceil(2), basis);
        need_basis(j / 2, basis);
    }
}

/// The constant that a tree is, if it is one.
fn constant_of(tree: &Tree) -> Option<&Row> {
    match tree {
        Tree::Sum(coefficients) => (coefficients.len() == 1).then(|| &coefficients[0]),
        Tree::Split { .. } => None,
    }
}

/// A sum before relinearization and rescaling.
#[derive(Default)]
struct Sum {
    products: Option<Value>,
    terms: Vec<(usize, Row)>,
    constant: Option<Row>,
}

struct Circuit<'a> {
    emit: Emit<'a>,
    plaintexts: Plaintexts<'a>,
    /// The primes of the argument, the largest of which are dropped level by level.
    limbs: LimbSet,
    basis: BTreeMap<usize, Value>,
}

impl Circuit<'_> {
    fn level(&self, value: Value) -> usize {
        self.emit.plan.ty(value).limbs.len() - 1
    }

    fn at_level(&mut self, value: Value, level: usize) -> Result<Value, TypeError> {
        self.emit.on(value, self.limbs.lowest(level + 1))
    }

    /// T_j, computed once: `T_(a+b) = 2 T_a T_b − T_(a−b)`, a = ⌈j/2⌉, b = ⌊j/2⌋.
    fn basis(&mut self, j: usize) -> Result<Value, TypeError> {
        if let Some(&known) = self.basis.get(&j) {
            return Ok(known);
        }
        let (a, b) = (self.basis(j.div_ceil(2))?, self.basis(j / 2)?);
        let level = self.level(a).min(self.level(b));
        let (a, b) = (self.at_level(a, level)?, self.at_level(b, level)?);
        let result = if a == b {
            self.emit.double_angle(a)?
        } else {
            let twice = self.emit.op(Op::Add(a, a))?;
            let doubled = self.emit.op(Op::Mul(twice, b))?;
            let x = self.at_level(self.basis[&1], level)?;
            let one = self.emit.splat(-1.0, self.emit.scale(doubled) - self.emit.scale(x));
            let x = self.emit.op(Op::MulPlain(x, one))?;
            self.rescaled_sum(Some(doubled), Some(x))?
        };
        self.basis.insert(j, result);
        Ok(result)
    }

    /// log2 of the prime that a rescaling from `level` divides by.
    fn log_q(&self, level: usize) -> f64 {
        let last = self.limbs.lowest(level + 1).last().expect("limb sets are not empty");
        self.emit.plan.params.log_q(last)
    }

    /// The value of a tree at `level` and `scale`.
    fn rescaled(&mut self, tree: &Tree, level: usize, scale: f64) -> Result<Value, TypeError> {
        let scale = scale + self.log_q(level + 1);
        let mut sum = Sum::default();
        self.collect(tree, level + 1, scale, &mut sum)?;
        if sum.terms.is_empty() && sum.products.is_none() {
            sum.terms.extend(sum.constant.as_ref().map(|constant| (1, constant.zero())));
        }
        let mut terms = vec![];
        for (j, coefficient) in sum.terms {
            let power = self.basis(j)?;
            let power = self.at_level(power, level + 1)?;
            let factor = self.plaintext(&coefficient, scale - self.emit.scale(power));
            terms.push((power, factor));
        }
        let linear = if terms.is_empty() { None } else { Some(self.emit.op(Op::DotPlain(terms))?) };
        let rescaled = self.rescaled_sum(sum.products, linear)?;
        let Some(constant) = sum.constant.filter(|constant| !constant.is_zero()) else {
            return Ok(rescaled);
        };
        let constant = self.plaintext(&constant, self.emit.scale(rescaled));
        self.emit.op(Op::AddPlain(rescaled, constant))
    }

    fn plaintext(&mut self, row: &Row, scale: f64) -> ConstantId {
        let view = (self.plaintexts)(row.numbers());
        self.emit.constant(view, scale)
    }

    /// The sum of products of ciphertexts, relinearized, and a linear part, rescaled. They meet in QP: one division for all.
    fn rescaled_sum(
        &mut self,
        products: Option<Value>,
        linear: Option<Value>,
    ) -> Result<Value, TypeError> {
        let switched =
            products.map(|value| self.emit.apply(value, Key::Relinearize)).transpose()?;
        let total = match (switched, linear) {
            (Some(switched), Some(linear)) => {
                let linear = self.emit.op(Op::ModUp(linear))?;
                let total = self.emit.op(Op::Add(switched, linear))?;
                self.emit.op(Op::ModDown(total))?
            }
            (Some(switched), None) => self.emit.op(Op::ModDown(switched))?,
            (None, linear) => linear.expect("a sum has terms"),
        };
        self.emit.op(Op::Rescale(total))
    }

    /// Adds a tree to a sum at `level` and `scale`, not yet rescaled.
    fn collect(
        &mut self,
        tree: &Tree,
        level: usize,
        scale: f64,
        sum: &mut Sum,
    ) -> Result<(), TypeError> {
        match tree {
            Tree::Sum(coefficients) => {
                let constant = &coefficients[0];
                let before = sum.constant.take();
                sum.constant =
                    Some(before.map_or_else(|| constant.clone(), |sum| sum.plus(constant)));
                let rest = coefficients.iter().enumerate().skip(1);
                let used = rest.filter(|(_, c)| !c.is_zero());
                sum.terms.extend(used.map(|(j, c)| (j, c.clone())));
            }
            Tree::Split { g, quotient, remainder } => {
                match constant_of(quotient) {
                    Some(constant) => sum.terms.push((*g, constant.clone())),
                    None => {
                        let giant = self.basis(*g)?;
                        let giant = self.at_level(giant, level)?;
                        let wanted = scale - self.emit.scale(giant);
                        let quotient = self.rescaled(quotient, level, wanted)?;
                        let product = self.emit.op(Op::Mul(quotient, giant))?;
                        sum.products = Some(match sum.products {
                            Some(others) => self.emit.op(Op::Add(others, product))?,
                            None => product,
                        });
                    }
                }
                self.collect(remainder, level, scale, sum)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chebyshev(coefficients: &[f64], x: f64) -> f64 {
        coefficients.iter().enumerate().map(|(j, c)| c * (j as f64 * x.acos()).cos()).sum()
    }

    fn value(tree: &Tree, x: f64) -> f64 {
        match tree {
            Tree::Sum(rows) => {
                let numbers: Vec<f64> = rows.iter().map(|row| row.numbers()[0]).collect();
                chebyshev(&numbers, x)
            }
            Tree::Split { g, quotient, remainder } => {
                value(quotient, x) * (*g as f64 * x.acos()).cos() + value(remainder, x)
            }
        }
    }

    #[test]
    fn division_keeps_the_value() {
        for degree in 1..64 {
            let coefficients: Vec<f64> =
                (0..=degree).map(|j| ((j * 7 + 3) % 11) as f64 / 5.0 - 1.0).collect();
            let (tree, _) = tree(&Coefficients::one(&coefficients));
            for x in [-1.0, -0.3, 0.2, 0.9] {
                assert!(
                    (value(&tree, x) - chebyshev(&coefficients, x)).abs() < 1e-9,
                    "degree {degree}"
                );
            }
        }
    }

    #[test]
    fn products_grow_with_the_square_root_of_the_degree() {
        let dense = |degree: usize| multiplications(&Coefficients::one(&vec![1.0; degree + 1]));
        assert_eq!(dense(2), 1);
        assert_eq!(dense(3), 2);
        assert!(dense(7) <= 5 && dense(15) <= 8 && dense(31) <= 13 && dense(63) <= 19);
    }
}
