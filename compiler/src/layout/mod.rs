//! Layouts of tensors in slots, and linear maps between layouts as diagonals, rotations and plaintexts.

mod arrangement;
mod boxes;
mod candidates;
mod diagonals;
#[expect(clippy::module_inception, reason = "the folder is named after its main idea")]
mod layout;
mod moves;
mod rotation_sum;
mod schedule;
mod slots;
mod step_set;
mod tile;

pub use boxes::{Boxes, boxes, moved};
pub use candidates::{candidates, of_input};
pub use diagonals::{Diagonals, Pair, Shifts, collect, diagonals, joint_period, shifts};
pub use layout::{Bit, Copies, Layout, bits_for};
pub use moves::{MovesOfEntries, most_moves, moves_of};
pub use rotation_sum::RotationSum;
pub use schedule::{Schedule, ScheduleTerm, Splits};
pub use slots::{Period, Shift, SlotSpace};
pub use tile::{Batch, Tiles};
