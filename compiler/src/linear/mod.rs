//! Linear operators as sparse matrices.

mod matrix;
mod of_op;

pub use matrix::Matrix;
pub use of_op::{Affine, affine_of, flatten, unflatten};
