//! What there is to say of the parts of a plan.

use std::path::Path;

use hecc_grammar::cost::Costs;
use hecc_runtime::client::Precision;
use serde_json::{Value as Json, json};

use crate::files::plan_file::{LoadedClient, LoadedServer};
use crate::files::stream::input_name;
use crate::report::cost_sheet::{params_json, params_lines};
use crate::report::file_sizes::FileSizes;
use crate::report::run_cost::RunCost;
use crate::report::tensors;
use crate::terminal::table::Sheet;
use crate::terminal::units;

/// Of a client part.
pub(crate) struct ClientSheet<'a> {
    pub(crate) path: &'a Path,
    pub(crate) size: u64,
    pub(crate) loaded: LoadedClient,
}

impl ClientSheet<'_> {
    /// For people.
    pub(crate) fn text(&self) -> Sheet {
        let part = &self.loaded.part;
        let mut sheet = Sheet::default();
        sheet.line("file", format!("{}: the client part of a plan", input_name(self.path)));
        sheet.line("size", units::exact_bytes(self.size));
        sheet.line("network", part.name.clone());
        sheet.line("of plan", self.loaded.fingerprint.to_string());
        tensors::lines(&part.inputs, &part.outputs, &mut sheet);
        params_lines(&part.interface.params, &mut sheet);
        FileSizes::of(&part.interface).lines(&mut sheet);
        let precision = Precision::of(part);
        let errors = match precision.is_exact() {
            true => "results are exact integers".to_owned(),
            false => format!(
                "as whoever made the plan says, encryption changes results by less than {}",
                units::number(precision.largest_bound())
            ),
        };
        sheet.line("precision", errors);
        sheet.line("it is for", "whoever has the data; the network's weights are not in it");
        sheet
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Json {
        let part = &self.loaded.part;
        let mut json = params_json(&part.interface.params);
        FileSizes::of(&part.interface).json(&mut json);
        tensors::json(&part.inputs, &part.outputs, &mut json);
        let keys = part.interface.keys.iter().map(|key_use| {
            json!({
                "key": key_use.key.to_string(),
                "limbs": key_use.limbs.len(),
                "special_primes": key_use.n_special,
            })
        });
        json["keys"] = keys.collect();
        json["kind"] = "client_part".into();
        json["bytes"] = self.size.into();
        json["plan"] = self.loaded.fingerprint.to_string().into();
        json["name"] = part.name.clone().into();
        json["largest_error"] = Precision::of(part).largest_bound().into();
        json
    }
}

/// Of a server part.
pub(crate) struct ServerSheet<'a> {
    pub(crate) path: &'a Path,
    pub(crate) size: u64,
    pub(crate) loaded: LoadedServer,
    pub(crate) costs: Costs,
}

impl ServerSheet<'_> {
    /// For people.
    pub(crate) fn text(&self) -> Sheet {
        let plan = &self.loaded.plan;
        let mut sheet = Sheet::default();
        sheet.line("file", format!("{}: the server part of a plan", input_name(self.path)));
        sheet.line("size", units::exact_bytes(self.size));
        sheet.line("of plan", self.loaded.fingerprint.to_string());
        let ciphertexts = [plan.n_input_ciphertexts(), plan.output_values().count()];
        let [sent, returned] = ciphertexts.map(|count| units::count(count, "ciphertext"));
        sheet.line("a run", format!("takes {sent}, returns {returned}"));
        sheet.line("instructions", units::grouped(plan.ops.len() as u64));
        params_lines(&plan.params, &mut sheet);
        FileSizes::of(&plan.interface()).lines(&mut sheet);
        RunCost::of(plan, &self.costs).lines(&mut sheet);
        sheet.line(
            "it is for",
            "the machine that runs the plan; what inputs and results mean is not in it",
        );
        sheet
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Json {
        let plan = &self.loaded.plan;
        let mut json = params_json(&plan.params);
        FileSizes::of(&plan.interface()).json(&mut json);
        RunCost::of(plan, &self.costs).json(&mut json);
        json["kind"] = "server_part".into();
        json["bytes"] = self.size.into();
        json["plan"] = self.loaded.fingerprint.to_string().into();
        json["input_ciphertexts"] = plan.n_input_ciphertexts().into();
        json["output_ciphertexts"] = plan.output_values().count().into();
        json["instructions"] = plan.ops.len().into();
        json
    }
}
