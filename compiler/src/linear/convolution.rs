//! Convolutions, as ONNX defines them.

use super::structure::Product;
use super::window::Sliding;
use super::{Pairs, Relation, Structure, unflatten};

/// A convolution with its kernel.
#[derive(Clone, Debug)]
pub(super) struct Convolution {
    pub(super) sliding: Sliding,
    /// Output channel, input channel within the group, kernel element.
    pub(super) weight: Vec<f64>,
    pub(super) groups: usize,
}

impl Convolution {
    /// Elements of the result and of the operand.
    pub(super) fn size(&self) -> (usize, usize) {
        self.sliding.size()
    }

    fn per_group(&self) -> usize {
        self.sliding.input[1] / self.groups
    }

    /// The first input channel that output channel `c` reads.
    fn first_channel(&self, c: usize) -> usize {
        c / (self.sliding.output[1] / self.groups) * self.per_group()
    }

    /// Calls `entry(operand's element, weight)` for row `o`, in ascending order of elements.
    pub(super) fn row(&self, o: usize, mut entry: impl FnMut(usize, f64)) {
        let Sliding { input, output, .. } = &self.sliding;
        let out = unflatten(o, output);
        let (image, c) = (out[0], out[1]);
        let (per_group, first, n_taps) =
            (self.per_group(), self.first_channel(c), self.sliding.n_taps());
        let n_pixels: usize = input[2..].iter().product();
        let mut taps = vec![];
        self.sliding.taps(&out[2..], |k, pixel| taps.push((k, pixel)));
        for i in 0..per_group {
            let first_pixel = (image * input[1] + first + i) * n_pixels;
            let kernel = &self.weight[(c * per_group + i) * n_taps..][..n_taps];
            taps.iter().for_each(|&(k, pixel)| entry(first_pixel + pixel, kernel[k]));
        }
    }

    /// For each tap, channels whose weight is not zero, and pixels.
    pub(super) fn structure(&self) -> Structure {
        let Sliding { input, output, .. } = &self.sliding;
        let (per_group, n_taps) = (self.per_group(), self.sliding.n_taps());
        let weight = |c: usize, i: usize, k: usize| self.weight[(c * per_group + i) * n_taps + k];
        let product = |k: usize| {
            let read = |c: usize| (0..per_group).filter(move |&i| weight(c, i, k) != 0.0);
            let all = || (0..output[1]).flat_map(|c| read(c).map(move |i| (c, i)));
            let is_dense = self.groups == 1 && (0..output[1]).all(|c| read(c).count() == per_group);
            let pairs = match is_dense {
                true => Pairs::All { n_out: output[1], n_in: per_group },
                false => Pairs::list(all().map(|(c, i)| (c, self.first_channel(c) + i))),
            };
            let weights = all().map(|(c, i)| weight(c, i, k));
            let mut channels = Relation::new(1, 1, pairs).valued(weights);
            if self.groups == input[1] && self.groups == output[1] {
                channels = channels.sliding(1);
            }
            let images = Relation::same(0, 0, input[0]);
            Product([vec![images, channels], self.sliding.relations(k)].concat())
        };
        Structure { products: (0..n_taps).map(product).collect(), factor: Some(1.0) }
    }
}
