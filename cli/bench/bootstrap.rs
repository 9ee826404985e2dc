//! `hecc bench bootstrap`: refreshing encrypted numbers.

use anyhow::Result;
use hecc_compiler::bootstrap::{Wish, probe, search};
use hecc_grammar::plan::VerifiedPlan;
use hecc_grammar::security::Security;
use hecc_grammar::{cost, noise};
use hecc_runtime::file::evaluation_keys_bytes;
use serde_json::json;

use super::kinds::by_kind;
use super::session::measure;
use crate::console::Console;
use crate::table::{Align, Table};
use crate::{memory, units};

/// Time one bootstrap: encrypted numbers whose levels are used up get new ones
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many real numbers; a power of two.
    #[arg(long, value_name = "N", default_value_t = 16384)]
    values: usize,
    /// log2 of the ring degree.
    #[arg(long, value_name = "LOG_N", default_value_t = 16)]
    log_n: u32,
    /// Levels that the result has.
    #[arg(long, value_name = "LEVELS", default_value_t = 6)]
    levels: usize,
    /// Bits of precision of the result.
    #[arg(long, value_name = "BITS", default_value_t = 15.0)]
    bits: f64,
    /// Number of threads.
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Runs to take the median of.
    #[arg(long, value_name = "N", default_value_t = 3)]
    repeats: usize,
}

pub(crate) fn bootstrap(args: &Args, console: &Console) -> Result<()> {
    let n_slots = 1usize << (args.log_n - 1);
    let n_inputs = args.values.div_ceil(n_slots);
    let log_slots = (args.values / n_inputs).ilog2();
    let wish = Wish { log_n: args.log_n, log_slots, n_values: n_inputs, levels: args.levels, bits: args.bits, security: Security::Bits128 };
    let found = search(&wish, &cost::DEFAULT);
    for c in found.iter().take(8) { let r=&c.chain.recipe; eprintln!("{:.3} s {:.1} bits keys {} special {} sine {:.2} scale {:.1} stc {}x{} cts {}x{} qp {:.0}", c.seconds, c.bits, units::bytes(c.key_bytes), r.n_special, r.sine_bits, r.scale_bits, r.slots_to_coeffs, r.slots_to_coeffs_bits, r.coeffs_to_slots, r.coeffs_to_slots_bits, c.chain.ladder.params.log_qp()); }
    let chain = found.into_iter().next().expect("a recipe").chain;
    let plan = probe(&chain, log_slots, n_inputs, args.levels, &cost::DEFAULT)?;
    let plan = VerifiedPlan::new(plan)?;
    let number = |i: usize| (((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64) / 8_388_608.0 - 1.0;
    let tensor = |k: usize| (0..1 << log_slots).map(|i| number((i << 1) + k)).collect();
    let tensors: Vec<Vec<f64>> = (0..n_inputs).map(tensor).collect();
    let measured = measure(&plan, &tensors, (args.threads, args.repeats), console)?;
    let pairs = measured.outputs.iter().flatten().zip(tensors.iter().flatten());
    let errors: Vec<f64> = pairs.map(|(a, b)| (a - b).abs()).collect();
    let largest = errors.iter().copied().fold(0.0, f64::max);
    let square = errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64;
    let predicted = noise::analyse(&plan);
    let deviation = plan.output_values().map(|v| predicted[v.index()].total).fold(0.0, f64::max);
    let mut table = Table::new(&[
        ("instruction", Align::Left),
        ("count", Align::Right),
        ("time", Align::Right),
        ("predicted", Align::Right),
    ]);
    let kinds = by_kind(&plan, &measured.instructions, &cost::DEFAULT);
    for (name, kind) in &kinds {
        table.row(vec![
            name.clone(),
            kind.count.to_string(),
            units::seconds(kind.measured),
            units::seconds(kind.predicted),
        ]);
    }
    let bits = -largest.log2();
    let text = format!(
        "{} values in {}: {:.1} bits, {} levels, N = 2^{}, log2 QP {:.0}\nkeys {} ({} of them), predicted deviation 2^{:.1}, root mean square {:.1} bits\n{table}",
        args.values,
        units::seconds(measured.seconds),
        bits,
        args.levels,
        args.log_n,
        plan.params.log_qp(),
        units::bytes(evaluation_keys_bytes(&plan)),
        plan.keys().len(),
        deviation.log2(),
        -square.sqrt().log2(),
    );
    console.result(
        text,
        json!({
            "seconds": measured.seconds,
            "levels": args.levels,
            "bits": bits,
            "security": plan.params.security.bits(),
            "log_n": args.log_n,
            "log_qp": plan.params.log_qp(),
            "peak_memory_bytes": memory::peak_bytes(),
            "key_bytes": evaluation_keys_bytes(&plan),
        }),
    )
}
