//! What `Resize` does along one axis: which elements of the data every element of the result is made of.

use ndarray::Array2;

/// How positions in the result become positions in the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coordinates {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    TfHalfPixelForNearest,
    AlignCorners,
    Asymmetric,
}

/// Which of two neighbors is the nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nearest {
    RoundPreferFloor,
    RoundPreferCeil,
    Floor,
    Ceil,
    /// As before operator set 11: the one before, or the one after where elements are left out.
    Outer,
}

/// How neighbors are weighted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kernel {
    Linear,
    /// Keys' cubic with the coefficient `a`.
    Cubic {
        a: f64,
    },
}

/// One axis: `from` elements become `to`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) from: usize,
    pub(super) to: usize,
    /// As given, or `to / from`.
    pub(super) scale: f64,
    pub(super) coordinates: Coordinates,
}

impl Axis {
    /// The position in the data of element `i` of the result, computed in f32 as every runtime does: between two elements
    /// the last bit decides which one is nearest.
    fn position(&self, i: usize) -> f64 {
        let (i, from, to) = (i as f32, self.from as f32, self.to as f32);
        let scale = self.scale as f32;
        f64::from(match self.coordinates {
            Coordinates::HalfPixel => (i + 0.5) / scale - 0.5,
            Coordinates::HalfPixelSymmetric => {
                // Scales that were rounded to whole elements move the center.
                let adjustment = to / (from * scale);
                from / 2.0 * (1.0 - adjustment) + (i + 0.5) / scale - 0.5
            }
            Coordinates::PytorchHalfPixel if self.to == 1 => 0.0,
            Coordinates::PytorchHalfPixel => (i + 0.5) / scale - 0.5,
            Coordinates::TfHalfPixelForNearest => (i + 0.5) / scale,
            Coordinates::AlignCorners if self.to == 1 => 0.0,
            Coordinates::AlignCorners => i * (from - 1.0) / (to - 1.0),
            Coordinates::Asymmetric => i / scale,
        })
    }

    /// The nearest element of the data for every element of the result.
    pub(super) fn nearest(&self, nearest: Nearest) -> Vec<usize> {
        let index = |i: usize| {
            let x = self.position(i);
            let x = match nearest {
                Nearest::RoundPreferFloor => (x - 0.5).ceil(),
                Nearest::RoundPreferCeil => (x + 0.5).floor(),
                Nearest::Floor => x.floor(),
                Nearest::Ceil => x.ceil(),
                Nearest::Outer if self.scale < 1.0 => x.ceil(),
                Nearest::Outer => x.floor(),
            };
            x.clamp(0.0, self.from as f64 - 1.0) as usize
        };
        (0..self.to).map(index).collect()
    }

    /// The weights of all elements, `[from, to]`. With `antialias` the kernel is as wide as the result's elements are;
    /// with `exclude_outside` what lies beyond the data does not count, else the outermost element stands for it.
    pub(super) fn matrix(
        &self,
        kernel: Kernel,
        exclude_outside: bool,
        antialias: bool,
    ) -> Array2<f64> {
        let mut matrix = Array2::zeros((self.from, self.to));
        let width = if antialias { self.scale.min(1.0) } else { 1.0 };
        let radius = kernel.radius() / width;
        let last = self.from as i64 - 1;
        for i in 0..self.to {
            let x = self.position(i);
            let taps = (x - radius).floor() as i64..=(x + radius).ceil() as i64;
            let weighted = taps.map(|tap| (tap, kernel.weight((tap as f64 - x) * width)));
            let counted: Vec<(i64, f64)> =
                weighted.filter(|(tap, _)| !exclude_outside || (0..=last).contains(tap)).collect();
            let total: f64 = counted.iter().map(|(_, weight)| weight).sum();
            for (tap, weight) in counted {
                if weight != 0.0 {
                    matrix[[tap.clamp(0, last) as usize, i]] += weight / total;
                }
            }
        }
        matrix
    }
}

impl Kernel {
    fn radius(self) -> f64 {
        match self {
            Kernel::Linear => 1.0,
            Kernel::Cubic { .. } => 2.0,
        }
    }

    fn weight(self, distance: f64) -> f64 {
        let d = distance.abs();
        match self {
            Kernel::Linear => (1.0 - d).max(0.0),
            Kernel::Cubic { a } if d < 1.0 => ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0,
            Kernel::Cubic { a } if d < 2.0 => ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a,
            Kernel::Cubic { .. } => 0.0,
        }
    }
}
