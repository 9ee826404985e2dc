//! Sliding windows: what convolutions and pools have in common.

use hecc_grammar::model::Window;

use super::{Pairs, Relation, unflatten};

/// A kernel that slides over the spatial dimensions of a tensor, those after the first two.
#[derive(Clone, Debug)]
pub(super) struct Sliding {
    /// Shape of the operand: images, channels, spatial dimensions.
    pub(super) input: Vec<usize>,
    /// Shape of the result.
    pub(super) output: Vec<usize>,
    /// Spatial shape of the kernel.
    pub(super) kernel: Vec<usize>,
    pub(super) window: Window,
}

impl Sliding {
    /// Elements of the result and of the operand.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.output.iter().product(), self.input.iter().product())
    }

    /// Number of elements of the kernel.
    pub(super) fn n_taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Calls `tap(kernel index, flat index of the input's pixel)` for each kernel element that falls inside the input.
    pub(super) fn taps(&self, out: &[usize], mut tap: impl FnMut(usize, usize)) {
        'kernel: for k in 0..self.n_taps() {
            let mut flat = 0;
            for (d, &i) in unflatten(k, &self.kernel).iter().enumerate() {
                match self.source(d, out[d], i) {
                    Some(x) => flat = flat * self.input[d + 2] + x,
                    None => continue 'kernel,
                }
            }
            tap(k, flat);
        }
    }

    /// The input's index along spatial dimension `d` that kernel index `k` meets for result index `out`.
    fn source(&self, d: usize, out: usize, k: usize) -> Option<usize> {
        let padded = out * self.window.strides[d] + k * self.window.dilations[d];
        padded.checked_sub(self.window.pads_begin[d]).filter(|&x| x < self.input[d + 2])
    }

    /// How the spatial dimensions relate for one element of the kernel.
    pub(super) fn relations(&self, tap: usize) -> Vec<Relation> {
        let relation = |(d, &k): (usize, &usize)| {
            let outs = 0..self.output[d + 2];
            let pairs = outs.filter_map(|out| Some((out, self.source(d, out, k)?)));
            Relation::new(d + 2, d + 2, Pairs::list(pairs)).sliding(self.window.strides[d])
        };
        unflatten(tap, &self.kernel).iter().enumerate().map(relation).collect()
    }
}
