//! Lines, their pieces and what is wrong with them.

use pest::Parser;
use pest::error::LineColLocation;
use pest::iterators::Pair;

/// Guards against a grammar that backtracks without end; a line of ten million numbers stays below.
const CALL_LIMIT: usize = 1 << 28;

mod grammar {
    #[derive(pest_derive::Parser)]
    #[grammar = "../hecc.pest"]
    pub(crate) struct Grammar;
}

pub(crate) use grammar::Rule;

/// A piece of text that matched a rule.
pub(crate) type Piece<'a> = Pair<'a, Rule>;

/// Why a text is not a plan or a model. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
#[non_exhaustive]
pub struct TextError {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
    /// What is wrong, with what was expected.
    pub what: String,
}

/// An error within a line: a column and what is wrong.
#[derive(Debug)]
pub(crate) struct LineError {
    column: usize,
    what: String,
}

impl LineError {
    /// The error with the number of its line.
    pub(crate) fn at(self, line: usize) -> TextError {
        TextError { line, column: self.column, what: self.what }
    }
}

/// An error at the start of a piece.
pub(crate) fn error(piece: &Piece<'_>, what: impl Into<String>) -> LineError {
    LineError { column: piece.line_col().1, what: what.into() }
}

/// Reads a text line by line, `line` being the rule of each; empty lines are skipped.
pub(crate) fn for_each_line<'a>(
    text: &'a str,
    rule: Rule,
    mut read: impl FnMut(Piece<'a>) -> Result<(), LineError>,
) -> Result<(), TextError> {
    pest::set_call_limit(std::num::NonZeroUsize::new(CALL_LIMIT));
    for (i, line) in text.split('\n').enumerate() {
        let statement = statement(rule, line).map_err(|error| error.at(i + 1))?;
        if let Some(statement) = statement {
            read(statement).map_err(|error| error.at(i + 1))?;
        }
    }
    Ok(())
}

fn statement(rule: Rule, line: &str) -> Result<Option<Piece<'_>>, LineError> {
    match grammar::Grammar::parse(rule, line) {
        Ok(mut pieces) => Ok(pieces.next().filter(|piece| piece.as_rule() != Rule::EOI)),
        Err(failed) => {
            let column = match failed.line_col {
                LineColLocation::Pos((_, column)) | LineColLocation::Span((_, column), _) => column,
            };
            let failed = failed.renamed_rules(|rule| describe(*rule));
            Err(LineError { column, what: failed.variant.message().into_owned() })
        }
    }
}

/// What a reader of an error message knows a rule as.
fn describe(rule: Rule) -> String {
    let name = format!("{rule:?}");
    let words = match name.as_str() {
        "EOI" => "end of the line",
        "numbers" => "list of numbers [..]",
        "runs" => "map [slot:element ..]",
        "limbs" => "ciphertext-modulus primes such as q0..2",
        "string" => "quoted text",
        "integer" => "whole number",
        "begin" => ":",
        "table_line" => "table t0 = [..]",
        "constant_line" => "constant c0 = ..",
        "value_line" => "instruction v0 = ..",
        "array_line" => "constant c0 : [..] = ..",
        "node_line" => "node t0 = ..",
        "result" => "output",
        other => return other.replace('_', " "),
    };
    words.to_owned()
}

/// The pieces inside a piece, which the grammar says to be there.
pub(crate) struct Inner<'a>(pest::iterators::Pairs<'a, Rule>);

impl<'a> Inner<'a> {
    pub(crate) fn of(piece: Piece<'a>) -> Inner<'a> {
        Inner(piece.into_inner())
    }

    /// The next piece.
    pub(crate) fn next(&mut self) -> Piece<'a> {
        self.0.next().expect("the grammar has this piece")
    }

    /// The next piece if it is of this rule.
    pub(crate) fn take(&mut self, rule: Rule) -> Option<Piece<'a>> {
        let fits = self.0.peek().is_some_and(|piece| piece.as_rule() == rule);
        if fits { self.0.next() } else { None }
    }

    /// The following pieces of this rule.
    pub(crate) fn take_all(&mut self, rule: Rule) -> impl Iterator<Item = Piece<'a>> {
        std::iter::from_fn(move || self.take(rule))
    }
}

/// A number behind a letter, as in `v7`.
pub(crate) fn index(piece: &Piece<'_>) -> Result<u32, LineError> {
    piece.as_str()[1..].parse().map_err(|_| error(piece, "expected an index below 2^32"))
}

/// Checks that something is defined in its turn: `found` behind `letter` is `expected`.
pub(crate) fn in_turn(piece: &Piece<'_>, expected: usize) -> Result<(), LineError> {
    if index(piece)? as usize == expected {
        return Ok(());
    }
    let letter = &piece.as_str()[..1];
    Err(error(piece, format!("expected {letter}{expected}, the next that is not defined")))
}

/// Parses what the grammar says to be a number of the type.
pub(crate) fn parse<T: std::str::FromStr>(piece: &Piece<'_>) -> Result<T, LineError> {
    let wanted = std::any::type_name::<T>();
    piece.as_str().parse().map_err(|_| error(piece, format!("expected a number of type {wanted}")))
}

/// Parses a list of numbers in brackets.
pub(crate) fn parse_list<T: std::str::FromStr>(piece: &Piece<'_>) -> Result<Vec<T>, LineError> {
    let numbers = piece.as_str().trim_matches(['[', ']']).trim();
    if numbers.is_empty() {
        return Ok(vec![]);
    }
    let count = numbers.bytes().filter(|&byte| byte == b',').count() + 1;
    let mut list = Vec::with_capacity(count);
    for number in numbers.split(',') {
        let number = number.trim();
        let wanted = std::any::type_name::<T>();
        let parsed = number.parse();
        list.push(parsed.map_err(|_| {
            error(piece, format!("`{number}` in a list, expected numbers of type {wanted}"))
        })?);
    }
    Ok(list)
}

/// What a quoted string means.
pub(crate) fn unquote(piece: &Piece<'_>) -> Result<String, LineError> {
    let quoted = piece.as_str();
    let mut text = String::with_capacity(quoted.len());
    let mut chars = quoted[1..quoted.len() - 1].chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        let escaped = match chars.next() {
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('0') => Some('\0'),
            Some(c @ ('\\' | '"' | '\'')) => Some(c),
            Some('u') => {
                let hex: String = chars.by_ref().take_while(|&c| c != '}').collect();
                let digits =
                    hex.strip_prefix('{').and_then(|hex| u32::from_str_radix(hex, 16).ok());
                digits.and_then(char::from_u32)
            }
            _ => None,
        };
        let Some(c) = escaped else {
            return Err(error(
                piece,
                "expected one of \\n \\r \\t \\0 \\\\ \\\" \\u{..} in a string",
            ));
        };
        text.push(c);
    }
    Ok(text)
}

/// Checks the version behind `plan` or `model`.
pub(crate) fn check_version(piece: &Piece<'_>) -> Result<(), LineError> {
    match piece.as_str() {
        "1" => Ok(()),
        other => Err(error(piece, format!("version {other}, expected 1"))),
    }
}
