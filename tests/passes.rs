//! Snapshots of every pass, in text. Adding a case is adding a file:
//! - `tests/model/NAME.hecc`: a model, taken through all passes on a small insecure ring;
//! - `tests/plan/PASS/NAME.plan`: a plan, before and after that pass.
//!
//! After a deliberate change: `INSTA_UPDATE=always cargo test --test passes`, and review the diff.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod evaluators;

use std::path::{Path, PathBuf};

use hecc_compiler::calibrate::{Calibration, Split, Stats};
use hecc_compiler::config::Config;
use hecc_compiler::judge::{Judge, OutputWish, output_kinds, results};
use hecc_compiler::ladder::Ladder;
use hecc_compiler::pass::approximate::{ApproximateConfig, DegreeSearch};
use hecc_compiler::pass::assign_levels::assign_levels;
use hecc_compiler::pass::choose_params::{Request, params_for};
use hecc_compiler::pass::eliminate_common::eliminate_common;
use hecc_compiler::pass::eliminate_dead::eliminate_dead;
use hecc_compiler::pass::linearize::linearize;
use hecc_compiler::pass::lower::{LowerConfig, Products, lower};
use hecc_compiler::pass::normalize::normalize;
use hecc_compiler::pass::pack::{PackConfig, pack};
use hecc_grammar::model::{Model, Tensor};
use hecc_grammar::plan::{Plan, TypeError, VerifiedPlan};
use hecc_grammar::security::Security;
use hecc_runtime::eval::{Noise, run_clear};

use evaluators::{Outputs, run_all};

/// log2 of the ring degree of the snapshots: 32 slots keep them readable.
const LOG_N: u32 = 6;

/// A pass from plan to plan.
type PlanPass = fn(&Plan) -> Result<Plan, TypeError>;

#[test]
fn models_through_all_passes() {
    for path in files(Path::new("tests/model"), "hecc") {
        let model: Model =
            read(&path).parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let calibration = Calibration::assumed(&model, -1.0, 1.0);
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut text = String::new();
        let plan = stages(&model, &calibration, &mut |stage, body: &dyn std::fmt::Display| {
            text.push_str(&format!("== {stage}\n{}\n", body.to_string().trim_end()));
        });
        insta::with_settings!({ snapshot_path => "model", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name.clone(), text);
        });
        let text: Plan = plan.to_string().parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(text, plan, "{name}: printed and read back");
        agree(&model, &calibration, plan);
    }
}

#[test]
fn plans_through_one_pass() {
    let passes: [(&str, PlanPass); 2] =
        [("eliminate_common", eliminate_common), ("eliminate_dead", eliminate_dead)];
    for (pass, run) in passes {
        for path in files(&Path::new("tests/plan").join(pass), "plan") {
            let plan: Plan =
                read(&path).parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let result = run(&plan).unwrap();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            insta::with_settings!({ snapshot_path => format!("plan/{pass}"), prepend_module_to_snapshot => false }, {
                insta::assert_snapshot!(name, result.to_string());
            });
            same_in_the_clear(plan, result);
        }
    }
}

/// Runs every pass by itself, as `pipeline::compile` does, and shows each result.
fn stages(
    model: &Model,
    calibration: &Calibration,
    show: &mut dyn FnMut(&str, &dyn std::fmt::Display),
) -> Plan {
    let config = Config { security: Security::insecure_for_tests(), ..Config::standard() };
    let approximate_config = ApproximateConfig {
        degrees: vec![2, 3, 7],
        more_degrees: vec![],
        degree_of_layers: None,
        ..ApproximateConfig::standard()
    };
    let observe = |model: &Model| Stats::collect(model, calibration).unwrap();
    let split = Split::new(model, calibration);
    let kinds = output_kinds(model, OutputWish::Unsaid, None);
    let judge = Judge::new(kinds, &results(model, &split.kept.inputs).unwrap());
    let seen = observe(model).ranges;
    let mut search =
        DegreeSearch::new((model, &seen), &split, &judge, &approximate_config).unwrap();
    let approximated = search.try_next().unwrap().unwrap().model;
    show("approximate", &rounded(&approximated.to_string()));
    let graph = linearize(&approximated).unwrap();
    show("linearize", &graph);
    let ranges = observe(&approximated).ranges;
    let range = |tensor: Tensor| ranges[tensor.index()];
    let graph = normalize(&approximated, &graph, &range);
    show("normalize", &graph);
    let levels = assign_levels(&graph);
    show("assign_levels", &format!("{levels:?}"));
    let depth = levels.iter().copied().max().unwrap_or(0);
    let n_special = 2;
    let costs = &config.costs;
    let packing = pack(
        &graph,
        PackConfig {
            log_n: LOG_N,
            two_rows: false,
            n_special,
            levels: &levels,
            n_lowest: 1,
            costs,
        },
    )
    .unwrap();
    show("pack", &packing);
    let request =
        Request { log_n: LOG_N, depth, scale: 40.0, n_special, security: config.security };
    let params = params_for(&request).unwrap();
    let lower_config = LowerConfig {
        model: &approximated,
        ladder: Ladder::new(params, 1),
        levels: &levels,
        refresh: None,
        range: &range,
        quantiles: &[],
        normalization: None,
        quantizers: &vec![None; model.inputs().count()],
        limit: None,
        steps: &[],
        products: Products::Own,
    };
    let lowered = lower(&graph, &packing, &lower_config).unwrap();
    show("lower", &instructions(&lowered));
    let shared = eliminate_common(&lowered).unwrap();
    show("eliminate_common", &instructions(&shared));
    let plan = eliminate_dead(&shared).unwrap();
    show("eliminate_dead", &instructions(&plan));
    plan
}

/// The instructions of a plan's text: constants and layers repeat what the stages before show.
fn instructions(plan: &Plan) -> String {
    let text = plan.to_string();
    let is_instruction = |line: &&str| line.starts_with('v') && line.contains(" = ");
    text.lines().filter(is_instruction).collect::<Vec<_>>().join("\n")
}

/// Numbers of fits to six digits: their last bits differ between processors.
fn rounded(text: &str) -> String {
    let round = |word: &str| match word.parse::<f64>() {
        Ok(number) if word.len() > 8 => format!("{number:.6}"),
        _ => word.to_owned(),
    };
    text.split_inclusive([',', '[', ']', '=', ' ', '\n'])
        .map(|piece| {
            let end = piece.trim_end_matches([',', '[', ']', '=', ' ', '\n']).len();
            round(&piece[..end]) + &piece[end..]
        })
        .collect()
}

/// All three evaluators agree with the model.
fn agree(model: &Model, calibration: &Calibration, plan: Plan) {
    let plan = VerifiedPlan::new(plan).unwrap();
    let first = |x: &ndarray::ArrayD<f64>| x.slice_axis(ndarray::Axis(0), (0..1).into()).to_owned();
    let inputs: Vec<_> = calibration.inputs.iter().map(first).collect();
    let tensors: Vec<Vec<f64>> = inputs.iter().map(|x| x.iter().copied().collect()).collect();
    let Outputs { clear, simulated, encrypted } = run_all(&plan, &tensors, 5);
    let original = hecc_compiler::interpret::run(model, &inputs).unwrap();
    let near = |a: &[f64], b: &[f64], bound: f64| {
        let error = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(a.len() == b.len() && error < bound, "{}: {a:?} and {b:?}", plan.name);
    };
    for (i, clear) in clear.iter().enumerate() {
        near(clear, &simulated[i], 1e-5);
        near(clear, &encrypted[i], 1e-5);
        let original: Vec<f64> = original[i].iter().copied().collect();
        near(clear, &original, 0.5);
    }
}

fn same_in_the_clear(before: Plan, after: Plan) {
    let run = |plan: Plan| {
        let plan = VerifiedPlan::new(plan).unwrap();
        let slots = |ct: usize| {
            (0..plan.params.n_slots()).map(|i| ((i * 7 + ct) % 11) as f64 / 11.0).collect()
        };
        let inputs: Vec<Vec<f64>> = (0..plan.n_input_ciphertexts()).map(slots).collect();
        run_clear(&plan, &inputs, Noise::None, |_, _| {})
    };
    assert_eq!(run(before), run(after));
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == extension));
    paths.sort();
    assert!(!paths.is_empty(), "no cases in {}", folder.display());
    paths
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
