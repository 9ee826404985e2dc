//! Average pooling, as ONNX defines it.

use super::structure::Product;
use super::window::Sliding;
use super::{Relation, Structure, unflatten};

/// The mean of every window of a channel.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub(super) sliding: Sliding,
    /// Whether padding counts.
    pub(super) include_pad: bool,
}

impl Pool {
    /// Elements of the result and of the operand.
    pub(super) fn size(&self) -> (usize, usize) {
        self.sliding.size()
    }

    /// Calls `entry(operand's element, weight)` for row `o`.
    pub(super) fn row(&self, o: usize, mut entry: impl FnMut(usize, f64)) {
        let Sliding { input, output, .. } = &self.sliding;
        let out = unflatten(o, output);
        let weight = self.weight(&out[2..]);
        let first = (out[0] * input[1] + out[1]) * input[2..].iter().product::<usize>();
        self.sliding.taps(&out[2..], |_, pixel| entry(first + pixel, weight));
    }

    /// What the elements of a window are multiplied by.
    fn weight(&self, out: &[usize]) -> f64 {
        let mut count = 0;
        match self.include_pad {
            true => count = self.padded_count(out),
            false => self.sliding.taps(out, |_, _| count += 1),
        }
        1.0 / count as f64
    }

    /// Kernel elements that fall on the data or its padding; beyond both (ceil_mode) they do not count.
    fn padded_count(&self, out: &[usize]) -> usize {
        let Sliding { input, kernel, window, .. } = &self.sliding;
        let per_dim = |d: usize| {
            let end = window.pads_begin[d] + input[d + 2] + window.pads_end[d];
            let place = |k: usize| out[d] * window.strides[d] + k * window.dilations[d];
            (0..kernel[d]).filter(|&k| place(k) < end).count()
        };
        (0..kernel.len()).map(per_dim).product()
    }

    /// For each tap, pixels. Values are known if all windows have as many elements.
    pub(super) fn structure(&self) -> Structure {
        let input = &self.sliding.input;
        let product = |k: usize| {
            let own = vec![Relation::same(0, 0, input[0]), Relation::same(1, 1, input[1])];
            Product([own, self.sliding.relations(k)].concat())
        };
        let spatial = &self.sliding.output[2..];
        let mut weights =
            (0..spatial.iter().product()).map(|o| self.weight(&unflatten(o, spatial)));
        let first = weights.next();
        let factor = first.filter(|&first| weights.all(|weight| weight == first));
        Structure { products: (0..self.sliding.n_taps()).map(product).collect(), factor }
    }
}
