//! `hecc bench ops`: one homomorphic operation at a time.

use std::time::Instant;

use anyhow::{Result, bail};
use hecc_compiler::emit::Emit;
use hecc_compiler::primes::prime_near;
use hecc_grammar::plan::{
    Dim, Input, Key, Op, Output, OutputKind, Params, Plaintexts, Plan, Profile, Ranges, Run, Runs,
    TypeError, Value, VerifiedPlan,
};
use hecc_grammar::security::{Security, max_log_qp};
use hecc_runtime::kernel::active;
use hecc_runtime::ring::{Modulus, NttTable};
use serde_json::json;

use super::as_compiled;
use super::session::{measure, median};
use crate::files::memory;
use crate::terminal::console::Console;
use crate::terminal::table::{Align, Table};
use crate::terminal::units;

/// The largest primes, in bits.
const MAX_PRIME_BITS: f64 = 49.9;

/// Rotations that share a decomposition.
const HOISTED: u32 = 8;

/// Time products, rotations and rescaling of ciphertexts
///
/// Primes are as large as 128-bit security allows, which does not change the times.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// log2 of the ring degree.
    #[arg(long, value_name = "LOG_N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(12..=16))]
    log_n: u32,
    /// Number of primes that ciphertexts live on.
    #[arg(long, value_name = "LIMBS", default_value_t = 24, value_parser = clap::value_parser!(u16).range(2..=48))]
    limbs: u16,
    /// Digits of key switching: fewer leave more of the modulus to keys.
    #[arg(long, value_name = "DIGITS", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    digits: u16,
    /// Approximate numbers (ckks) or exact integers (bfv), modulo the prime 65537 at ring degrees up to 2^15.
    #[arg(long, value_enum, default_value_t = Arithmetic::Ckks)]
    scheme: Arithmetic,
    /// Number of threads.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
    /// Runs to take the median of.
    #[arg(long, value_name = "N", default_value_t = 11, value_parser = clap::value_parser!(u16).range(1..))]
    repeats: u16,
}

/// What `--scheme` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Arithmetic {
    /// Approximate numbers.
    Ckks,
    /// Exact integers.
    Bfv,
}

/// The plaintext prime of BFV, ≡ 1 mod 2^16.
const PLAINTEXT_PRIME: u64 = 65537;

pub(crate) fn ops(args: &Args, console: &Console) -> Result<()> {
    let params = params(args)?;
    let (threads, repeats) = (usize::from(args.threads), usize::from(args.repeats));
    let mut rows = vec![("ntt", ntt(&params, repeats))];
    let operations = match args.scheme {
        Arithmetic::Ckks => &CKKS_OPERATIONS[..],
        Arithmetic::Bfv => &BFV_OPERATIONS[..],
    };
    for &(name, operation) in operations {
        let plan = VerifiedPlan::new(as_compiled(&plan_of(&params, operation)?)?)?;
        let tensor = vec![0.5; params.n_slots()];
        let measured = measure(&plan, &[tensor.clone(), tensor], threads, repeats, console)?;
        rows.push((name, measured.seconds));
    }
    let mut table = Table::new(&[("operation", Align::Left), ("time", Align::Right)]);
    for (name, seconds) in &rows {
        table.row(vec![(*name).to_owned(), units::seconds(*seconds)]);
    }
    let ops: serde_json::Map<_, _> =
        rows.iter().map(|(name, seconds)| ((*name).to_owned(), (*seconds).into())).collect();
    console.result(
        format!(
            "N = 2^{}, {}, {} of modulus with keys, {}\n{table}",
            args.log_n,
            units::count(usize::from(args.limbs), "prime"),
            units::count(params.log_qp().round() as usize, "bit"),
            units::count(usize::from(args.threads), "thread")
        ),
        json!({
            "system": "hecc",
            "scheme": if args.scheme == Arithmetic::Bfv { "bfv" } else { "ckks" },
            "log_n": args.log_n,
            "limbs": args.limbs,
            "special_primes": params.p.len(),
            "log_q": params.log_total_q(),
            "log_qp": params.log_qp(),
            "security": params.security.bits(),
            "threads": args.threads,
            "ops": ops,
            "peak_memory_bytes": memory::peak_bytes(),
        }),
    )
}

/// Appends an operation on two ciphertexts and returns its results.
type Operation = fn(&mut Emit<'_>, [Value; 2]) -> Result<Vec<Value>, TypeError>;

const CKKS_OPERATIONS: [(&str, Operation); 5] = [
    ("add", |emit, [x, y]| Ok(vec![emit.op(Op::Add(x, y))?])),
    ("mul_relin_rescale", |emit, [x, y]| {
        let product = emit.op(Op::Mul(x, y))?;
        let linear = emit.switch(product, Key::Relinearize)?;
        Ok(vec![emit.op(Op::Rescale(linear))?])
    }),
    ("rotate", rotate),
    ("rotate_hoisted_8", |emit, [x, _]| {
        let digits = emit.op(Op::Decompose(x))?;
        let mut rotate = |steps: u32| {
            let rotated = emit.op(Op::ApplyKey(digits, Key::Rotate(steps)))?;
            emit.op(Op::ModDown(rotated))
        };
        (1..=HOISTED).map(&mut rotate).collect()
    }),
    ("rescale", |emit, [x, _]| Ok(vec![emit.op(Op::Rescale(x))?])),
];

const BFV_OPERATIONS: [(&str, Operation); 4] = [
    ("add", |emit, [x, y]| Ok(vec![emit.op(Op::Add(x, y))?])),
    ("mul_relin", |emit, [x, y]| {
        let product = emit.op(Op::Mul(x, y))?;
        Ok(vec![emit.switch(product, Key::Relinearize)?])
    }),
    ("mul_bgv_relin", |emit, [x, y]| {
        let product = emit.op(Op::MulBgv(x, y))?;
        Ok(vec![emit.switch(product, Key::Relinearize)?])
    }),
    ("rotate", rotate),
];

fn rotate(emit: &mut Emit<'_>, [x, _]: [Value; 2]) -> Result<Vec<Value>, TypeError> {
    Ok(vec![emit.switch(x, Key::Rotate(1))?])
}

/// Primes of equal length for `--limbs` limbs and three digits, as long as is secure.
fn params(args: &Args) -> Result<Params> {
    let (log_n, limbs) = (args.log_n, usize::from(args.limbs));
    let security = Security::Bits128;
    let n_special = limbs.div_ceil(usize::from(args.digits));
    let allowed = max_log_qp(log_n, security).map_or(0.0, f64::from);
    let bits = (allowed / (limbs + n_special) as f64 - 0.1).min(MAX_PRIME_BITS);
    let (mut taken, mut primes) = (vec![], vec![]);
    for _ in 0..limbs + n_special {
        match prime_near(bits, log_n, &mut taken) {
            Some(prime) if bits > f64::from(log_n) + 5.0 => primes.push(prime),
            _ => bail!(
                "{limbs} limbs and {} leave {bits:.0} bits for each prime at N = 2^{log_n} and 128-bit \
                 security, too few; take fewer limbs, more digits or a larger ring",
                units::count(usize::from(args.digits), "digit")
            ),
        }
    }
    primes.sort_unstable();
    let p = primes.split_off(limbs);
    let plaintexts = match args.scheme {
        // Of a product, so that it can be rescaled.
        Arithmetic::Ckks => Plaintexts::Ckks { top_scale: 1.5 * bits },
        Arithmetic::Bfv => Plaintexts::Bfv { t: vec![PLAINTEXT_PRIME] },
    };
    Ok(Params { plaintexts, log_n, q: primes, p, input_level: limbs - 1, security })
}

fn plan_of(params: &Params, operation: Operation) -> Result<Plan, TypeError> {
    let mut plan = Plan::new(params.clone(), "operation");
    let n_slots = params.n_slots();
    let dims = vec![Dim { count: n_slots as u32, slot_stride: 1, element_stride: 1 }];
    let all = Runs(vec![Run { slot: 0, element: 0, dims }]);
    let shape = vec![1, n_slots];
    for name in ["x", "y"] {
        let (name, shape, slots) = (name.to_owned(), shape.clone(), vec![all.clone()]);
        plan.inputs.push(Input {
            name,
            shape,
            ranges: Ranges::all(-1.0, 1.0),
            seen: Profile::default(),
            factor: 1.0,
            quantizer: None,
            slots,
            normalization: None,
        });
    }
    let mut emit = Emit { plan: &mut plan, origin: 0 };
    let inputs = [emit.op(Op::Input(0))?, emit.op(Op::Input(1))?];
    let results = operation(&mut emit, inputs)?;
    for value in results {
        let (name, shape, slots) = (value.to_string(), shape.clone(), vec![(value, all.clone())]);
        plan.outputs.push(Output {
            name,
            shape,
            factor: 1.0,
            element_scales: vec![],
            limit: None,
            magnitude: None,
            seen: Profile::default(),
            slots,
            client: vec![],
            kind: OutputKind::Values,
        });
    }
    Ok(plan)
}

/// Median seconds of the transform of one limb on one core.
fn ntt(params: &Params, repeats: usize) -> f64 {
    let table = NttTable::new(Modulus::new(params.q[0]), params.ring_degree());
    let mut limb: Vec<u64> = (0..params.ring_degree() as u64).collect();
    let once = |_| {
        let start = Instant::now();
        (active().ntt)(&mut limb, &table);
        start.elapsed().as_secs_f64()
    };
    median((0..10 * repeats).map(once).collect())
}
