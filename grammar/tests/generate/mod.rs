//! Random plans and models that hold their promises.

mod choices;
mod instructions;
mod model;
mod plan;

pub(crate) use choices::Choices;
pub(crate) use model::models;
pub(crate) use plan::plans;

impl Choices {
    /// A finite number of any size; often a simple one.
    pub(crate) fn number(&mut self) -> f64 {
        let simple = [0.0, -0.0, 1.0, -1.0, 0.5, 40.0, 1e-9, 1e300, f64::MIN_POSITIVE, f64::MAX];
        match self.below(2) {
            0 => simple[self.below(simple.len())],
            _ => {
                let bits = (0..8).fold(0, |bits, _| bits << 8 | self.below(256) as u64);
                Some(f64::from_bits(bits)).filter(|x| x.is_finite()).unwrap_or(5e-324)
            }
        }
    }

    /// A small integer.
    pub(crate) fn integer(&mut self) -> f64 {
        self.below(31) as f64 - 15.0
    }

    pub(crate) fn numbers(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.number()).collect()
    }

    pub(crate) fn name(&mut self) -> String {
        let names =
            ["", "/conv1/Conv", "a \"quoted\" name; with \\", "Zeile\n\t2", "π²\u{200b}", "'"];
        names[self.below(names.len())].to_owned()
    }
}
