//! `Where` by a threshold on the operand of both alternatives: an activation that is written out.

use hecc_grammar::model::{ClientOp, Comparison, Function, Op, Tensor};
use ndarray::{ArrayD, IxDyn};

use crate::onnx::builder::Builder;
use crate::onnx::client::LastNodes;
use crate::onnx::error::Refused;
use crate::onnx::node::Operand;
use crate::onnx::recognize;

/// Beyond this, `softplus(x)` and `x` differ by less than 3e-4.
const FAR: f64 = 8.0;
/// Constants are often rounded to f32.
const TOLERANCE: f64 = 1e-6;
/// Multiples and offsets that are followed.
const MOST_STEPS: usize = 6;

/// A line: `slope·x + offset`.
#[derive(Clone, Copy)]
struct Line {
    slope: f64,
    offset: f64,
}

/// The alternative above a threshold on `x`, the one below, and the threshold.
struct Pieces<'a> {
    x: Tensor,
    at: f64,
    above: &'a Operand,
    below: &'a Operand,
}

/// What `condition` chooses between, if that is a continuous function of what it compares.
pub(super) fn activation(
    condition: &LastNodes,
    yes: &Operand,
    no: &Operand,
    model: &mut Builder,
) -> Result<Option<Tensor>, Refused> {
    let [ClientOp::Compare { comparison, with }] = &condition.ops[..] else { return Ok(None) };
    let [at] = with[..] else { return Ok(None) };
    // The threshold may be one of a multiple of what the alternatives are functions of.
    for (x, line) in steps(condition.tensor, model) {
        if line.slope == 0.0 {
            return Ok(None);
        }
        let is_above = match comparison {
            Comparison::Greater | Comparison::GreaterOrEqual => line.slope > 0.0,
            Comparison::Less | Comparison::LessOrEqual => line.slope < 0.0,
            Comparison::Equal | Comparison::NotEqual => return Ok(None),
        };
        let (above, below) = if is_above { (yes, no) } else { (no, yes) };
        let pieces = Pieces { x, at: (at - line.offset) / line.slope, above, below };
        if let Some(y) = joined(&pieces, model)? {
            return Ok(Some(y));
        }
    }
    Ok(None)
}

fn joined(pieces: &Pieces<'_>, model: &mut Builder) -> Result<Option<Tensor>, Refused> {
    let Pieces { x, at, above, below } = *pieces;
    let shape = model.shape(x);
    let fits = |operand: &Operand| match operand {
        Operand::Tensor(y) => model.model.shape(*y) == shape,
        Operand::Constant(c) => c.uniform().is_some(),
    };
    if !fits(above) || !fits(below) {
        return Ok(None);
    }
    match (line(above, x, model), line(below, x, model), below) {
        (Some(above), Some(below), _) => two_lines(x, at, above, below, model),
        (Some(Line { slope: 1.0, offset: 0.0 }), None, Operand::Tensor(y)) => {
            if softplus(*y, x, at, model) {
                return Ok(Some(*y));
            }
            exponential(*y, x, at, model)
        }
        (Some(_), None, _) | (None, _, _) => Ok(None),
    }
}

/// The operand as a line over `x`.
fn line(operand: &Operand, x: Tensor, model: &Builder) -> Option<Line> {
    match operand {
        Operand::Constant(c) => Some(Line { slope: 0.0, offset: c.uniform()? }),
        Operand::Tensor(y) => over(*y, x, model),
    }
}

/// A tensor as a line over `x`.
fn over(y: Tensor, x: Tensor, model: &Builder) -> Option<Line> {
    steps(y, model).into_iter().find(|(base, _)| *base == x).map(|(_, line)| line)
}

/// A tensor as a line over itself, then over what it is a multiple or an offset of, and so on.
fn steps(y: Tensor, model: &Builder) -> Vec<(Tensor, Line)> {
    let uniform = |c| {
        let array: &ArrayD<f64> = model.model.array(c);
        let first = array.iter().next().copied();
        first.filter(|first| array.iter().all(|v| v == first))
    };
    let mut steps = vec![(y, Line { slope: 1.0, offset: 0.0 })];
    while steps.len() < MOST_STEPS {
        let (y, line) = steps[steps.len() - 1];
        let (x, slope, offset) = if let Op::MulConst(x, c) = model.model.node(y).op {
            (x, uniform(c), Some(0.0))
        } else if let Op::AddConst(x, c) = model.model.node(y).op {
            (x, Some(1.0), uniform(c))
        } else {
            break;
        };
        let (Some(slope), Some(offset)) = (slope, offset) else { break };
        let offset = line.offset + line.slope * offset;
        steps.push((x, Line { slope: line.slope * slope, offset }));
    }
    steps
}

/// Two lines that meet: `below(x) + (slope − slope)·relu(x − at)`.
fn two_lines(
    x: Tensor,
    at: f64,
    above: Line,
    below: Line,
    model: &mut Builder,
) -> Result<Option<Tensor>, Refused> {
    let value = |line: Line| line.slope * at + line.offset;
    let size = value(above).abs().max(value(below).abs()).max(1e-3);
    if (value(above) - value(below)).abs() > TOLERANCE * size {
        return Ok(None);
    }
    if at == 0.0 && above.slope == 1.0 && below.offset == 0.0 {
        let alpha = below.slope;
        let function = if alpha == 0.0 { Function::Relu } else { Function::LeakyRelu { alpha } };
        return model.activation(x, function).map(Some);
    }
    let number = |v: f64| ArrayD::from_elem(IxDyn(&[]), v);
    let shifted = model.add_const(x, number(-at))?;
    let bent = model.activation(shifted, Function::Relu)?;
    let bent = model.scale(bent, above.slope - below.slope)?;
    if below.slope == 0.0 {
        return model.add_const(bent, number(below.offset)).map(Some);
    }
    let straight = model.scale(x, below.slope)?;
    let sum = model.add(straight, bent)?;
    model.add_const(sum, number(below.offset)).map(Some)
}

/// Whether `y` is `softplus(βx)/β`, and so large an `x` as the threshold makes it `x`.
fn softplus(y: Tensor, x: Tensor, at: f64, model: &Builder) -> bool {
    let is_it = |(inner, outer): (Tensor, Line)| {
        let z = if let Op::Activation { x: z, function: Function::Softplus } =
            model.model.node(inner).op
        {
            Some(z)
        } else if let Op::Activation { x: sum, function: Function::Log } =
            model.model.node(inner).op
        {
            recognize::one_plus_exp(&model.model, sum)
        } else {
            None
        };
        let Some(beta) = z.and_then(|z| over(z, x, model)) else { return false };
        (beta.offset, outer.offset) == (0.0, 0.0)
            && (beta.slope * outer.slope - 1.0).abs() < TOLERANCE
            && at * beta.slope >= FAR
    };
    steps(y, model).into_iter().any(is_it)
}

/// `alpha·(e^x − 1)` below zero.
fn exponential(
    y: Tensor,
    x: Tensor,
    at: f64,
    model: &mut Builder,
) -> Result<Option<Tensor>, Refused> {
    let is_exp = |(inner, _): &(Tensor, Line)| {
        model.model.node(*inner).op == Op::Activation { x, function: Function::Exp }
    };
    let Some((_, Line { slope, offset })) = steps(y, model).into_iter().find(is_exp) else {
        return Ok(None);
    };
    if at != 0.0 || (slope + offset).abs() > TOLERANCE * slope.abs() {
        return Ok(None);
    }
    model.activation(x, Function::Elu { alpha: slope }).map(Some)
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::Case;

    /// A case with some constants, behind a matrix that keeps activations from being the last step.
    fn case() -> Case {
        Case::new(17, &[1, 3])
            .floats("zero", &[], &[0.0])
            .floats("one", &[], &[1.0])
            .floats("tenth", &[], &[0.1])
            .floats("two", &[], &[2.0])
            .floats("twenty", &[], &[20.0])
            .node("Greater", "x zero", "positive", &[])
    }

    /// What the client applies at the end, and the results at −1, 0 and 30.
    fn of(case: &Case) -> (String, Vec<f64>) {
        (case.client(), case.result(&[-1.0, 0.0, 30.0]).1)
    }

    #[test]
    fn two_lines_that_meet() {
        let relu = of(&case().node("Where", "positive x zero", "y", &[]));
        assert_eq!(relu, ("relu".to_owned(), vec![0.0, 0.0, 30.0]));
        let leaky = case().node("Mul", "x tenth", "s", &[]).node("Where", "positive x s", "y", &[]);
        let (client, y) = of(&leaky);
        assert!(client.starts_with("leaky_relu alpha=0.1"), "{client}");
        assert!((y[0] + 0.1).abs() < 1e-7);
        let cut = case().node("Less", "x two", "l", &[]).node("Where", "l x two", "y", &[]);
        assert_eq!(of(&cut).1, [-1.0, 0.0, 2.0]);
        // What jumps is no activation.
        let jump = case().node("Less", "x two", "l", &[]).node("Where", "l x zero", "y", &[]);
        assert!(jump.error().contains("expected a constant"), "{}", jump.error());
    }

    #[test]
    fn softplus_as_pytorch_writes_it() {
        let plain = case().node("Exp", "x", "e", &[]).node("Add", "e one", "s", &[]).node(
            "Log",
            "s",
            "l",
            &[],
        );
        assert_eq!(of(&plain.node("Identity", "l", "y", &[])).0, "softplus");
        let steep = case()
            .node("Mul", "x two", "b", &[])
            .node("Exp", "b", "e", &[])
            .node("Add", "e one", "s", &[])
            .node("Log", "s", "l", &[])
            .node("Div", "l two", "d", &[])
            .node("Greater", "b twenty", "g", &[])
            .node("Where", "g x d", "y", &[]);
        let (client, y) = of(&steep);
        assert!(client.starts_with("softplus | affine factor=[0.5]"), "{client}");
        assert!((y[0] - (-2f64).exp().ln_1p() / 2.0).abs() < 1e-12 && (y[2] - 30.0).abs() < 1e-12);
    }

    #[test]
    fn exponential_units() {
        // Whatever comes before.
        let double = case().node("Mul", "x two", "d", &[]).node("Exp", "d", "e", &[]);
        let double = double.node("Sub", "e one", "s", &[]).node("Less", "d zero", "l", &[]);
        let (client, y) = of(&double.node("Where", "l s d", "y", &[]));
        assert_eq!(client, "elu alpha=1");
        assert!((y[0] - (-2f64).exp_m1()).abs() < 1e-12 && y[2] == 60.0);
        let elu = case().node("Exp", "x", "e", &[]).node("Sub", "e one", "s", &[]).node(
            "Where",
            "positive x s",
            "y",
            &[],
        );
        let (client, y) = of(&elu);
        assert_eq!(client, "elu alpha=1");
        assert!((y[0] - (-1f64).exp_m1()).abs() < 1e-12);
    }
}
