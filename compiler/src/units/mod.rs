//! Units of layers and channels of images: which dimensions of tensors they are, and networks with others of them or in another
//! order.

mod axes;
mod rearrange;
mod weights;

pub(crate) use axes::{Along, Axes};
pub(crate) use rearrange::{Orders, Rearranged};
pub use weights::Weights;
