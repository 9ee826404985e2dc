//! BFV: exact integers modulo t in slots (Brakerski, CRYPTO 2012; Fan, Vercauteren, eprint 2012/144).
//!
//! A ciphertext on primes of product Q decrypts to `Q/t·m + e`. Key switching, division by primes and sums are those of
//! CKKS; only multiplication and encoding are its own. A plan with several plaintext primes runs once for each.

mod encode;
mod multiply;
mod round;

pub use encode::Batch;
pub use multiply::Multiplier;
pub use round::{Messages, Rounding};
