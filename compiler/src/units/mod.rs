//! Units of layers and channels of images: which dimensions of tensors they are, and networks with others of them or in another
//! order.

mod axes;
mod rearrange;

pub(crate) use axes::{Along, Axes};
pub(crate) use rearrange::{Orders, Rearranged};
