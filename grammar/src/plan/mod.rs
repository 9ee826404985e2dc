//! The ciphertext program: a straight-line list of instructions, the constants it multiplies by, and what its
//! inputs and outputs mean.

mod bundle;
mod class;
mod client_part;
mod correction_factors;
mod embedding;
mod file;
mod interface;
mod kind;
mod limb_set;
pub mod noise;
mod op;
mod params;
mod parse;
mod prime;
mod print;
mod profile;
mod progressions;
mod ranges;
mod reuse;
mod rewriter;
mod slot_check;
mod slots;
mod validation;
mod verify;
mod view;

pub use bundle::{MOST_TOGETHER, Together};
pub use class::{class_names, class_of};
pub use client_part::ClientPart;
pub use embedding::EmbeddingDiagonal;
pub use file::{
    ClientFile, PlanFile, ServerFile, client_from_bytes, client_of_file, client_to_bytes,
    fingerprint, from_bytes, server_from_bytes, server_of_file, server_to_bytes, to_bytes,
};
#[cfg(feature = "insecure-for-tests")]
pub use file::{
    client_from_bytes_even_insecure, from_bytes_even_insecure, server_from_bytes_even_insecure,
};
pub use interface::{Interface, ResultType};
pub use kind::{OutputKind, lanes};
pub use limb_set::LimbSet;
pub use op::{ConstantId, Form, Key, Meaning, Op, Opcode, PlainUse, Type, TypeError, Value};
pub(crate) use params::fewest_special;
pub use params::{Params, Plaintexts, Scheme, log2_of, round_scale};
pub use parse::parse;
pub use prime::is_prime;
pub use profile::{MAX_DISTANCE, Profile, Unusual, summary};
pub use ranges::Ranges;
pub use reuse::{Factor, Uses};
pub use rewriter::Rewriter;
pub use slots::Slots;
pub use validation::{Accuracy, Better, ErrorSize, OutputErrors, Share, Validation};
pub use verify::{PlanError, VerifiedClientPart, VerifiedPlan};
pub use view::{Constant, Dim, Run, Runs, View};

use std::collections::BTreeMap;

pub use crate::model::{ClientOp, Quantizer, apply_client_ops};

/// How an input tensor is placed in ciphertexts.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Name of the model's input.
    pub name: String,
    /// Shape of the tensor, batch dimension (1) included.
    pub shape: Vec<usize>,
    /// Ranges that the plan was calibrated for; a value outside may give a wrong answer.
    pub ranges: Ranges,
    /// What calibration saw of its [`summary`].
    pub seen: Profile,
    /// A slot holds `factor · element`, in BFV the nearest integer.
    pub factor: f64,
    /// What the client rounds elements by before anything else: the network's own input quantizer.
    pub quantizer: Option<Quantizer>,
    /// One map of slots to elements (row-major) for each ciphertext. An element may lie in several slots.
    pub slots: Vec<Runs>,
    /// Mean and standard deviation per channel that pixels in [0, 1] are normalized by.
    pub normalization: Option<Normalization>,
}

/// `(x − mean) / std`, per channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalization {
    /// Mean per channel, or one for all.
    pub mean: Vec<f64>,
    /// Standard deviation per channel, or one for all; positive.
    pub std: Vec<f64>,
}

/// How an output tensor is read from ciphertexts.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Name of the model's output.
    pub name: String,
    /// Shape of the tensor, batch dimension (1) included.
    pub shape: Vec<usize>,
    /// An element is `factor · slot`, times its own entry of `element_scales`.
    pub factor: f64,
    /// Quantization scale of each element over `factor`, in row-major order, or none: then all are 1.
    pub element_scales: Vec<f64>,
    /// BFV: the largest magnitude that slots were chosen to hold, if it is less than the plaintext primes do.
    pub limit: Option<f64>,
    /// BFV: how large the integers in slots are.
    pub magnitude: Option<Magnitude>,
    /// What calibration saw of its elements, before what the client applies.
    pub seen: Profile,
    /// One (value, map of slots to elements) for each ciphertext. Slots outside the map are zero.
    pub slots: Vec<(Value, Runs)>,
    /// What the client applies after decryption.
    pub client: Vec<ClientOp>,
    /// What its numbers are for.
    pub kind: OutputKind,
}

/// The largest magnitude of the integers of a result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Magnitude {
    /// On the calibration data.
    pub calibrated: f64,
    /// For every input in range.
    pub certified: f64,
}

/// Where a layer's result can be observed: for reports, not for execution.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Names of the ONNX nodes that it computes.
    pub name: String,
    /// What it does: `linear`, `square`, `polynomial` and so on.
    pub kind: String,
    /// The tensor of the source model that `slots` holds, if it is one.
    pub tensor: Option<u32>,
    /// Shape of the result.
    pub shape: Vec<usize>,
    /// An element is `factor · slot + offset`.
    pub factor: f64,
    /// See `factor`.
    pub offset: f64,
    /// One (value, map of slots to elements) for each ciphertext.
    pub slots: Vec<(Value, Runs)>,
    /// Layout of the result, in words.
    pub layout: String,
    /// Degree of the polynomial; 1 if linear.
    pub degree: u32,
    /// Range of the result on the calibration data.
    pub range: (f64, f64),
    /// What slots hold on the calibration data, ascending: the least, what parts of equal size are like, the largest; none if
    /// anything within [−1, 1] is to be expected. These are up to [`MOST_QUANTILES`] for all slots; or, where the layer after it
    /// treats channels apart, [`QUANTILES_OF_CLASS`] for each class of channels (`noise::class_of`), one class after the other.
    pub quantiles: Vec<f64>,
}

/// A layer has no more quantiles for all of its slots.
pub const MOST_QUANTILES: usize = 64;

/// Quantiles of each class of a layer's channels, if they are told apart.
pub const QUANTILES_OF_CLASS: usize = 33;

/// A compiled network. Values are indices of `ops`; operands precede their users.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Ring, primes, scales.
    pub params: Params,
    /// Name of the model.
    pub name: String,
    /// How many inputs one run takes, a power of two. Slots of one element lie side by side: inputs, outputs and layers name that of
    /// the first input, a multiple of the batch, and instructions move slots by such multiples, so that inputs never meet.
    pub batch: usize,
    /// What the client encrypts. Ciphertexts are numbered through all inputs.
    pub inputs: Vec<Input>,
    /// What the client decrypts.
    pub outputs: Vec<Output>,
    /// Weights, each stored once.
    pub tables: Vec<Vec<f32>>,
    /// Plaintexts.
    pub constants: Vec<Constant>,
    /// Instructions.
    pub ops: Vec<Op>,
    /// The type of each instruction's result.
    pub types: Vec<Type>,
    /// The layer that each instruction belongs to, an index of `layers`.
    pub origins: Vec<u32>,
    /// Whether each instruction is computed in one pass with the one before it.
    pub joined: Vec<bool>,
    /// Layers, for reports.
    pub layers: Vec<Layer>,
    /// How good it is, if it was compared with the network that it was compiled from. For reports.
    pub validation: Option<Validation>,
}

/// An evaluation key that a plan needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Which key.
    pub key: Key,
    /// The union of the limb sets that it is applied on: the key holds no other ciphertext-modulus primes.
    pub limbs: LimbSet,
    /// It holds the first `n_special` special primes: the most that one of its uses takes.
    pub n_special: usize,
}

impl Plan {
    /// A plan without instructions.
    pub fn new(params: Params, name: &str) -> Plan {
        Plan {
            params,
            name: name.to_owned(),
            batch: 1,
            inputs: vec![],
            outputs: vec![],
            tables: vec![],
            constants: vec![],
            ops: vec![],
            types: vec![],
            origins: vec![],
            joined: vec![],
            layers: vec![],
            validation: None,
        }
    }

    /// Appends an instruction of layer `origin`, typed by [`Op::infer`] and computed by itself.
    ///
    /// # Errors
    /// If it has none.
    pub fn push(&mut self, op: Op, origin: u32) -> Result<Value, TypeError> {
        let ty = op.infer(self)?;
        self.ops.push(op);
        self.types.push(ty);
        self.origins.push(origin);
        self.joined.push(false);
        Ok(Value(self.ops.len() as u32 - 1))
    }

    /// Appends a whole key switch, which is three instructions: `decompose`, `apply_key`, `mod_down`. On an error those before it
    /// stay.
    ///
    /// # Errors
    /// If one has no type.
    pub fn push_switch(&mut self, value: Value, key: Key, origin: u32) -> Result<Value, TypeError> {
        let digits = self.push(Op::Decompose(value), origin)?;
        let switched = self.push(Op::ApplyKey(digits, key), origin)?;
        self.push(Op::ModDown(switched), origin)
    }

    /// The type of a value.
    pub fn ty(&self, value: Value) -> Type {
        self.types[value.index()]
    }

    /// All values with their instructions, in order.
    pub fn values(&self) -> impl Iterator<Item = (Value, &Op)> {
        self.ops.iter().enumerate().map(|(i, op)| (Value(i as u32), op))
    }

    /// Number of ciphertexts that the client sends for each plaintext prime.
    pub fn n_input_ciphertexts(&self) -> usize {
        self.inputs.iter().map(|input| input.slots.len()).sum()
    }

    /// How many runs some inputs take.
    pub fn n_runs(&self, n_examples: usize) -> usize {
        n_examples.div_ceil(self.batch)
    }

    /// The values that leave the plan, in order of the outputs.
    pub fn output_values(&self) -> impl Iterator<Item = Value> {
        self.outputs.iter().flat_map(|output| output.slots.iter().map(|(value, _)| *value))
    }

    /// log2 of the modulus of the key that is published under the sparse ephemeral secret, if the plan bootstraps.
    pub fn ephemeral_log_qp(&self) -> Option<f64> {
        interface::ephemeral_log_qp(&self.params, &self.keys())
    }

    /// The exact evaluation keys, in ascending order, each with the limbs that it is used on.
    pub fn keys(&self) -> Vec<KeyUse> {
        let mut uses = BTreeMap::<Key, (LimbSet, usize)>::new();
        for (value, op) in self.values() {
            let Some(key) = op.key() else { continue };
            let limbs = self.ty(value).limbs;
            let (all, most) = uses.entry(key).or_default();
            *all = all.union(limbs);
            *most = self.params.n_special(limbs).max(*most);
        }
        let key_use = |(key, (limbs, n_special))| KeyUse { key, limbs, n_special };
        uses.into_iter().map(key_use).collect()
    }

    /// The slots of a constant as cleartext numbers.
    pub fn slots_of(&self, constant: ConstantId) -> Slots {
        let n_slots = self.params.n_slots();
        match &self.constants[constant.index()].view {
            View::Splat(x) => Slots::real(vec![*x; n_slots]),
            View::Imaginary(x) => Slots { re: vec![0.0; n_slots], im: Some(vec![*x; n_slots]) },
            View::Table { .. } => Slots::real(self.real_slots(constant, |x| x)),
            View::Embedding(diagonal) => diagonal.slots(n_slots),
        }
    }

    /// What `of` makes of the real part of each slot of a constant. Of small tables it is called once for each entry.
    pub fn real_slots<T: Copy>(&self, constant: ConstantId, of: impl Fn(f64) -> T) -> Vec<T> {
        let n_slots = self.params.n_slots();
        match &self.constants[constant.index()].view {
            View::Splat(x) => vec![of(*x); n_slots],
            View::Imaginary(_) => vec![of(0.0); n_slots],
            View::Table { table, factor, runs } => {
                let table = &self.tables[*table as usize];
                let value = |x: f32| of(f64::from(x) * factor);
                let made: Option<Vec<T>> =
                    (table.len() < n_slots).then(|| table.iter().map(|&x| value(x)).collect());
                let mut slots = vec![of(0.0); n_slots];
                for run in &runs.0 {
                    run.for_each(|slot, element| {
                        let element = element as usize;
                        slots[slot as usize] = made
                            .as_ref()
                            .map_or_else(|| value(table[element]), |made| made[element]);
                    });
                }
                slots
            }
            View::Embedding(diagonal) => diagonal.slots(n_slots).re.into_iter().map(of).collect(),
        }
    }

    /// For each value, the index of the last instruction that reads it (outputs: one past the end); `None` if unused.
    pub fn last_uses(&self) -> Vec<Option<usize>> {
        let mut last = vec![None; self.ops.len()];
        for (i, op) in self.ops.iter().enumerate() {
            for operand in op.operands() {
                last[operand.index()] = Some(i);
            }
        }
        for value in self.output_values() {
            last[value.index()] = Some(self.ops.len());
        }
        last
    }
}
