//! What the slots of a plaintext hold, as numbers.

/// Complex numbers, parts apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Slots {
    /// Real parts.
    pub re: Vec<f64>,
    /// Imaginary parts; `None` if all are zero.
    pub im: Option<Vec<f64>>,
}

impl Slots {
    /// Real numbers.
    pub fn real(re: Vec<f64>) -> Slots {
        Slots { re, im: None }
    }

    /// Imaginary parts, to be changed.
    pub fn im_mut(&mut self) -> &mut Vec<f64> {
        let n = self.re.len();
        self.im.get_or_insert_with(|| vec![0.0; n])
    }
}
