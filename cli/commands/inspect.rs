//! `hecc inspect`: what a file is.

use std::path::{Path, PathBuf};

use anyhow::Result;
use hecc_grammar::cost::Costs;
use hecc_grammar::envelope::{Kind, kind_of, open_any};
use hecc_grammar::plan::{Key, Params, Plan};
use hecc_runtime::file::{Contents, describe};
use serde_json::{Value as Json, json};

use crate::files::memory::MemoryLimit;
use crate::files::plan_file::{self, LoadedPlan};
use crate::files::run_profile::RunProfile;
use crate::files::stream::input_name;
use crate::files::{bytes_file, costs, refusal};
use crate::report::cost_sheet::{CostSheet, params_json, params_lines};
use crate::report::layers::{LayerCost, layer_costs, layer_table, layers_json};
use crate::report::parts::{ClientSheet, ServerSheet};
use crate::report::tensors;
use crate::terminal::console::Console;
use crate::terminal::table::Sheet;
use crate::terminal::units;

/// Tell what a file is: a plan or a part of one, keys, or ciphertexts
///
/// Prints its parameters, the security they give and why, sizes, and for a plan a table of its layers. The whole file is
/// checked on the way.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file; `-` is standard input.
    file: PathBuf,
    #[command(flatten)]
    pub(crate) memory: MemoryLimit,
}

pub(crate) fn inspect(args: &Args, console: &Console) -> Result<()> {
    let path = &args.file;
    let bytes = bytes_file::read(path)?;
    let refused = |error| refusal::refused(path, error);
    let size = bytes.len() as u64;
    match kind_of(&bytes).map_err(refused)? {
        Kind::Plan => {
            let (loaded, costs) = (plan_file::open(path, bytes)?, costs::load()?);
            let n_instructions = loaded.plan.ops.len();
            let profile = RunProfile::read(path, loaded.fingerprint, n_instructions)?;
            let measured = profile.as_ref().map(|profile| &profile.instructions[..]);
            let layers = layer_costs(&loaded.plan, &costs, measured);
            let sheet = PlanSheet { path, loaded: &loaded, costs: &costs, layers, profile };
            return console.result(sheet.text(), sheet.json());
        }
        Kind::ClientPart => {
            let part = ClientSheet { path, size, loaded: plan_file::open_client(path, bytes)? };
            return console.result(part.text(), part.json());
        }
        Kind::ServerPart => {
            let (loaded, costs) = (plan_file::open_server(path, bytes)?, costs::load()?);
            let part = ServerSheet { path, size, loaded, costs };
            return console.result(part.text(), part.json());
        }
        Kind::SecretKey
        | Kind::EvaluationKeys
        | Kind::PublicKey
        | Kind::Input
        | Kind::Result
        | Kind::Checkpoint => {}
    }
    let envelope = open_any(bytes).map_err(refused)?;
    let contents = describe(&envelope).map_err(refused)?;
    let mut sheet = Sheet::default();
    sheet.line("file", format!("{}: {}", input_name(path), envelope.kind));
    sheet.line("size", units::exact_bytes(size));
    sheet.line("of plan", envelope.origin.plan.to_string());
    sheet.line("of key", envelope.origin.key.to_string());
    let mut json = contents_json(&contents);
    contents_lines(&contents, envelope.kind, &mut sheet);
    if let Some(direction) = direction(envelope.kind) {
        json["direction"] = direction.into();
    }
    json["kind"] = kind_name(envelope.kind).into();
    json["bytes"] = size.into();
    json["plan"] = envelope.origin.plan.to_string().into();
    json["key"] = envelope.origin.key.to_string().into();
    console.result(sheet, json)
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Plan => "plan",
        Kind::ClientPart => "client_part",
        Kind::ServerPart => "server_part",
        Kind::SecretKey => "secret_key",
        Kind::PublicKey => "public_key",
        Kind::EvaluationKeys => "evaluation_keys",
        Kind::Input | Kind::Result => "ciphertexts",
        Kind::Checkpoint => "checkpoint",
    }
}

/// Which way ciphertexts travel.
fn direction(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Input => Some("input"),
        Kind::Result => Some("output"),
        Kind::Plan
        | Kind::ClientPart
        | Kind::ServerPart
        | Kind::SecretKey
        | Kind::PublicKey
        | Kind::EvaluationKeys
        | Kind::Checkpoint => None,
    }
}

/// What there is to say of a plan.
struct PlanSheet<'a> {
    path: &'a Path,
    loaded: &'a LoadedPlan,
    costs: &'a Costs,
    layers: Vec<LayerCost>,
    profile: Option<RunProfile>,
}

impl PlanSheet<'_> {
    /// For people.
    fn text(&self) -> String {
        let (loaded, plan) = (self.loaded, &self.loaded.plan);
        let mut sheet = Sheet::default();
        sheet.line("file", format!("{}: a plan", input_name(self.path)));
        sheet.line("network", plan.name.clone());
        sheet.line("fingerprint", loaded.fingerprint.to_string());
        tensors::lines(&plan.inputs, &plan.outputs, &mut sheet);
        let source = if loaded.source.is_some() { "stored" } else { "not stored" };
        sheet.line("original network", source);
        sheet.line("instructions", units::grouped(plan.ops.len() as u64));
        let cost_sheet = CostSheet::new(plan, loaded.bytes, self.costs);
        let mut measured = Sheet::default();
        if let Some(profile) = &self.profile {
            measured.line("measured", profile.to_string());
        }
        format!("{sheet}{cost_sheet}{measured}\n{}", layer_table(plan, &self.layers))
    }

    /// For scripts.
    fn json(&self) -> Json {
        let (loaded, plan): (_, &Plan) = (self.loaded, &self.loaded.plan);
        let mut json = CostSheet::new(&loaded.plan, loaded.bytes, self.costs).json();
        json["kind"] = "plan".into();
        json["plan"] = loaded.fingerprint.to_string().into();
        json["name"] = plan.name.clone().into();
        tensors::json(&plan.inputs, &plan.outputs, &mut json);
        json["instructions"] = plan.ops.len().into();
        json["has_original_network"] = loaded.source.is_some().into();
        json["layers"] = layers_json(plan, &self.layers);
        json["measured"] = self.profile.as_ref().map_or(Json::Null, RunProfile::json);
        json
    }
}

fn contents_lines(contents: &Contents, kind: Kind, sheet: &mut Sheet) {
    params_lines(params_of(contents), sheet);
    match contents {
        Contents::SecretKey { .. } => {
            sheet
                .line("keep it", "to yourself: it reads everything that is encrypted for the plan");
        }
        Contents::PublicKey { .. } => {
            sheet.line("give it", "to those who encrypt inputs: it reads nothing, not even these");
        }
        Contents::EvaluationKeys { sections, .. } => {
            let rotations = sections.iter().filter(|s| matches!(s.key, Key::Rotate(_))).count();
            let others = units::count(sections.len() - rotations, "other");
            sheet.line("keys", format!("{} for rotations, {others}", rotations));
            sheet.line("give them", "to the machine that runs the plan: they reveal nothing");
        }
        Contents::Checkpoint { source, n_finished, .. } => {
            sheet.line("of input", format!("with checksum {}", source.input));
            sheet.line("with keys", format!("with checksum {}", source.keys));
            sheet.line("finished", units::count(*n_finished as usize, "run"));
        }
        Contents::Ciphertexts { n_examples, ciphertexts, .. } => {
            let what = direction(kind).unwrap_or("example");
            let sets = units::count(*n_examples as usize, what);
            sheet.line(
                "holds",
                format!("{sets} of {}", units::count(ciphertexts.len(), "ciphertext")),
            );
            if let Some(first) = ciphertexts.first() {
                let levels = first.limbs.len().saturating_sub(1);
                let seeded = if first.seeded { ", half of each a seed" } else { "" };
                sheet.line(
                    "each",
                    format!("{levels} levels left, scale 2^{:.1}{seeded}", first.scale),
                );
            }
        }
    }
}

fn contents_json(contents: &Contents) -> Json {
    let mut json = params_json(params_of(contents));
    match contents {
        Contents::SecretKey { .. } | Contents::PublicKey { .. } => {}
        Contents::EvaluationKeys { sections, .. } => {
            let section = sections.iter().map(|section| {
                json!({
                    "key": section.key.to_string(),
                    "limbs": section.limbs.len(),
                    "bytes": section.bytes,
                })
            });
            json["keys"] = section.collect();
        }
        Contents::Checkpoint { source, n_finished, .. } => {
            json["input_checksum"] = source.input.to_string().into();
            json["keys_checksum"] = source.keys.to_string().into();
            json["finished_runs"] = (*n_finished).into();
        }
        Contents::Ciphertexts { n_examples, ciphertexts, .. } => {
            json["sets"] = (*n_examples).into();
            let ciphertext = ciphertexts.iter().map(
                |c| json!({ "limbs": c.limbs.len(), "scale_bits": c.scale, "seeded": c.seeded }),
            );
            json["ciphertexts"] = ciphertext.collect();
        }
    }
    json
}

fn params_of(contents: &Contents) -> &Params {
    match contents {
        Contents::SecretKey { params }
        | Contents::PublicKey { params }
        | Contents::EvaluationKeys { params, .. }
        | Contents::Checkpoint { params, .. }
        | Contents::Ciphertexts { params, .. } => params,
    }
}
