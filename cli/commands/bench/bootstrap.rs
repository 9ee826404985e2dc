//! `hecc bench bootstrap`: bootstrapping encrypted numbers.

use anyhow::{Result, bail};
use hecc_compiler::bootstrap::{BootstrapParams, Considered, Wish, probe, search};
use hecc_compiler::limits;
use hecc_grammar::cost;
use hecc_grammar::plan::{Op, Plan, VerifiedPlan};
use hecc_grammar::security::Security;
use hecc_runtime::file::evaluation_keys_bytes;
use serde_json::{Value as Json, json};

use super::as_compiled;
use super::session::measure;
use crate::files::costs;
use crate::files::memory;
use crate::report::kinds::{by_kind, kinds_json, kinds_table};
use crate::terminal::console::Console;
use crate::terminal::progress::Progress;
use crate::terminal::table::{Align, Table};
use crate::terminal::units;

/// Bootstrapping parameters that are shown next to the chosen ones.
const RUNNERS_UP: usize = 7;

/// Time one bootstrap: encrypted numbers whose levels are used up get new ones
///
/// Stages, prime sizes and special primes are chosen for the precision and the levels wanted, by the cost table.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many real numbers: a power of two, at most 2^LOG_N.
    #[arg(long, value_name = "N", default_value_t = 16384)]
    values: usize,
    /// log2 of the ring degree.
    #[arg(long, value_name = "LOG_N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(15..=16))]
    log_n: u32,
    /// Levels that the result has, besides those of its own next bootstrap.
    #[arg(long, value_name = "LEVELS", default_value_t = 6, value_parser = clap::value_parser!(u8).range(1..=30))]
    levels: u8,
    /// Bits of precision: −log2 of the largest error expected, for numbers within [−1, 1].
    #[arg(long, value_name = "BITS", default_value_t = 15.0)]
    bits: f64,
    /// Number of threads.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
    /// Runs to take the median of.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    repeats: u16,
}

pub(crate) fn bootstrap(args: &Args, console: &Console) -> Result<()> {
    let wish = wish(args)?;
    let table = costs::load()?;
    let found = {
        let _searching = Progress::spinner(console, "choosing parameters");
        search(&wish, &table)
    };
    let Some(best) = found.first() else {
        bail!(
            "no secure parameters give {} bits and {} levels at N = 2^{}; ask for fewer bits or levels, or a larger ring",
            args.bits,
            args.levels,
            args.log_n
        );
    };
    let plan = probe(&best.chain, wish.log_slots, wish.n_values, wish.levels, &table)?;
    let plan = VerifiedPlan::new(as_compiled(&plan)?)?;
    let tensors: Vec<Vec<f64>> = (0..wish.n_values).map(|k| numbers(&wish, k)).collect();
    let (threads, repeats) = (usize::from(args.threads), usize::from(args.repeats));
    let measured = measure(&plan, &tensors, threads, repeats, console)?;
    let pairs = measured.outputs.iter().flatten().zip(tensors.iter().flatten());
    let errors: Vec<f64> = pairs.map(|(a, b)| (a - b).abs()).collect();
    let largest = errors.iter().copied().fold(0.0, f64::max);
    let square = errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64;
    let (bits, mean_bits) = (-largest.log2(), -square.sqrt().log2());
    let (keys, log_qp) = (evaluation_keys_bytes(&plan.interface()), plan.params.log_qp());
    let kinds = by_kind(&plan, &measured.instructions, &cost::seconds_of_each(&table, &plan));
    let traffic = KeyTraffic::of(&plan, &measured.instructions);
    let text = format!(
        "{} values in {} with {}: {bits:.1} bits ({mean_bits:.1} root mean square), {} levels\n\
         N = 2^{}, {log_qp:.0} bits of modulus, 128-bit security; {} in {}; it fails with {}\n\n\
         Parameters (first: chosen)\n{}\n{}\n\
         products with keys move {}, {} a second",
        units::grouped(args.values as u64),
        units::seconds(measured.seconds),
        units::count(usize::from(args.threads), "thread"),
        args.levels,
        args.log_n,
        units::count(plan.keys().len(), "key"),
        units::bytes(keys),
        units::probability(best.chain.log2_failure((args.values as f64).log2())),
        considered_table(&found),
        kinds_table(&kinds),
        units::bytes(traffic.bytes),
        units::bytes((traffic.bytes as f64 / traffic.seconds) as u64),
    );
    let json = json!({
        "system": "hecc",
        "values": args.values,
        "threads": args.threads,
        "seconds": measured.seconds,
        "levels": args.levels,
        "bits": bits,
        "mean_bits": mean_bits,
        "security": plan.params.security.bits(),
        "log_n": args.log_n,
        "log_qp": log_qp,
        "peak_memory_bytes": memory::peak_bytes(),
        "key_bytes": keys,
        "predicted_seconds_one_core": best.seconds,
        "key_product_bytes": traffic.bytes,
        "key_product_seconds": traffic.seconds,
        "instructions": kinds_json(&kinds),
        "considered": found.iter().take(RUNNERS_UP + 1).map(considered_json).collect::<Vec<_>>(),
    });
    console.result(text, json)
}

/// Numbers beyond half the ring degree are bootstrapped in pairs, as real and imaginary parts.
fn wish(args: &Args) -> Result<Wish> {
    let n_slots = 1usize << (args.log_n - 1);
    if !args.values.is_power_of_two() || !(4..=2 * n_slots).contains(&args.values) {
        bail!("{} values, expected a power of two from 4 to {}", args.values, 2 * n_slots);
    }
    if !(8.0..=30.0).contains(&args.bits) {
        bail!("{} bits of precision, expected 8 to 30", args.bits);
    }
    let n_values = args.values.div_ceil(n_slots);
    Ok(Wish {
        log_n: args.log_n,
        log_slots: (args.values / n_values).ilog2(),
        n_values,
        levels: usize::from(args.levels),
        bits: args.bits,
        sine: None,
        failure: limits::BOOTSTRAP_FAILURE - limits::MOST_BOOTSTRAPS.log2(),
        security: Security::Bits128,
    })
}

/// What the products with keys move through memory, and the seconds that takes.
struct KeyTraffic {
    bytes: u64,
    seconds: f64,
}

impl KeyTraffic {
    fn of(plan: &Plan, measured: &[f64]) -> KeyTraffic {
        let products = plan.values().filter(|(_, op)| matches!(op, Op::ApplyKey(..)));
        products.fold(KeyTraffic { bytes: 0, seconds: 0.0 }, |sum, (value, _)| KeyTraffic {
            bytes: sum.bytes + cost::key_product_bytes(&plan.params, plan.ty(value)),
            seconds: sum.seconds + measured[value.index()],
        })
    }
}

/// Numbers spread over [−1, 1).
fn numbers(wish: &Wish, which: usize) -> Vec<f64> {
    let number =
        |i: u64| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / (1u64 << 52) as f64;
    (0..1u64 << wish.log_slots).map(|i| number(2 * i + which as u64 + 1) - 1.0).collect()
}

fn considered_table(found: &[Considered]) -> Table {
    let mut table = Table::new(&[
        ("time, 1 core", Align::Right),
        ("bits", Align::Right),
        ("keys in memory", Align::Right),
        ("special primes", Align::Right),
        ("modulus", Align::Right),
        ("scale", Align::Right),
        ("slots to coeffs", Align::Right),
        ("coeffs to slots", Align::Right),
        ("sine", Align::Right),
    ]);
    for one in found.iter().take(RUNNERS_UP + 1) {
        let parameters = &one.chain.parameters;
        let stages = |count: usize, bits: f64| format!("{count} x {bits:.0} bits");
        table.row(vec![
            units::seconds(one.seconds),
            format!("{:.1}", one.bits),
            units::bytes(one.key_bytes),
            parameters.n_special.to_string(),
            format!("{:.0} bits", one.chain.ladder.params.log_qp()),
            format!("{:.1} bits", parameters.scale_bits),
            stages(parameters.slots_to_coeffs, parameters.slots_to_coeffs_bits),
            stages(parameters.coeffs_to_slots, parameters.coeffs_to_slots_bits),
            sine(parameters),
        ]);
    }
    table
}

/// Bits of its primes, degree and doublings.
fn sine(parameters: &BootstrapParams) -> String {
    let BootstrapParams { sine_bits, degree, doublings, .. } = parameters;
    format!("{sine_bits:.1} bits, degree {}, doubled {doublings} x", 2 * degree)
}

fn considered_json(one: &Considered) -> Json {
    let parameters = &one.chain.parameters;
    json!({
        "predicted_seconds": one.seconds,
        "bits": one.bits,
        "key_memory_bytes": one.key_bytes,
        "special_primes": parameters.n_special,
        "log_qp": one.chain.ladder.params.log_qp(),
        "scale_bits": parameters.scale_bits,
        "slots_to_coeffs": { "stages": parameters.slots_to_coeffs, "bits": parameters.slots_to_coeffs_bits },
        "coeffs_to_slots": { "stages": parameters.coeffs_to_slots, "bits": parameters.coeffs_to_slots_bits },
        "sine": { "bits": parameters.sine_bits, "degree": 2 * parameters.degree, "doublings": parameters.doublings, "overflow_bound": parameters.overflow_bound },
    })
}
