//! The command line from outside: the built program, on a network small enough for a test.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod bench;
#[path = "../../runtime/tests/runtime/build.rs"]
#[expect(dead_code, reason = "what other tests build plans with")]
mod build;
#[path = "../distance/mod.rs"]
mod distance;
mod fidelity;
mod files;
mod inputs;
mod integers;
mod journey;
mod keys;
mod parts;
mod prune;
mod public_key;
mod refusals;
mod resources;
mod security;
mod sharing;
mod unusual;
mod versions;
mod workshop;
