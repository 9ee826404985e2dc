//! How large the constants of integer plans are as polynomials.

use crate::plan::{Constant, ConstantId, Plan, Slots, View};

use super::marks::mark;
use super::moduli::Moduli;
use super::prints::{integer, random, tables};

/// So few coefficients are not independent of others', even if both are random.
const FEW: usize = 64;

/// How large the constants of a plan are as polynomials, which takes longer to find out than all the rest, and does not
/// depend on the plaintext primes.
pub struct ConstantSizes(Vec<Size>);

enum Size {
    /// One coefficient.
    Number(f64),
    /// As good as uniform modulo t.
    Uniform {
        /// The number of coefficients.
        count: usize,
        /// The largest magnitude of a slot.
        largest: f64,
        /// See [`mark`].
        mark: u64,
        /// Of how it is written.
        print: u64,
    },
}

/// The polynomial that a constant is encoded as.
pub(super) struct Polynomial {
    /// How many coefficients it has.
    pub(super) count: f64,
    /// Their mean square modulo t.
    pub(super) square: f64,
    pub(super) independence: Independence,
    /// A number that it shares with itself; 1 of numbers.
    pub(super) print: u64,
}

/// Whether products with it are independent of those with other polynomials.
#[derive(Clone, Copy)]
pub(super) enum Independence {
    /// No.
    None,
    /// Of those with another mark.
    Marked(u64),
    /// Not known, since slots are modulo t what others are.
    Unknown,
}

impl ConstantSizes {
    /// The sizes of all constants.
    pub fn new(plan: &Plan) -> ConstantSizes {
        let tables = tables(plan);
        let sizes = (0..plan.constants.len()).map(|c| size(plan, &tables, ConstantId(c as u32)));
        ConstantSizes(sizes.collect())
    }

    /// For each constant a number that it shares with those that are the same.
    pub(super) fn prints(&self) -> Vec<u64> {
        let print = |size: &Size| match size {
            Size::Number(x) => integer(*x),
            Size::Uniform { mark, .. } => mark >> 3,
        };
        self.0.iter().map(print).collect()
    }

    /// The polynomial for the largest of the plaintext primes.
    pub(super) fn polynomial(&self, constant: ConstantId, moduli: &Moduli) -> Polynomial {
        let &Moduli { least_t, largest_t: t, .. } = moduli;
        let number = |square: f64| Polynomial {
            count: 1.0,
            square,
            independence: Independence::None,
            print: 1,
        };
        match self.0[constant.index()] {
            Size::Number(0.0) => number(0.0),
            Size::Number(x) => number((x * x).min(t * t / 4.0)),
            Size::Uniform { count, largest, mark, print } => {
                let independence = match (count < FEW, largest < least_t / 2.0) {
                    (true, _) => Independence::None,
                    (false, true) => Independence::Marked(mark),
                    (false, false) => Independence::Unknown,
                };
                Polynomial { count: count as f64, square: t * t / 12.0, independence, print }
            }
        }
    }
}

/// Slots that repeat with period w within rows are a polynomial of 2w coefficients, of one if all are the same.
fn size(plan: &Plan, tables: &[u64], constant: ConstantId) -> Size {
    let Constant { view, .. } = &plan.constants[constant.index()];
    match view {
        View::Splat(x) | View::Imaginary(x) => Size::Number(*x),
        View::Table { .. } | View::Embedding(_) => {
            let Slots { re: slots, .. } = plan.slots_of(constant);
            if slots.iter().all(|x| *x == slots[0]) {
                return Size::Number(slots[0]);
            }
            let row_length = plan.params.row_length();
            let period = slots.chunks(row_length).map(period).max().unwrap_or(1);
            let print = match view {
                View::Table { table, factor, runs } => {
                    random((tables[*table as usize], factor.to_bits(), runs))
                }
                View::Splat(_) | View::Imaginary(_) | View::Embedding(_) => random(constant),
            };
            let (mark, largest) = match view {
                View::Table { table, factor, runs } => {
                    mark(&plan.tables[*table as usize], *factor, runs)
                }
                View::Splat(_) | View::Imaginary(_) | View::Embedding(_) => (0, f64::INFINITY),
            };
            Size::Uniform { count: 2 * period, largest, mark, print }
        }
    }
}

/// The smallest power of two that slots repeat with.
fn period(slots: &[f64]) -> usize {
    let mut period = slots.len();
    while period > 1 && slots[..period / 2] == slots[period / 2..period] {
        period /= 2;
    }
    period
}
