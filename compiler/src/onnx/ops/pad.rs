//! `Pad`: with a constant, or with elements of the data (`reflect`, `edge`, `wrap`) that are gathered.

use hecc_grammar::model::{Op, Tensor};

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape::{self, MAX_ELEMENTS};
use crate::onnx::value::Value;

pub(super) const PAD: Importer = Importer {
    op_type: "Pad",
    since: 7,
    supported: "`mode` constant, reflect, edge, wrap; `pads`, `value` as attributes or constant inputs; `axes`; negative pads",
    refused: "encrypted pads or value",
    import,
};

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let x = node.tensor(0, model)?;
    let shape = model.shape(x);
    let mode = node.attr::<String>("mode")?.unwrap_or_else(|| "constant".to_owned());
    let pads = node.integers("pads", 1, 11)?.ok_or_else(|| refuse("`pads` is missing"))?;
    let value = if node.opset < 11 {
        node.attr::<f64>("value")?.unwrap_or(0.0)
    } else {
        let value = node.optional_constant(2)?.map(|c| c.uniform().ok_or(c.shape().to_vec()));
        let value = value
            .transpose()
            .map_err(|s| refuse(format!("input 2 has shape {s:?}, expected one number")))?;
        value.unwrap_or(0.0)
    };
    let axes = match node.optional_constant(3)? {
        Some(axes) => {
            let axes = axes.to_integers()?;
            shape::axes(&axes, shape.len())?;
            axes.iter().map(|&a| shape::axis(a, shape.len())).collect::<Result<Vec<_>, _>>()?
        }
        None => (0..shape.len()).collect(),
    };
    if pads.len() != 2 * axes.len() || pads.iter().any(|p| p.unsigned_abs() > MAX_ELEMENTS as u64) {
        return Err(refuse(format!("`pads` is {pads:?}, expected two small numbers for {axes:?}")));
    }
    let (mut before, mut after) = (vec![0; shape.len()], vec![0; shape.len()]);
    for (i, &axis) in axes.iter().enumerate() {
        (before[axis], after[axis]) = (pads[i], pads[i + axes.len()]);
        if shape[axis] as i64 + before[axis] + after[axis] <= 0 {
            return Err(refuse(format!("pads {pads:?} leave nothing of shape {shape:?}")));
        }
    }
    let (x, [before, after]) = cut(x, &before, &after, model)?;
    let y = match &mode[..] {
        "constant" => model.pad(x, before, after, value)?,
        "reflect" => gathered(x, &before, &after, reflect, model)?,
        "edge" => gathered(x, &before, &after, |i, n| i.clamp(0, n - 1), model)?,
        "wrap" => gathered(x, &before, &after, |i, n| i.rem_euclid(n), model)?,
        other => {
            let expected = "constant, reflect, edge or wrap";
            return Err(refuse(format!("attribute `mode` is `{other}`, expected {expected}")));
        }
    };
    Ok(vec![y.into()])
}

/// The index that `i` mirrors to, the first and the last element not repeated.
fn reflect(i: i64, n: i64) -> i64 {
    if n == 1 {
        return 0;
    }
    let around = i.rem_euclid(2 * (n - 1));
    around.min(2 * (n - 1) - around)
}

/// Negative padding cuts, before anything is added; returns what is left to add.
fn cut(
    x: Tensor,
    before: &[i64],
    after: &[i64],
    model: &mut Builder,
) -> Result<(Tensor, [Vec<usize>; 2]), Refused> {
    let shape = model.shape(x);
    let mut x = x;
    if before.iter().chain(after).any(|&p| p < 0) {
        let cut = |p: &i64| usize::try_from(-p).unwrap_or(0);
        let starts: Vec<usize> = before.iter().map(cut).collect();
        let out: Option<Vec<usize>> =
            (0..shape.len()).map(|d| shape[d].checked_sub(starts[d] + cut(&after[d]))).collect();
        let out =
            out.ok_or_else(|| refuse(format!("negative pads cut more than shape {shape:?}")))?;
        x = model.push(Op::Slice { x, starts, steps: vec![1; shape.len()] }, out)?;
    }
    let grow = |pads: &[i64]| pads.iter().map(|&p| usize::try_from(p).unwrap_or(0)).collect();
    Ok((x, [grow(before), grow(after)]))
}

/// Pads with elements of the data: index `i` outside of it is taken from `source(i, extent)`.
fn gathered(
    x: Tensor,
    before: &[usize],
    after: &[usize],
    source: impl Fn(i64, i64) -> i64,
    model: &mut Builder,
) -> Result<Tensor, Refused> {
    let mut x = x;
    for (axis, (&b, &a)) in before.iter().zip(after).enumerate() {
        if (b, a) == (0, 0) {
            continue;
        }
        let n = model.model.shape(x)[axis] as i64;
        let (b, a) = (b as i64, a as i64);
        model.spend((n + b + a) as usize)?;
        let indices = (-b..n + a).map(|i| source(i, n) as usize).collect();
        x = model.gather(x, axis, indices)?;
    }
    Ok(x)
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    #[test]
    fn attributes_of_opset_7() {
        let pads = ("pads", Attr::Ints(&[0, 1, 0, -1]));
        let case =
            Case::new(7, &[1, 3]).node("Pad", "x", "y", &[pads, ("value", Attr::Float(9.0))]);
        assert_eq!(case.result(&[1.0, 2.0, 3.0]), (vec![1, 3], vec![9.0, 1.0, 2.0]));
    }

    #[test]
    fn modes() {
        let run = |mode, pads: &[i64]| {
            let case = Case::new(19, &[3]).ints("p", pads);
            case.node("Pad", "x p", "y", &[("mode", Attr::Text(mode))]).result(&[1.0, 2.0, 3.0]).1
        };
        assert_eq!(run("reflect", &[2, 1]), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
        assert_eq!(run("reflect", &[5, 0]), [2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0]);
        assert_eq!(run("edge", &[2, -1]), [1.0, 1.0, 1.0, 2.0]);
        assert_eq!(run("wrap", &[1, 4]), [3.0, 1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0]);
        assert_eq!(run("constant", &[-1, 1]), [2.0, 3.0, 0.0]);
    }

    #[test]
    fn axes_choose_dimensions() {
        let case =
            Case::new(18, &[1, 2]).ints("p", &[1, 0]).floats("v", &[], &[7.0]).ints("a", &[-1]);
        let case = case.node("Pad", "x p v a", "y", &[]);
        assert_eq!(case.result(&[1.0, 2.0]), (vec![1, 3], vec![7.0, 1.0, 2.0]));
    }

    #[test]
    fn hostile_pads_are_refused() {
        for pads in [[i64::MAX, 0], [i64::MIN, 0], [-3, 0], [1 << 28, 1 << 28], [1 << 27, 0]] {
            let case = Case::new(13, &[3]).ints("p", &pads);
            case.node("Pad", "x p", "y", &[("mode", Attr::Text("edge"))]).error();
        }
    }
}
