//! Ciphertexts and key switching, whatever the scheme. Everything here is public: the secret is in `crate::client`.

mod buffer;
mod ciphertext;
mod context;
mod key_switch;
mod plaintext;
mod poly;
mod stored_keys;

pub use buffer::Buffer;
pub use ciphertext::{Ciphertext, FreshCiphertext, Mask, limb_indices};
pub use context::Context;
pub use key_switch::{BLOCK, Digits, EvaluationKeys, KeyDigit, KeySwitchKey};
pub use plaintext::{Blocks, Plaintext};
pub use poly::{Coefficients, Ntt, Poly};
pub use stored_keys::{ReadAt, StoredKeys};
