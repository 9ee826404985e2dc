//! What a decrypted result says.

use hecc_grammar::plan::{ClientOp, Output, apply_client_ops};
use ndarray::ArrayD;

use super::{Outside, outside};

/// One output for one example.
#[derive(Clone, Debug, PartialEq)]
pub struct Decrypted {
    /// What decisions are made by: every digit, unless noise was added.
    pub decided: ArrayD<f64>,
    /// What is shown: without the digits that are noise.
    pub raw: ArrayD<f64>,
    /// What is shown, after the network's last steps, which the client applies.
    pub applied: ArrayD<f64>,
    /// Why it may be wrong, if it is unlike what calibration saw.
    pub outside: Option<Outside>,
}

impl Decrypted {
    /// Of numbers in row-major order: those that decisions are made by, and those that are shown. `ops` are the last steps to
    /// apply, as a rule [`Output::client`].
    ///
    /// # Panics
    /// If there are not as many numbers as the output has elements.
    pub fn new(output: &Output, ops: &[ClientOp], decided: Vec<f64>, shown: Vec<f64>) -> Decrypted {
        let outside = outside(output, &decided);
        let array = |numbers| {
            ArrayD::from_shape_vec(output.shape.clone(), numbers).expect("all elements are there")
        };
        let (decided, raw) = (array(decided), array(shown));
        let decides = ops.iter().any(ClientOp::decides);
        let applied = apply_client_ops(ops, if decides { decided.clone() } else { raw.clone() });
        Decrypted { decided, raw, applied, outside }
    }
}
