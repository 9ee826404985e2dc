//! What each instruction costs: counts of limb kernels times a table of seconds per kernel.
//!
//! The counts are those of hybrid key switching with β digits on ℓ limbs and α special primes. The compiler chooses
//! layouts and schedules by them and prints them; `hecc simulate` and the benchmarks compare them with reality.

use std::ops::Range;

use crate::plan::{
    ConstantId, Form, KeyUse, LimbSet, Op, Params, PlainUse, Plan, Scheme, Together, Type, Value,
    View,
};

/// Seconds per kernel on one core, measured on 2 cores of AMD EPYC (Zen 3, AVX2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Costs {
    /// One butterfly: a transform of one limb has N/2·log2 N of them.
    pub butterfly: f64,
    /// One modular multiply-add, operands streamed from memory.
    pub mul_add: f64,
    /// One term of a base conversion, per coefficient.
    pub convert: f64,
    /// One pass over a coefficient: addition, scaling, permutation.
    pub pass: f64,
    /// Encoding one complex slot to two integer coefficients, before the limb transforms.
    pub encode: f64,
}

/// The shipped table.
pub const DEFAULT: Costs =
    Costs { butterfly: 0.53e-9, mul_add: 0.57e-9, convert: 0.29e-9, pass: 0.75e-9, encode: 18e-9 };

/// Share of a multiply-add with two streamed operands that one with a small number takes, where its operand is read once for
/// many sums, as in batches.
const MULTIPLE: f64 = 0.4;

/// Encoded weights are kept from run to run while they take no more bytes than this, unless a user says otherwise.
pub const KEPT_BYTES: u64 = 2_000_000_000;

/// Plaintexts of sums in one pass that are encoded before they are multiplied by, if they are not kept: no more than a few ciphertexts.
const FACTORS_AT_ONCE: usize = 32;

/// Of each of so many sums in one pass, terms whose plaintexts are encoded at once: two at least, which are encoded together.
pub fn factors_at_once(n_sums: usize) -> usize {
    (FACTORS_AT_ONCE / n_sums).max(2)
}

/// How the slots of a plaintext are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// By themselves: complex numbers, or integers.
    Alone,
    /// Real numbers: two vectors in one transform. The upper half of each limb is the mirror image of the lower one.
    InPairs,
}

impl Encoding {
    /// That of the weights of linear maps.
    pub fn of_weights(scheme: Scheme) -> Encoding {
        match scheme {
            Scheme::Ckks => Encoding::InPairs,
            Scheme::Bfv => Encoding::Alone,
        }
    }

    /// That of a constant.
    fn of(plan: &Plan, constant: ConstantId) -> Encoding {
        match &plan.constants[constant.index()].view {
            View::Table { .. } => Encoding::of_weights(plan.params.scheme()),
            View::Splat(_) | View::Imaginary(_) | View::Embedding(_) => Encoding::Alone,
        }
    }
}

/// What the cost of an instruction depends on.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Number of special primes (α), also the width of a digit.
    pub n_special: usize,
    /// Number of message limbs (ℓ).
    pub n_limbs: usize,
}

impl Shape {
    /// The shape of instructions on `limbs` limbs of a plan.
    pub fn new(params: &Params, n_limbs: usize) -> Shape {
        Shape { log_n: params.log_n, n_special: params.p.len(), n_limbs }
    }

    fn n(self) -> f64 {
        f64::from(self.log_n).exp2()
    }

    /// Special primes that a key switch uses: one for each message limb, up to all.
    fn n_used(self) -> usize {
        self.n_special.min(self.n_limbs)
    }

    /// Limbs of the form QP.
    pub fn n_extended(self) -> usize {
        self.n_limbs + self.n_used()
    }

    /// Number of digits (β).
    pub fn n_digits(self) -> usize {
        self.n_limbs.div_ceil(self.n_special.max(1))
    }

    fn transforms(self, costs: &Costs, count: usize) -> f64 {
        count as f64 * self.n() / 2.0 * f64::from(self.log_n) * costs.butterfly
    }

    fn passes(self, per_coefficient: f64, count: usize) -> f64 {
        count as f64 * self.n() * per_coefficient
    }

    /// `decompose`: all limbs leave the NTT domain, each digit is extended to QP and returns.
    pub fn decompose(self, costs: &Costs) -> f64 {
        let (l, extended, digits) = (self.n_limbs, self.n_extended(), self.n_digits());
        let outside = digits * extended - l;
        self.transforms(costs, l + outside) + self.passes(costs.convert, outside * self.n_used())
    }

    /// `apply_key`: the product of the digits with a key, and the automorphism.
    pub fn apply_key(self, costs: &Costs) -> f64 {
        let extended = self.n_extended();
        self.passes(costs.mul_add, 2 * self.n_digits() * extended + self.n_limbs)
            + self.passes(costs.pass, 2 * extended)
    }

    /// `mod_up`: multiplication by P.
    pub fn mod_up(self, costs: &Costs) -> f64 {
        self.passes(costs.pass, 2 * self.n_extended())
    }

    /// `mod_down`: division of two polynomials by P.
    pub fn mod_down(self, costs: &Costs) -> f64 {
        self.divide(costs, 2, self.n_used(), self.n_limbs)
    }

    /// `rescale` of a ciphertext with this many polynomials.
    pub fn rescale(self, costs: &Costs, n_polys: usize) -> f64 {
        self.divide(costs, n_polys, 1, self.n_limbs.saturating_sub(1))
    }

    fn divide(self, costs: &Costs, n_polys: usize, dropped: usize, kept: usize) -> f64 {
        let once = self.transforms(costs, dropped + kept)
            + self.passes(costs.convert, dropped * kept)
            + self.passes(costs.pass, kept);
        once * n_polys as f64
    }

    /// `mul` in BFV, of a ciphertext with itself: both polynomials are extended to about as many auxiliary primes, three
    /// products leave the NTT domain, are divided and return.
    pub fn exact_square(self, costs: &Costs) -> f64 {
        let (l, auxiliary) = (self.n_limbs, self.n_limbs + 2);
        self.transforms(costs, 2 * (l + auxiliary) + 3 * (2 * l + auxiliary))
            + self.passes(costs.convert, 8 * l * auxiliary)
            + self.passes(costs.mul_add, 4 * (l + auxiliary))
    }

    /// One term of `dot_plain`, on QP if `extended`.
    pub fn dot_term(self, costs: &Costs, extended: bool) -> f64 {
        self.passes(costs.mul_add, 2 * if extended { self.n_extended() } else { self.n_limbs })
    }

    /// One term of `dot_plain` in a batch: the product with a number, of an operand that is read once for many sums.
    pub fn batch_term(self, costs: &Costs) -> f64 {
        MULTIPLE * self.dot_term(costs, false)
    }

    /// Bytes of an encoded plaintext, on QP if `extended`.
    pub fn plaintext_bytes(self, extended: bool, encoding: Encoding) -> u64 {
        let limbs = if extended { self.n_extended() } else { self.n_limbs };
        let whole = limbs as u64 * (8 << self.log_n);
        match encoding {
            Encoding::Alone => whole,
            Encoding::InPairs => whole / 2,
        }
    }

    /// Encoding one plaintext, on QP if `extended`.
    pub fn encode(self, costs: &Costs, extended: bool, encoding: Encoding) -> f64 {
        let limbs = if extended { self.n_extended() } else { self.n_limbs };
        let once = self.n() / 2.0 * costs.encode
            + self.passes(costs.pass, limbs)
            + self.transforms(costs, limbs);
        match encoding {
            Encoding::Alone => once,
            // Besides, two are told apart.
            Encoding::InPairs => once / 2.0 + self.passes(costs.pass, limbs) / 2.0,
        }
    }

    /// A rotation or relinearization, all steps.
    pub fn key_switch(self, costs: &Costs) -> f64 {
        self.decompose(costs) + self.apply_key(costs) + self.mod_down(costs)
    }
}

/// Seconds that one instruction takes on one core, for one plaintext prime, plaintexts already encoded.
fn instruction(costs: &Costs, plan: &Plan, value: Value) -> f64 {
    let ty = plan.ty(value);
    let shape = Shape::new(&plan.params, ty.limbs.len());
    let polys = usize::from(ty.degree) + 1;
    let limbs = if ty.form == Form::QP { shape.n_extended() } else { shape.n_limbs };
    let pass = |count: usize| shape.passes(costs.pass, count);
    match &plan.ops[value.index()] {
        Op::Input(_) | Op::Drop(..) => 0.0,
        Op::Add(..) | Op::Sub(..) | Op::Neg(_) => pass(polys * limbs),
        Op::AddPlain(..) => pass(limbs),
        Op::MulPlain(..) => shape.passes(costs.mul_add, polys * limbs),
        Op::DotPlain(terms) => {
            let of_two = shape.dot_term(costs, ty.form == Form::QP);
            let multiples = plan.together(value) == Some(Together::SumsOfMultiples);
            let part = if multiples && plan.is_bundled(value) { MULTIPLE } else { 1.0 };
            (terms.len() * polys) as f64 / 2.0 * of_two * part
        }
        Op::Mul(..) => match plan.params.scheme() {
            Scheme::Ckks => shape.passes(costs.mul_add, 4 * limbs),
            Scheme::Bfv => shape.exact_square(costs),
        },
        Op::MulBgv(..) => shape.passes(costs.mul_add, 6 * limbs),
        Op::Rescale(a) | Op::ModSwitch(a, _) | Op::ModDown(a) => {
            let of = plan.ty(*a);
            let before = Shape { n_limbs: of.limbs.len(), ..shape };
            let all = if of.form == Form::QP { before.n_extended() } else { before.n_limbs };
            shape.divide(costs, polys, all - shape.n_limbs, shape.n_limbs)
        }
        Op::Decompose(_) => shape.decompose(costs),
        Op::ApplyKey(..) => shape.apply_key(costs),
        Op::ModUp(_) => shape.mod_up(costs),
        Op::ModRaise(..) => shape.transforms(costs, polys * limbs),
    }
}

/// Seconds to run a plan on one core, plaintexts already encoded.
pub fn plan_seconds(costs: &Costs, plan: &Plan) -> f64 {
    seconds_of_each(costs, plan).iter().sum()
}

/// Of each instruction, seconds in a run on one core, plaintexts already encoded.
pub fn seconds_of_each(costs: &Costs, plan: &Plan) -> Vec<f64> {
    let times = plan.params.n_instances() as f64;
    plan.values().map(|(value, _)| times * instruction(costs, plan, value)).collect()
}

/// Seconds to encode every plaintext of a plan once, on one core.
pub fn encode_seconds(costs: &Costs, plan: &Plan) -> f64 {
    encode_seconds_of_each(costs, plan).iter().fold(0.0, |sum, seconds| sum + seconds)
}

/// Of each instruction, seconds to encode the plaintexts that it is the first to use, on one core.
pub fn encode_seconds_of_each(costs: &Costs, plan: &Plan) -> Vec<f64> {
    let mut seconds = vec![0.0; plan.ops.len()];
    for Encoded { first, shape, extended, encoding } in encodings(plan) {
        let once = shape.encode(costs, extended, encoding);
        seconds[first.index()] += once * plan.params.n_instances() as f64;
    }
    seconds
}

/// Seconds of each of many runs on one core: weights that are too many to keep are encoded every time.
pub fn repeated_seconds(costs: &Costs, plan: &Plan) -> f64 {
    run_seconds(costs, plan, KEPT_BYTES)
}

/// Seconds of a run on one core where encoded weights are kept if they take no more than `kept_bytes`.
pub fn run_seconds(costs: &Costs, plan: &Plan, kept_bytes: u64) -> f64 {
    let keeps = plaintext_bytes(plan) <= kept_bytes;
    plan_seconds(costs, plan) + if keeps { 0.0 } else { encode_seconds(costs, plan) }
}

/// Bytes of all plaintexts of a plan when encoded.
pub fn plaintext_bytes(plan: &Plan) -> u64 {
    let bytes = |of: Encoded| of.shape.plaintext_bytes(of.extended, of.encoding);
    encodings(plan).map(bytes).sum::<u64>() * plan.params.n_instances() as u64
}

/// A plaintext that is not one number.
struct Encoded {
    /// The first instruction that uses it.
    first: Value,
    shape: Shape,
    /// Whether it is on QP.
    extended: bool,
    encoding: Encoding,
}

fn encodings(plan: &Plan) -> impl Iterator<Item = Encoded> {
    let encoded = |first: Value, constant: ConstantId, limbs: LimbSet, form: Form| Encoded {
        first,
        shape: Shape::new(&plan.params, limbs.len()),
        extended: form == Form::QP,
        encoding: Encoding::of(plan, constant),
    };
    let factors = plan.factors().into_iter();
    let factors =
        factors.map(move |(of, uses)| encoded(uses.first, of.constant, of.limbs, of.form));
    let summands = plan.values().flat_map(move |(value, op)| {
        let is_full = |c: &ConstantId| !matches!(plan.constants[c.index()].view, View::Splat(_));
        let constants = match op.plain_use() {
            PlainUse::Summand => op.constants(),
            PlainUse::None | PlainUse::Factor => vec![],
        };
        let ty = plan.ty(value);
        constants.into_iter().filter(is_full).map(move |c| encoded(value, c, ty.limbs, ty.form))
    });
    factors.chain(summands)
}

/// Bytes of a value while the plan runs.
pub fn value_bytes(params: &Params, ty: Type) -> u64 {
    let shape = Shape::new(params, ty.limbs.len());
    let limbs = match ty.form {
        Form::Q => (usize::from(ty.degree) + 1) * shape.n_limbs,
        Form::QP => (usize::from(ty.degree) + 1) * shape.n_extended(),
        Form::Digits => {
            // Of what was decomposed, only the other polynomials are extra.
            (params.digits(ty.limbs).len() * shape.n_extended()).saturating_sub(shape.n_limbs)
                + (usize::from(ty.degree) + 1) * shape.n_limbs
        }
    };
    limbs as u64 * (8 << params.log_n)
}

/// Largest number of bytes alive at once when bundles of instructions run in order and values are freed after their last use, as
/// plaintexts are that are used more than once; with the plaintexts of a bundle that are encoded at once.
pub fn peak_value_bytes(plan: &Plan) -> u64 {
    let last_uses = plan.last_uses();
    let mut dying = vec![vec![]; plan.ops.len() + 1];
    for (i, last) in last_uses.iter().enumerate() {
        dying[last.unwrap_or(i)].push(i);
    }
    let (mut born, mut dead) = (vec![0; plan.ops.len()], vec![0; plan.ops.len()]);
    for (factor, uses) in plan.factors().into_iter().filter(|(_, uses)| uses.count > 1) {
        let shape = Shape::new(&plan.params, factor.limbs.len());
        let encoding = Encoding::of(plan, factor.constant);
        let bytes = shape.plaintext_bytes(factor.form == Form::QP, encoding);
        born[uses.first.index()] += bytes;
        dead[uses.last.index()] += bytes;
    }
    let (mut alive, mut peak) = (0, 0);
    for bundle in plan.bundles() {
        let made = |i: usize| value_bytes(&plan.params, plan.types[i]) + born[i];
        alive += bundle.clone().map(made).sum::<u64>();
        peak = peak.max(alive + factor_bytes(plan, bundle.clone()));
        for i in bundle {
            let values = dying[i].iter().map(|&value| value_bytes(&plan.params, plan.types[value]));
            alive -= dead[i] + values.sum::<u64>();
        }
    }
    peak
}

/// Bytes of the tables that a run computes with: powers of roots for the transforms modulo each prime, in the form that vector
/// kernels take, and a permutation for each key.
pub fn table_bytes(plan: &Plan) -> u64 {
    /// Of both directions, for each coefficient: two doubles, and three for each four.
    const POWERS: usize = 44;
    const INDEX: usize = 4;
    let n_primes = plan.params.q.len() + plan.params.p.len();
    ((POWERS * n_primes + INDEX * plan.keys().len()) as u64) << plan.params.log_n
}

/// Bytes of the plaintexts of a bundle that are encoded at once.
fn factor_bytes(plan: &Plan, bundle: Range<usize>) -> u64 {
    let at_once = factors_at_once(bundle.len());
    let of_instruction = |i: usize| {
        let (op, ty) = (&plan.ops[i], plan.types[i]);
        let shape = Shape::new(&plan.params, ty.limbs.len());
        let is_full = |c: &ConstantId| !matches!(plan.constants[c.index()].view, View::Splat(_));
        let bytes =
            |c: ConstantId| shape.plaintext_bytes(ty.form == Form::QP, Encoding::of(plan, c));
        op.constants().into_iter().filter(is_full).take(at_once).map(bytes).sum::<u64>()
    };
    bundle.map(of_instruction).sum()
}

/// Bytes that an `apply_key` moves: both halves of the key, the digits, the result.
pub fn key_product_bytes(params: &Params, ty: Type) -> u64 {
    let extended = Shape::new(params, ty.limbs.len()).n_extended();
    ((3 * params.digits(ty.limbs).len() + 2) * extended) as u64 * (8 << params.log_n)
}

/// Bytes of the evaluation keys in memory: both halves of every digit.
pub fn key_bytes(plan: &Plan) -> u64 {
    bytes_of_keys(&plan.params, &plan.keys())
}

/// Bytes of what is stored of evaluation keys: the `b` halves, as many bits a residue as its prime has.
pub fn stored_key_bytes(plan: &Plan) -> u64 {
    bytes_of_stored_keys(&plan.params, &plan.keys())
}

/// What is stored of some keys.
pub fn bytes_of_stored_keys(params: &Params, keys: &[KeyUse]) -> u64 {
    let bits = |prime: &u64| u64::from(u64::BITS - prime.leading_zeros());
    let of_key = |key: &KeyUse| {
        let of_limbs: u64 = key.limbs.iter().map(|limb| bits(&params.q[limb])).sum();
        let of_special: u64 = params.p[..key.n_special].iter().map(bits).sum();
        params.digits(key.limbs).len() as u64 * (of_limbs + of_special)
    };
    (keys.iter().map(of_key).sum::<u64>() << params.log_n) / 8
}

/// Bytes of both halves of some keys.
pub fn bytes_of_keys(params: &Params, keys: &[KeyUse]) -> u64 {
    let of_key = |key: &KeyUse| {
        let polys = 2 * params.digits(key.limbs).len() * (key.limbs.len() + key.n_special);
        polys as u64 * (8 << params.log_n)
    };
    keys.iter().map(of_key).sum()
}
