//! The only typing rule.

use super::{ConstantId, Form, Key, LimbSet, Op, Scheme, Type, TypeError, Value};
use crate::plan::{Constant, Params, Plan};

impl Op {
    /// The only typing rule. Builder, parser, verifier and simulator call it; none repeats it.
    ///
    /// # Errors
    /// Says which operand is not what the instruction takes.
    pub fn infer(&self, plan: &Plan) -> Result<Type, TypeError> {
        let scheme = plan.params.scheme();
        if self.opcode().scheme().is_some_and(|of| of != scheme) {
            return Err(TypeError::Scheme);
        }
        let result = Typing { plan, params: &plan.params }.result(self)?;
        let in_range = match scheme {
            Scheme::Ckks => result.scale > 0.0 && result.scale < 256.0,
            Scheme::Bfv => result.scale == 0.0,
        };
        if in_range { Ok(result) } else { Err(TypeError::ScaleRange(result.scale)) }
    }
}

struct Typing<'a> {
    plan: &'a Plan,
    params: &'a Params,
}

impl Typing<'_> {
    fn result(&self, op: &Op) -> Result<Type, TypeError> {
        match op {
            Op::Input(index) => self.input(*index),
            Op::Add(a, b) | Op::Sub(a, b) => sum(*a, self.of(*a)?, self.of(*b)?),
            Op::Neg(a) => not_digits(*a, self.of(*a)?),
            Op::AddPlain(a, c) => {
                let (a, constant) = (self.on_q(*a)?, self.constant(*c)?);
                same_scale(a.scale, constant.scale)?;
                Ok(a)
            }
            Op::MulPlain(a, c) => self.plain_product(*a, *c),
            Op::DotPlain(terms) => self.dot(terms),
            Op::Mul(a, b) | Op::MulBgv(a, b) => self.product(*a, *b),
            Op::Rescale(a) => self.rescaled(*a),
            Op::Drop(a, limbs) => on_fewer(*a, self.on_q(*a)?, *limbs),
            Op::ModSwitch(a, limbs) => on_fewer(*a, self.divided(*a)?, *limbs),
            Op::Decompose(a) => {
                self.special_primes()?;
                Ok(Type { form: Form::Digits, ..form(*a, self.under_either(*a)?, Form::Q)? })
            }
            Op::ApplyKey(a, key) => self.switched(*a, *key),
            Op::ModUp(a) => {
                self.special_primes()?;
                Ok(Type { form: Form::QP, ..self.on_q(*a)? })
            }
            Op::ModDown(a) => {
                Ok(Type { form: Form::Q, ..form(*a, self.under_either(*a)?, Form::QP)? })
            }
            Op::ModRaise(a, limbs) => self.raised(*a, *limbs),
        }
    }

    /// The type of an operand, under the plan's secret or the ephemeral one.
    fn under_either(&self, v: Value) -> Result<Type, TypeError> {
        self.plan.types.get(v.index()).copied().ok_or(TypeError::Undefined(v))
    }

    /// The type of an operand under the plan's secret.
    fn of(&self, v: Value) -> Result<Type, TypeError> {
        let ty = self.under_either(v)?;
        if ty.ephemeral { Err(TypeError::Secret(v)) } else { Ok(ty) }
    }

    fn on_q(&self, v: Value) -> Result<Type, TypeError> {
        form(v, self.of(v)?, Form::Q)
    }

    fn constant(&self, c: ConstantId) -> Result<&Constant, TypeError> {
        self.plan.constants.get(c.index()).ok_or(TypeError::NoConstant(c))
    }

    fn special_primes(&self) -> Result<(), TypeError> {
        if self.params.p.is_empty() { Err(TypeError::NoSpecialPrimes) } else { Ok(()) }
    }

    fn input(&self, index: u32) -> Result<Type, TypeError> {
        let declared = self.plan.n_input_ciphertexts();
        if index as usize >= declared {
            return Err(TypeError::NoInput { found: index, declared });
        }
        let (limbs, scale) = (self.params.input_limbs(), self.params.top_scale());
        Ok(Type { form: Form::Q, limbs, scale, degree: 1, ephemeral: false })
    }

    fn plain_product(&self, a: Value, c: ConstantId) -> Result<Type, TypeError> {
        let ty = not_digits(a, self.of(a)?)?;
        Ok(Type { scale: ty.scale + self.constant(c)?.scale, ..ty })
    }

    fn dot(&self, terms: &[(Value, ConstantId)]) -> Result<Type, TypeError> {
        let ((a, c), others) = terms.split_first().ok_or(TypeError::Empty)?;
        let result = self.plain_product(*a, *c)?;
        for (a, c) in others {
            sum(*a, result, self.plain_product(*a, *c)?)?;
        }
        Ok(result)
    }

    fn product(&self, a: Value, b: Value) -> Result<Type, TypeError> {
        let (x, y) = (self.on_q(a)?, self.on_q(b)?);
        degree(a, x, 1)?;
        degree(b, y, 1)?;
        same_limbs(x.limbs, y.limbs)?;
        Ok(Type { scale: x.scale + y.scale, degree: 2, ..x })
    }

    fn rescaled(&self, a: Value) -> Result<Type, TypeError> {
        let ty = self.divided(a)?;
        let limbs = ty.limbs.without_last();
        match ty.limbs.last() {
            Some(last) if !limbs.is_empty() && last < self.params.q.len() => {
                Ok(Type { limbs, scale: ty.scale - self.params.log_q(last), ..ty })
            }
            _ => Err(TypeError::Drop { value: a, found: ty.limbs, wanted: limbs }),
        }
    }

    /// The type of an operand that is divided by P if it is on QP.
    fn divided(&self, a: Value) -> Result<Type, TypeError> {
        Ok(Type { form: Form::Q, ..not_digits(a, self.of(a)?)? })
    }

    fn switched(&self, a: Value, key: Key) -> Result<Type, TypeError> {
        if key.scheme().is_some_and(|of| of != self.params.scheme()) {
            return Err(TypeError::Scheme);
        }
        let digits = form(a, self.under_either(a)?, Form::Digits)?;
        let n_slots = self.params.row_length();
        if let Key::Rotate(steps) = key
            && (steps == 0 || steps as usize >= n_slots)
        {
            return Err(TypeError::Steps { steps, n_slots });
        }
        degree(a, digits, if key == Key::Relinearize { 2 } else { 1 })?;
        if digits.ephemeral != (key == Key::Decapsulate) {
            return Err(TypeError::Secret(a));
        }
        Ok(Type { form: Form::QP, degree: 1, ephemeral: key == Key::Encapsulate, ..digits })
    }

    fn raised(&self, a: Value, limbs: LimbSet) -> Result<Type, TypeError> {
        let ty = form(a, self.under_either(a)?, Form::Q)?;
        let grows = ty.limbs.is_subset(limbs) && limbs.is_subset(self.params.all_limbs());
        if ty.limbs.len() != 1 || !grows {
            return Err(TypeError::Drop { value: a, found: ty.limbs, wanted: limbs });
        }
        Ok(Type { limbs, ..ty })
    }
}

fn on_fewer(a: Value, ty: Type, limbs: LimbSet) -> Result<Type, TypeError> {
    if limbs.is_empty() || !limbs.is_subset(ty.limbs) {
        return Err(TypeError::Drop { value: a, found: ty.limbs, wanted: limbs });
    }
    Ok(Type { limbs, ..ty })
}

fn sum(value: Value, a: Type, b: Type) -> Result<Type, TypeError> {
    same_limbs(a.limbs, b.limbs)?;
    same_scale(a.scale, b.scale)?;
    degree(value, a, b.degree)?;
    let a = not_digits(value, a)?;
    form(value, a, b.form)
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
