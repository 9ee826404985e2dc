//! Runs hecc plans on encrypted inputs.
//!
//! - [`client`]: keys, encryption, decryption. The only module that knows the secret key.
//! - [`eval`]: three evaluators of one plan: clear, with simulated noise, encrypted.
//! - [`mod@file`]: files of evaluation keys and ciphertexts.
//! - [`scheme`], [`rlwe`], [`kernel`], [`ring`]: what they are made of; each uses only those after it.

pub mod client;
pub mod error;
pub mod eval;
pub mod file;
pub mod kernel;
pub mod ring;
pub mod rlwe;
pub mod scheme;
