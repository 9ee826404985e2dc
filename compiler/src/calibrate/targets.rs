//! What the results for calibration inputs should be, where that is known.

/// Labels of inputs.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// A class each.
    Classes(Vec<usize>),
    /// The numbers of the first output, for each input.
    Values(Vec<Vec<f64>>),
}

impl Targets {
    /// The number of inputs.
    pub fn len(&self) -> usize {
        match self {
            Targets::Classes(classes) => classes.len(),
            Targets::Values(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those of some inputs.
    pub fn select(&self, rows: &[usize]) -> Targets {
        match self {
            Targets::Classes(classes) => {
                Targets::Classes(rows.iter().map(|&row| classes[row]).collect())
            }
            Targets::Values(values) => {
                Targets::Values(rows.iter().map(|&row| values[row].clone()).collect())
            }
        }
    }
}
