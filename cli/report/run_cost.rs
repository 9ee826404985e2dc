//! What running a plan costs.

use hecc_grammar::cost::{self, Costs};
use hecc_grammar::plan::Plan;
use serde_json::{Value as Json, json};

use crate::terminal::table::Sheet;
use crate::terminal::units;

/// Memory and time of a run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunCost {
    /// Bytes: evaluation keys, what is stored of them, values alive at once, tables; and encoded weights, if they are kept between runs.
    key_memory: u64,
    stored_key_memory: u64,
    value_memory: u64,
    table_memory: u64,
    weight_memory: u64,
    /// Predicted seconds on one core: a run; encoding the weights, before the first.
    run_seconds: f64,
    encode_seconds: f64,
}

impl RunCost {
    /// Of a plan.
    pub(crate) fn of(plan: &Plan, costs: &Costs) -> RunCost {
        RunCost {
            key_memory: cost::key_bytes(plan),
            stored_key_memory: cost::stored_key_bytes(plan),
            value_memory: cost::peak_value_bytes(plan),
            table_memory: cost::table_bytes(plan),
            weight_memory: cost::plaintext_bytes(plan),
            run_seconds: cost::plan_seconds(costs, plan),
            encode_seconds: cost::encode_seconds(costs, plan),
        }
    }

    /// For scripts.
    pub(crate) fn json(&self, json: &mut Json) {
        json["memory_bytes"] = json!({
            "keys": self.key_memory,
            "keys_at_least": self.stored_key_memory,
            "values": self.value_memory,
            "tables": self.table_memory,
            "encoded_weights": self.weight_memory,
        });
        json["predicted_seconds"] = json!({
            "run": self.run_seconds,
            "encode_weights": self.encode_seconds,
        });
    }

    /// For people.
    pub(crate) fn lines(&self, sheet: &mut Sheet) {
        let others = self.value_memory + self.table_memory;
        sheet.line(
            "memory of a run",
            format!(
                "{} (keys {}, values {}, tables {}){}; {} where memory is short",
                units::bytes(self.key_memory + others),
                units::bytes(self.key_memory),
                units::bytes(self.value_memory),
                units::bytes(self.table_memory),
                self.memory_of_weights(),
                units::bytes(self.stored_key_memory + others)
            ),
        );
        sheet.line(
            "time of a run",
            if self.weight_memory <= cost::KEPT_BYTES {
                format!(
                    "about {} on one core, and {} once to encode weights",
                    units::seconds(self.run_seconds),
                    units::seconds(self.encode_seconds)
                )
            } else {
                format!(
                    "about {} on one core, {} of it to encode weights, which are too many to keep",
                    units::seconds(self.run_seconds + self.encode_seconds),
                    units::seconds(self.encode_seconds)
                )
            },
        );
    }

    fn memory_of_weights(&self) -> String {
        match self.weight_memory {
            0 => String::new(),
            bytes => format!(", up to {} more to keep encoded weights", units::bytes(bytes)),
        }
    }
}
