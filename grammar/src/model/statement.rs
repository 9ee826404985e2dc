//! A statement as it is read: its word, operands and attributes, each taken once.

use super::ids::{Const, Tensor};
use crate::text::{Attributes, LineError, Piece, Rule, error, index};

/// What an operand's type takes of a statement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One tensor.
    Tensor,
    /// One constant.
    Constant,
    /// A constant that may be missing.
    MaybeConstant,
    /// All tensors that follow.
    Tensors,
}

/// A word with what stands behind it.
pub(super) struct Statement<'a> {
    pub(super) word: Piece<'a>,
    operands: Vec<Piece<'a>>,
    taken: usize,
    pub(super) attributes: Attributes<'a>,
}

impl<'a> Statement<'a> {
    pub(super) fn new(
        word: Piece<'a>,
        operands: Vec<Piece<'a>>,
        attributes: Attributes<'a>,
    ) -> Statement<'a> {
        Statement { word, operands, taken: 0, attributes }
    }

    /// Whether operands are left.
    pub(super) fn has_operands(&self) -> bool {
        self.taken < self.operands.len()
    }

    /// How many of the operands, from the first on, are of these kinds.
    pub(super) fn fit(&self, kinds: &[Kind]) -> usize {
        let fits = |(piece, kind): &(&Piece<'_>, &Kind)| match kind {
            Kind::Tensor | Kind::Tensors => piece.as_rule() == Rule::tensor,
            Kind::Constant | Kind::MaybeConstant => piece.as_rule() == Rule::constant,
        };
        self.operands.iter().zip(kinds).take_while(fits).count()
    }

    /// The next operand, a tensor.
    pub(super) fn tensor(&mut self) -> Result<Tensor, LineError> {
        self.next(Rule::tensor, "a tensor").map(Tensor)
    }

    /// The next operand, a constant.
    pub(super) fn constant(&mut self) -> Result<Const, LineError> {
        self.next(Rule::constant, "a constant").map(Const)
    }

    fn next(&mut self, rule: Rule, what: &str) -> Result<u32, LineError> {
        let piece = self.operands.get(self.taken);
        self.taken += 1;
        match piece {
            Some(piece) if piece.as_rule() == rule => index(piece),
            Some(piece) => Err(error(piece, format!("expected {what}"))),
            None => {
                let (word, place) = (self.word.as_str(), self.taken);
                Err(error(&self.word, format!("expected {what} as operand {place} of {word}")))
            }
        }
    }

    /// Reads all of the statement: operands and attributes that are left over are refused.
    pub(super) fn whole<T>(
        &mut self,
        read: impl FnOnce(&mut Statement<'a>) -> Result<T, LineError>,
    ) -> Result<T, LineError> {
        let found = read(self)?;
        if let Some(piece) = self.operands.get(self.taken) {
            return Err(error(piece, format!("expected {} operands", self.taken)));
        }
        self.attributes.finish()?;
        Ok(found)
    }
}
