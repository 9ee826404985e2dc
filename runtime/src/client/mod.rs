//! What the owner of the data does: make keys, encrypt, decrypt. Only this module knows the secret key.

mod decrypt;
mod encrypt;
mod file;
mod keygen;
mod outside;
mod precision;
mod secret_key;
mod security;
mod share;

pub use decrypt::{decrypt, decrypt_slots, measure_noise};
pub use encrypt::{RangePolicy, encrypt, place_inputs, read_outputs};
pub use file::{read_secret_key, secret_key_bytes, write_secret_key};
pub use keygen::evaluation_keys;
pub use outside::{Outside, outside, unusual_input};
pub use precision::Precision;
pub use secret_key::SecretKey;
pub use security::{TooWeak, check_security};
pub use share::Flood;
