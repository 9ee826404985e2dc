//! What the numbers of an output are for, and what they decide.

/// What the numbers of an output are for, before the client applies anything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OutputKind {
    /// Real numbers, of which only the size matters.
    Values,
    /// Scores along an axis: the place of the largest is the class.
    Classes {
        /// The axis.
        axis: usize,
    },
    /// Numbers along an axis that may be scores of classes or not: nothing says so.
    Scores {
        /// The axis.
        axis: usize,
    },
    /// Each number decides between class 0 and class 1: the latter is above the threshold.
    Threshold {
        /// The threshold.
        at: f64,
    },
}

impl OutputKind {
    /// What an output of this kind decides, in order; numbers in row-major order. Nothing, if they are values.
    pub fn decisions(self, shape: &[usize], numbers: &[f64]) -> Vec<usize> {
        match self {
            OutputKind::Values => vec![],
            OutputKind::Classes { axis } | OutputKind::Scores { axis } => {
                let lanes = lanes(shape, axis);
                lanes.map(|lane| largest(lane.map(|i| numbers[i]))).collect()
            }
            OutputKind::Threshold { at } => numbers.iter().map(|&x| usize::from(x > at)).collect(),
        }
    }

    /// Whether its decisions are ones for sure.
    pub fn decides(self) -> bool {
        match self {
            OutputKind::Values | OutputKind::Scores { .. } => false,
            OutputKind::Classes { .. } | OutputKind::Threshold { .. } => true,
        }
    }

    /// Whether an output of this shape has what the kind speaks of.
    pub(super) fn fits(self, shape: &[usize]) -> bool {
        match self {
            OutputKind::Values => true,
            OutputKind::Classes { axis } | OutputKind::Scores { axis } => axis < shape.len(),
            OutputKind::Threshold { at } => at.is_finite(),
        }
    }
}

/// The places of the elements of each lane along an axis, in order.
pub fn lanes(shape: &[usize], axis: usize) -> impl Iterator<Item = impl Iterator<Item = usize>> {
    let (length, inner): (usize, usize) = (shape[axis], shape[axis + 1..].iter().product());
    let outer: usize = shape[..axis].iter().product();
    let starts = move |o: usize| (0..inner).map(move |i| o * length * inner + i);
    (0..outer).flat_map(starts).map(move |start| (0..length).map(move |k| start + k * inner))
}

/// The first place of the largest number.
fn largest(numbers: impl Iterator<Item = f64>) -> usize {
    let larger = |best: (usize, f64), (i, x): (usize, f64)| if x > best.1 { (i, x) } else { best };
    numbers.enumerate().fold((0, f64::NEG_INFINITY), larger).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_decide_apart() {
        let pixels = [1.0, 5.0, 2.0, 4.0, 3.0, 4.0];
        assert_eq!(OutputKind::Classes { axis: 1 }.decisions(&[1, 3, 2], &pixels), [2, 0]);
        assert_eq!(OutputKind::Scores { axis: 2 }.decisions(&[1, 3, 2], &pixels), [1, 1, 1]);
        assert_eq!(OutputKind::Threshold { at: 4.0 }.decisions(&[1, 2], &pixels[1..3]), [1, 0]);
        assert!(OutputKind::Values.decisions(&[1, 3, 2], &pixels).is_empty());
    }
}
