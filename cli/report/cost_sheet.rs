//! What a plan needs and promises, before any key exists.

use std::fmt;

use hecc_compiler::search::BootstrapReport;
use hecc_grammar::cost::Costs;
use hecc_grammar::noise;
use hecc_grammar::plan::{Op, Params, Scheme, VerifiedPlan};
use hecc_grammar::security::{TABLE, max_log_qp};
use serde_json::{Value as Json, json};

use crate::report::fidelity::Fidelity;
use crate::report::file_sizes::FileSizes;
use crate::report::integer_results::IntegerResult;
use crate::report::run_cost::RunCost;
use crate::terminal::table::Sheet;
use crate::terminal::units;

/// Numbers of a plan.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CostSheet {
    /// How good it is, if that was measured.
    pub(crate) fidelity: Option<Fidelity>,
    params: Params,
    /// How many bootstraps a run has; of a plan that was just compiled, how they may fail.
    n_bootstraps: usize,
    failure: Option<Failure>,
    /// Exact size of the plan's file.
    plan_bytes: u64,
    files: FileSizes,
    run: RunCost,
    /// −log2 of the largest error, as a fraction of the range of the results; and that error.
    precision: f64,
    largest_error: f64,
    /// Integers: bits of noise that the results' modulus has room for beyond the bound.
    noise_budget: Option<f64>,
    /// Integers: how large results become.
    integers: Vec<IntegerResult>,
}

/// How bootstraps may fail.
#[derive(Clone, Debug, PartialEq)]
struct Failure {
    /// log2 of the probability that one of a run does.
    log2: f64,
    /// Multiples of q_0 that are taken away.
    overflow_bound: u32,
}

impl CostSheet {
    /// The numbers of a plan whose file has `plan_bytes` bytes.
    pub(crate) fn new(plan: &VerifiedPlan, plan_bytes: u64, costs: &Costs) -> CostSheet {
        let (precision, largest_error) = precision(plan);
        let noise_budget = (plan.params.scheme() == Scheme::Bfv).then(|| noise_budget(plan));
        CostSheet {
            fidelity: Fidelity::of(plan),
            params: plan.params.clone(),
            n_bootstraps: n_bootstraps(plan),
            failure: None,
            plan_bytes,
            files: FileSizes::of(&plan.interface()),
            run: RunCost::of(plan, costs),
            precision,
            largest_error,
            noise_budget,
            integers: IntegerResult::all(plan),
        }
    }

    /// The same, with how bootstraps may fail.
    pub(crate) fn with_failure(self, report: &BootstrapReport) -> CostSheet {
        let overflow_bound = report.chain.parameters.overflow_bound;
        CostSheet { failure: Some(Failure { log2: report.failure, overflow_bound }), ..self }
    }

    fn bootstraps(&self) -> String {
        let count = units::count(self.n_bootstraps, "bootstrap");
        match &self.failure {
            None => format!("{count} a run"),
            Some(Failure { log2, overflow_bound }) => format!(
                "{count} a run, which fails with {}: multiples of q_0 up to {overflow_bound} are taken away",
                units::probability(*log2)
            ),
        }
    }

    /// The numbers for scripts.
    pub(crate) fn json(&self) -> Json {
        let mut json = params_json(&self.params);
        json["fidelity"] = self.fidelity.as_ref().map_or(Json::Null, Fidelity::json);
        self.files.json(&mut json);
        json["file_bytes"]["plan"] = self.plan_bytes.into();
        json["bootstraps"] = self.n_bootstraps.into();
        if let Some(Failure { log2, overflow_bound }) = &self.failure {
            json["log2_failure"] = log2.is_finite().then_some(*log2).into();
            json["overflow_bound"] = (*overflow_bound).into();
        }
        self.run.json(&mut json);
        match self.noise_budget {
            Some(budget) => {
                json["noise_budget_bits"] = budget.into();
                json["integer_results"] = self.integers.iter().map(IntegerResult::json).collect();
            }
            None => {
                json["precision_bits"] = self.precision.into();
                json["largest_error"] = self.largest_error.into();
            }
        }
        json
    }
}

impl fmt::Display for CostSheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sheet = Sheet::default();
        self.fidelity.iter().for_each(|fidelity| fidelity.lines(&mut sheet));
        params_lines(&self.params, &mut sheet);
        if self.n_bootstraps > 0 {
            sheet.line("bootstraps", self.bootstraps());
        }
        sheet.line("plan", units::exact_bytes(self.plan_bytes));
        self.files.lines(&mut sheet);
        self.run.lines(&mut sheet);
        let precision = if let Some(budget) = self.noise_budget {
            format!("exact integers; noise is {budget:.1} bits below what could change them")
        } else if self.precision < 1.0 {
            "the bound, which takes the worst of every layer, says nothing for so deep a network: `hecc simulate` measures \
             what encryption changes"
                .to_owned()
        } else {
            format!(
                "{:.1} bits: encryption changes the result by less than {}",
                self.precision,
                units::number(self.largest_error)
            )
        };
        sheet.line("precision", precision);
        self.integers.iter().for_each(|result| sheet.line("results", result.text()));
        sheet.fmt(f)
    }
}

/// Ring, modulus and security, with the row of the table that proves it.
pub(crate) fn params_lines(params: &Params, sheet: &mut Sheet) {
    let (log_n, n) = (params.log_n, params.ring_degree());
    sheet.line("ring", format!("degree N = {n} (2^{log_n}), {} slots", params.n_slots()));
    sheet.line(
        "modulus",
        format!(
            "{:.1} bits: {} of {:.1} bits, {} for keys of {:.1} bits",
            params.log_qp(),
            units::count(params.q.len(), "prime"),
            params.log_total_q(),
            params.p.len(),
            params.log_qp() - params.log_total_q()
        ),
    );
    if !params.t().is_empty() {
        let bits: f64 = params.t().iter().map(|&t| (t as f64).log2()).sum();
        let primes: Vec<String> = params.t().iter().map(u64::to_string).collect();
        let count = units::count(primes.len(), "prime");
        let runs = if primes.len() > 1 { ", one run for each" } else { "" };
        sheet.line("integers", format!("{bits:.1} bits: {count} ({}){runs}", primes.join(", ")));
    }
    let (promise, proof) = security(params);
    sheet.line("security", promise);
    sheet.line("", proof);
    let above = params.q.len() - 1 - params.input_level;
    let bootstrapping = match above {
        0 => String::new(),
        _ => format!(", and {} that bootstrapping uses above them", units::count(above, "prime")),
    };
    sheet.line("levels", format!("{}{bootstrapping}", params.input_level));
}

/// The promise and its proof.
fn security(params: &Params) -> (String, String) {
    let bits = params.security.bits();
    let row = TABLE.iter().find(|row| row.log_n == params.log_n);
    let allowed = max_log_qp(params.log_n, params.security);
    let (Some(row), Some(allowed), true) = (row, allowed, bits > 0) else {
        return ("NONE: these parameters are for tests only".to_owned(), String::new());
    };
    let [at128, at192, at256] = row.max_log_qp;
    let promise = format!(
        "{bits} bits, since the modulus has {:.1} bits, and {allowed} are secure at N = 2^{}",
        params.log_qp(),
        params.log_n
    );
    let proof = format!(
        "(at most {at128}, {at192}, {at256} bits for 128, 192, 256 bits of security: Security Guidelines, \
         eprint 2024/463, table 5.2, ternary secret)"
    );
    (promise, proof)
}

/// Ring, modulus and security, for scripts.
pub(crate) fn params_json(params: &Params) -> Json {
    json!({
        "ring_degree": params.ring_degree(),
        "log_n": params.log_n,
        "slots": params.n_slots(),
        "log_qp": params.log_qp(),
        "max_log_qp": max_log_qp(params.log_n, params.security),
        "security_bits": params.security.bits(),
        "security_source": "eprint 2024/463, table 5.2, ternary secret",
        "ciphertext_modulus_primes": params.q,
        "special_primes": params.p,
        "scheme": if params.scheme() == Scheme::Bfv { "bfv" } else { "ckks" },
        "plaintext_primes": params.t(),
        "levels": params.q.len() - 1,
        "top_scale_bits": params.top_scale(),
    })
}

/// Each raises a ciphertext to a larger modulus.
fn n_bootstraps(plan: &VerifiedPlan) -> usize {
    plan.ops.iter().filter(|op| matches!(op, Op::ModRaise(..))).count()
}

/// Bits that the noise of the results may grow before they are wrong.
fn noise_budget(plan: &VerifiedPlan) -> f64 {
    let noise = noise::analyze_exact(plan);
    let left = plan.output_values().map(|value| noise::budget(plan, value, noise[value.index()]));
    left.fold(f64::INFINITY, f64::min)
}

/// Bits of precision in the worst output slot, and the error that leaves, in the unit of the results. The results are
/// within [−1, 1] before the factor of the output.
fn precision(plan: &VerifiedPlan) -> (f64, f64) {
    let deviations = noise::analyze(plan);
    let mut worst = (f64::INFINITY, 0.0);
    for output in &plan.outputs {
        for (value, _) in &output.slots {
            let error = deviations[value.index()].bound;
            worst =
                (f64::min(worst.0, -error.log2()), f64::max(worst.1, error * output.factor.abs()));
        }
    }
    worst
}
