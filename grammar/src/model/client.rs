//! What is left to the client: the operations that a network ends with and that need cleartext, or are exact in it.

use super::bounds::{MAX_RANK, ShapeError, elements, fail, finite};
use super::function::Function;
use super::quantizer::Quantizer;
use crate::text::word_attribute;

/// A final operation left to the client, who sees cleartext. Axes are non-negative.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientOp {
    /// Softmax along the axis.
    Softmax {
        /// The axis that sums to one.
        axis: usize,
    },
    /// Logarithm of the softmax along the axis.
    LogSoftmax {
        /// The axis that sums to one.
        axis: usize,
    },
    /// Index of the largest element along the axis.
    ArgMax {
        /// The axis searched.
        axis: usize,
        /// Whether the axis stays, with length 1.
        keepdims: bool,
    },
    /// The `k` largest (or smallest) elements along the axis, sorted; values only.
    TopK {
        /// The axis searched.
        axis: usize,
        /// How many are kept.
        k: usize,
        /// Largest first if set, smallest first otherwise.
        largest: bool,
    },
    /// The indices of what [`ClientOp::TopK`] keeps.
    TopKIndices {
        /// The axis searched.
        axis: usize,
        /// How many are kept.
        k: usize,
        /// Largest first if set, smallest first otherwise.
        largest: bool,
    },
    /// Rounding of every element to a grid.
    FakeQuant(Quantizer),
    /// An elementwise function, exactly.
    Activation(Function),
    /// `factor·x + offset`: one number each, or one for each element.
    Affine {
        /// What is multiplied by.
        factor: Vec<f64>,
        /// What is added then.
        offset: Vec<f64>,
    },
    /// 1 where the comparison holds, else 0.
    Compare {
        /// How elements must compare.
        comparison: Comparison,
        /// One number, or one for each element.
        with: Vec<f64>,
    },
    /// Rounding of every element to an integer.
    Round(Integral),
    /// Division by a norm of the elements along the axis, unless that is 0.
    Normalize {
        /// The axis whose norm becomes one.
        axis: usize,
        /// Which norm.
        norm: Norm,
    },
    /// The sum along the axis.
    Sum {
        /// The axis summed.
        axis: usize,
        /// Whether the axis stays, with length 1.
        keepdims: bool,
    },
    /// Same elements in row-major order under another shape.
    Reshape {
        /// That shape.
        shape: Vec<usize>,
    },
    /// Elements by their positions in row-major order.
    Pick {
        /// One for each element of the result.
        positions: Vec<usize>,
        /// The result's shape.
        shape: Vec<usize>,
    },
    /// A table look-up: elements that equal a key become its value.
    Lookup {
        /// What is looked for.
        keys: Vec<f64>,
        /// What it becomes; as many.
        values: Vec<f64>,
        /// What an element without a key becomes.
        default: f64,
    },
    /// Names for the classes that the elements are scores of; the elements stay as they are.
    Classes {
        /// One for each place along the last dimension.
        names: Vec<String>,
    },
    /// Names for what the elements count: `i` stands for name `i`; the elements stay as they are.
    Labels {
        /// In order.
        names: Vec<String>,
    },
}

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type {
            $($(#[$variant_doc])* $variant),*
        }

        impl $type {
            /// All of them.
            pub const ALL: &[$type] = &[$($type::$variant),*];

            /// What it is called in text.
            pub fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $word),*
                }
            }
        }
    };
}

words! {
    /// How two numbers compare.
    Comparison {
        /// `x < y`.
        Less "less",
        /// `x ≤ y`.
        LessOrEqual "less_or_equal",
        /// `x > y`.
        Greater "greater",
        /// `x ≥ y`.
        GreaterOrEqual "greater_or_equal",
        /// `x = y`.
        Equal "equal",
        /// `x ≠ y`.
        NotEqual "not_equal",
    }
}
words! {
    /// Which integer a number is rounded to.
    Integral {
        /// The next one below.
        Floor "floor",
        /// The next one above.
        Ceil "ceil",
        /// The nearest one, the even one of two.
        Even "even",
        /// The next one towards zero.
        Truncate "truncate",
        /// 1 above zero, −1 below.
        Sign "sign",
    }
}
words! {
    /// The size of a list of numbers.
    Norm {
        /// Sum of magnitudes.
        L1 "l1",
        /// Root of the sum of squares.
        L2 "l2",
        /// Largest element.
        Max "max",
        /// Sum, signs and all.
        Sum "sum",
    }
}

word_attribute!(Comparison, Integral, Norm);

impl Comparison {
    /// Whether it holds.
    pub fn holds(self, x: f64, y: f64) -> bool {
        match self {
            Comparison::Less => x < y,
            Comparison::LessOrEqual => x <= y,
            Comparison::Greater => x > y,
            Comparison::GreaterOrEqual => x >= y,
            Comparison::Equal => x == y,
            Comparison::NotEqual => x != y,
        }
    }

    /// The same with both sides exchanged: `y > x` for `x < y`.
    pub fn exchanged(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            Comparison::Equal | Comparison::NotEqual => self,
        }
    }
}

impl Integral {
    /// The integer.
    pub fn round(self, x: f64) -> f64 {
        match self {
            Integral::Floor => x.floor(),
            Integral::Ceil => x.ceil(),
            Integral::Even => x.round_ties_even(),
            Integral::Truncate => x.trunc(),
            Integral::Sign if x == 0.0 => 0.0,
            Integral::Sign => x.signum(),
        }
    }
}

impl ClientOp {
    /// The shape after the operation.
    ///
    /// # Errors
    /// If it does not take that shape, or its own numbers are out of range.
    pub fn shape(&self, before: &[usize]) -> Result<Vec<usize>, ShapeError> {
        let mut shape = before.to_vec();
        let extent = |axis: usize| match before.get(axis) {
            Some(&extent) => Ok(extent),
            None => fail(format!("axis {axis} of shape {before:?}")),
        };
        match self {
            ClientOp::Softmax { axis }
            | ClientOp::LogSoftmax { axis }
            | ClientOp::Normalize { axis, .. } => {
                extent(*axis)?;
            }
            ClientOp::ArgMax { axis, keepdims } | ClientOp::Sum { axis, keepdims } => {
                extent(*axis)?;
                if *keepdims {
                    shape[*axis] = 1;
                } else {
                    shape.remove(*axis);
                }
            }
            ClientOp::TopK { axis, k, .. } | ClientOp::TopKIndices { axis, k, .. } => {
                let extent = extent(*axis)?;
                if *k == 0 || *k > extent {
                    return fail(format!("the {k} largest of {extent} elements"));
                }
                shape[*axis] = *k;
            }
            ClientOp::FakeQuant(quantizer) => quantizer.check()?,
            ClientOp::Activation(function) => function.check()?,
            ClientOp::Affine { factor, offset } => {
                one_or_each("factor", factor, before)?;
                one_or_each("offset", offset, before)?;
            }
            ClientOp::Compare { with, .. } => one_or_each("number", with, before)?,
            ClientOp::Reshape { shape: to } => {
                if elements(to)? != elements(before)? {
                    return fail(format!("shape {before:?} as {to:?}"));
                }
                shape.clone_from(to);
            }
            ClientOp::Pick { positions, shape: to } => {
                let (found, count) = (elements(to)?, elements(before)?);
                if found != positions.len() || positions.iter().any(|&at| at >= count) {
                    return fail(format!("{} of {count} elements as {to:?}", positions.len()));
                }
                shape.clone_from(to);
            }
            ClientOp::Lookup { keys, values, default } => {
                finite("number", keys)?;
                finite("number", values)?;
                finite("number", &[*default])?;
                if keys.len() != values.len() {
                    return fail(format!("{} keys and {} values", keys.len(), values.len()));
                }
            }
            ClientOp::Classes { names } => {
                let count = before.last().copied().unwrap_or(1);
                if names.len() != count {
                    return fail(format!("{} names for {count} classes", names.len()));
                }
            }
            ClientOp::Labels { names } if names.is_empty() => return fail("no names".to_owned()),
            ClientOp::Round(_) | ClientOp::Labels { .. } => {}
        }
        if shape.len() > MAX_RANK {
            return fail(format!("{} dimensions", shape.len()));
        }
        Ok(shape)
    }

    /// Whether the result says which of several things holds, and no longer how much.
    pub fn decides(&self) -> bool {
        match self {
            ClientOp::ArgMax { .. }
            | ClientOp::TopKIndices { .. }
            | ClientOp::Compare { .. }
            | ClientOp::Labels { .. } => true,
            ClientOp::Softmax { .. }
            | ClientOp::LogSoftmax { .. }
            | ClientOp::TopK { .. }
            | ClientOp::FakeQuant(_)
            | ClientOp::Activation(_)
            | ClientOp::Affine { .. }
            | ClientOp::Round(_)
            | ClientOp::Normalize { .. }
            | ClientOp::Sum { .. }
            | ClientOp::Reshape { .. }
            | ClientOp::Pick { .. }
            | ClientOp::Lookup { .. }
            | ClientOp::Classes { .. } => false,
        }
    }

    /// Whether it makes a choice of what it is given.
    pub fn chooses(&self) -> bool {
        matches!(
            self,
            ClientOp::ArgMax { .. }
                | ClientOp::TopKIndices { .. }
                | ClientOp::Compare { .. }
                | ClientOp::Lookup { .. }
        )
    }
}

fn one_or_each(what: &str, numbers: &[f64], shape: &[usize]) -> Result<(), ShapeError> {
    finite(what, numbers)?;
    let count = elements(shape)?;
    if numbers.len() == 1 || numbers.len() == count {
        return Ok(());
    }
    fail(format!("{} numbers for {count} elements", numbers.len()))
}
