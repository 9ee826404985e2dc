//! Models from text. Every node's shape must be the one that its operation gives.

use std::str::FromStr;

use ndarray::ArrayD;

use super::bounds::elements;
use super::client_text::client_ops;
use super::graph::{Model, Output};
use super::ids::Tensor;
use super::op::Op;
use super::statement::Statement;
use crate::text::{
    Attributes, Inner, LineError, Piece, Rule, TextError, check_version, error, for_each_line,
    in_turn, index, list, parse_list, unquote,
};

/// Finds the arrays that a text names instead of spelling them out: `npz "conv1.weight"`.
pub type Resolve<'a> = dyn FnMut(&str) -> Option<ArrayD<f64>> + 'a;

/// Reads and verifies a model.
///
/// # Errors
/// Names the line and what is expected there, or the promise that the model breaks.
pub fn parse(text: &str, resolve: &mut Resolve<'_>) -> Result<Model, TextError> {
    let mut model = None;
    for_each_line(text, Rule::model_line, |statement| match &mut model {
        None => {
            model = Some(read_model(statement)?);
            Ok(())
        }
        Some(model) => read_line(statement, model, resolve),
    })?;
    let fail = |what: String| TextError { line: text.lines().count().max(1), column: 1, what };
    let model = model.ok_or_else(|| fail("expected a line `model 1 \"name\"`".to_owned()))?;
    model.verify().map_err(|error| fail(error.to_string()))?;
    Ok(model)
}

/// Reads a model that names no array.
impl FromStr for Model {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Model, TextError> {
        parse(text, &mut |_| None)
    }
}

fn read_model(statement: Piece<'_>) -> Result<Model, LineError> {
    if statement.as_rule() != Rule::model {
        return Err(error(&statement, "expected `model 1 \"name\"` first"));
    }
    let mut inner = Inner::of(statement);
    check_version(&inner.next())?;
    Ok(Model { name: unquote(&inner.next())?, ..Model::default() })
}

fn read_line(
    statement: Piece<'_>,
    model: &mut Model,
    resolve: &mut Resolve<'_>,
) -> Result<(), LineError> {
    let rule = statement.as_rule();
    if rule == Rule::array_line {
        let array = read_array(statement, model.constants.len(), resolve)?;
        model.constant(array);
    } else if rule == Rule::node_line {
        read_node(statement, model)?;
    } else if rule == Rule::result {
        let mut inner = Inner::of(statement);
        let (name, tensor) = (unquote(&inner.next())?, Tensor(index(&inner.next())?));
        model.outputs.push(Output { name, tensor, client: client_ops(&mut inner)? });
    } else {
        return Err(error(&statement, "expected one `model` line only"));
    }
    Ok(())
}

fn read_array(
    statement: Piece<'_>,
    n_constants: usize,
    resolve: &mut Resolve<'_>,
) -> Result<ArrayD<f64>, LineError> {
    let mut inner = Inner::of(statement);
    in_turn(&inner.next(), n_constants)?;
    let shape_piece = inner.next();
    let shape: Vec<usize> = parse_list(&shape_piece)?;
    let count = elements(&shape).map_err(|e| error(&shape_piece, e.to_string()))?;
    let numbers = inner.next();
    if numbers.as_rule() == Rule::archive {
        let name_piece = Inner::of(numbers).next();
        let name = unquote(&name_piece)?;
        let array = resolve(&name)
            .ok_or_else(|| error(&name_piece, format!("no array `{name}` is at hand")))?;
        if array.shape() != shape {
            let what = format!("array `{name}` has shape {}", list(array.shape()));
            return Err(error(&shape_piece, what));
        }
        return Ok(array);
    }
    let elements: Vec<f64> = parse_list(&numbers)?;
    let found = elements.len();
    ArrayD::from_shape_vec(shape, elements)
        .map_err(|_| error(&numbers, format!("{found} numbers, expected {count}")))
}

fn read_node(statement: Piece<'_>, model: &mut Model) -> Result<(), LineError> {
    let mut inner = Inner::of(statement.clone());
    in_turn(&inner.next(), model.nodes.len())?;
    let name = inner.next();
    let arguments = inner.take_all(Rule::argument).map(|argument| Inner::of(argument).next());
    let arguments = arguments.collect();
    let attributes = Attributes::of(&statement, &mut inner)?;
    let op = Op::read(Statement::new(name.clone(), arguments, attributes))?;
    let shape_piece = inner
        .take(Rule::numbers)
        .ok_or_else(|| error(&name, "expected shape and name behind it, as in : [1,10] \"fc\""))?;
    let declared: Vec<usize> = parse_list(&shape_piece)?;
    let shape = op.shape(model, &declared).map_err(|e| error(&name, e.to_string()))?;
    if shape != declared {
        let what = format!("expected the operation's shape {}", list(&shape));
        return Err(error(&shape_piece, what));
    }
    model.push(op, &unquote(&inner.next())?, shape);
    Ok(())
}
