//! Plans as text, one item a line; [`super::parse`] reads it back.

use std::fmt::{self, Display, Formatter};

use super::op::Operand;
use super::{
    Accuracy, Better, Constant, EmbeddingDiagonal, ErrorSize, Form, Input, Key, Layer, Magnitude,
    Op, Output, OutputErrors, OutputKind, Params, Plaintexts, Plan, Profile, Run, Runs, Share,
    Type, Validation, Value, View,
};
use crate::model::ClientOps;
use crate::security::Security;
use crate::text::{Number, list};

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "plan 1 name={:?} {}", self.name, self.params)?;
        match self.batch {
            1 => writeln!(f)?,
            batch => writeln!(f, " batch={batch}")?,
        }
        self.inputs.iter().try_for_each(|input| write_input(f, input))?;
        for (i, table) in self.tables.iter().enumerate() {
            writeln!(f, "t{i} = {}", list(table.iter().map(|&x| Number(x))))?;
        }
        for (i, constant) in self.constants.iter().enumerate() {
            writeln!(f, "c{i} = {constant}")?;
        }
        for (i, layer) in self.layers.iter().enumerate() {
            write_layer(f, i, layer)?;
        }
        let mut origin = if self.layers.is_empty() { Some(0) } else { None };
        for (value, op) in self.values() {
            let layer = self.origins[value.index()];
            if origin != Some(layer) {
                writeln!(f, "layer {layer}:")?;
                origin = Some(layer);
            }
            let with = if self.joined[value.index()] { "with " } else { "" };
            writeln!(f, "{with}{value} = {op} : {}", self.ty(value))?;
        }
        self.outputs.iter().try_for_each(|output| write_output(f, output))?;
        self.validation.iter().try_for_each(|validation| write_validation(f, validation))
    }
}

/// Prints the attributes of the `plan` line.
impl Display for Params {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Params { plaintexts, log_n, q, p, input_level, security } = self;
        match plaintexts {
            Plaintexts::Ckks { .. } => write!(f, "scheme=ckks log_n={log_n} ")?,
            Plaintexts::Bfv { t } => write!(f, "scheme=bfv log_n={log_n} t={} ", list(t))?,
        }
        write!(f, "q={} p={} input_level={input_level} ", list(q), list(p))?;
        if let Plaintexts::Ckks { top_scale } = plaintexts {
            write!(f, "top_scale={} ", Number(*top_scale))?;
        }
        write!(f, "security={security}")
    }
}

/// Prints `128`, `192`, `256` or `insecure`.
impl Display for Security {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Security::Insecure(_) => f.write_str("insecure"),
            Security::Bits128 | Security::Bits192 | Security::Bits256 => {
                write!(f, "{}", self.bits())
            }
        }
    }
}

/// Prints `ct(q0..2, scale 40, degree 1)`; `ext` on QP, `digits` when decomposed.
impl Display for Type {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Type { form, limbs, scale, degree, ephemeral } = self;
        let form = match form {
            Form::Q => "ct",
            Form::QP => "ext",
            Form::Digits => "digits",
        };
        let secret = if *ephemeral { ", ephemeral" } else { "" };
        write!(f, "{form}({limbs}, scale {}, degree {degree}{secret})", Number(*scale))
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Key::Relinearize => f.write_str("relinearize"),
            Key::Rotate(steps) => write!(f, "rotate {steps}"),
            Key::Conjugate => f.write_str("conjugate"),
            Key::Encapsulate => f.write_str("encapsulate"),
            Key::Decapsulate => f.write_str("decapsulate"),
        }
    }
}

/// Prints the name, then the operands by their kinds.
impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut result = f.write_str(self.opcode().mnemonic());
        let mut separator = " ";
        self.each_operand(|operand| {
            result = result.and_then(|()| write_operand(f, separator, operand));
            separator = ", ";
        });
        result
    }
}

fn write_operand(f: &mut Formatter<'_>, separator: &str, operand: Operand<'_>) -> fmt::Result {
    match operand {
        Operand::Value(value) => write!(f, "{separator}{value}"),
        Operand::Constant(constant) => write!(f, "{separator}{constant}"),
        Operand::Index(index) => write!(f, "{separator}{index}"),
        Operand::Limbs(limbs) => write!(f, "{separator}{limbs}"),
        Operand::Key(key) => write!(f, "{separator}{key}"),
        Operand::Terms(terms) => terms.iter().enumerate().try_for_each(|(i, (v, c))| {
            write!(f, "{}{v} * {c}", if i == 0 { separator } else { ", " })
        }),
    }
}

impl Display for Constant {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.view {
            View::Splat(x) => write!(f, "splat {}", Number(*x))?,
            View::Imaginary(x) => write!(f, "imaginary {}", Number(*x))?,
            View::Embedding(diagonal) => write!(f, "embedding {diagonal}")?,
            View::Table { table, factor, runs } => {
                write!(f, "view t{table} * {} {runs}", Number(*factor))?;
            }
        }
        write!(f, " scale {}", Number(self.scale))
    }
}

/// Prints the attributes of an `embedding`.
impl Display for EmbeddingDiagonal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let EmbeddingDiagonal { log_slots, inverse, bits, rotation, shift, factor } = self;
        let (inverse, bits) = (u8::from(*inverse), list([bits.0, bits.1]));
        write!(f, "log_slots={log_slots} inverse={inverse} bits={bits} ")?;
        write!(f, "rotation={rotation} shift={shift} factor={}", Number(*factor))
    }
}

/// Prints `[0:3 + 24 x 1:0, 40:7]`.
impl Display for Runs {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, Run { slot, element, dims }) in self.0.iter().enumerate() {
            write!(f, "{}{slot}:{element}", if i == 0 { "" } else { ", " })?;
            for dim in dims {
                write!(f, " + {} x {}:{}", dim.count, dim.slot_stride, dim.element_stride)?;
            }
        }
        f.write_str("]")
    }
}

fn write_input(f: &mut Formatter<'_>, input: &Input) -> fmt::Result {
    let Input { name, shape, ranges, seen, factor, quantizer, slots, normalization } = input;
    write!(f, "input {name:?} shape={} range={}", list(shape), pairs(&ranges.0))?;
    write!(f, " factor={}", Number(*factor))?;
    if let Some(quantizer) = quantizer {
        write!(f, " {quantizer}")?;
    }
    if let Some(by) = normalization {
        write!(f, " mean={} std={}", numbers(&by.mean), numbers(&by.std))?;
    }
    write_profile(f, seen)?;
    writeln!(f)?;
    slots.iter().try_for_each(|runs| writeln!(f, "  ciphertext {runs}"))
}

fn write_output(f: &mut Formatter<'_>, output: &Output) -> fmt::Result {
    let Output { name, shape, factor, element_scales, limit, magnitude, seen, slots, client, kind } =
        output;
    let (shape, factor, client) = (list(shape), Number(*factor), ClientOps(client));
    write!(f, "output {name:?} shape={shape} factor={factor}")?;
    if !element_scales.is_empty() {
        write!(f, " element_scales={}", numbers(element_scales))?;
    }
    if let Some(limit) = limit {
        write!(f, " limit={}", Number(*limit))?;
    }
    match kind {
        OutputKind::Values => {}
        OutputKind::Classes { axis } => write!(f, " kind=classes axis={axis}")?,
        OutputKind::Scores { axis } => write!(f, " kind=scores axis={axis}")?,
        OutputKind::Threshold { at } => write!(f, " kind=threshold at={}", Number(*at))?,
    }
    if let Some(Magnitude { calibrated, certified }) = magnitude {
        write!(f, " magnitude={}", pair(&(*calibrated, *certified)))?;
    }
    write_profile(f, seen)?;
    writeln!(f, "{client}")?;
    write_places(f, slots)
}

fn write_validation(f: &mut Formatter<'_>, validation: &Validation) -> fmt::Result {
    let Validation { n_inputs, agreement, accuracy, outputs, better } = validation;
    write!(f, "validation inputs={n_inputs}")?;
    if let Some(Share { count, of }) = agreement {
        write!(f, " agreeing={}", list([count, of]))?;
    }
    match accuracy {
        None => {}
        Some(Accuracy::Classes { original, compiled }) => {
            write!(f, " right={}", list([original.count, compiled.count, compiled.of]))?;
        }
        Some(Accuracy::Values { original, compiled }) => {
            write!(f, " r2={}", pair(&(*original, *compiled)))?;
        }
    }
    if let Some(Better { degrees, time, agreement, rms }) = better {
        write!(f, " degrees={} time={} rms={}", list(degrees), Number(*time), Number(*rms))?;
        agreement.iter().try_for_each(|share| write!(f, " agreement={}", Number(*share)))?;
    }
    writeln!(f)?;
    outputs.iter().try_for_each(|errors| {
        let OutputErrors { least_spread, spread, approximation, rounding, total } = errors;
        let size = |size: &ErrorSize| (size.largest, size.rms);
        let (approximation, rounding) = (size(approximation), size(rounding));
        write!(f, "errors spread={}", pair(&(*least_spread, *spread)))?;
        write!(f, " approximation={} rounding={}", pair(&approximation), pair(&rounding))?;
        writeln!(f, " total={}", pair(&size(total)))
    })
}

/// Prints the attributes of what calibration saw, those that there are.
fn write_profile(f: &mut Formatter<'_>, profile: &Profile) -> fmt::Result {
    let Profile { ranges, center, whitening, farthest } = profile;
    if !ranges.is_empty() {
        write!(f, " seen={}", pairs(ranges))?;
    }
    if !center.is_empty() {
        let (center, whitening) = (numbers(center), numbers(whitening));
        write!(f, " center={center} whitening={whitening} farthest={}", Number(*farthest))?;
    }
    Ok(())
}

fn write_layer(f: &mut Formatter<'_>, i: usize, layer: &Layer) -> fmt::Result {
    let Layer { name, kind, tensor, shape, factor, offset, slots, layout, degree, range, .. } =
        layer;
    write!(f, "layer {i} {name:?} kind={kind:?}")?;
    if let Some(tensor) = tensor {
        write!(f, " tensor={tensor}")?;
    }
    write!(f, " shape={} factor={}", list(shape), Number(*factor))?;
    write!(f, " offset={} degree={degree} range={}", Number(*offset), pair(range))?;
    if !layer.quantiles.is_empty() {
        write!(f, " quantiles={}", numbers(&layer.quantiles))?;
    }
    writeln!(f, " layout={layout:?}")?;
    write_places(f, slots)
}

fn write_places(f: &mut Formatter<'_>, places: &[(Value, Runs)]) -> fmt::Result {
    places.iter().try_for_each(|(value, runs)| writeln!(f, "  {value} {runs}"))
}

fn numbers(list_of: &[f64]) -> impl Display {
    list(list_of.iter().map(|&x| Number(x)))
}

fn pairs(ranges: &[(f64, f64)]) -> impl Display {
    list(ranges.iter().flat_map(|&(lo, hi)| [Number(lo), Number(hi)]))
}

fn pair(range: &(f64, f64)) -> impl Display {
    list([Number(range.0), Number(range.1)])
}
