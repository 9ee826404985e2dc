//! What the file holds: checked before it is decoded, then read value by value.

pub(super) mod attribute;
mod external;
pub(super) mod tensor;
pub(super) mod wire;
