//! Linear operators, with their structure.

mod convolution;
mod index;
mod map;
mod mat_mul;
mod of_op;
mod pool;
mod revalued;
mod sparse;
mod structure;
mod window;

pub use index::{flatten, unflatten};
pub use map::LinearMap;
pub use of_op::{Affine, affine_of};
pub use structure::{Pairs, Product, Relation, Slide, Structure};

use convolution::Convolution;
use mat_mul::MatMul;
use pool::Pool;
use revalued::Revalued;
