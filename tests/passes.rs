//! Snapshots of every pass, in text. Adding a case is adding a file:
//! - `tests/model/NAME.hecc`: a model, taken through all passes on a small insecure ring, over integers if it rounds its input. What
//!   pass PASS made is in `tests/model/NAME/PASS.snap`, and in `stages.snap` which passes there were, in order;
//! - `tests/plan/PASS/NAME.plan`: a plan, before and after that pass.
//!
//! After a deliberate change: `INSTA_UPDATE=always cargo test --test passes`, and review the diff.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod distance;
mod evaluators;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use hecc_compiler::calibrate::Calibration;
use hecc_compiler::config::{Config, SchemeChoice};
use hecc_compiler::pass::approximate::ApproximateConfig;
use hecc_compiler::pass::bundle::bundle;
use hecc_compiler::pass::eliminate_common::eliminate_common;
use hecc_compiler::pass::eliminate_dead::eliminate_dead;
use hecc_compiler::pass::fuse_divisions::fuse_divisions;
use hecc_compiler::passes::{Made, Passes};
use hecc_compiler::pipeline::compile_observed;
use hecc_grammar::model::{Model, Op};
use hecc_grammar::plan::{Plan, TypeError, VerifiedPlan};
use hecc_grammar::security::Security;
use hecc_runtime::eval::{Noise, run_clear};

use distance::distance;
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
        let (plan, stages) = stages(&model, &calibration);
        compare(&name, &stages);
        let text: Plan = plan.to_string().parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(text, plan, "{name}: printed and read back");
        agree(&model, &calibration, plan);
    }
}

#[test]
fn plans_through_one_pass() {
    let passes: [(&str, PlanPass); 4] = [
        ("eliminate_common", eliminate_common),
        ("eliminate_dead", eliminate_dead),
        ("fuse_divisions", fuse_divisions),
        ("bundle", bundle),
    ];
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

/// What a pass made, in text.
struct Stage {
    /// The pass, with a number if there was one of its name before.
    name: String,
    text: String,
}

/// Compiles a model, and shows what every pass made. Models and plans must keep their promises after each.
fn stages(model: &Model, calibration: &Calibration) -> (Plan, Vec<Stage>) {
    let stages = Rc::new(RefCell::new(vec![]));
    let seen = stages.clone();
    let passes = Passes::observed(move |pass| {
        if pass.is_trial {
            return;
        }
        verify(pass.made);
        if let Some(text) = shown(pass.made) {
            seen.borrow_mut().push((pass.name, text));
        }
    });
    let compiled = compile_observed(model, calibration, &config(model), &passes).unwrap();
    (compiled.plan.into_inner(), named(stages.take()))
}

/// Small rings, and few degrees to choose from.
fn config(model: &Model) -> Config {
    let rounds = model.nodes.iter().any(|node| matches!(node.op, Op::FakeQuant { .. }));
    Config {
        security: Security::insecure_for_tests(),
        log_n: Some(LOG_N),
        scheme: if rounds { SchemeChoice::Bfv } else { SchemeChoice::Ckks },
        precision: Some(18.0),
        approximate: ApproximateConfig {
            degrees: vec![2, 3, 7],
            more_degrees: vec![],
            ..ApproximateConfig::standard()
        },
        ..Config::standard()
    }
}

/// Graphs and packings make no promises of their own: what is lowered from them does.
fn verify(made: Made<'_>) {
    match made {
        Made::Model(model) => model.verify().unwrap(),
        Made::Plan(plan) => drop(VerifiedPlan::new(plan.clone()).unwrap()),
        Made::Graph(_) | Made::Packing(_) | Made::Decision => {}
    }
}

/// What was made, unless it shows in what later passes make of it.
fn shown(made: Made<'_>) -> Option<String> {
    match made {
        Made::Model(model) => Some(rounded(&model.to_string())),
        Made::Graph(_) | Made::Packing(_) => Some(made.to_string()),
        Made::Plan(plan) => Some(instructions(plan)),
        Made::Decision => None,
    }
}

/// Passes of the same name are numbered, and what is as it was before is not repeated.
fn named(shown: Vec<(&str, String)>) -> Vec<Stage> {
    let name = |i: usize| {
        let (name, _) = shown[i];
        match shown[..i].iter().filter(|(other, _)| *other == name).count() {
            0 => name.to_owned(),
            before => format!("{name}-{}", before + 1),
        }
    };
    let text = |i: usize| match i > 0 && shown[i - 1].1 == shown[i].1 {
        true => format!("as {}", name(i - 1)),
        false => shown[i].1.clone(),
    };
    (0..shown.len()).map(|i| Stage { name: name(i), text: text(i) }).collect()
}

/// Compares stages with their snapshots, and says which snapshots are of none.
fn compare(model: &str, stages: &[Stage]) {
    let folder = Path::new("tests/model").join(model);
    let names: Vec<&str> = stages.iter().map(|stage| &stage.name[..]).collect();
    insta::with_settings!({
        snapshot_path => Path::new("model").join(model),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("stages", names.join("\n"));
        for Stage { name, text } in stages {
            insta::assert_snapshot!(&name[..], text);
        }
    });
    let expected: BTreeSet<&str> = names.into_iter().chain(["stages"]).collect();
    for path in files(&folder, "snap") {
        let name = path.file_stem().unwrap().to_string_lossy();
        assert!(expected.contains(&*name), "{}: no such stage, remove it", path.display());
    }
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
        assert!(distance(a, b) < bound, "{}: {a:?} and {b:?}", plan.name);
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
