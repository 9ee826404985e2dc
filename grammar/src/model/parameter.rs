//! What operations have besides operands, as attributes in text.

use std::fmt::{self, Formatter};

use super::quantizer::{Quantizer, read_quantizer};
use super::statement::Statement;
use crate::text::{LineError, Number, list};

/// A type that an operation's parameter may have: an attribute, or several.
pub(super) trait Parameter: Sized {
    /// Takes the attribute `name`, or those that the type stands for.
    fn read(name: &str, of: &mut Statement<'_>) -> Result<Self, LineError>;
    /// Writes them, each with a space before.
    fn write(&self, name: &str, f: &mut Formatter<'_>) -> fmt::Result;
}

macro_rules! parameters {
    ($($type:ty, |$value:ident| $shown:expr;)*) => {$(
        impl Parameter for $type {
            fn read(name: &str, of: &mut Statement<'_>) -> Result<$type, LineError> {
                of.attributes.get(name)
            }

            fn write(&self, name: &str, f: &mut Formatter<'_>) -> fmt::Result {
                let $value = self;
                write!(f, " {name}={}", $shown)
            }
        }
    )*};
}

parameters! {
    usize, |x| x;
    bool, |x| x;
    f64, |x| Number(*x);
    Vec<usize>, |x| list(x);
    Vec<isize>, |x| list(x);
    Vec<f64>, |x| list(x.iter().map(|&x| Number(x)));
}

/// A structure whose fields are attributes.
macro_rules! record {
    ($type:ident { $($field:ident),* }) => {
        impl $crate::model::parameter::Parameter for $type {
            fn read(
                _: &str,
                of: &mut $crate::model::statement::Statement<'_>,
            ) -> Result<$type, $crate::text::LineError> {
                Ok($type {
                    $($field: $crate::model::parameter::Parameter::read(stringify!($field), of)?),*
                })
            }

            fn write(&self, _: &str, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $(self.$field.write(stringify!($field), f)?;)*
                Ok(())
            }
        }
    };
}
pub(super) use record;

impl Parameter for Quantizer {
    fn read(_: &str, of: &mut Statement<'_>) -> Result<Quantizer, LineError> {
        read_quantizer(&mut of.attributes)
    }

    fn write(&self, _: &str, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " {self}")
    }
}
