//! What is left to the client: the operators at the end of a network that no polynomial follows, or need not.

use hecc_grammar::model::{ClientOp, Tensor};
use ndarray::{Array1, ArrayD};

use super::builder::Builder;
use super::error::{Refused, refuse};
use super::node::Node;
use super::shape;
use super::value::{Constant, Kind, Value};

/// The client applies no more operations to an output.
pub(super) const MAX_OPS: usize = 64;

/// A tensor and what the client applies to it, in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LastNodes {
    pub(super) tensor: Tensor,
    pub(super) ops: Vec<ClientOp>,
}

impl LastNodes {
    /// Input `i`: an encrypted tensor, or one that the client has already begun to treat.
    pub(super) fn of(
        node: &mut Node<'_>,
        i: usize,
        model: &mut Builder,
    ) -> Result<LastNodes, Refused> {
        match node.value(i) {
            Some(Value::Client { tensor, ops, .. }) => Ok(LastNodes { tensor, ops }),
            _ => Ok(LastNodes { tensor: node.tensor(i, model)?, ops: vec![] }),
        }
    }

    /// Input `i`, if the client has begun to treat it.
    pub(super) fn begun(node: &mut Node<'_>, i: usize) -> Option<LastNodes> {
        match node.value(i) {
            Some(Value::Client { tensor, ops, .. }) => Some(LastNodes { tensor, ops }),
            _ => None,
        }
    }

    /// The shape behind the operations.
    pub(super) fn shape(&self, model: &Builder) -> Result<Vec<usize>, Refused> {
        let from = model.shape(self.tensor);
        let shape = self.ops.iter().try_fold(from, |shape, op| op.shape(&shape));
        shape.map_err(|error| refuse(error.to_string()))
    }

    /// One operation more. Of shapes that follow each other the last one stays: rows that one of them hides are there.
    pub(super) fn then(mut self, op: ClientOp) -> LastNodes {
        if let (ClientOp::Reshape { .. }, Some(ClientOp::Reshape { .. })) = (&op, self.ops.last()) {
            self.ops.pop();
        }
        self.ops.push(op);
        self
    }

    /// `factor·x + offset` for one number each.
    pub(super) fn then_affine(self, factor: f64, offset: f64) -> LastNodes {
        self.then(ClientOp::Affine { factor: vec![factor], offset: vec![offset] })
    }

    /// Elements at the positions that an array of the new shape holds.
    pub(super) fn then_move(self, positions: &ArrayD<f64>) -> LastNodes {
        let shape = positions.shape().to_vec();
        let positions: Vec<usize> = positions.iter().map(|&at| at as usize).collect();
        let in_order = positions.iter().copied().eq(0..positions.len());
        self.then(match in_order {
            true => ClientOp::Reshape { shape },
            false => ClientOp::Pick { positions, shape },
        })
    }

    /// The chain in a shape that its own broadcasts to.
    pub(super) fn widened(self, to: &[usize], model: &Builder) -> Result<LastNodes, Refused> {
        let from = self.shape(model)?;
        if from == to {
            return Ok(self);
        }
        let positions = positions(&from)?;
        let wide = positions.broadcast(to);
        let wide = wide.ok_or_else(|| refuse(format!("{from:?} does not broadcast to {to:?}")))?;
        Ok(self.then_move(&wide.to_owned()))
    }

    /// The node's result, if all operations fit their operands.
    pub(super) fn value(self, node: &Node<'_>, model: &Builder) -> Result<Value, Refused> {
        shape::elements(&self.shape(model)?)?;
        if self.ops.len() > MAX_OPS {
            return Err(refuse(format!("more than {MAX_OPS} operations left to the client")));
        }
        Ok(Value::Client { tensor: self.tensor, ops: self.ops, by: node.label() })
    }
}

/// The positions of all elements, in their shape.
pub(super) fn positions(shape: &[usize]) -> Result<ArrayD<f64>, Refused> {
    let count = shape::elements(shape)?;
    let line = Array1::from_iter((0..count).map(|i| i as f64));
    line.into_shape_with_order(shape).map_err(|e| refuse(e.to_string()))
}

/// As [`positions`], for an importer that moves elements.
pub(super) fn constant_positions(shape: &[usize]) -> Result<Constant, Refused> {
    Ok(Constant::new(positions(shape)?, Kind::Int))
}

/// The numbers of a constant for every element of a shape, or the one that all share.
pub(super) fn numbers(c: &Constant, to: &[usize]) -> Result<Vec<f64>, Refused> {
    if let Some(one) = c.uniform() {
        return Ok(vec![one]);
    }
    let wide = c.array.broadcast(to);
    let wide =
        wide.ok_or_else(|| refuse(format!("{:?} does not broadcast to {to:?}", c.shape())))?;
    Ok(wide.iter().copied().collect())
}

#[cfg(test)]
mod tests {
    use hecc_grammar::model::{ClientOp, Function, Integral};

    use crate::onnx::testing::{Attr, Case};

    fn client(case: &Case) -> Vec<ClientOp> {
        case.import().unwrap().outputs.remove(0).client
    }

    #[test]
    fn thresholds_are_compared_by_the_client() {
        let case =
            || Case::new(17, &[1, 2]).floats("t", &[], &[0.5]).floats("a", &[2], &[0.5, 0.9]);
        let sigmoid = case().node("Sigmoid", "x", "p", &[]);
        let to = [("to", Attr::Int(7))];
        let chain = sigmoid.node("Greater", "p t", "g", &[]).node("Cast", "g", "y", &to);
        assert_eq!(
            chain.operations()[1..],
            ["output \"y\" t0 | sigmoid | compare is=greater with=[0.5]"]
        );
        assert_eq!(chain.result(&[-0.1, 0.1]).1, [0.0, 1.0]);
        let run = |op, inputs| case().node(op, inputs, "y", &[]).result(&[0.5, 0.8]).1;
        assert_eq!(run("GreaterOrEqual", "x t"), [1.0, 1.0]);
        assert_eq!(run("Less", "t x"), [0.0, 1.0]);
        assert_eq!(run("LessOrEqual", "x a"), [1.0, 1.0]);
        assert_eq!(run("Equal", "x t"), [1.0, 0.0]);
        assert_eq!(run("Greater", "x x"), [0.0, 0.0]);
        let not = case().node("Less", "x t", "l", &[]).node("Not", "l", "y", &[]);
        assert_eq!(not.result(&[0.1, 0.8]).1, [0.0, 1.0]);
    }

    #[test]
    fn thresholds_choose_between_constants() {
        let case = Case::new(17, &[1, 2])
            .floats("t", &[], &[0.5])
            .floats("a", &[2], &[7.0, 8.0])
            .node("Less", "x t", "l", &[])
            .node("Where", "l a t", "y", &[]);
        assert_eq!(case.result(&[0.1, 0.8]).1, [7.0, 0.5]);
        let wide = Case::new(17, &[1, 2]).floats("t", &[3, 1], &[0.0, 0.5, 1.0]).node(
            "Greater",
            "x t",
            "y",
            &[],
        );
        assert_eq!(wide.result(&[0.1, 0.8]), (vec![3, 2], vec![1.0, 1.0, 0.0, 1.0, 0.0, 0.0]));
    }

    #[test]
    fn elements_move_and_change_after_the_last_step() {
        let case = Case::new(17, &[1, 3])
            .ints("flat", &[-1])
            .floats("hundred", &[], &[100.0])
            .floats("one", &[], &[1.0])
            .node("Softmax", "x", "p", &[])
            .node("Reshape", "p flat", "f", &[])
            .node("Mul", "f hundred", "m", &[])
            .node("Sub", "one m", "s", &[])
            .node("Neg", "s", "n", &[])
            .node("Round", "n", "y", &[]);
        assert_eq!(case.result(&[0.0, 0.0, 0.0]), (vec![3], vec![32.0, 32.0, 32.0]));
        let last = client(&case).pop().unwrap();
        assert_eq!(last, ClientOp::Round(Integral::Even));
        let second = Case::new(17, &[1, 3])
            .ints("i", &[1])
            .node("Softmax", "x", "p", &[])
            .node("Gather", "p i", "g", &[("axis", Attr::Int(1))])
            .node("Sqrt", "g", "y", &[]);
        assert_eq!(second.result(&[0.0, 0.0, 0.0]), (vec![1, 1], vec![(1.0f64 / 3.0).sqrt()]));
    }

    #[test]
    fn sums_and_extremes_of_results() {
        let case = || {
            let values = Case::new(17, &[1, 3]).ints("a", &[1]).floats("v", &[3], &[0.0, 1.0, 2.0]);
            values.node("Softmax", "x", "p", &[])
        };
        let expected = case().node("Mul", "p v", "m", &[]).node("ReduceSum", "m a", "y", &[]);
        assert_eq!(expected.result(&[0.0, 0.0, 0.0]), (vec![1, 1], vec![1.0]));
        let axes = || [("axes", Attr::Ints(&[1])), ("keepdims", Attr::Int(0))];
        let best = case().node("ReduceMax", "p", "y", &axes()).result(&[0.0, 0.0, 0.0]);
        assert_eq!((best.0, (best.1[0] - 1.0 / 3.0).abs() < 1e-15), (vec![1], true));
        let least = Case::new(13, &[1, 3]).node("ReduceMin", "x", "y", &axes());
        assert_eq!(least.result(&[3.0, 1.0, 2.0]).1, [1.0]);
        let share = case().node("ReduceSum", "p a", "s", &[]).node("Div", "p s", "y", &[]);
        assert!((share.result(&[0.0, 0.0, 0.0]).1[0] - 1.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn labels_are_looked_up() {
        let axis = || [("axis", Attr::Int(1)), ("keepdims", Attr::Int(0))];
        let case = || Case::new(17, &[1, 3]).node("ArgMax", "x", "i", &axis());
        let numbers = case().ints("classes", &[10, 20, 30]).node("Gather", "classes i", "y", &[]);
        assert_eq!(numbers.result(&[0.0, 0.0, 1.0]), (vec![1], vec![30.0]));
        let names = case().strings("classes", &["cat", "dog", "cow"]);
        let names = names.node("Gather", "classes i", "y", &[]);
        assert_eq!(names.result(&[0.0, 0.0, 1.0]), (vec![1], vec![2.0]));
        let labels = ClientOp::Labels { names: ["cat", "dog", "cow"].map(str::to_owned).to_vec() };
        assert_eq!(client(&names).pop(), Some(labels));
        let least = Case::new(17, &[1, 3]).node("ArgMin", "x", "y", &axis());
        assert_eq!(least.result(&[5.0, 4.0, 6.0]).1, [1.0]);
        let one_hot = Case::new(17, &[1, 3]).node("Hardmax", "x", "y", &[]);
        assert_eq!(one_hot.result(&[5.0, 4.0, 6.0]), (vec![1, 3], vec![0.0, 0.0, 1.0]));
    }

    #[test]
    fn activations_that_come_last_are_exact() {
        let ops = |case: &Case| case.operations();
        let ends = Case::new(17, &[1, 4])
            .ints("s", &[1, 2, 2])
            .floats("two", &[], &[2.0])
            .node("Tanh", "x", "t", &[])
            .node("Reshape", "t s", "r", &[])
            .node("Mul", "r two", "y", &[]);
        let want = ["t1 = reshape t0", "output \"y\" t1 | tanh | affine factor=[2] offset=[0]"];
        assert_eq!(ops(&ends)[1..], want);
        let pair = Case::new(17, &[1, 1])
            .floats("one", &[], &[1.0])
            .node("Sigmoid", "x", "p", &[])
            .node("Sub", "one p", "q", &[])
            .node("Concat", "q p", "c", &[("axis", Attr::Int(1))])
            .node("ArgMax", "c", "y", &[("axis", Attr::Int(1))]);
        assert_eq!(pair.result(&[0.1]).1, [1.0]);
        assert_eq!(pair.result(&[-0.1]).1, [0.0]);
        let model = pair.import().unwrap();
        assert_eq!(model.outputs[0].client[0], ClientOp::Activation(Function::Sigmoid));
        // Different functions, or elements in different units, stay encrypted.
        let mixed = Case::new(17, &[1, 1])
            .node("Sigmoid", "x", "p", &[])
            .node("Tanh", "x", "q", &[])
            .node("Concat", "q p", "y", &[("axis", Attr::Int(1))]);
        assert!(client(&mixed).is_empty());
    }

    #[test]
    fn nothing_encrypted_comes_after() {
        let matrix = Case::new(13, &[1, 2])
            .floats("w", &[2, 1], &[1.0, 2.0])
            .node("Softmax", "x", "p", &[])
            .node("MatMul", "p w", "y", &[]);
        assert_eq!(
            matrix.error(),
            "node `y` (MatMul): input 0 is the result of `p` (Softmax), which only the client can compute, \
             after decryption; instead: end the network before that node, or drop the node"
        );
        let mask = Case::new(13, &[1, 2])
            .floats("zero", &[], &[0.0])
            .node("Greater", "x zero", "g", &[])
            .node("Mul", "x g", "y", &[]);
        assert!(mask.error().contains("only the client can compute"), "{}", mask.error());
        let inside = Case::new(13, &[1, 2])
            .floats("w", &[2, 1], &[1.0, 2.0])
            .node("Log", "x", "l", &[])
            .node("MatMul", "l w", "y", &[]);
        assert_eq!(
            inside.error(),
            "node `l` (Log): this operator has no value or no slope at 0, which encrypted numbers may come near; \
             instead: LogSoftmax as the last node, or another activation"
        );
    }
}
