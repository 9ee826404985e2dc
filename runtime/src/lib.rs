//! Runs hecc plans on encrypted inputs.
//!
//! - [`client`]: keys, encryption, decryption. The only module that knows the secret key.
//! - [`eval`]: three evaluators of one plan: clear, with simulated noise, encrypted.
//! - [`mod@file`]: files of evaluation keys and ciphertexts.
//! - [`scheme`], [`rlwe`], [`kernel`], [`ring`]: what they are made of; each uses only those after it.
//!
//! The features `client` and `evaluator`, both of them by default, are the first two rooms; everything else is always there.

#[cfg(feature = "client")]
pub mod client;
pub mod error;
#[cfg(feature = "evaluator")]
pub mod eval;
pub mod file;
pub mod kernel;
pub mod ring;
pub mod rlwe;
pub mod scheme;
