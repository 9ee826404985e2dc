//! Models from text. Every node's shape must be the one that its operation gives.

use std::str::FromStr;

use ndarray::ArrayD;

use super::shape::elements;
use super::{Const, Function, Model, Op, Output, Polynomial, Quantizer, Tensor, Window};
use crate::text::{
    Attributes, Inner, LineError, Piece, Rule, TextError, check_version, client_chain, error,
    for_each_line, in_turn, index, list, parse_list, unquote,
};

/// Finds the arrays that a text names instead of spelling them out: `npz "conv1.weight"`.
pub type Resolve<'a> = dyn FnMut(&str) -> Option<ArrayD<f64>> + 'a;

/// Reads and verifies a model.
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
        model.outputs.push(Output { name, tensor, client: client_chain(&mut inner)? });
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
    let arguments = Arguments { name: name.clone(), list: arguments.collect(), taken: 0 };
    let of = Attributes::of(&statement, &mut inner)?;
    let op = read_op(arguments, of)?;
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

fn read_op(mut of: Arguments<'_>, mut with: Attributes<'_>) -> Result<Op, LineError> {
    let name = of.name.clone();
    let op = match name.as_str() {
        "input" => Op::Input,
        "conv" => {
            let (x, weight) = (of.tensor()?, of.constant()?);
            let bias = if of.is_empty() { None } else { Some(of.constant()?) };
            let window = read_window(&mut with)?;
            Op::Conv { x, weight, bias, window, groups: with.get("groups")? }
        }
        "average_pool" => Op::AveragePool {
            x: of.tensor()?,
            kernel: with.get("kernel")?,
            window: read_window(&mut with)?,
            count_include_pad: with.get("count_include_pad")?,
        },
        "matmul" => match of.is_tensor() {
            true => Op::MatMul { x: of.tensor()?, weight: of.constant()? },
            false => Op::MatMulLeft { weight: of.constant()?, x: of.tensor()? },
        },
        "add" | "mul" => {
            let (x, is_sum) = (of.tensor()?, name.as_str() == "add");
            match (of.is_tensor(), is_sum) {
                (true, true) => Op::Add(x, of.tensor()?),
                (true, false) => Op::Mul(x, of.tensor()?),
                (false, true) => Op::AddConst(x, of.constant()?),
                (false, false) => Op::MulConst(x, of.constant()?),
            }
        }
        "expand" => Op::Expand(of.tensor()?),
        "sum" => {
            let keepdims = with.get("keepdims")?;
            Op::Sum { x: of.tensor()?, axes: with.get("axes")?, keepdims }
        }
        "reshape" => Op::Reshape(of.tensor()?),
        "transpose" => Op::Transpose { x: of.tensor()?, perm: with.get("perm")? },
        "slice" => {
            let (starts, steps) = (with.get("starts")?, with.get("steps")?);
            Op::Slice { x: of.tensor()?, starts, steps }
        }
        "pad" => Op::Pad {
            x: of.tensor()?,
            before: with.get("before")?,
            after: with.get("after")?,
            value: with.get("value")?,
        },
        "gather" => {
            let (axis, indices) = (with.get("axis")?, with.get("indices")?);
            Op::Gather { x: of.tensor()?, axis, indices }
        }
        "concat" => Op::Concat { xs: of.tensors()?, axis: with.get("axis")? },
        "polynomial" => {
            let (lo, hi) = (with.get("lo")?, with.get("hi")?);
            let polynomial = Polynomial { lo, hi, coefficients: with.get("coefficients")? };
            Op::Polynomial { x: of.tensor()?, polynomial }
        }
        "fake_quant" => Op::FakeQuant { x: of.tensor()?, quantizer: read_quantizer(&mut with)? },
        _ => {
            let function = read_function(&name, &mut with)?;
            Op::Activation { x: of.tensor()?, function }
        }
    };
    of.finish()?;
    with.finish()?;
    Ok(op)
}

fn read_window(with: &mut Attributes<'_>) -> Result<Window, LineError> {
    Ok(Window {
        strides: with.get("strides")?,
        pads_begin: with.get("pads_begin")?,
        pads_end: with.get("pads_end")?,
        dilations: with.get("dilations")?,
    })
}

/// Reads the attributes of a `fake_quant`, be it a node or the client's.
pub(crate) fn read_quantizer(with: &mut Attributes<'_>) -> Result<Quantizer, LineError> {
    Ok(Quantizer {
        scale: with.get("scale")?,
        zero_point: with.get("zero_point")?,
        q_min: with.get("q_min")?,
        q_max: with.get("q_max")?,
        rounding: with.get("rounding")?,
    })
}

/// Reads the function of that name with its parameters, be it a node's or the client's.
pub(crate) fn read_function(
    name: &Piece<'_>,
    with: &mut Attributes<'_>,
) -> Result<Function, LineError> {
    Ok(match name.as_str() {
        "relu" => Function::Relu,
        "leaky_relu" => Function::LeakyRelu { alpha: with.get("alpha")? },
        "sigmoid" => Function::Sigmoid,
        "tanh" => Function::Tanh,
        "hard_sigmoid" => {
            Function::HardSigmoid { alpha: with.get("alpha")?, beta: with.get("beta")? }
        }
        "hard_swish" => Function::HardSwish,
        "elu" => Function::Elu { alpha: with.get("alpha")? },
        "selu" => Function::Selu { alpha: with.get("alpha")?, gamma: with.get("gamma")? },
        "gelu" => Function::Gelu { tanh: with.get("tanh")? },
        "erf" => Function::Erf,
        "softplus" => Function::Softplus,
        "softsign" => Function::Softsign,
        "swish" => Function::Swish { alpha: with.get("alpha")? },
        "mish" => Function::Mish,
        "exp" => Function::Exp,
        "log" => Function::Log,
        "sqrt" => Function::Sqrt,
        "sin" => Function::Sin,
        "cos" => Function::Cos,
        "clip" => Function::Clip { lo: with.get("lo")?, hi: with.get("hi")? },
        other => return Err(error(name, format!("`{other}`, expected an operation"))),
    })
}

/// Operands, taken in order.
struct Arguments<'a> {
    name: Piece<'a>,
    list: Vec<Piece<'a>>,
    taken: usize,
}

impl Arguments<'_> {
    fn is_empty(&self) -> bool {
        self.taken == self.list.len()
    }

    fn is_tensor(&self) -> bool {
        self.list.get(self.taken).is_some_and(|piece| piece.as_rule() == Rule::tensor)
    }

    fn next(&mut self, rule: Rule, what: &str) -> Result<u32, LineError> {
        let piece = self.list.get(self.taken);
        self.taken += 1;
        match piece {
            Some(piece) if piece.as_rule() == rule => index(piece),
            Some(piece) => Err(error(piece, format!("expected {what}"))),
            None => {
                let name = self.name.as_str();
                Err(error(
                    &self.name,
                    format!("expected {what} as operand {} of {name}", self.taken),
                ))
            }
        }
    }

    fn tensor(&mut self) -> Result<Tensor, LineError> {
        self.next(Rule::tensor, "a tensor").map(Tensor)
    }

    fn constant(&mut self) -> Result<Const, LineError> {
        self.next(Rule::constant, "a constant").map(Const)
    }

    fn tensors(&mut self) -> Result<Vec<Tensor>, LineError> {
        (self.taken..self.list.len()).map(|_| self.tensor()).collect()
    }

    fn finish(self) -> Result<(), LineError> {
        match self.list.get(self.taken) {
            None => Ok(()),
            Some(piece) => Err(error(piece, format!("expected {} operands", self.taken))),
        }
    }
}
