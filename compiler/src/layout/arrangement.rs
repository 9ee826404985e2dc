//! Layouts in the making: pixels that have their places, channels that wait for one.

use crate::linear::Slide;

use super::{Bit, Layout, SlotSpace, bits_for};

/// What an operand has where a result's pixels are not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    /// Copies below its channels.
    Copy,
    /// Bits of its channels, or pixels that a stride left out, between pixels.
    Between,
    /// Its channels.
    Channel,
    /// Copies or nothing above all.
    Above,
}

/// Bits that have their places, and others that wait for one.
#[derive(Clone)]
pub(super) struct Arrangement {
    /// By place.
    bits: Vec<Option<Bit>>,
    /// Lowest first.
    pub(super) waiting: Vec<Bit>,
    /// Free places below the last of `bits`, in the order in which they are taken, before those above.
    order: Vec<usize>,
}

impl Arrangement {
    /// Pixels at the lowest places; the channels before them, or the elements of a vector, waiting.
    pub(super) fn row_major(shape: &[usize]) -> Arrangement {
        let of_dim = |dim: usize| {
            (0..bits_for(shape[dim])).map(move |bit| Bit::Dim { dim: dim as u8, bit: bit as u8 })
        };
        let n_before = shape.len().min(2);
        let pixels = (n_before..shape.len()).rev().flat_map(of_dim);
        let waiting = (0..n_before).rev().flat_map(of_dim).collect();
        Arrangement { bits: pixels.map(Some).collect(), waiting, order: vec![] }
    }

    /// All bits waiting, row-major.
    pub(super) fn all_waiting(shape: &[usize]) -> Arrangement {
        let dims = shape.iter().enumerate().rev();
        let bits = dims.flat_map(|(dim, &n)| {
            (0..bits_for(n)).map(move |bit| Bit::Dim { dim: dim as u8, bit: bit as u8 })
        });
        Arrangement { bits: vec![], waiting: bits.collect(), order: vec![] }
    }

    /// The result's pixels at the operand's positions; the other dimensions waiting.
    pub(super) fn inherited(
        shape: &[usize],
        input: &Layout,
        slides: &[Slide],
    ) -> Option<Arrangement> {
        let mut bits: Vec<Option<Bit>> = vec![None; input.bits.len()];
        let mut waiting = vec![];
        for (dim, (&n, slide)) in shape.iter().zip(slides).enumerate() {
            for bit in 0..bits_for(n) as u8 {
                let here = Bit::Dim { dim: dim as u8, bit };
                let place = slide.and_then(|(from, log)| {
                    let there = Bit::Dim { dim: from as u8, bit: bit + log as u8 };
                    input.bits.iter().position(|&b| b == there)
                });
                match place {
                    Some(place) => bits[place] = Some(here),
                    None => waiting.push(here),
                }
            }
        }
        bits.iter().any(Option::is_some).then_some(Arrangement { bits, waiting, order: vec![] })
    }

    /// Free places among the pixels first if `fill_low`, else those above them.
    pub(super) fn with_order(&self, fill_low: bool) -> Arrangement {
        let highest = self.bits.iter().rposition(Option::is_some).unwrap_or(0);
        let free = |range: std::ops::Range<usize>| {
            range.filter(|&place| self.bits[place].is_none()).collect::<Vec<_>>()
        };
        let (low, high) = (free(0..highest), free(highest + 1..self.bits.len()));
        let order = if fill_low { [low, high].concat() } else { [high, low].concat() };
        Arrangement { order, ..self.clone() }
    }

    /// For an input: copies below its channels, or above some of them, the others in ciphertexts of their own. In any number.
    pub(super) fn replicated(&self, shape: &[usize], space: SlotSpace) -> Vec<Layout> {
        let free = space.log_slots().saturating_sub(self.bits.len());
        let below = |n_copies: usize| {
            let copies = vec![Bit::Replica; n_copies];
            self.filled(shape, space, &[copies, self.waiting.clone()].concat(), Bit::Replica)
        };
        let above = |n_own: usize| {
            let (own, others) = self.waiting.split_at(n_own);
            let copies = vec![Bit::Replica; free - n_own];
            self.filled(shape, space, &[own, &copies, others].concat(), Bit::Replica)
        };
        let below = (1..=free).map(below);
        below.chain((0..free.min(self.waiting.len())).map(above)).collect()
    }

    /// Channels where an operand has copies between its elements, and copies elsewhere; or copies where it has channels, and channels
    /// elsewhere. Then products of channels are made where these lie, and summed up over slots in the first case, over ciphertexts
    /// in the second, without masks: the two convolutions of HyPHEN (IEEE Access 2024), and fully connected layers on tiles
    /// (Aharoni et al., PoPETs 2023).
    pub(super) fn across(&self, shape: &[usize], input: &Layout) -> Vec<Layout> {
        let inner = input.inner_replicas();
        let highest = self.bits.iter().rposition(Option::is_some);
        let held = |place: usize| match input.bits[place] {
            _ if inner >> place & 1 == 1 => Held::Copy,
            Bit::Gap | Bit::Replica => Held::Above,
            // A stride leaves it free.
            Bit::Dim { .. } if highest.is_some_and(|highest| place < highest) => Held::Between,
            Bit::Dim { .. } => Held::Channel,
        };
        let below: &[&[Held]] = &[&[Held::Copy], &[Held::Copy, Held::Between]];
        let above: &[&[Held]] = &[&[Held::Above], &[Held::Above, Held::Between]];
        let all = if inner == 0 { vec![above] } else { vec![below, above] };
        let places = all.into_iter().flatten();
        places.map(|places| self.exchanged(shape, input.space, held, places)).collect()
    }

    /// Channels at free slots where an operand has what is named; elsewhere copies, and nothing between pixels.
    fn exchanged(
        &self,
        shape: &[usize],
        space: SlotSpace,
        held: impl Fn(usize) -> Held,
        places: &[Held],
    ) -> Layout {
        let mut bits = self.bits.clone();
        bits.resize(bits.len().max(space.log_slots()), None);
        let mut waiting = self.waiting.iter();
        for (place, bit) in bits[..space.log_slots()].iter_mut().enumerate() {
            if bit.is_none() {
                *bit = match held(place) {
                    own if places.contains(&own) => waiting.next().copied().or(Some(Bit::Replica)),
                    Held::Between => None,
                    Held::Copy | Held::Channel | Held::Above => Some(Bit::Replica),
                };
            }
        }
        let own = Arrangement { bits, waiting: waiting.copied().collect(), order: vec![] };
        own.filled(shape, space, &own.waiting, Bit::Gap)
    }

    /// These bits at the free places; above the last slot that is taken `top`.
    pub(super) fn filled(
        &self,
        shape: &[usize],
        space: SlotSpace,
        waiting: &[Bit],
        top: Bit,
    ) -> Layout {
        let mut bits = self.bits.clone();
        let mut places = self.order.iter();
        for &bit in waiting {
            match places.next() {
                Some(&place) => bits[place] = Some(bit),
                None => bits.push(Some(bit)),
            }
        }
        let log_slots = space.log_slots();
        while bits.len() > log_slots && bits.last() == Some(&None) {
            bits.pop();
        }
        bits.resize(bits.len().max(log_slots), None);
        let last = bits[..space.log_row].iter().rposition(Option::is_some);
        let fill = |(place, bit): (usize, &Option<Bit>)| {
            let is_above = last.is_none_or(|last| place > last) && place < log_slots;
            bit.unwrap_or(if is_above { top } else { Bit::Gap })
        };
        let bits = bits.iter().enumerate().map(fill).collect();
        Layout { shape: shape.to_vec(), space, bits }
    }
}
