//! Errors with a hint: what the user can do about it.

use std::fmt;

/// An error and what helps against it.
#[derive(Debug)]
pub(crate) struct Hinted {
    message: String,
    hint: String,
}

/// An error that is printed with a hint below it.
pub(crate) fn hinted(message: impl fmt::Display, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Hinted { message: message.to_string(), hint: hint.into() })
}

/// The hint of an error, if there is one.
pub(crate) fn hint_of(error: &anyhow::Error) -> Option<&str> {
    error.chain().find_map(|cause| cause.downcast_ref::<Hinted>()).map(|hinted| &*hinted.hint)
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {}
