//! Units change places, two at a time, as long as that saves anything.
//!
//! Hardly any single exchange empties a plaintext. So weights are drawn together first, by a price that a resource with few weights
//! takes part of, then by the price itself: the union of what the units of a group need (after HE-PEx's permutations, ESORICS
//! 2023, which take balanced k-means for it).

use super::price::{Layer, Prices};
use crate::limits;

/// For each axis, the place of each unit.
pub(super) type Places = Vec<Vec<u32>>;

/// The places that units have.
pub(super) fn identity(prices: &Prices) -> Places {
    prices.sizes.iter().map(|&n| (0..n as u32).collect()).collect()
}

/// Seconds of all that is needed.
pub(super) fn seconds(prices: &Prices, places: &Places) -> f64 {
    Arrangement::new(prices, places.clone(), 0.0).price
}

/// Better places, from these.
pub(super) fn improved(prices: &Prices, start: Places) -> Places {
    let mut places = start;
    for softness in limits::PERMUTE_SOFTNESS {
        let mut arrangement = Arrangement::new(prices, places, softness);
        arrangement.search();
        places = arrangement.places;
    }
    places
}

/// Units in places, with what that takes.
struct Arrangement<'a> {
    prices: &'a Prices,
    places: Places,
    /// For each axis and unit, its weights: layer, side and number.
    weights: Vec<Vec<Vec<(u32, u8, u32)>>>,
    /// Weights that need each resource.
    counts: Vec<u32>,
    /// The part of its price that a resource with so many weights takes.
    parts: Vec<f64>,
    price: f64,
    n_moves: u64,
}

impl<'a> Arrangement<'a> {
    fn new(prices: &'a Prices, places: Places, softness: f64) -> Arrangement<'a> {
        let weights = prices.sizes.iter().map(|&n| vec![vec![]; n]).collect();
        let mut new = Arrangement {
            prices,
            places,
            weights,
            counts: vec![0; prices.seconds.len()],
            parts: vec![],
            price: 0.0,
            n_moves: 0,
        };
        for (l, layer) in prices.layers.iter().enumerate() {
            for (w, weight) in layer.weights.iter().enumerate() {
                for &resource in layer.resources(*weight, new.placed(layer, w)) {
                    new.counts[resource as usize] += 1;
                }
                for (side, axis) in layer.sides.iter().enumerate() {
                    if let Some((axis, _)) = axis {
                        let of_unit = &mut new.weights[*axis][weight.units[side] as usize];
                        of_unit.push((l as u32, side as u8, w as u32));
                    }
                }
            }
        }
        let n_weights: usize = new.counts.iter().map(|&count| count as usize).sum();
        let mean = n_weights as f64 / new.counts.len().max(1) as f64;
        new.parts = parts(n_weights, softness * mean);
        let all = new.counts.iter().zip(&prices.seconds);
        new.price = all.map(|(&count, price)| price * new.parts[count as usize]).sum();
        new
    }

    /// The places of the units of a weight.
    fn placed(&self, layer: &Layer, weight: usize) -> [u32; 2] {
        let units = layer.weights[weight].units;
        let place = |side: usize| {
            layer.sides[side].map_or(0, |(axis, _)| self.places[axis][units[side] as usize])
        };
        [place(0), place(1)]
    }

    fn search(&mut self) {
        let mut random = Random(1);
        for _ in 0..limits::PERMUTE_ROUNDS {
            let before = self.price;
            for axis in 0..self.places.len() {
                self.round(axis, &mut random);
            }
            if self.n_moves > limits::PERMUTE_MOVES
                || before - self.price < limits::PERMUTE_GAIN * before
            {
                break;
            }
        }
    }

    /// Tries some exchanges for each unit of an axis.
    fn round(&mut self, axis: usize, random: &mut Random) {
        let n = self.places[axis].len();
        for unit in 0..n {
            for _ in 0..limits::PERMUTE_PARTNERS.min(n) {
                let other = random.below(n);
                if other != unit && self.n_moves <= limits::PERMUTE_MOVES {
                    self.try_exchange(axis, unit, other);
                }
            }
        }
    }

    /// Exchanges two units, and back if that saves nothing.
    fn try_exchange(&mut self, axis: usize, a: usize, b: usize) {
        let before = self.price;
        self.exchange(axis, a, b);
        if self.price > before - 1e-9 * before {
            self.exchange(axis, a, b);
            self.price = before;
        }
    }

    fn exchange(&mut self, axis: usize, a: usize, b: usize) {
        self.count(axis, (a, b), false);
        self.places[axis].swap(a, b);
        self.count(axis, (a, b), true);
    }

    /// Adds the weights of two units to what they need, or takes them away.
    fn count(&mut self, axis: usize, (a, b): (usize, usize), adds: bool) {
        let prices = self.prices;
        let weights = std::mem::take(&mut self.weights[axis]);
        for unit in [a, b] {
            self.n_moves += weights[unit].len() as u64;
            for &(l, side, w) in &weights[unit] {
                let layer = &prices.layers[l as usize];
                let weight = layer.weights[w as usize];
                // Where both ends are of this axis it is among the weights of both.
                let is_of_both = layer.sides[0].is_some_and(|(other, _)| other == axis)
                    && [a, b].contains(&(weight.units[0] as usize));
                if side == 1 && is_of_both {
                    continue;
                }
                for &resource in layer.resources(weight, self.placed(layer, w as usize)) {
                    let (price, count) =
                        (prices.seconds[resource as usize], &mut self.counts[resource as usize]);
                    let before = self.parts[*count as usize];
                    *count = if adds { *count + 1 } else { *count - 1 };
                    self.price += price * (self.parts[*count as usize] - before);
                }
            }
        }
        self.weights[axis] = weights;
    }
}

/// By number of weights up to `n`: 1 − e^(−number/softness).
fn parts(n: usize, softness: f64) -> Vec<f64> {
    let part = |count: usize| match count {
        0 => 0.0,
        _ if softness == 0.0 => 1.0,
        _ => 1.0 - (-(count as f64) / softness).exp(),
    };
    (0..=n).map(part).collect()
}

/// Numbers without a pattern, the same in every run (splitmix64; Steele, Lea, Flood, OOPSLA 2014).
pub(super) struct Random(pub(super) u64);

impl Random {
    /// One below `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::super::price::Weight;
    use super::super::starts::{by_clusters, by_neighbors};
    use super::*;

    const N: u32 = 24;

    /// Units of two axes, each connected with those of its block of four, blocks not in order; resources are diagonals.
    fn diagonals() -> Prices {
        let weights = (0..N * N).filter(|k| k / N * 7 % N / 4 == k % N * 5 % N / 4);
        let weights = weights.map(|k| Weight::new([k / N, k % N], 0));
        let resources = (0..N * N).map(|k| vec![(k % N + N - k / N) % N]);
        let layer =
            Layer::new([Some((0, N)), Some((1, 1))], [N as usize; 2], weights.collect(), resources);
        Prices { sizes: vec![N as usize; 2], layers: vec![layer], seconds: vec![1.0; N as usize] }
    }

    fn is_permutation(places: &Places) -> bool {
        places.iter().all(|own| {
            let mut sorted = own.clone();
            sorted.sort_unstable();
            sorted.iter().copied().eq(0..N)
        })
    }

    #[test]
    fn blocks_come_to_lie_on_few_diagonals() {
        let prices = diagonals();
        let given = identity(&prices);
        assert_eq!(seconds(&prices, &given), 24.0);
        for start in [by_clusters, by_neighbors] {
            let places = start(&prices, given.clone());
            assert!(is_permutation(&places));
        }
        let found = improved(&prices, by_neighbors(&prices, given.clone()));
        assert!(is_permutation(&found));
        // In order there would be seven.
        assert!(seconds(&prices, &found) <= 12.0, "{}", seconds(&prices, &found));
        assert_eq!(found, improved(&prices, by_neighbors(&prices, given)));
    }

    #[test]
    fn exchanges_are_counted_as_if_anew() {
        let prices = diagonals();
        let mut arrangement = Arrangement::new(&prices, identity(&prices), 0.5);
        let mut random = Random(7);
        for _ in 0..100 {
            let (a, b) = (random.below(N as usize), random.below(N as usize));
            if a != b {
                arrangement.try_exchange(random.below(2), a, b);
            }
        }
        let anew = Arrangement::new(&prices, arrangement.places.clone(), 0.5);
        assert_eq!(arrangement.counts, anew.counts);
        assert!((arrangement.price - anew.price).abs() < 1e-9);
    }
}
