//! `Slice`, as in Python: ends are cut to the data, negative ones count from the end.

use hecc_grammar::model::Op;

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::value::Value;

pub(super) const SLICE: Importer = Importer {
    op_type: "Slice",
    since: 7,
    supported: "`starts`, `ends`, `axes`, `steps`, as attributes or constant inputs",
    refused: "encrypted indices; results without elements",
    import,
};

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let missing = |what: &str| refuse(format!("`{what}` is missing"));
    let begins = node.integers("starts", 1, 10)?.ok_or_else(|| missing("starts"))?;
    let ends = node.integers("ends", 2, 10)?.ok_or_else(|| missing("ends"))?;
    let axes = node.integers("axes", 3, 10)?;
    let strides = if node.opset < 10 { None } else { node.integers("steps", 4, 10)? };
    let x = node.tensor(0, model)?;
    let mut shape = model.shape(x);
    let axes = axes.unwrap_or_else(|| (0..begins.len() as i64).collect());
    let strides = strides.unwrap_or_else(|| vec![1; begins.len()]);
    if [ends.len(), axes.len(), strides.len()] != [begins.len(); 3] {
        return Err(refuse(format!(
            "{} starts, {} ends, {} axes and {} steps, expected as many of each",
            begins.len(),
            ends.len(),
            axes.len(),
            strides.len()
        )));
    }
    shape::axes(&axes, shape.len())?;
    let (mut starts, mut steps) = (vec![0; shape.len()], vec![1; shape.len()]);
    for (i, &axis) in axes.iter().enumerate() {
        let d = shape::axis(axis, shape.len())?;
        let range = Range { begin: begins[i], end: ends[i], step: strides[i] };
        let (start, step, count) = range.cut(shape[d])?;
        (starts[d], steps[d], shape[d]) = (start, step, count);
    }
    if shape == model.shape(x) && steps.iter().all(|&s| s == 1) {
        return Ok(vec![x.into()]);
    }
    Ok(vec![model.push(Op::Slice { x, starts, steps }, shape)?.into()])
}

struct Range {
    begin: i64,
    end: i64,
    step: i64,
}

impl Range {
    /// First index, step and number of elements within `0..extent`.
    fn cut(&self, extent: usize) -> Result<(usize, isize, usize), Refused> {
        let n = extent as i64;
        if self.step == 0 {
            return Err(refuse("a step is 0"));
        }
        // Bounds are cut before they are negated or subtracted, so nothing overflows.
        let wrap = |v: i64| if v < 0 { v.max(-n - 1) + n } else { v.min(n) };
        let (begin, end, step) = (wrap(self.begin), wrap(self.end), self.step.clamp(-n - 1, n + 1));
        let (begin, count) = if step > 0 {
            let (begin, end) = (begin.max(0), end.max(0));
            (begin, (end - begin + step - 1).div_euclid(step))
        } else {
            let (begin, end) = (begin.min(n - 1), end.max(-1));
            (begin, (begin - end - step - 1).div_euclid(-step))
        };
        Ok((begin.max(0) as usize, step as isize, count.max(0) as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::Range;
    use crate::onnx::testing::{Attr, Case};

    #[test]
    fn both_forms() {
        let attributes = [
            ("starts", Attr::Ints(&[-2])),
            ("ends", Attr::Ints(&[i64::MAX])),
            ("axes", Attr::Ints(&[1])),
        ];
        let case = Case::new(9, &[1, 4]).node("Slice", "x", "y", &attributes);
        assert_eq!(case.result(&[1.0, 2.0, 3.0, 4.0]), (vec![1, 2], vec![3.0, 4.0]));
        let case =
            Case::new(13, &[1, 4]).ints("s", &[3]).ints("e", &[0]).ints("a", &[1]).ints("t", &[-2]);
        let case = case.node("Slice", "x s e a t", "y", &[]);
        assert_eq!(case.result(&[1.0, 2.0, 3.0, 4.0]), (vec![1, 2], vec![4.0, 2.0]));
        let case =
            Case::new(13, &[4]).ints("s", &[2]).ints("e", &[2]).node("Slice", "x s e", "y", &[]);
        assert!(case.error().contains("has no elements"));
    }

    #[test]
    fn ranges_are_those_of_python() {
        let cut = |begin, end, step, n| Range { begin, end, step }.cut(n).unwrap();
        assert_eq!(cut(1, i64::MAX, 2, 6), (1, 2, 3));
        assert_eq!(cut(-1, i64::MIN, -1, 4), (3, -1, 4));
        assert_eq!(cut(20, 0, -4, 10), (9, -4, 3));
        assert_eq!(cut(-100, 3, 1, 10), (0, 1, 3));
        assert_eq!(cut(3, 1, 1, 10).2, 0);
        assert_eq!(cut(5, -1, -1, 10).2, 0);
        assert_eq!(cut(i64::MIN, i64::MAX, i64::MAX, 5), (0, 6, 1));
        assert_eq!(cut(0, 5, 2, 0).2, 0);
    }
}
