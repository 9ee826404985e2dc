//! Plans from text. Every instruction is typed, and the type behind it must be the one inferred; the other promises are
//! [`VerifiedPlan`](super::VerifiedPlan)'s to check.

mod operands;
mod validation;

use std::str::FromStr;

use super::{
    Constant, Dim, EmbeddingDiagonal, Form, Input, Layer, LimbSet, Magnitude, Normalization,
    Output, OutputKind, Params, Plaintexts, Plan, Profile, Ranges, Run, Runs, Type, Value, View,
};
use crate::model::{client_ops, read_quantizer};
use crate::security::Security;
use crate::text::{
    Attributes, Inner, LineError, Piece, Rule, TextError, check_version, error, for_each_line,
    in_turn, index, parse as parse_number, parse_list, unquote,
};

/// Reads a plan from text.
///
/// # Errors
/// Names the line and what is expected there.
pub fn parse(text: &str) -> Result<Plan, TextError> {
    let mut reader = Reader::default();
    for_each_line(text, Rule::plan_line, |statement| reader.read(statement))?;
    reader.plan.ok_or_else(|| TextError {
        line: 1,
        column: 1,
        what: "expected a line `plan 1 name=..`".to_owned(),
    })
}

impl FromStr for Plan {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Plan, TextError> {
        parse(text)
    }
}

/// A plan being read, and what the next line belongs to.
#[derive(Default)]
struct Reader {
    plan: Option<Plan>,
    origin: u32,
    last: Option<Last>,
}

/// The tensor whose ciphertexts follow.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    Input,
    Output,
    Layer,
}

impl Reader {
    fn read(&mut self, statement: Piece<'_>) -> Result<(), LineError> {
        let rule = statement.as_rule();
        let Some(plan) = &mut self.plan else {
            if rule != Rule::plan {
                return Err(error(&statement, "expected `plan 1 name=..` first"));
            }
            self.plan = Some(read_plan(statement)?);
            return Ok(());
        };
        if rule == Rule::ciphertext {
            return match plan.inputs.last_mut() {
                Some(input) if self.last == Some(Last::Input) => {
                    input.slots.push(read_runs(&Inner::of(statement).next())?);
                    Ok(())
                }
                _ => Err(error(&statement, "expected `ciphertext` behind an input only")),
            };
        }
        if rule == Rule::value_line {
            return self.read_value_line(statement);
        }
        self.last = None;
        if rule == Rule::input {
            plan.inputs.push(read_input(statement)?);
            self.last = Some(Last::Input);
        } else if rule == Rule::output {
            plan.outputs.push(read_output(statement)?);
            self.last = Some(Last::Output);
        } else if rule == Rule::layer {
            match read_layer(statement, plan.layers.len())? {
                LayerLine::Begin(origin) => self.origin = origin,
                LayerLine::New(layer) => {
                    plan.layers.push(layer);
                    self.last = Some(Last::Layer);
                }
            }
        } else if rule == Rule::table_line {
            let mut inner = Inner::of(statement);
            in_turn(&inner.next(), plan.tables.len())?;
            plan.tables.push(parse_list(&inner.next())?);
        } else if rule == Rule::constant_line {
            plan.constants.push(read_constant(statement, plan.constants.len())?);
        } else if rule == Rule::validation {
            plan.validation = Some(validation::read(statement)?);
        } else if rule == Rule::errors {
            match &mut plan.validation {
                Some(validation) => validation.outputs.push(validation::read_errors(statement)?),
                None => {
                    return Err(error(&statement, "expected `errors` behind `validation` only"));
                }
            }
        } else {
            return Err(error(&statement, "expected one `plan` line only"));
        }
        Ok(())
    }

    /// `v7 = ..`, `with v7 = ..`, or the place of a tensor: `v7 [..]`.
    fn read_value_line(&mut self, statement: Piece<'_>) -> Result<(), LineError> {
        let plan = self.plan.as_mut().expect("the plan line came first");
        let mut inner = Inner::of(statement.clone());
        let with = inner.take(Rule::with);
        let value = inner.next();
        if let Some(runs) = inner.take(Rule::runs) {
            let place = (Value(index(&value)?), read_runs(&runs)?);
            match (self.last, plan.outputs.last_mut(), plan.layers.last_mut()) {
                (Some(Last::Output), Some(output), _) => output.slots.push(place),
                (Some(Last::Layer), _, Some(layer)) => layer.slots.push(place),
                _ => return Err(error(&value, "expected places behind an output or a layer only")),
            }
            return Ok(());
        }
        self.last = None;
        in_turn(&value, plan.ops.len())?;
        let operation = inner.next();
        let op = operands::read(operation.clone())?;
        let new = plan.push(op, self.origin).map_err(|e| error(&operation, e.to_string()))?;
        let inferred = plan.ty(new);
        plan.joined[new.index()] = with.is_some();
        let annotated = inner.take(Rule::r#type).ok_or_else(|| {
            error(&operation, format!("expected the type behind it, : {inferred}"))
        })?;
        if read_type(annotated.clone())? != inferred {
            return Err(error(&annotated, format!("expected the instruction's type {inferred}")));
        }
        Ok(())
    }
}

fn read_plan(statement: Piece<'_>) -> Result<Plan, LineError> {
    let mut inner = Inner::of(statement.clone());
    check_version(&inner.next())?;
    let mut of = Attributes::of(&statement, &mut inner)?;
    let name: String = of.get("name")?;
    let plaintexts = match of.word("scheme")?.as_str() {
        "ckks" => Plaintexts::Ckks { top_scale: of.get("top_scale")? },
        "bfv" => Plaintexts::Bfv { t: of.get("t")? },
        _ => return Err(error(&statement, "expected scheme=ckks or scheme=bfv")),
    };
    let security = Security::from_word(&of.word("security")?);
    let params = Params {
        plaintexts,
        log_n: of.get("log_n")?,
        q: of.get("q")?,
        p: of.get("p")?,
        input_level: of.get("input_level")?,
        security: security.ok_or_else(|| error(&statement, "expected security=128, 192 or 256"))?,
    };
    let batch = of.optional("batch")?.unwrap_or(1);
    of.finish()?;
    // Typing relies on these; the verifier has the exact bounds.
    if params.log_n == 0 || params.log_n > 31 || params.q.len() > 64 || params.input_level > 63 {
        let what = "expected log_n from 1 to 31, at most 64 ciphertext-modulus primes and input_level up to 63";
        return Err(error(&statement, what));
    }
    Ok(Plan { batch, ..Plan::new(params, &name) })
}

fn read_input(statement: Piece<'_>) -> Result<Input, LineError> {
    let mut inner = Inner::of(statement.clone());
    let name = unquote(&inner.next())?;
    let mut of = Attributes::of(&statement, &mut inner)?;
    let normalization = match of.optional("mean")? {
        None => None,
        Some(mean) => Some(Normalization { mean, std: of.get("std")? }),
    };
    let (shape, ranges, factor) = (of.get("shape")?, of.get("range")?, of.get("factor")?);
    let quantizer = if of.has("scale") { Some(read_quantizer(&mut of)?) } else { None };
    let seen = read_profile(&mut of)?;
    of.finish()?;
    Ok(Input { name, shape, ranges, seen, factor, quantizer, slots: vec![], normalization })
}

fn read_output(statement: Piece<'_>) -> Result<Output, LineError> {
    let mut inner = Inner::of(statement.clone());
    let name = unquote(&inner.next())?;
    let mut of = Attributes::of(&statement, &mut inner)?;
    let (shape, factor, limit) = (of.get("shape")?, of.get("factor")?, of.optional("limit")?);
    let element_scales = of.optional("element_scales")?.unwrap_or_default();
    let magnitude = of.optional("magnitude")?;
    let magnitude = magnitude.map(|(calibrated, certified)| Magnitude { calibrated, certified });
    let seen = read_profile(&mut of)?;
    let word = if of.has("kind") { Some(of.word("kind")?) } else { None };
    let kind = match word.as_deref() {
        None => OutputKind::Values,
        Some("classes") => OutputKind::Classes { axis: of.get("axis")? },
        Some("scores") => OutputKind::Scores { axis: of.get("axis")? },
        Some("threshold") => OutputKind::Threshold { at: of.get("at")? },
        Some(_) => return Err(error(&statement, "expected kind=classes, scores or threshold")),
    };
    of.finish()?;
    let client = client_ops(&mut inner)?;
    Ok(Output {
        name,
        shape,
        factor,
        element_scales,
        limit,
        magnitude,
        seen,
        slots: vec![],
        client,
        kind,
    })
}

/// What calibration saw: attributes that may all be missing.
fn read_profile(of: &mut Attributes<'_>) -> Result<Profile, LineError> {
    let ranges = of.optional("seen")?.map_or_else(Vec::new, |Ranges(ranges)| ranges);
    Ok(match of.optional("center")? {
        None => Profile { ranges, ..Profile::default() },
        Some(center) => {
            let (whitening, farthest) = (of.get("whitening")?, of.get("farthest")?);
            Profile { ranges, center, whitening, farthest }
        }
    })
}

/// What a `layer` line says.
enum LayerLine {
    /// Instructions of this layer follow.
    Begin(u32),
    /// The next layer.
    New(Layer),
}

fn read_layer(statement: Piece<'_>, n_layers: usize) -> Result<LayerLine, LineError> {
    let mut inner = Inner::of(statement.clone());
    let number = inner.next();
    if inner.take(Rule::begin).is_some() {
        return parse_number(&number).map(LayerLine::Begin);
    }
    if parse_number::<usize>(&number)? != n_layers {
        return Err(error(&number, format!("expected {n_layers}, the next layer's number")));
    }
    let name = unquote(&inner.next())?;
    let mut of = Attributes::of(&statement, &mut inner)?;
    let layer = Layer {
        name,
        kind: of.get("kind")?,
        tensor: of.optional("tensor")?,
        shape: of.get("shape")?,
        factor: of.get("factor")?,
        offset: of.get("offset")?,
        slots: vec![],
        layout: of.get("layout")?,
        degree: of.get("degree")?,
        range: of.get("range")?,
        quantiles: of.optional("quantiles")?.unwrap_or_default(),
    };
    of.finish()?;
    Ok(LayerLine::New(layer))
}

fn read_constant(statement: Piece<'_>, n_constants: usize) -> Result<Constant, LineError> {
    let mut inner = Inner::of(statement);
    in_turn(&inner.next(), n_constants)?;
    let view = inner.next();
    let rule = view.as_rule();
    let mut parts = Inner::of(view.clone());
    let view = if rule == Rule::splat {
        View::Splat(parse_number(&parts.next())?)
    } else if rule == Rule::imaginary {
        View::Imaginary(parse_number(&parts.next())?)
    } else if rule == Rule::embedding {
        View::Embedding(read_embedding(&view, parts)?)
    } else {
        let table = index(&parts.next())?;
        let factor = parse_number(&parts.next())?;
        View::Table { table, factor, runs: read_runs(&parts.next())? }
    };
    Ok(Constant { view, scale: parse_number(&inner.next())? })
}

fn read_embedding<'a>(
    piece: &Piece<'a>,
    mut inner: Inner<'a>,
) -> Result<EmbeddingDiagonal, LineError> {
    let mut of = Attributes::of(piece, &mut inner)?;
    let inverse: u32 = of.get("inverse")?;
    let &[low, high] = &of.get::<Vec<u32>>("bits")?[..] else {
        return Err(error(piece, "expected bits=[FIRST,END]"));
    };
    let diagonal = EmbeddingDiagonal {
        log_slots: of.get("log_slots")?,
        inverse: inverse == 1,
        bits: (low, high),
        rotation: of.get("rotation")?,
        shift: of.get("shift")?,
        factor: of.get("factor")?,
    };
    of.finish()?;
    if inverse > 1 {
        return Err(error(piece, "expected inverse=0 or inverse=1"));
    }
    Ok(diagonal)
}

fn read_type(piece: Piece<'_>) -> Result<Type, LineError> {
    let mut inner = Inner::of(piece);
    let form = inner.next();
    let form = match form.as_str() {
        "ct" => Form::Q,
        "ext" => Form::QP,
        "digits" => Form::Digits,
        _ => return Err(error(&form, "expected a type `ct(..)`, `ext(..)` or `digits(..)`")),
    };
    let limbs = read_limbs(&inner.next())?;
    let (scale, degree) = (parse_number(&inner.next())?, parse_number(&inner.next())?);
    let ephemeral = inner.take(Rule::ephemeral).is_some();
    Ok(Type { form, limbs, scale, degree, ephemeral })
}

fn read_limbs(piece: &Piece<'_>) -> Result<LimbSet, LineError> {
    if piece.as_str() == "none" {
        return Ok(LimbSet::default());
    }
    piece.as_str().split(',').try_fold(LimbSet::default(), |limbs, range| {
        let range = range.trim_start_matches('q');
        let (start, last) = range.split_once("..").unwrap_or((range, range));
        match (start.parse::<usize>(), last.parse::<usize>()) {
            (Ok(start), Ok(last)) if start <= last && last < 64 => {
                Ok(limbs.union(LimbSet::range(start, last + 1)))
            }
            _ => Err(error(piece, format!("q{range}, expected ascending indices below 64"))),
        }
    })
}

fn read_runs(piece: &Piece<'_>) -> Result<Runs, LineError> {
    let runs = piece.as_str().trim_matches(['[', ']']).trim();
    if runs.is_empty() {
        return Ok(Runs::default());
    }
    let read = |run: &str| {
        let what = || error(piece, format!("run `{}` has a number beyond 32 bits", run.trim()));
        read_run(run).ok_or_else(what)
    };
    runs.split(',').map(read).collect::<Result<_, _>>().map(Runs)
}

/// Reads `slot:element + count x slot_stride:element_stride ..`; `None` if a number is too large.
fn read_run(run: &str) -> Option<Run> {
    let mut parts = run.split('+').map(str::trim);
    let (slot, element) = parts.next()?.split_once(':')?;
    let dim = |part: &str| {
        let (count, strides) = part.split_once('x')?;
        let (slot_stride, element_stride) = strides.trim().split_once(':')?;
        Some(Dim {
            count: count.trim().parse().ok()?,
            slot_stride: slot_stride.parse().ok()?,
            element_stride: element_stride.parse().ok()?,
        })
    };
    let (slot, element) = (slot.parse().ok()?, element.parse().ok()?);
    Some(Run { slot, element, dims: parts.map(dim).collect::<Option<_>>()? })
}
