//! Files of evaluation keys, ciphertexts and checkpoints. (Those of the secret and the public key are in `crate::client`.)
//!
//! Every payload starts with the plan's parameters; its size follows from the plan, so a reader knows it before it
//! allocates anything. Integers are little-endian. Readers trust nothing: every count, length, type, padding byte and
//! residue is checked.
//!
//! Polynomials are in the NTT domain, limb by limb. With ψ the 2N-th root of unity modulo the limb's prime that
//! [`Modulus::primitive_root`](crate::ring::Modulus::primitive_root) gives, a power of the smallest base that has one, word i of a limb is
//! the polynomial's value at ψ^e for e the i-th of [`NttTable::exponents`](crate::ring::NttTable::exponents): 2·rev(i') + 1, where rev
//! reverses log2(N) bits and i' is i with bits 0 and 1 exchanged for bits 2 and 3, if N is 16 at least.

#[cfg(feature = "evaluator")]
mod checkpoint;
mod ciphertexts;
mod describe;
mod evaluation_keys;
mod fields;
mod key_section;
mod pack;

#[cfg(feature = "evaluator")]
pub use checkpoint::{Checkpoint, read_checkpoint, write_checkpoint};
pub use ciphertexts::{
    Ciphertexts, input_bytes, output_bytes, read_inputs, read_outputs, write_inputs, write_outputs,
};
pub use describe::{Contents, RunSource, describe};
pub use evaluation_keys::{
    evaluation_keys_bytes, open_evaluation_keys, read_evaluation_keys, write_evaluation_keys,
};
pub(crate) use fields::{Reader, check_params, params_bytes, put_params};
pub use key_section::KeySection;
#[cfg(any(feature = "client", feature = "evaluator"))]
pub(crate) use pack::{packed_limbs_bytes, put_limbs, read_limbs};
