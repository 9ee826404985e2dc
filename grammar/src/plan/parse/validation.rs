//! `validation` and `errors` lines.

use crate::plan::{Accuracy, Better, ErrorSize, OutputErrors, Share, Validation};
use crate::text::{Attributes, Inner, LineError, Piece, error};

/// Reads a `validation` line.
pub(super) fn read(statement: Piece<'_>) -> Result<Validation, LineError> {
    let mut inner = Inner::of(statement.clone());
    let mut of = Attributes::of(&statement, &mut inner)?;
    let agreement = match of.optional::<Vec<u64>>("agreeing")?.as_deref() {
        None => None,
        Some(&[count, of]) => Some(Share { count, of }),
        Some(_) => return Err(error(&statement, "expected agreeing=[COUNT,OF]")),
    };
    let right = match of.optional::<Vec<u64>>("right")?.as_deref() {
        None => None,
        Some(&[original, compiled, of]) => {
            let share = |count| Share { count, of };
            Some(Accuracy::Classes { original: share(original), compiled: share(compiled) })
        }
        Some(_) => return Err(error(&statement, "expected right=[ORIGINAL,COMPILED,OF]")),
    };
    let r2 = of.optional("r2")?;
    let values = r2.map(|(original, compiled)| Accuracy::Values { original, compiled });
    let better = match of.optional("degrees")? {
        None => None,
        Some(degrees) => Some(Better {
            degrees,
            time: of.get("time")?,
            agreement: of.optional("agreement")?,
            rms: of.get("rms")?,
        }),
    };
    let n_inputs = of.get::<usize>("inputs")? as u64;
    of.finish()?;
    Ok(Validation { n_inputs, agreement, accuracy: right.or(values), outputs: vec![], better })
}

/// Reads the `errors` line of an output.
pub(super) fn read_errors(statement: Piece<'_>) -> Result<OutputErrors, LineError> {
    let mut inner = Inner::of(statement.clone());
    let mut of = Attributes::of(&statement, &mut inner)?;
    let (least_spread, spread) = of.get("spread")?;
    let mut size = |name: &str| -> Result<ErrorSize, LineError> {
        let (largest, rms) = of.get(name)?;
        Ok(ErrorSize { largest, rms })
    };
    let (approximation, rounding) = (size("approximation")?, size("rounding")?);
    let total = size("total")?;
    of.finish()?;
    Ok(OutputErrors { least_spread, spread, approximation, rounding, total })
}
