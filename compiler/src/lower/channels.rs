//! Numbers that channels have of their own, as plaintexts.

use hecc_grammar::plan::{Runs, View};

use crate::layout::{Copies, Layout};

use super::tables::Tables;

/// Where the elements of each channel are.
pub(super) enum Channels {
    /// All elements are alike.
    Alike,
    /// Each ciphertext holds one element, of this many of the same channel.
    ByElement { n_elements: usize },
    /// By ciphertext, slots with the numbers of channels.
    Slots(Vec<Runs>),
}

impl Channels {
    /// Of a tensor whose elements are `n` channels one after another.
    pub(super) fn new(n: usize, layout: &Layout) -> Channels {
        if n == 1 {
            return Channels::Alike;
        }
        let n_elements = layout.shape.iter().product::<usize>() / n;
        if layout.is_by_element() {
            return Channels::ByElement { n_elements };
        }
        let of_ciphertext = |runs: &Runs| {
            let channel = |(slot, element): (u32, u32)| (slot, element / n_elements as u32);
            let pairs: Vec<(u32, u32)> = runs.pairs().into_iter().map(channel).collect();
            layout.space.plaintext(Runs::from_pairs(&pairs), layout.period())
        };
        Channels::Slots(layout.runs(Copies::OfPeriod).iter().map(of_ciphertext).collect())
    }

    /// The plaintext of one number for all channels, or of one for each.
    pub(super) fn view(&self, numbers: &[f64], ciphertext: usize, tables: &mut Tables) -> View {
        match self {
            Channels::Alike => View::Splat(numbers[0]),
            Channels::ByElement { n_elements } => View::Splat(numbers[ciphertext / n_elements]),
            Channels::Slots(runs) => View::Table {
                table: tables.push(numbers),
                factor: 1.0,
                runs: runs[ciphertext].clone(),
            },
        }
    }
}
