//! Numbers as text, so that reading gives the same number.

use std::fmt::{self, Debug, Display};

/// A number that prints with the fewest digits that read back: `40`, `0.1`, `1e-9`, `inf`.
#[derive(Clone, Copy)]
pub(crate) struct Number<T>(pub(crate) T);

impl<T: Copy + Debug + Display + Into<f64>> Display for Number<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let x: f64 = self.0.into();
        // `Debug` writes whole numbers with `.0`, `Display` large and small ones without an exponent.
        if x.fract() == 0.0 && x.abs() < 1e15 {
            write!(f, "{}", self.0)
        } else {
            write!(f, "{:?}", self.0)
        }
    }
}

/// A list in brackets, without spaces.
pub(crate) fn list<T: Display>(items: impl IntoIterator<Item = T> + Clone) -> impl Display {
    fmt::from_fn(move |f| {
        f.write_str("[")?;
        for (i, item) in items.clone().into_iter().enumerate() {
            write!(f, "{}{item}", if i == 0 { "" } else { "," })?;
        }
        f.write_str("]")
    })
}
