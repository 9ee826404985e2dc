//! Snapshots of every pass, in text. Adding a case is adding a file:
//! - `tests/model/NAME.hecc`: a model, taken through all passes on a small insecure ring;
//! - `tests/plan/PASS/NAME.plan`: a plan, before and after that pass.
//!
//! After a deliberate change: `INSTA_UPDATE=always cargo test --test passes`, and review the diff.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod evaluators;

use std::path::{Path, PathBuf};

use std::cell::RefCell;
use std::rc::Rc;

use hecc_compiler::calibrate::Calibration;
use hecc_compiler::config::{Config, SchemeChoice};
use hecc_compiler::pass::approximate::ApproximateConfig;
use hecc_compiler::pass::eliminate_common::eliminate_common;
use hecc_compiler::pass::eliminate_dead::eliminate_dead;
use hecc_compiler::passes::{Made, Pass, Passes};
use hecc_compiler::pipeline::compile_observed;
use hecc_grammar::model::Model;
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
        let (plan, text) = stages(&model, &calibration, shown);
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

/// Compiles a model, and shows what every pass made. Plans must keep their promises after each.
fn stages(
    model: &Model,
    calibration: &Calibration,
    show: fn(&Pass<'_>) -> String,
) -> (Plan, String) {
    let config = Config {
        security: Security::insecure_for_tests(),
        log_n: Some(LOG_N),
        scheme: SchemeChoice::Ckks,
        precision: Some(18.0),
        approximate: ApproximateConfig {
            degrees: vec![2, 3, 7],
            more_degrees: vec![],
            ..ApproximateConfig::standard()
        },
        ..Config::standard()
    };
    let text = Rc::new(RefCell::new(String::new()));
    let seen = text.clone();
    let passes = Passes::observed(move |pass| {
        if pass.is_trial {
            return;
        }
        if let Made::Plan(plan) = pass.made {
            VerifiedPlan::new(plan.clone()).unwrap();
        }
        seen.borrow_mut().push_str(&show(&pass));
    });
    let compiled = compile_observed(model, calibration, &config, &passes).unwrap();
    drop(passes);
    (compiled.plan.into_inner(), text.take())
}

/// What a pass made, under its name.
fn shown(pass: &Pass<'_>) -> String {
    let body = match pass.made {
        Made::Model(model) => rounded(&model.to_string()),
        Made::Graph(_) | Made::Packing(_) => pass.made.to_string(),
        Made::Plan(plan) => instructions(plan),
        Made::Decision => return String::new(),
    };
    format!("== {}\n{}\n", pass.name, body.trim_end())
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
        assert_eq!(plan.outputs[i].shape, original[i].shape(), "{}", plan.name);
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
