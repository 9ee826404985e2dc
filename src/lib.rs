//! Neural networks on encrypted data: a network is compiled once, its client encrypts inputs and decrypts results, and its server
//! computes without seeing either.
//!
//! ```
//! use hecc::{Calibration, Client, Config, Model, Server, compile};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Networks come from ONNX files, see `hecc::onnx`; this one is so small that it fits here: the squares of x·W.
//! let network: Model = r#"
//!     model 1 "squares"
//!     c0 : [2,2] = [1, 3, 2, -1]
//!     t0 = input : [1,2] "x"
//!     t1 = matmul t0, c0 : [1,2] "sums"
//!     t2 = mul t1, t1 : [1,2] "squares"
//!     output "y" t2
//! "#
//! .parse()?;
//!
//! // Whoever has the network. Inputs are in [−1, 1]: better say so by examples of them, `Calibration::from_data`.
//! let inputs = Calibration::assumed(&network, -1.0, 1.0);
//! let plan = compile(&network, &inputs, &Config::standard())?;
//! let (for_clients, for_servers) = (plan.client_part()?, plan.server_part());
//!
//! // Whoever has the data. Everything that leaves it is made for others to read, but for its secret key.
//! let client = Client::generate(for_clients)?;
//! let keys = client.evaluation_keys()?;
//! let input = client.encrypt(&[&[0.5, -0.25]])?;
//!
//! // Whoever computes.
//! let server = Server::new(for_servers, &keys)?;
//! let result = server.run(input)?;
//!
//! // The data's owner again: the first output for the first input.
//! let y = &client.decrypt(result)?[0][0];
//! assert!(y.outside.is_none());
//! for (found, expected) in y.values.iter().zip([0.0, 3.0625]) {
//!     assert!((found - expected).abs() < 0.01, "{found}, expected {expected}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! All that goes from one to the other is bytes, the same as the files of the command line: what a [`Client`] encrypts `hecc run`
//! takes, and a [`Server`] takes what `hecc encrypt` writes.
//!
//! | feature | gives | needs |
//! |---|---|---|
//! | `client` | [`Client`], [`Sender`] | builds for `wasm32-unknown-unknown`, with the browser's random numbers |
//! | `evaluator` | [`Server`] | |
//! | `compiler` | [`compile`], [`onnx`], [`measure`] | both of these |
//! | `cli` | the program `hecc` | all of these; on by default |
//!
//! [`Plan`] is always there. What this library is made of has more to offer: `hecc-compiler` every pass, `hecc-runtime` keys,
//! ciphertexts and runs with checkpoints, `hecc-grammar` the languages and files of both.

#[cfg(feature = "client")]
mod client;
#[cfg(feature = "compiler")]
mod compile;
#[cfg(feature = "compiler")]
pub mod measure;
mod plan;
#[cfg(feature = "evaluator")]
mod server;

#[cfg(feature = "client")]
pub use client::{Client, Prediction, Sender};
#[cfg(feature = "compiler")]
pub use compile::compile;
pub use plan::Plan;
#[cfg(feature = "evaluator")]
pub use server::Server;

#[cfg(feature = "compiler")]
pub use hecc_compiler::{calibrate::Calibration, config::Config, error::CompileError};
pub use hecc_grammar::envelope::{FileError, Fingerprint, ReadError};
pub use hecc_grammar::model::Model;
pub use hecc_grammar::plan::{Input, Output};
#[cfg(feature = "client")]
pub use hecc_runtime::client::Outside;
pub use hecc_runtime::error::{RunError, TooWeak};
#[cfg(feature = "evaluator")]
pub use hecc_runtime::eval::Options;

/// Imports networks from ONNX.
#[cfg(feature = "compiler")]
pub mod onnx {
    pub use hecc_compiler::onnx::{
        ImportError, Imported, NodeError, import, import_file, read_bytes,
    };
}
