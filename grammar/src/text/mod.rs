//! What the text forms of both languages share: lines, attributes, numbers, errors.

mod attributes;
mod read;
mod write;

pub(crate) use attributes::{Attribute, Attributes, word_attribute};
pub use read::TextError;
pub(crate) use read::{
    Inner, LineError, Piece, Rule, check_version, error, for_each_line, in_turn, index, parse,
    parse_list, unquote,
};
pub(crate) use write::{Number, list};
