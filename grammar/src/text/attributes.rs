//! `name=value` pairs: each is read exactly once, none is left over.

use std::str::FromStr;

use super::read::{Inner, LineError, Piece, Rule, error, parse, parse_list, unquote};

/// No statement has as many.
const MAX_ATTRIBUTES: usize = 16;

/// The attributes of a statement.
pub(crate) struct Attributes<'a> {
    of: Piece<'a>,
    left: Vec<(&'a str, Piece<'a>)>,
}

/// A type that an attribute may have.
pub(crate) trait Attribute: Sized {
    /// Reads the piece behind the `=`.
    fn read(piece: &Piece<'_>) -> Result<Self, LineError>;
}

impl<'a> Attributes<'a> {
    /// Takes the attributes off the pieces of the statement `of`.
    pub(crate) fn of(of: &Piece<'a>, inner: &mut Inner<'a>) -> Result<Attributes<'a>, LineError> {
        let mut left: Vec<(&'a str, Piece<'a>)> = vec![];
        for attribute in inner.take_all(Rule::attribute) {
            let mut parts = Inner::of(attribute);
            let (name, value) = (parts.next(), parts.next());
            if left.len() == MAX_ATTRIBUTES {
                return Err(error(&name, format!("more than {MAX_ATTRIBUTES} attributes")));
            }
            if left.iter().any(|(other, _)| *other == name.as_str()) {
                return Err(error(&name, format!("attribute `{}` twice", name.as_str())));
            }
            left.push((name.as_str(), value));
        }
        Ok(Attributes { of: of.clone(), left })
    }

    /// Whether an attribute is there and not yet taken.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.left.iter().any(|(other, _)| *other == name)
    }

    /// Takes an attribute that may be missing.
    pub(crate) fn optional<T: Attribute>(&mut self, name: &str) -> Result<Option<T>, LineError> {
        let Some(at) = self.left.iter().position(|(other, _)| *other == name) else {
            return Ok(None);
        };
        let (_, piece) = self.left.remove(at);
        T::read(&piece).map(Some)
    }

    /// Takes an attribute that must be there.
    pub(crate) fn get<T: Attribute>(&mut self, name: &str) -> Result<T, LineError> {
        let missing = || error(&self.of, format!("expected an attribute `{name}=`"));
        let missing = missing();
        self.optional(name)?.ok_or(missing)
    }

    /// Takes a bare word or number that must be there.
    pub(crate) fn word(&mut self, name: &str) -> Result<String, LineError> {
        self.get::<Word>(name).map(|word| word.0)
    }

    /// Refuses attributes that nobody took.
    pub(crate) fn finish(&self) -> Result<(), LineError> {
        match self.left.first() {
            None => Ok(()),
            Some((name, piece)) => Err(error(piece, format!("unknown attribute `{name}`"))),
        }
    }
}

fn expect(piece: &Piece<'_>, rule: Rule, what: &str) -> Result<(), LineError> {
    if piece.as_rule() == rule { Ok(()) } else { Err(error(piece, format!("expected {what}"))) }
}

macro_rules! number_attribute {
    ($($type:ty),*) => {$(
        impl Attribute for $type {
            fn read(piece: &Piece<'_>) -> Result<$type, LineError> {
                expect(piece, Rule::number, "a number")?;
                parse(piece)
            }
        }
    )*};
}
number_attribute!(u32, usize, i64, f64);

/// Reads a type by the names of `ALL` of its values.
macro_rules! word_attribute {
    ($($type:ty),*) => {$(
        impl $crate::text::Attribute for $type {
            fn read(piece: &$crate::text::Piece<'_>) -> Result<$type, $crate::text::LineError> {
                let found = <$type>::ALL.iter().find(|word| word.name() == piece.as_str());
                found.copied().ok_or_else(|| {
                    let names: Vec<&str> = <$type>::ALL.iter().map(|word| word.name()).collect();
                    $crate::text::error(piece, format!("expected one of {}", names.join(", ")))
                })
            }
        }
    )*};
}
pub(crate) use word_attribute;

impl<T: FromStr> Attribute for Vec<T> {
    fn read(piece: &Piece<'_>) -> Result<Vec<T>, LineError> {
        expect(piece, Rule::numbers, "a list of numbers")?;
        parse_list(piece)
    }
}

impl Attribute for (f64, f64) {
    fn read(piece: &Piece<'_>) -> Result<(f64, f64), LineError> {
        match Vec::read(piece)?[..] {
            [lo, hi] => Ok((lo, hi)),
            _ => Err(error(piece, "expected two numbers")),
        }
    }
}

impl Attribute for String {
    fn read(piece: &Piece<'_>) -> Result<String, LineError> {
        expect(piece, Rule::string, "a quoted text")?;
        unquote(piece)
    }
}

struct Word(String);

impl Attribute for Word {
    fn read(piece: &Piece<'_>) -> Result<Word, LineError> {
        Ok(Word(piece.as_str().to_owned()))
    }
}

impl Attribute for bool {
    fn read(piece: &Piece<'_>) -> Result<bool, LineError> {
        piece.as_str().parse().map_err(|_| error(piece, "expected `true` or `false`"))
    }
}
