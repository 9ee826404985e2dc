//! What a user may ask of the slots of a ciphertext: a batch, and the shape of tiles.

/// How many inputs one run takes, whose elements lie side by side in the slots of a ciphertext.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// Two to the power of this, or more where that takes no longer.
    Log2(u32),
    /// As many as a ciphertext has slots: each holds one element of all inputs.
    Slots,
}

impl Batch {
    /// A single input.
    pub const ONE: Batch = Batch::Log2(0);

    /// Room for so many inputs.
    pub fn of_inputs(count: usize) -> Batch {
        Batch::Log2(count.next_power_of_two().trailing_zeros())
    }

    /// Inputs that are wanted of a run.
    pub fn inputs(self) -> usize {
        match self {
            Batch::Log2(log) => 1 << log,
            Batch::Slots => usize::MAX,
        }
    }

    /// log2 of the inputs of a ciphertext with 2^`log_slots` slots.
    pub fn log_inputs(self, log_slots: usize) -> usize {
        match self {
            Batch::Log2(log) => log as usize,
            Batch::Slots => log_slots,
        }
    }

    /// Whether rows of this many slots, log2, hold all inputs.
    pub fn fits(self, log_row: u32) -> bool {
        match self {
            Batch::Log2(log) => log <= log_row,
            Batch::Slots => true,
        }
    }
}

/// The shape of tiles (Aharoni et al., PoPETs 2023) that an input is cut into, one to a ciphertext: what its slots are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiles {
    /// log2 of the elements along each dimension of the input that is longer than 1, then perhaps that of copies.
    pub log_sizes: Vec<usize>,
    /// log2 of the inputs, the innermost dimension.
    pub log_inputs: usize,
}

impl Tiles {
    /// log2 of the slots.
    pub fn log_slots(&self) -> usize {
        self.log_sizes.iter().sum::<usize>() + self.log_inputs
    }
}
