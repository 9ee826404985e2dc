//! The errors of a plan's values: formulas of what each primitive adds, followed through approximate plans (`analysis`)
//! and through plans of integers (`exact`).

mod analysis;
mod classes;
mod content;
mod errors;
mod exact;
mod factors;
mod formulas;
mod groups;
mod known;
mod layers;
mod lineage;
mod marks;
mod mixing;
mod mixture;
mod moduli;
mod prints;
mod profile;
mod samples;
mod second_order;
mod shifts;
mod sizes;
mod slot_sums;
mod spectrum;
mod summands;
#[cfg(test)]
mod testing;
mod variance;

pub use analysis::{Deviation, analyze};
pub use classes::{MOST_CLASSES, class_of, count_classes};
pub use exact::{EXACT_TAIL, HEADROOM_BITS, analyze_exact, budget, rounding_variance};
pub use formulas::{
    SIGMA, encode, fresh, fresh_public, fresh_secret, key_product, overflow, rounding,
    rounding_ephemeral, tail,
};
pub use moduli::Moduli;
pub use sizes::ConstantSizes;
