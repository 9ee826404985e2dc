//! Exact sizes of the files that go with a plan, before there are any.

use hecc_grammar::plan::Interface;
use hecc_runtime::client::{public_key_bytes, secret_key_bytes};
use hecc_runtime::file::{evaluation_keys_bytes, input_bytes, output_bytes};
use serde_json::{Value as Json, json};

use crate::terminal::table::Sheet;
use crate::terminal::units;

/// Bytes of keys, and of one input and its result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FileSizes {
    n_keys: usize,
    secret_key: u64,
    evaluation_keys: u64,
    public_key: u64,
    /// Under the secret and the public key.
    inputs: [u64; 2],
    output: u64,
}

impl FileSizes {
    /// Of a plan.
    pub(crate) fn of(interface: &Interface) -> FileSizes {
        FileSizes {
            n_keys: interface.keys.len(),
            secret_key: secret_key_bytes(&interface.params),
            evaluation_keys: evaluation_keys_bytes(interface),
            public_key: public_key_bytes(&interface.params),
            inputs: [true, false].map(|seeded| input_bytes(interface, 1, seeded)),
            output: output_bytes(interface, 1),
        }
    }

    /// For scripts.
    pub(crate) fn json(&self, json: &mut Json) {
        json["evaluation_keys"] = self.n_keys.into();
        json["file_bytes"] = json!({
            "secret_key": self.secret_key,
            "evaluation_keys": self.evaluation_keys,
            "public_key": self.public_key,
            "input_ciphertext": self.inputs[0],
            "public_input_ciphertext": self.inputs[1],
            "output_ciphertext": self.output,
        });
    }

    /// For people.
    pub(crate) fn lines(&self, sheet: &mut Sheet) {
        sheet.line("secret key", units::exact_bytes(self.secret_key));
        let keys = units::exact_bytes(self.evaluation_keys);
        sheet.line("evaluation keys", format!("{keys}, {}", units::count(self.n_keys, "key")));
        sheet.line("public key", units::exact_bytes(self.public_key));
        let [own, others] = self.inputs.map(units::exact_bytes);
        sheet.line("encrypted input", format!("{own}; {others} under the public key"));
        sheet.line("encrypted output", units::exact_bytes(self.output));
    }
}
