//! How good a compiled network is: compared once, after the last change, with the network that was given, on calibration
//! inputs that nothing was fitted to.

/// What the comparison showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Validation {
    /// Inputs compared.
    pub n_inputs: u64,
    /// Decisions that both networks make alike; `None` if no output decides anything.
    pub agreement: Option<Share>,
    /// How often either is right, if what is right was given.
    pub accuracy: Option<Accuracy>,
    /// Errors, output by output.
    pub outputs: Vec<OutputErrors>,
    /// What the next better polynomials would do, if there are any.
    pub better: Option<Better>,
}

/// A part of a number of cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Cases that count.
    pub count: u64,
    /// All of them; at least one.
    pub of: u64,
}

/// How good results are, by what is known to be right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Accuracy {
    /// Classes that are right.
    Classes {
        /// By the network that was given.
        original: Share,
        /// By the compiled one.
        compiled: Share,
    },
    /// Numbers: R², the part of their variance that is predicted; at most 1.
    Values {
        /// By the network that was given.
        original: f64,
        /// By the compiled one.
        compiled: f64,
    },
}

/// Errors of an output, relative to the spread (standard deviation) of each of its elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutputErrors {
    /// Spread of the element that varies least, in the unit of the output.
    pub least_spread: f64,
    /// Spread that errors of equal size are divided by for their root mean square.
    pub spread: f64,
    /// Of polynomials in place of activations.
    pub approximation: ErrorSize,
    /// Of weights, inputs and layers that are rounded, or are not any more.
    pub rounding: ErrorSize,
    /// Of both together.
    pub total: ErrorSize,
}

/// The size of errors.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ErrorSize {
    /// The largest one.
    pub largest: f64,
    /// Root mean square.
    pub rms: f64,
}

/// A better choice of polynomials, as far as could be told without making a plan of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Better {
    /// Degrees, activation by activation.
    pub degrees: Vec<u32>,
    /// Time of a run, as a multiple of the plan's.
    pub time: f64,
    /// Decisions that would be alike, among inputs that degrees were chosen by.
    pub agreement: Option<f64>,
    /// Root mean square error there, of the worst output.
    pub rms: f64,
}

/// Two-sided 95 % of a normal distribution.
const Z: f64 = 1.959_964;

impl Share {
    /// As a number from 0 to 1.
    pub fn ratio(self) -> f64 {
        self.count as f64 / self.of.max(1) as f64
    }

    /// Where the true share is with 95 % confidence (Wilson, 1927).
    pub fn interval(self) -> (f64, f64) {
        let (n, p) = (self.of.max(1) as f64, self.ratio());
        let middle = p + Z * Z / (2.0 * n);
        let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let end = |x: f64| (x / (1.0 + Z * Z / n)).clamp(0.0, 1.0);
        (end(middle - half), end(middle + half))
    }
}

impl Validation {
    /// Checks that the numbers can be ones of a plan with `n_outputs` outputs.
    pub(super) fn check(&self, n_outputs: usize) -> Result<(), String> {
        if self.outputs.len() != n_outputs {
            return Err(format!("errors of {} outputs, of {n_outputs}", self.outputs.len()));
        }
        let shares = match self.accuracy {
            Some(Accuracy::Classes { original, compiled }) => vec![original, compiled],
            Some(Accuracy::Values { .. }) | None => vec![],
        };
        for Share { count, of } in shares.into_iter().chain(self.agreement) {
            if count > of || of == 0 {
                return Err(format!("{count} cases of {of}"));
            }
        }
        if let Some(Accuracy::Values { original, compiled }) = self.accuracy
            && [original, compiled].iter().any(|r2| r2.is_nan() || *r2 > 1.0)
        {
            return Err(format!("R² of {original} and {compiled}, expected at most 1"));
        }
        let sizes = |errors: &OutputErrors| {
            let OutputErrors { approximation, rounding, total, .. } = *errors;
            [approximation, rounding, total].map(|size| [size.largest, size.rms])
        };
        if let Some(size) = self.outputs.iter().flat_map(sizes).flatten().find(|&x| !is_size(x)) {
            return Err(format!("an error of size {size}"));
        }
        let spreads = |errors: &OutputErrors| [errors.least_spread, errors.spread];
        if let Some(spread) =
            self.outputs.iter().flat_map(spreads).find(|&x| x.is_nan() || x <= 0.0)
        {
            return Err(format!("a spread of {spread}"));
        }
        let Some(Better { time, agreement, rms, .. }) = self.better else { return Ok(()) };
        match [time, agreement.unwrap_or(1.0), rms].into_iter().find(|&x| !is_size(x)) {
            Some(x) => Err(format!("{x} for a better choice")),
            None => Ok(()),
        }
    }
}

/// Not negative, not NaN; infinite where a network explodes.
fn is_size(x: f64) -> bool {
    x >= 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_wilsons() {
        let near = |share: Share, want: (f64, f64)| {
            let (lo, hi) = share.interval();
            assert!((lo - want.0).abs() < 1e-4 && (hi - want.1).abs() < 1e-4, "{lo} {hi}");
        };
        near(Share { count: 122, of: 125 }, (0.9318, 0.9918));
        near(Share { count: 64, of: 64 }, (0.9434, 1.0));
        near(Share { count: 0, of: 10 }, (0.0, 0.2775));
    }
}
