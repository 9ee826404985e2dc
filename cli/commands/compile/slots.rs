//! What the slots of ciphertexts are of, as options.

use hecc_compiler::config::Config;
use hecc_compiler::layout::{Batch, Tiles};

use super::values::{parse_batch, parse_tiles};

/// Options of all commands that lay networks out.
#[derive(clap::Args)]
pub(crate) struct Slots {
    /// Compute so many inputs in one run, rounded up to a power of two; without a number as many as there are slots. More
    /// inputs a second, but the first takes as long as all.
    #[arg(long, value_name = "INPUTS", num_args = 0..=1, require_equals = true, default_missing_value = "slots", value_parser = parse_batch)]
    batch: Option<Batch>,
    /// Lay inputs out in tiles of this shape, such as 4x8x512, and all that follows without moving it: elements along each
    /// dimension of an input, perhaps copies, and inputs of a run, powers of two. Their product is the number of slots.
    #[arg(long, value_name = "SIZES", value_parser = parse_tiles, conflicts_with = "batch")]
    tiles: Option<Tiles>,
}

impl Slots {
    /// The options that were given, as they are written.
    pub(crate) fn options(&self) -> Option<String> {
        let inputs = |batch: Batch| match batch {
            Batch::Log2(log) => format!("--batch={}", 1u64 << log),
            Batch::Slots => "--batch".to_owned(),
        };
        let sizes = |tiles: &Tiles| {
            let all = tiles.log_sizes.iter().chain([&tiles.log_inputs]);
            let all: Vec<String> = all.map(|log| (1u64 << log).to_string()).collect();
            format!("--tiles {}", all.join("x"))
        };
        self.tiles.as_ref().map(sizes).or(self.batch.map(inputs))
    }

    /// The configuration with these slots.
    pub(crate) fn of(&self, config: Config) -> Config {
        let Some(tiles) = &self.tiles else {
            return Config { batch: self.batch.unwrap_or(Batch::ONE), ..config };
        };
        Config {
            batch: Batch::Log2(tiles.log_inputs as u32),
            log_n: Some(tiles.log_slots() as u32 + 1),
            tiles: Some(tiles.clone()),
            ..config
        }
    }
}
