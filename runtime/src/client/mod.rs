//! What the owner of the data does: make keys, encrypt, decrypt. Only this module knows the secret key; of a
//! plan it knows the client's part.

mod decrypt;
mod decrypted;
mod encrypt;
mod examples;
mod file;
mod keygen;
mod outside;
mod precision;
mod public_key;
mod secret_key;
mod security;
mod share;

pub use decrypt::{decrypt, decrypt_slots, measure_noise};
pub use decrypted::Decrypted;
pub use encrypt::{EncryptionKey, RangePolicy, encrypt, place_inputs, read_outputs};
pub use examples::{decrypt_examples, encrypt_examples, unusual_examples};
pub use file::{
    public_key_bytes, read_public_key, read_secret_key, secret_key_bytes, write_public_key,
    write_secret_key,
};
pub use keygen::evaluation_keys;
pub use outside::{Outside, outside, unusual_input};
pub use precision::Precision;
pub use public_key::PublicKey;
pub use secret_key::SecretKey;
pub use security::check_security;
pub use share::Flood;
