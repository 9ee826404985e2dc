//! Leaves to the client the activations that come last: what is applied in cleartext is exact and costs nothing.
//!
//! Moves of elements, and one factor and offset, may follow an activation; they are followed back element by element.

use hecc_grammar::model::{Class, ClientOp, Function, Model, Op, Tensor};

use super::client::MAX_OPS;
use super::error::{ImportError, NodeError, Refused};
use super::unsupported;
use crate::linear::affine_of;

/// Larger results stay as they are: every element is followed.
const MOST_ELEMENTS: usize = 1 << 22;

/// Refuses functions that nobody but the client can apply.
pub(super) fn check(model: &Model) -> Result<(), ImportError> {
    let refused = model.nodes.iter().filter_map(|node| {
        let Op::Activation { function, .. } = node.op else { return None };
        if function.is_tame() {
            return None;
        }
        let op_type = if function == Function::Log { "Log" } else { "Sqrt" };
        let Refused { reason, rewrite, .. } = unsupported::reason(op_type);
        let (node, op_type) = (node.name.clone(), op_type.to_owned());
        Some(NodeError { node, op_type, reason, rewrite })
    });
    let refused: Vec<NodeError> = refused.collect();
    if refused.is_empty() { Ok(()) } else { Err(ImportError::Nodes(refused)) }
}

/// Before: outputs may be activations, moved or in other units. After: the client applies these; what is encrypted
/// ends before. It applies no more than it can. Nodes that nobody needs stay.
pub(super) fn leave_to_client(model: &mut Model) {
    for i in 0..model.outputs.len() {
        while let Some((tensor, ops)) = peel(model, model.outputs[i].tensor) {
            if model.outputs[i].client.len() + ops.len() > MAX_OPS {
                break;
            }
            let output = &mut model.outputs[i];
            output.tensor = tensor;
            output.client.splice(0..0, ops);
        }
    }
}

/// One element of a result: `factor·source[at] + offset`.
#[derive(Clone, Copy)]
struct Element {
    source: Tensor,
    at: usize,
    factor: f64,
    offset: f64,
}

/// A tensor and the client's operations that together are the one given.
fn peel(model: &mut Model, tensor: Tensor) -> Option<(Tensor, Vec<ClientOp>)> {
    if let Op::FakeQuant { x, quantizer } = model.node(tensor).op {
        return Some((x, vec![ClientOp::FakeQuant(quantizer)]));
    }
    let mut elements = follow(model, tensor)?;
    let of = |element: &Element| {
        let Op::Activation { x, function } = model.node(element.source).op else { return None };
        Some((x, function))
    };
    let (_, function) = of(elements.first()?)?;
    let is_odd = matches!(function, Function::Tanh | Function::Erf | Function::Softsign);
    let mut signs = Vec::with_capacity(elements.len());
    for element in &mut elements {
        let (x, other) = of(element)?;
        if other != function {
            return None;
        }
        element.source = x;
        // What falls with the activation is written so that it rises: decisions are the same before and after it.
        let falls = element.factor < 0.0;
        match (falls, function) {
            (false, _) => {}
            // −f·σ(x) + o = f·σ(−x) + o − f.
            (true, Function::Sigmoid) => element.offset += element.factor,
            (true, _) if is_odd => {}
            (true, _) => return None,
        }
        element.factor = element.factor.abs();
        signs.push(if falls { -1.0 } else { 1.0 });
    }
    let Element { factor, offset, .. } = elements[0];
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * factor.abs().max(offset.abs());
    if factor == 0.0 || !elements.iter().all(|e| close(e.factor, factor) && close(e.offset, offset))
    {
        return None;
    }
    let inner = gathered(model, &elements, signs, tensor);
    let mut ops = vec![ClientOp::Activation(function)];
    if (factor, offset) != (1.0, 0.0) {
        ops.push(ClientOp::Affine { factor: vec![factor], offset: vec![offset] });
    }
    Some((inner, ops))
}

/// Where every element comes from, back to what is neither moved nor scaled. `None` where an element has several
/// sources, or none.
fn follow(model: &Model, tensor: Tensor) -> Option<Vec<Element>> {
    let count: usize = model.shape(tensor).iter().product();
    if count > MOST_ELEMENTS {
        return None;
    }
    let itself = |at| Element { source: tensor, at, factor: 1.0, offset: 0.0 };
    let op = &model.node(tensor).op;
    match op.class() {
        Class::Function if matches!(op, Op::Activation { .. }) => {
            Some((0..count).map(itself).collect())
        }
        Class::Moves | Class::Scales => through(model, tensor, count),
        Class::Input | Class::Affine | Class::Product | Class::Function => None,
    }
}

/// As [`follow`], through an operation that moves and scales.
fn through(model: &Model, tensor: Tensor, count: usize) -> Option<Vec<Element>> {
    // Before any matrix is written down, whether there is an activation at all.
    let operands = model.node(tensor).op.operands();
    let inner: Vec<Vec<Element>> =
        operands.iter().map(|&x| follow(model, x)).collect::<Option<_>>()?;
    let affine = affine_of(model, tensor)?;
    let mut elements: Vec<Option<Element>> = vec![None; count];
    for ((_, matrix), inner) in affine.terms.iter().zip(&inner) {
        for (row, element) in elements.iter_mut().enumerate() {
            for (column, factor) in matrix.row(row) {
                let from = inner[column];
                let (factor, offset) = (factor * from.factor, factor * from.offset);
                if element.replace(Element { factor, offset, ..from }).is_some() {
                    return None;
                }
            }
        }
    }
    let mut elements: Vec<Element> = elements.into_iter().collect::<Option<_>>()?;
    if let Some(bias) = affine.bias {
        elements.iter_mut().zip(bias).for_each(|(element, bias)| element.offset += bias);
    }
    Some(elements)
}

/// Appends the tensor of the elements that the activations read, in their order, under the name and shape of `like`.
fn gathered(model: &mut Model, elements: &[Element], signs: Vec<f64>, like: Tensor) -> Tensor {
    let (name, shape) = (model.node(like).name.clone(), model.shape(like).to_vec());
    let mut sources: Vec<Tensor> = elements.iter().map(|e| e.source).collect();
    sources.sort_unstable();
    sources.dedup();
    let batch: &[usize] = if shape.first() == Some(&1) { &[1] } else { &[] };
    let axis = batch.len();
    let (mut starts, mut flat, mut total) = (vec![], vec![], 0);
    for &x in &sources {
        let count: usize = model.shape(x).iter().product();
        starts.push(total);
        total += count;
        let line = [batch, &[count]].concat();
        flat.push(reshaped(model, x, line, &name));
    }
    let mut x = match flat[..] {
        [only] => only,
        _ => {
            let line = [batch, &[total]].concat();
            model.push(Op::Concat { xs: flat, axis }, &name, line)
        }
    };
    let start = |source| starts[sources.binary_search(source).expect("it is one of the sources")];
    let indices: Vec<usize> = elements.iter().map(|e| start(&e.source) + e.at).collect();
    if !indices.iter().copied().eq(0..total) {
        let line = [batch, &[indices.len()]].concat();
        x = model.push(Op::Gather { x, axis, indices }, &name, line);
    }
    x = reshaped(model, x, shape.clone(), &name);
    if signs.iter().all(|&sign| sign == 1.0) {
        return x;
    }
    let signs = ndarray::ArrayD::from_shape_vec(shape.clone(), signs);
    let signs = model.constant(signs.expect("a sign for each element"));
    model.push(Op::MulConst(x, signs), &name, shape)
}

/// A tensor under another shape: one that is so already, or that becomes so by what is undone, is not reshaped again.
fn reshaped(model: &mut Model, x: Tensor, shape: Vec<usize>, name: &str) -> Tensor {
    if model.shape(x) == shape {
        return x;
    }
    if let Op::Reshape(inner) = model.node(x).op {
        return reshaped(model, inner, shape, name);
    }
    model.push(Op::Reshape(x), name, shape)
}
