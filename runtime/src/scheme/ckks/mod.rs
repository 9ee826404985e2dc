//! CKKS: approximate numbers in slots (Cheon, Kim, Kim, Song, ASIACRYPT 2017).

mod embedding;
mod encode;

pub use embedding::Embedding;
pub use encode::{decode, encode_real_pair, encode_slots, encode_splat};
