//! Every promise that a plan makes, checked once at the door.
//!
//! Numbered promises:
//! 1. Parameters: 3 ≤ log N ≤ 17; primes distinct, of at most 50 bits, ≡ 1 mod 2N; at most 64 message primes;
//!    each digit's product is at most the product of the special primes.
//! 2. Security: log2(QP) within the table's bound for the promised level; so is the key to the sparse secret.
//! 3. Types: every instruction has the type that [`Op::infer`] gives, and operands precede users.
//! 4. Views: slots inside the ring, elements inside the table, no slot twice; numbers finite.
//! 5. Outputs: form Q, degree 1; every element read from exactly one place, shapes sane; kind and the client's operations
//!    fit, and so does what is said of their errors.
//! 6. Batches: one input or as many as slots; then maps name slot 0 and no key moves slots.
//! 7. Headroom: a value's modulus exceeds its scale by at least one bit. In BFV: constants are integers, summands have
//!    messages with equal factors, and results decrypt exactly, the noise staying below a quarter of Q/t.

use std::ops::Deref;

use crate::noise::{analyse_exact, budget};
use crate::security::{max_log_qp, max_log_qp_ephemeral};

use crate::model::{MAX_ELEMENTS, MAX_RANK};

use super::params::ROUNDING;
use super::profile::summary_len;
use super::slot_check::{ElementCheck, SlotCheck};
use super::{
    EmbeddingDiagonal, Form, Input, Key, Normalization, Op, Params, Plan, Run, Runs, Scheme,
    TypeError, Value, View,
};

/// No plan has more inputs, nor more outputs.
pub(super) const MAX_TENSORS: usize = 1024;
/// Exact results have no more plaintext primes.
const MAX_PLAINTEXT_PRIMES: usize = 16;
/// The client applies no more operations to an output.
pub(super) const MAX_CLIENT_OPS: usize = 64;
/// No layer names more quantiles.
const MAX_QUANTILES: usize = 64;

/// A plan whose promises hold.
#[derive(Clone, Debug)]
pub struct VerifiedPlan(Plan);

/// A promise that does not hold.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// Promise 1.
    #[error("parameters: {0}")]
    Params(String),
    /// Promise 2.
    #[error(
        "log2(QP) is {found:.1}, but a ring of degree 2^{log_n} carries at most {allowed} bits at {bits}-bit security"
    )]
    Security {
        /// log2 of the plan's modulus.
        found: f64,
        /// log2 of the ring degree.
        log_n: u32,
        /// The table's bound.
        allowed: u32,
        /// The level promised.
        bits: u32,
    },
    /// Promise 2, of the key to the sparse secret.
    #[error(
        "the key to the sparse secret has a modulus of {found:.1} bits, but a ring of degree 2^{log_n} carries at most \
         {allowed} under it at {bits}-bit security"
    )]
    EphemeralSecurity {
        /// log2 of the key's modulus.
        found: f64,
        /// log2 of the ring degree.
        log_n: u32,
        /// The bound.
        allowed: u32,
        /// The level promised.
        bits: u32,
    },
    /// Promise 3.
    #[error("instruction {value}: {error}")]
    Type {
        /// The instruction.
        value: Value,
        /// What is wrong.
        error: TypeError,
    },
    /// Promise 3: a recorded type differs from the inferred one.
    #[error("instruction {0}: recorded type differs from the inferred one")]
    RecordedType(Value),
    /// Promise 4.
    #[error("{place}: {what}")]
    View {
        /// Which constant, input, output or layer.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// Promise 5.
    #[error("output {name}: {what}")]
    Output {
        /// Name of the output.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// Promise 5.
    #[error("what is said of its errors: {0}")]
    Validation(String),
    /// Promise 7, in BFV.
    #[error("instruction {0}: messages of its operands are multiplied by different factors")]
    MessageFactors(Value),
    /// Promise 7, in BFV.
    #[error("output {name}: its noise exceeds what its modulus holds by {missing:.1} bits")]
    Noise {
        /// Name of the output.
        name: String,
        /// How many bits too few the modulus has.
        missing: f64,
    },
    /// Promise 7.
    #[error("instruction {value}: scale 2^{scale:.1} does not fit its modulus of {log_q:.1} bits")]
    Headroom {
        /// The instruction.
        value: Value,
        /// log2 of its scale.
        scale: f64,
        /// log2 of its modulus.
        log_q: f64,
    },
}

impl VerifiedPlan {
    /// Checks every promise.
    pub fn new(plan: Plan) -> Result<VerifiedPlan, PlanError> {
        check_params(&plan.params)?;
        check_security(&plan.params)?;
        check_views(&plan)?;
        check_types(&plan)?;
        check_ephemeral(&plan)?;
        check_outputs(&plan)?;
        if let Some(validation) = &plan.validation {
            validation.check(plan.outputs.len()).map_err(PlanError::Validation)?;
        }
        check_batch(&plan)?;
        check_exact(&plan)?;
        Ok(VerifiedPlan(plan))
    }

    /// The plan, no longer known to be verified.
    pub fn into_inner(self) -> Plan {
        self.0
    }
}

impl Deref for VerifiedPlan {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.0
    }
}

pub(super) fn check_params(params: &Params) -> Result<(), PlanError> {
    let fail = |what: String| Err(PlanError::Params(what));
    if !(3..=17).contains(&params.log_n) {
        return fail(format!("log_n is {}, expected 3 to 17", params.log_n));
    }
    if params.q.is_empty() || params.q.len() > 64 || params.p.len() > 64 {
        return fail(format!(
            "{} message and {} special primes, expected 1 to 64 and 0 to 64",
            params.q.len(),
            params.p.len()
        ));
    }
    if params.t.len() > MAX_PLAINTEXT_PRIMES
        || params.t.is_empty() == (params.scheme == Scheme::Bfv)
    {
        return fail(format!(
            "{} plaintext primes, expected 1 to {MAX_PLAINTEXT_PRIMES} in BFV and 0 in CKKS",
            params.t.len()
        ));
    }
    let mut primes: Vec<u64> = [&params.q[..], &params.t, &params.p].concat();
    for &prime in &primes {
        if prime >= 1 << 50 || prime % (2 << params.log_n) != 1 || !is_prime(prime) {
            return fail(format!("{prime} is not a prime below 2^50 that is 1 modulo 2N"));
        }
    }
    primes.sort_unstable();
    if primes.windows(2).any(|pair| pair[0] == pair[1]) {
        return fail("a prime is listed twice".to_owned());
    }
    let log_p: f64 = params.p.iter().map(|&prime| (prime as f64).log2()).sum();
    for digit in params.digits(params.all_limbs()) {
        let log_digit: f64 =
            params.digit(params.all_limbs(), digit).iter().map(|limb| params.log_q(limb)).sum();
        if log_digit > log_p + ROUNDING {
            return fail(format!(
                "digit {digit} has {log_digit:.1} bits, more than the special primes' {log_p:.1}"
            ));
        }
    }
    if params.input_level >= params.q.len() {
        let (level, count) = (params.input_level, params.q.len());
        return fail(format!("input level is {level}, but there are {count} message primes"));
    }
    let scale = params.top_scale;
    match params.scheme {
        Scheme::Ckks if scale > 0.0 && scale < 256.0 => Ok(()),
        Scheme::Ckks => fail(format!("top scale {scale} is outside (0, 256)")),
        Scheme::Bfv if scale == 0.0 => Ok(()),
        Scheme::Bfv => fail(format!("top scale {scale}, expected 0 in BFV")),
    }
}

fn check_batch(plan: &Plan) -> Result<(), PlanError> {
    let fail = |what: String| Err(PlanError::Params(what));
    if plan.batch == 1 {
        return Ok(());
    }
    let n_slots = plan.params.n_slots();
    if plan.batch != n_slots {
        return fail(format!("a batch of {}, expected 1 or the {n_slots} slots", plan.batch));
    }
    let moves = |key: Key| matches!(key, Key::Rotate(_) | Key::Conjugate);
    if let Some(key) = plan.keys().into_iter().find(|key_use| moves(key_use.key)) {
        return fail(format!("{:?} in a batch, whose inputs it would mix", key.key));
    }
    let inputs = plan.inputs.iter().flat_map(|input| &input.slots);
    let outputs = plan.outputs.iter().flat_map(|output| &output.slots);
    let layers = plan.layers.iter().flat_map(|layer| &layer.slots);
    let mut runs = inputs.chain(outputs.chain(layers).map(|(_, runs)| runs));
    match runs.any(|runs| runs.0.iter().any(|run| run.slot != 0 || !run.dims.is_empty())) {
        true => fail("a batch with an element outside slot 0".to_owned()),
        false => Ok(()),
    }
}

/// BFV: constants are integers without scale, summands have equal factors, and the noise of results fits.
fn check_exact(plan: &Plan) -> Result<(), PlanError> {
    if plan.params.scheme == Scheme::Ckks {
        return Ok(());
    }
    let is_integer = |x: f64| x.fract() == 0.0;
    for (i, constant) in plan.constants.iter().enumerate() {
        let fits = constant.scale == 0.0
            && match &constant.view {
                View::Splat(x) => is_integer(*x),
                View::Table { factor, .. } => is_integer(*factor),
                View::Imaginary(_) | View::Embedding(_) => false,
            };
        if !fits {
            let what = "not integers without scale, which BFV takes".to_owned();
            return Err(PlanError::View { place: format!("constant c{i}"), what });
        }
    }
    for (i, table) in plan.tables.iter().enumerate() {
        if let Some(x) = table.iter().find(|x| x.fract() != 0.0) {
            let what = format!("element {x}, expected integers in BFV");
            return Err(PlanError::View { place: format!("table {i}"), what });
        }
    }
    for &t in &plan.params.t {
        plan.message_factors(t).map_err(PlanError::MessageFactors)?;
    }
    let noise = analyse_exact(plan);
    for output in &plan.outputs {
        for (value, _) in &output.slots {
            let left = budget(plan, *value, noise[value.index()]);
            if left < 0.0 {
                return Err(PlanError::Noise { name: output.name.clone(), missing: -left });
            }
        }
    }
    Ok(())
}

fn check_security(params: &Params) -> Result<(), PlanError> {
    let (found, bits) = (params.log_qp(), params.security.bits());
    match max_log_qp(params.log_n, params.security) {
        Some(allowed) if found <= f64::from(allowed) => Ok(()),
        allowed => Err(PlanError::Security {
            found,
            log_n: params.log_n,
            allowed: allowed.unwrap_or(0),
            bits,
        }),
    }
}

/// What is published under the sparse secret is one key, whose modulus must be small.
fn check_ephemeral(plan: &Plan) -> Result<(), PlanError> {
    let params = &plan.params;
    let Some(found) = plan.ephemeral_log_qp() else { return Ok(()) };
    let bits = params.security.bits();
    match max_log_qp_ephemeral(params.log_n, params.security) {
        Some(allowed) if found <= f64::from(allowed) => Ok(()),
        allowed => Err(PlanError::EphemeralSecurity {
            found,
            log_n: params.log_n,
            allowed: allowed.unwrap_or(0),
            bits,
        }),
    }
}

fn check_views(plan: &Plan) -> Result<(), PlanError> {
    let fail = |place: String, what: &str| Err(PlanError::View { place, what: what.to_owned() });
    let n_slots = plan.params.n_slots();
    for (place, count) in [("inputs", plan.inputs.len()), ("outputs", plan.outputs.len())] {
        if count > MAX_TENSORS {
            return fail(place.to_owned(), &format!("{count}, expected at most {MAX_TENSORS}"));
        }
    }
    for (i, constant) in plan.constants.iter().enumerate() {
        let place = format!("constant c{i}");
        if !(constant.scale > -64.0 && constant.scale < 128.0) {
            return fail(place, "scale outside (-64, 128)");
        }
        match &constant.view {
            View::Splat(x) | View::Imaginary(x) if x.is_finite() => {}
            View::Splat(_) | View::Imaginary(_) => return fail(place, "number is not finite"),
            View::Embedding(diagonal) if is_usable_diagonal(diagonal, n_slots) => {}
            View::Embedding(_) => return fail(place, "bits, rotation or shift outside its slots"),
            View::Table { table, factor, runs } => {
                let Some(table) = plan.tables.get(*table as usize) else {
                    return fail(place, "table does not exist");
                };
                if !factor.is_finite() {
                    return fail(place, "factor is not finite");
                }
                check_runs(&place, runs, n_slots, table.len())?;
            }
        }
    }
    for (i, table) in plan.tables.iter().enumerate() {
        if table.iter().any(|x| !x.is_finite()) {
            return fail(format!("table {i}"), "element is not finite");
        }
    }
    for input in &plan.inputs {
        let place = format!("input {}", input.name);
        let elements = elements(&place, &input.shape)?;
        if !input.factor.is_finite() {
            return fail(place, "factor is not finite");
        }
        let ranges = input.ranges.check(&input.shape);
        if let Err(what) = ranges.and(input.seen.check(summary_len(&input.shape))) {
            return fail(place, what);
        }
        if let Some(error) = input.quantizer.and_then(|quantizer| quantizer.check().err()) {
            return fail(place, &error.to_string());
        }
        if !input.normalization.as_ref().is_none_or(|by| is_usable(by, input)) {
            return fail(
                place,
                "normalization is not one finite mean and positive deviation per channel",
            );
        }
        for runs in &input.slots {
            check_runs(&place, runs, n_slots, elements)?;
        }
    }
    for layer in &plan.layers {
        let numbers = [layer.factor, layer.offset, layer.range.0, layer.range.1];
        if numbers.iter().any(|x| !x.is_finite()) {
            return fail(format!("layer {}", layer.name), "factor, offset or range is not finite");
        }
        let is_ascending =
            layer.quantiles.is_sorted() && layer.quantiles.iter().all(|x| x.is_finite());
        if !is_ascending || layer.quantiles.len() == 1 || layer.quantiles.len() > MAX_QUANTILES {
            return fail(
                format!("layer {}", layer.name),
                "quantiles are not none or some, at most 64, finite and ascending",
            );
        }
    }
    let maps =
        plan.outputs.iter().map(|output| ("output", &output.name, &output.shape, &output.slots));
    let layers = plan.layers.iter().map(|layer| ("layer", &layer.name, &layer.shape, &layer.slots));
    for (kind, name, shape, slots) in maps.chain(layers) {
        let place = format!("{kind} {name}");
        let elements = elements(&place, shape)?;
        for (value, runs) in slots {
            if value.index() >= plan.ops.len() {
                return fail(place, "value does not exist");
            }
            check_runs(&place, runs, n_slots, elements)?;
        }
    }
    Ok(())
}

fn is_usable_diagonal(diagonal: &EmbeddingDiagonal, n_slots: usize) -> bool {
    let EmbeddingDiagonal { log_slots, inverse: _, bits, rotation, shift, factor } = *diagonal;
    let n = 1u32.checked_shl(log_slots).unwrap_or(0);
    (1..=n_slots).contains(&(n as usize))
        && bits.0 < bits.1
        && bits.1 <= log_slots
        && rotation < n
        && shift < n
        && factor.is_finite()
}

fn is_usable(by: &Normalization, input: &Input) -> bool {
    // Channels are the first dimension of an image, or the last.
    let is_list = |list: &[f64]| list.len() == 1 || input.shape.contains(&list.len());
    let numbers = |list: &[f64]| is_list(list) && list.iter().all(|x| x.is_finite());
    let same = by.mean.len() == by.std.len() || by.mean.len() == 1 || by.std.len() == 1;
    same && numbers(&by.mean) && numbers(&by.std) && by.std.iter().all(|&std| std > 0.0)
}

fn elements(place: &str, shape: &[usize]) -> Result<usize, PlanError> {
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    count.filter(|&n| n <= MAX_ELEMENTS && shape.len() <= MAX_RANK).ok_or_else(|| PlanError::View {
        place: place.to_owned(),
        what: format!(
            "shape {shape:?} has more than {MAX_ELEMENTS} elements or {MAX_RANK} dimensions"
        ),
    })
}

fn check_runs(
    place: &str,
    runs: &Runs,
    n_slots: usize,
    n_elements: usize,
) -> Result<(), PlanError> {
    let mut slots = SlotCheck::new(n_slots, n_elements);
    let checked = runs.0.iter().try_for_each(|run| slots.add(run));
    checked.map_err(|what| PlanError::View { place: place.to_owned(), what })
}

fn check_types(plan: &Plan) -> Result<(), PlanError> {
    if plan.types.len() != plan.ops.len() || plan.origins.len() != plan.ops.len() {
        return Err(PlanError::Params(
            "instructions, types and origins differ in number".to_owned(),
        ));
    }
    for (value, op) in plan.values() {
        if let Some(&late) = op.operands().iter().find(|operand| **operand >= value) {
            return Err(PlanError::Type { value, error: TypeError::Undefined(late) });
        }
        let ty = op.infer(plan).map_err(|error| PlanError::Type { value, error })?;
        if ty != plan.ty(value) {
            return Err(PlanError::RecordedType(value));
        }
        if plan.origins[value.index()] as usize >= plan.layers.len().max(1) {
            return Err(PlanError::Params(format!(
                "instruction {value} names a layer that does not exist"
            )));
        }
        let log_q: f64 = ty.limbs.iter().map(|limb| plan.params.log_q(limb)).sum();
        if ty.scale + 1.0 > log_q && !matches!(op, Op::Drop(..)) {
            return Err(PlanError::Headroom { value, scale: ty.scale, log_q });
        }
    }
    Ok(())
}

fn check_outputs(plan: &Plan) -> Result<(), PlanError> {
    for output in &plan.outputs {
        let fail = |what: &str| {
            Err(PlanError::Output { name: output.name.clone(), what: what.to_owned() })
        };
        let runs = output.slots.iter().flat_map(|(_, runs)| &runs.0);
        let positions: u64 = runs.filter_map(Run::n_positions).map(u64::from).sum();
        let n_elements = output.shape.iter().product();
        if positions != n_elements as u64 {
            return fail("its maps have not one slot for each element");
        }
        let mut seen = ElementCheck::new(n_elements);
        for (value, runs) in &output.slots {
            let ty = plan.ty(*value);
            if ty.form != Form::Q || ty.degree != 1 || ty.ephemeral {
                return fail("its value is not a ciphertext of degree 1 on the message primes");
            }
            if let Err(element) = runs.0.iter().try_for_each(|run| seen.add(run)) {
                return fail(&format!("element {element} is in two slots"));
            }
        }
        if !output.kind.fits(&output.shape) {
            return fail("its kind does not fit its shape");
        }
        if !output.factor.is_finite() {
            return fail("factor is not finite");
        }
        if !(output.steps.is_empty() || output.steps.len() == n_elements) {
            return fail("it has neither no step nor one for each element");
        }
        if !output.steps.iter().all(|step| step.is_finite()) {
            return fail("a step is not finite");
        }
        let magnitude = output.magnitude.map(|m| m.calibrated.is_finite() && !m.certified.is_nan());
        if magnitude == Some(false) {
            return fail("the magnitude of its integers is not a number");
        }
        if let Err(what) = output.seen.check(n_elements) {
            return fail(what);
        }
        let client = output.client.iter();
        let shape = client.clone().try_fold(output.shape.clone(), |shape, op| op.shape(&shape));
        if let Err(error) = shape {
            return fail(&format!("what the client applies does not fit: {error}"));
        }
        if client.len() > MAX_CLIENT_OPS {
            return fail(&format!("{} operations of the client", client.len()));
        }
    }
    Ok(())
}

/// Miller-Rabin with the first twelve primes as bases, exact below 2^64 (Sorenson, Webster, 2015).
pub fn is_prime(n: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if n < 2 || BASES.iter().any(|&base| n.is_multiple_of(base)) {
        return BASES.contains(&n);
    }
    let twos = (n - 1).trailing_zeros();
    BASES.iter().all(|&base| {
        let start = pow_mod(base, (n - 1) >> twos, n);
        let squares = std::iter::successors(Some(start), |&x| Some(mul_mod(x, x, n)));
        start == 1 || squares.take(twos as usize).any(|x| x == n - 1)
    })
}

fn mul_mod(a: u64, b: u64, n: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(n)) as u64
}

fn pow_mod(mut base: u64, mut exponent: u64, n: u64) -> u64 {
    let mut result = 1;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = mul_mod(result, base, n);
        }
        base = mul_mod(base, base, n);
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::is_prime;

    #[test]
    fn primality_matches_trial_division() {
        for n in 0..5000u64 {
            let naive = n >= 2 && (2..n).take_while(|d| d * d <= n).all(|d| n % d != 0);
            assert_eq!(is_prime(n), naive, "{n}");
        }
        assert!(is_prime((1 << 50) - 27));
        assert!(!is_prime(3_215_031_751));
    }
}
