//! What the owner of the data does: make keys, encrypt, decrypt. Only this module knows the secret key.

mod decrypt;
mod encrypt;
mod keygen;
mod secret_key;

pub use decrypt::{decrypt, decrypt_slots};
pub use encrypt::{RangePolicy, encrypt, place_inputs, read_outputs};
pub use keygen::evaluation_keys;
pub use secret_key::SecretKey;
