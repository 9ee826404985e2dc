//! Prints what the search for bootstrapping parameters finds, a row for each number of levels, for `docs/results/bootstrapping.md`.
//!
//! `cargo run --release -p hecc-bench --bin bootstraps`
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use hecc_compiler::bootstrap::{Considered, Wish, fastest};
use hecc_grammar::cost::DEFAULT;
use hecc_grammar::security::Security;

/// Bits of precision, and the ratio where sines are wanted rather than messages.
const KINDS: [(f64, Option<f64>); 4] =
    [(14.5, None), (12.0, None), (10.0, None), (10.0, Some(8.0))];

fn main() {
    for (bits, sine) in KINDS {
        let sines = sine.map_or(String::new(), |ratio| format!(", sine left, ratio {ratio}"));
        println!("{bits} bits{sines}");
        for levels in 2..=8 {
            let wish = Wish {
                log_n: 15,
                log_slots: 14,
                n_values: 1,
                levels,
                bits,
                sine,
                failure: -52.0,
                security: Security::Bits128,
            };
            match fastest(&wish, &DEFAULT) {
                None => println!("{levels} levels: none"),
                Some(Considered { chain, seconds, key_bytes, .. }) => {
                    let gigabytes = key_bytes as f64 / 1e9;
                    let parameters = chain.parameters;
                    println!("{levels} levels: {seconds:.3} s, {gigabytes:.2} GB, {parameters:?}");
                }
            }
        }
    }
}
