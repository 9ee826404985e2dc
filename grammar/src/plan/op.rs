//! The instruction set and its only typing rule.

use std::fmt;

use super::{Constant, LimbSet, Params, Plan, Scheme};

/// The result of one instruction. Prints as `v7`, in Rust and in plan text alike.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(pub u32);

/// A plaintext of the plan. Prints as `c3`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConstantId(pub u32);

/// What a ciphertext is switched from (to the plan's secret s) by an evaluation key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// From s².
    Relinearize,
    /// From s(X^g), g = 5^steps mod 2N: slots move left by `steps`, 0 < steps < N/2.
    Rotate(u32),
    /// From s(X^−1): slots are conjugated.
    Conjugate,
    /// From s to the ephemeral sparse secret (Bossuat, Troncoso-Pastoriza, Hubaux, ACNS 2022, eprint 2022/024).
    Encapsulate,
    /// From the ephemeral sparse secret back to s.
    Decapsulate,
}

/// Which primes an element is reduced by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A ciphertext on the message primes of its limb set.
    Q,
    /// A ciphertext on those and the special primes of [`Params::n_special`], P times as large, P their product.
    QP,
    /// The gadget digits, on QP, of the last polynomial of a ciphertext, together with its other polynomials.
    Digits,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Type {
    /// Which primes besides `limbs`.
    pub form: Form,
    /// The message primes that the residues are taken by.
    pub limbs: LimbSet,
    /// log2 of the factor Δ on the message, compared exactly: a pass aligns operands. The factor P of the form QP
    /// is not counted. 0 in BFV plans.
    pub scale: f64,
    /// Polynomials minus one: 1 is linear, 2 awaits relinearization.
    pub degree: u8,
    /// Whether it is under the ephemeral sparse secret, as between [`Key::Encapsulate`] and [`Key::Decapsulate`].
    pub ephemeral: bool,
}

/// One instruction. Slot-wise unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Ciphertext `.0` of the plan's inputs, at the inputs' level and the top scale.
    Input(u32),
    /// Sum; equal types.
    Add(Value, Value),
    /// Difference; equal types.
    Sub(Value, Value),
    /// Negation.
    Neg(Value),
    /// Adds a plaintext of the same scale. Form Q.
    AddPlain(Value, ConstantId),
    /// Multiplies by a plaintext; scales add up. Form Q or QP.
    MulPlain(Value, ConstantId),
    /// `Σ ciphertext · plaintext`; the products have equal types. Form Q or QP.
    DotPlain(Vec<(Value, ConstantId)>),
    /// Product of two ciphertexts of form Q, degree 1 and equal limbs; scales and degrees add up. In BFV scale-invariant.
    Mul(Value, Value),
    /// BFV: BGV's product of two ciphertexts of form Q, degree 1 and equal limbs of product Q. It needs no auxiliary primes, but
    /// noise is multiplied by noise, and the message by −Q (see [`Plan::message_factors`]).
    MulBgv(Value, Value),
    /// Degree 2 to 1: sugar for decompose, apply_key, mod_down.
    Relinearize(Value),
    /// Slots move left by `.1`, cyclically, 0 < steps < N/2 (in BFV within both rows): sugar for decompose, apply_key,
    /// mod_down.
    Rotate(Value, u32),
    /// Complex conjugates; in BFV the rows change places: sugar for decompose, apply_key, mod_down.
    Conjugate(Value),
    /// CKKS: divides by the largest prime of the limb set and drops it.
    Rescale(Value),
    /// BFV: divides by the primes that are not in `.1` and drops them. The message stays. Form Q.
    ModSwitch(Value, LimbSet),
    /// CKKS: drops the primes that are not in `.1`, without dividing. Form Q.
    Drop(Value, LimbSet),
    /// Gadget digits of the last polynomial. Form Q to Digits.
    Decompose(Value),
    /// Key switch of a decomposed ciphertext, without the final division: form Digits to QP, degree 1.
    ApplyKey(Value, Key),
    /// Multiplies by P and extends to the special primes, exactly: form Q to QP.
    ModUp(Value),
    /// Divides by P and drops the special primes: form QP to Q.
    ModDown(Value),
    /// CKKS: reads the residues (one limb) as integers of a larger limb set, the first step of bootstrapping.
    ModRaise(Value, LimbSet),
}

/// Why an instruction has no type.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TypeError {
    /// Operand not defined before its use.
    #[error("{0} is not defined before its use")]
    Undefined(Value),
    /// Constant that the plan does not have.
    #[error("constant {0} does not exist")]
    NoConstant(ConstantId),
    /// Input that the plan does not declare.
    #[error("input {found} does not exist, the plan declares {declared}")]
    NoInput {
        /// Index cited.
        found: u32,
        /// Number declared.
        declared: usize,
    },
    /// Operands on different primes.
    #[error("limbs differ ({0}, {1})")]
    Limbs(LimbSet, LimbSet),
    /// Operands with different scales.
    #[error("scales differ ({0}, {1})")]
    Scale(f64, f64),
    /// Operand of the wrong degree.
    #[error("{value} has degree {found}, expected {expected}")]
    Degree {
        /// The operand.
        value: Value,
        /// Its degree.
        found: u8,
        /// What the instruction takes.
        expected: u8,
    },
    /// Operand of the wrong form.
    #[error("{value} has form {found:?}, expected {expected}")]
    Form {
        /// The operand.
        value: Value,
        /// Its form.
        found: Form,
        /// What the instruction takes.
        expected: &'static str,
    },
    /// No prime left to drop, or not a subset.
    #[error("limbs {found} of {value} cannot become {wanted}")]
    Drop {
        /// The operand.
        value: Value,
        /// Its limbs.
        found: LimbSet,
        /// The limbs asked for.
        wanted: LimbSet,
    },
    /// Rotation outside `1..N/2`.
    #[error("rotation by {steps} is outside 1..{n_slots}")]
    Steps {
        /// Steps asked for.
        steps: u32,
        /// Number of slots.
        n_slots: usize,
    },
    /// A sum of no products.
    #[error("dot_plain has no terms")]
    Empty,
    /// Scale outside the range in which scales add exactly.
    #[error("scale {0} is not a number in (0, 256), or 0 in BFV")]
    ScaleRange(f64),
    /// Key switching without special primes.
    #[error("key switching needs special primes, the plan has none")]
    NoSpecialPrimes,
    /// An instruction of the other scheme.
    #[error("the plan's scheme has no such instruction")]
    Scheme,
    /// Operand under the wrong secret.
    #[error("{0} is under the wrong one of the plan's secret and the ephemeral sparse secret")]
    Secret(Value),
}

impl Value {
    /// Position in [`Plan::ops`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl ConstantId {
    /// Position in [`Plan::constants`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl Op {
    /// The only typing rule. Builder, parser, verifier and simulator call it; none repeats it.
    pub fn infer(&self, plan: &Plan) -> Result<Type, TypeError> {
        let params = &plan.params;
        if self.scheme().is_some_and(|scheme| scheme != params.scheme) {
            return Err(TypeError::Scheme);
        }
        let ty = |v: Value| plan.types.get(v.index()).copied().ok_or(TypeError::Undefined(v));
        let plain = |c: ConstantId| plan.constants.get(c.index()).ok_or(TypeError::NoConstant(c));
        let result = match self {
            Op::Input(index) => input_type(plan, *index)?,
            Op::Add(a, b) | Op::Sub(a, b) => sum_type(*a, ty(*a)?, ty(*b)?)?,
            Op::Neg(a) => not_digits(*a, ty(*a)?)?,
            Op::AddPlain(a, c) => {
                let (a_type, constant) = (form(*a, ty(*a)?, Form::Q)?, plain(*c)?);
                same_scale(a_type.scale, constant.scale)?;
                a_type
            }
            Op::MulPlain(a, c) => product_type(*a, ty(*a)?, plain(*c)?)?,
            Op::DotPlain(terms) => {
                let (first, c) = terms.first().ok_or(TypeError::Empty)?;
                let result = product_type(*first, ty(*first)?, plain(*c)?)?;
                for (v, c) in &terms[1..] {
                    sum_type(*v, result, product_type(*v, ty(*v)?, plain(*c)?)?)?;
                }
                result
            }
            Op::Mul(a, b) | Op::MulBgv(a, b) => {
                let (x, y) = (form(*a, ty(*a)?, Form::Q)?, form(*b, ty(*b)?, Form::Q)?);
                degree(*a, x, 1)?;
                degree(*b, y, 1)?;
                same_limbs(x.limbs, y.limbs)?;
                Type { scale: x.scale + y.scale, degree: 2, ..x }
            }
            Op::Relinearize(a) => Type { degree: 1, ..switched(params, *a, ty(*a)?, 2)? },
            Op::Rotate(a, steps) => {
                rotation(params, *steps)?;
                switched(params, *a, ty(*a)?, 1)?
            }
            Op::Conjugate(a) => switched(params, *a, ty(*a)?, 1)?,
            Op::Rescale(a) => {
                let a_type = form(*a, ty(*a)?, Form::Q)?;
                let limbs = a_type.limbs.without_last();
                match a_type.limbs.last() {
                    Some(last) if !limbs.is_empty() && last < params.q.len() => {
                        Type { limbs, scale: a_type.scale - params.log_q(last), ..a_type }
                    }
                    _ => return Err(drop_error(*a, a_type, limbs)),
                }
            }
            Op::Drop(a, limbs) | Op::ModSwitch(a, limbs) => {
                let a_type = form(*a, ty(*a)?, Form::Q)?;
                if limbs.is_empty() || !limbs.is_subset(a_type.limbs) {
                    return Err(drop_error(*a, a_type, *limbs));
                }
                Type { limbs: *limbs, ..a_type }
            }
            Op::Decompose(a) => {
                special(params)?;
                Type { form: Form::Digits, ..form(*a, ty(*a)?, Form::Q)? }
            }
            Op::ApplyKey(a, key) => {
                let digits = form(*a, ty(*a)?, Form::Digits)?;
                if let Key::Rotate(steps) = key {
                    rotation(params, *steps)?;
                }
                degree(*a, digits, if *key == Key::Relinearize { 2 } else { 1 })?;
                if digits.ephemeral != (*key == Key::Decapsulate) {
                    return Err(TypeError::Secret(*a));
                }
                Type { form: Form::QP, degree: 1, ephemeral: *key == Key::Encapsulate, ..digits }
            }
            Op::ModUp(a) => {
                special(params)?;
                Type { form: Form::QP, ..form(*a, ty(*a)?, Form::Q)? }
            }
            Op::ModDown(a) => Type { form: Form::Q, ..form(*a, ty(*a)?, Form::QP)? },
            Op::ModRaise(a, limbs) => {
                let a_type = form(*a, ty(*a)?, Form::Q)?;
                let grows = a_type.limbs.is_subset(*limbs) && limbs.is_subset(params.all_limbs());
                if a_type.limbs.len() != 1 || !grows {
                    return Err(drop_error(*a, a_type, *limbs));
                }
                Type { limbs: *limbs, ..a_type }
            }
        };
        if let Some(&operand) = self.operands().iter().find(|&&v| ty(v).is_ok_and(|t| t.ephemeral))
            && !matches!(
                self,
                Op::Decompose(_) | Op::ApplyKey(..) | Op::ModDown(_) | Op::ModRaise(..)
            )
        {
            return Err(TypeError::Secret(operand));
        }
        let in_range = match params.scheme {
            Scheme::Ckks => result.scale > 0.0 && result.scale < 256.0,
            Scheme::Bfv => result.scale == 0.0,
        };
        if in_range { Ok(result) } else { Err(TypeError::ScaleRange(result.scale)) }
    }

    /// The scheme that it belongs to, if not to all.
    fn scheme(&self) -> Option<Scheme> {
        match self {
            Op::Rescale(_) | Op::Drop(..) | Op::ModRaise(..) => Some(Scheme::Ckks),
            Op::ApplyKey(_, Key::Encapsulate | Key::Decapsulate) => Some(Scheme::Ckks),
            Op::ModSwitch(..) | Op::MulBgv(..) => Some(Scheme::Bfv),
            Op::ApplyKey(_, Key::Relinearize | Key::Rotate(_) | Key::Conjugate)
            | Op::Input(_)
            | Op::Add(..)
            | Op::Sub(..)
            | Op::Neg(_)
            | Op::AddPlain(..)
            | Op::MulPlain(..)
            | Op::DotPlain(_)
            | Op::Mul(..)
            | Op::Relinearize(_)
            | Op::Rotate(..)
            | Op::Conjugate(_)
            | Op::Decompose(_)
            | Op::ModUp(_)
            | Op::ModDown(_) => None,
        }
    }

    /// The values read, in order.
    pub fn operands(&self) -> Vec<Value> {
        match self {
            Op::Input(_) => vec![],
            Op::Add(a, b) | Op::Sub(a, b) | Op::Mul(a, b) | Op::MulBgv(a, b) => vec![*a, *b],
            Op::DotPlain(terms) => terms.iter().map(|(v, _)| *v).collect(),
            Op::Neg(a)
            | Op::AddPlain(a, _)
            | Op::MulPlain(a, _)
            | Op::Relinearize(a)
            | Op::Rotate(a, _)
            | Op::Conjugate(a)
            | Op::Rescale(a)
            | Op::ModSwitch(a, _)
            | Op::Drop(a, _)
            | Op::Decompose(a)
            | Op::ApplyKey(a, _)
            | Op::ModUp(a)
            | Op::ModDown(a)
            | Op::ModRaise(a, _) => vec![*a],
        }
    }

    /// The constants read, in order.
    pub fn constants(&self) -> Vec<ConstantId> {
        match self {
            Op::AddPlain(_, c) | Op::MulPlain(_, c) => vec![*c],
            Op::DotPlain(terms) => terms.iter().map(|(_, c)| *c).collect(),
            Op::Input(_)
            | Op::Add(..)
            | Op::Sub(..)
            | Op::Mul(..)
            | Op::MulBgv(..)
            | Op::Neg(_)
            | Op::Relinearize(_)
            | Op::Rotate(..)
            | Op::Conjugate(_)
            | Op::Rescale(_)
            | Op::ModSwitch(..)
            | Op::Drop(..)
            | Op::Decompose(_)
            | Op::ApplyKey(..)
            | Op::ModUp(_)
            | Op::ModDown(_)
            | Op::ModRaise(..) => vec![],
        }
    }

    /// The same instruction with every operand replaced.
    pub fn map_operands(&self, mut f: impl FnMut(Value) -> Value) -> Op {
        match self {
            Op::Input(index) => Op::Input(*index),
            Op::Add(a, b) => Op::Add(f(*a), f(*b)),
            Op::Sub(a, b) => Op::Sub(f(*a), f(*b)),
            Op::Mul(a, b) => Op::Mul(f(*a), f(*b)),
            Op::MulBgv(a, b) => Op::MulBgv(f(*a), f(*b)),
            Op::Neg(a) => Op::Neg(f(*a)),
            Op::AddPlain(a, c) => Op::AddPlain(f(*a), *c),
            Op::MulPlain(a, c) => Op::MulPlain(f(*a), *c),
            Op::DotPlain(terms) => Op::DotPlain(terms.iter().map(|(v, c)| (f(*v), *c)).collect()),
            Op::Relinearize(a) => Op::Relinearize(f(*a)),
            Op::Rotate(a, steps) => Op::Rotate(f(*a), *steps),
            Op::Conjugate(a) => Op::Conjugate(f(*a)),
            Op::Rescale(a) => Op::Rescale(f(*a)),
            Op::ModSwitch(a, limbs) => Op::ModSwitch(f(*a), *limbs),
            Op::Drop(a, limbs) => Op::Drop(f(*a), *limbs),
            Op::Decompose(a) => Op::Decompose(f(*a)),
            Op::ApplyKey(a, key) => Op::ApplyKey(f(*a), *key),
            Op::ModUp(a) => Op::ModUp(f(*a)),
            Op::ModDown(a) => Op::ModDown(f(*a)),
            Op::ModRaise(a, limbs) => Op::ModRaise(f(*a), *limbs),
        }
    }
}

fn input_type(plan: &Plan, index: u32) -> Result<Type, TypeError> {
    let declared: usize = plan.inputs.iter().map(|input| input.slots.len()).sum();
    if index as usize >= declared {
        return Err(TypeError::NoInput { found: index, declared });
    }
    let params = &plan.params;
    let (limbs, scale) = (params.input_limbs(), params.top_scale);
    Ok(Type { form: Form::Q, limbs, scale, degree: 1, ephemeral: false })
}

fn sum_type(value: Value, a: Type, b: Type) -> Result<Type, TypeError> {
    same_limbs(a.limbs, b.limbs)?;
    same_scale(a.scale, b.scale)?;
    degree(value, a, b.degree)?;
    let a = not_digits(value, a)?;
    if a.form != b.form {
        let expected = if b.form == Form::QP { "QP" } else { "Q" };
        return Err(TypeError::Form { value, found: a.form, expected });
    }
    Ok(a)
}

fn product_type(value: Value, a: Type, constant: &Constant) -> Result<Type, TypeError> {
    let a = not_digits(value, a)?;
    Ok(Type { scale: a.scale + constant.scale, ..a })
}

fn switched(params: &Params, value: Value, a: Type, expected: u8) -> Result<Type, TypeError> {
    special(params)?;
    degree(value, a, expected)?;
    form(value, a, Form::Q)
}

fn special(params: &Params) -> Result<(), TypeError> {
    if params.p.is_empty() { Err(TypeError::NoSpecialPrimes) } else { Ok(()) }
}

fn rotation(params: &Params, steps: u32) -> Result<(), TypeError> {
    let n_slots = params.row_length();
    if steps == 0 || steps as usize >= n_slots {
        return Err(TypeError::Steps { steps, n_slots });
    }
    Ok(())
}

fn same_limbs(a: LimbSet, b: LimbSet) -> Result<(), TypeError> {
    if a == b { Ok(()) } else { Err(TypeError::Limbs(a, b)) }
}

fn same_scale(a: f64, b: f64) -> Result<(), TypeError> {
    if a == b { Ok(()) } else { Err(TypeError::Scale(a, b)) }
}

fn degree(value: Value, a: Type, expected: u8) -> Result<(), TypeError> {
    if a.degree == expected {
        Ok(())
    } else {
        Err(TypeError::Degree { value, found: a.degree, expected })
    }
}

fn form(value: Value, a: Type, wanted: Form) -> Result<Type, TypeError> {
    let expected = match wanted {
        Form::Q => "Q",
        Form::QP => "QP",
        Form::Digits => "Digits",
    };
    if a.form == wanted { Ok(a) } else { Err(TypeError::Form { value, found: a.form, expected }) }
}

fn not_digits(value: Value, a: Type) -> Result<Type, TypeError> {
    if a.form == Form::Digits {
        return Err(TypeError::Form { value, found: a.form, expected: "Q or QP" });
    }
    Ok(a)
}

fn drop_error(value: Value, a: Type, wanted: LimbSet) -> TypeError {
    TypeError::Drop { value, found: a.limbs, wanted }
}

macro_rules! prints_as {
    ($type:ty, $letter:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}
prints_as!(Value, "v");
prints_as!(ConstantId, "c");
