//! What more cores would give: the schedule of a run is simulated with the times of its instructions, measured with one thread.
//!
//! `cargo run --release -p hecc-bench --bin cores -- plan.bin`, for `docs/results/cores.md`.
//!
//! As in the runtime, instructions whose operands are there are begun in the order of the plan, one a core, and cores without
//! an instruction help with the limbs of those that are running. Memory is taken to be as fast as it is for one core, whatever the
//! number of cores: how much has to pass is printed besides.
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use hecc_bench::read_plan;
use hecc_grammar::cost::{self, Encoding, Shape};
use hecc_grammar::plan::{Form, Op, Plan, Value, VerifiedPlan, View};
use hecc_runtime::client::{EncryptionKey, RangePolicy, SecretKey, encrypt, evaluation_keys};
use hecc_runtime::eval::{Evaluator, Options};
use hecc_runtime::ring::SecretRng;

#[derive(Parser)]
struct Arguments {
    /// The plan, from `hecc compile`.
    plan: PathBuf,
    /// Numbers of cores.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4, 8, 16, 32, 64])]
    cores: Vec<usize>,
    /// Bytes of encoded plaintexts that are kept from the first run, which is not counted, to those that are.
    #[arg(long, default_value_t = 4 << 30)]
    cache: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let plan = read_plan(&arguments.plan)?;
    let measured = measured(&plan, arguments.cache)?;
    let seconds = &measured.of_instructions;
    let total: f64 = seconds.iter().sum();
    let widths: Vec<usize> = plan.values().map(|(value, _)| width(&plan, value)).collect();
    println!("| instructions, one thread | {total:.2} s (run: {:.2} s) |", measured.alone);
    println!("| run, two threads | {:.2} s |", measured.pair);
    for &cores in &arguments.cores {
        let time = simulated(&plan, seconds, &widths, cores);
        println!("| simulated, {cores} cores | {time:.3} s, {:.1} times as fast |", total / time);
    }
    let single = vec![1; widths.len()];
    let apart = simulated(&plan, seconds, &single, usize::MAX);
    println!("| any number of cores, an instruction on one | {apart:.3} s |");
    let unlimited = simulated(&plan, seconds, &widths, usize::MAX);
    println!("| any number of cores | {unlimited:.3} s |");
    let gigabytes = passing(&plan) as f64 / 1e9;
    println!("| keys, what they multiply, and weights pass from memory | {gigabytes:.1} GB |");
    Ok(())
}

struct Measured {
    /// Seconds of each instruction, with one thread.
    of_instructions: Vec<f64>,
    /// Seconds of a run with one thread.
    alone: f64,
    /// Seconds of a run with two.
    pair: f64,
}

/// Runs a plan on zeros: the time does not depend on what is encrypted.
fn measured(plan: &VerifiedPlan, cache_bytes: usize) -> Result<Measured> {
    let (secret, mut rng) = (SecretKey::generate()?, SecretRng::from_os()?);
    let keys = evaluation_keys(&plan.interface(), &secret, &mut rng, &|_, _| {});
    let zeros: Vec<Vec<f64>> =
        plan.inputs.iter().map(|x| vec![0.0; x.shape.iter().product()]).collect();
    let (client, key) = (plan.client_part(), EncryptionKey::Secret(&secret));
    let mut timed = |threads: usize| -> Result<(f64, Vec<f64>)> {
        let evaluator = Evaluator::new(plan, &keys, Options { threads, cache_bytes })?;
        let sent = encrypt(&client, key, &mut rng, &zeros, RangePolicy::Allow)?;
        let inputs = evaluator.expand(sent);
        evaluator.run(inputs.clone(), &|_, _| {})?;
        let before = evaluator.times();
        let start = Instant::now();
        evaluator.run(inputs, &|_, _| {})?;
        let run = start.elapsed().as_secs_f64();
        let after = evaluator.times().into_iter().zip(before);
        Ok((run, after.map(|(after, before)| (after - before).as_secs_f64()).collect()))
    };
    let (alone, of_instructions) = timed(1)?;
    let (pair, _) = timed(2)?;
    Ok(Measured { of_instructions, alone, pair })
}

/// How many cores can work on an instruction: one a limb of what it reads or makes.
fn width(plan: &Plan, value: Value) -> usize {
    let limbs = |value: Value| {
        let ty = plan.ty(value);
        let special = match ty.form {
            Form::Q => 0,
            Form::QP | Form::Digits => plan.params.n_special(ty.limbs),
        };
        ty.limbs.len() + special
    };
    let operands = plan.ops[value.index()].operands();
    operands.into_iter().chain([value]).map(limbs).max().unwrap_or(1)
}

/// An instruction that is running.
struct Running {
    value: usize,
    /// Seconds of one core.
    left: f64,
    cores: usize,
}

/// Seconds of a run.
fn simulated(plan: &Plan, seconds: &[f64], widths: &[usize], cores: usize) -> f64 {
    let mut users: Vec<Vec<usize>> = vec![vec![]; seconds.len()];
    let mut missing = vec![0; seconds.len()];
    for (value, op) in plan.values() {
        let mut operands = op.operands();
        operands.sort_unstable();
        operands.dedup();
        missing[value.index()] = operands.len();
        operands.iter().for_each(|operand| users[operand.index()].push(value.index()));
    }
    let ready = (0..seconds.len()).filter(|&value| missing[value] == 0).map(Reverse);
    let mut ready: BinaryHeap<Reverse<usize>> = ready.collect();
    let (mut running, mut time): (Vec<Running>, f64) = (vec![], 0.0);
    loop {
        while running.len() < cores
            && let Some(Reverse(value)) = ready.pop()
        {
            running.push(Running { value, left: seconds[value], cores: 1 });
        }
        if running.is_empty() {
            return time;
        }
        share(&mut running, widths, cores);
        let next =
            running.iter().map(|one| one.left / one.cores as f64).fold(f64::INFINITY, f64::min);
        time += next;
        running.iter_mut().for_each(|one| one.left -= next * one.cores as f64);
        let (finished, rest): (Vec<_>, Vec<_>) =
            running.into_iter().partition(|one| one.left <= 1e-12);
        running = rest;
        for user in finished.iter().flat_map(|one| &users[one.value]) {
            missing[*user] -= 1;
            if missing[*user] == 0 {
                ready.push(Reverse(*user));
            }
        }
    }
}

/// Gives cores without an instruction to those that run, one each in turn while they have limbs for more.
fn share(running: &mut [Running], widths: &[usize], cores: usize) {
    running.iter_mut().for_each(|one| one.cores = 1);
    let mut left = cores - running.len();
    let mut helped = true;
    while helped && left > 0 {
        helped = false;
        for one in running.iter_mut().filter(|one| one.cores < widths[one.value]) {
            if left == 0 {
                break;
            }
            (one.cores, left, helped) = (one.cores + 1, left - 1, true);
        }
    }
}

/// Bytes of keys, with the digits that they multiply and the results, and of encoded weights, each as often as it is read.
fn passing(plan: &Plan) -> u64 {
    let params = &plan.params;
    let of_weights = Encoding::of_weights(params.scheme());
    let is_weight = |c: usize| matches!(plan.constants[c].view, View::Table { .. });
    let of_instruction = |(value, op): (Value, &Op)| {
        let ty = plan.ty(value);
        if let Op::ApplyKey(..) = op {
            return cost::key_product_bytes(params, ty);
        }
        let Op::DotPlain(terms) = op else { return 0 };
        let count = terms.iter().filter(|(_, constant)| is_weight(constant.index())).count();
        let shape = Shape::new(params, ty.limbs.len());
        count as u64 * shape.plaintext_bytes(ty.form == Form::QP, of_weights)
    };
    plan.values().map(of_instruction).sum()
}
