//! The first dimension of the inputs: a batch, of which one input is compiled, or part of a single input.

mod client_rows;
mod rows;

use std::collections::BTreeSet;

use hecc_grammar::model::{Const, Model};

use super::error::ImportError;
use super::input::{self, FirstDimension};
use super::proto::GraphProto;
use super::walk::{self, Context};
use rows::Mixed;

/// What becomes of the first dimension of the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// It becomes 1 where the model leaves it open, and where all inputs and outputs declare the same number, if no node
    /// mixes rows.
    One,
    /// A declared number stays; 1 where it is open.
    AsDeclared,
}

/// Rows to look for nodes by that mix them, where their number is open: one that few dimensions have.
const ROWS: usize = 7;

/// A model as the graph says it, with those of its constants that are a quantized network's integers.
type Parts = (Model, BTreeSet<Const>);

/// Imports the graph for one input, as far as its nodes allow; adds what the user should know to the notes.
pub(super) fn import(
    graph: &GraphProto,
    context: &Context<'_>,
    batch: Batch,
    notes: &mut Vec<String>,
) -> Result<Parts, ImportError> {
    let (model, integers) = walk::import(graph, context, 1)?;
    match input::first_dimension(graph) {
        FirstDimension::Shared(n) if batch == Batch::One => match rows::one_row(&model, n) {
            Ok(one) => {
                notes.push(format!(
                    "the model is for batches of {n}; the plan is for single inputs, a batch of 1"
                ));
                Ok((one, integers))
            }
            Err(mixed) => {
                let shapes: Vec<String> =
                    model.inputs().map(|(_, x)| format!("`{}` {:?}", x.name, x.shape)).collect();
                notes.push(format!(
                    "the {n} rows of {} are one input, not a batch: `{}` {}",
                    shapes.join(", "),
                    mixed.node,
                    mixed.what
                ));
                Ok((model, integers))
            }
        },
        FirstDimension::Open(has_rows) if batch == Batch::One => {
            // Where no other number of rows can be imported, the nodes are written for one.
            let mixed = match walk::import(graph, context, ROWS) {
                Ok((several, _)) => rows::check(&several, ROWS, &has_rows),
                Err(_) => rows::check_one(&model, &has_rows),
            };
            match mixed {
                Err(mixed) if !mixed.is_for_one => Err(open_rows(graph, &mixed)),
                Ok(()) | Err(_) => Ok((model, integers)),
            }
        }
        FirstDimension::Shared(_) | FirstDimension::Open(_) | FirstDimension::Fixed => {
            Ok((model, integers))
        }
    }
}

/// An open number of rows that matters.
fn open_rows(graph: &GraphProto, Mixed { node, what, .. }: &Mixed) -> ImportError {
    let name = input::open_input(graph).unwrap_or_default().to_owned();
    let reason = format!(
        "dimension 0 is open, but `{node}` {what}, so that inputs are no batch: fix the number of rows with \
         `python -m onnxruntime.tools.make_dynamic_shape_fixed --input_name {name} --input_shape ..` (1 for the first \
         dimension if there is always one row)"
    );
    ImportError::Input { name, reason }
}

#[cfg(test)]
mod tests {
    use hecc_grammar::model::Model;
    use ndarray::ArrayD;

    use crate::interpret;
    use crate::onnx::testing::{Attr, Case, value_info};

    /// The case with the first result declared to have this shape.
    fn declared(mut case: Case, shape: &[i64]) -> Case {
        let name = case.graph().output[0].name().to_owned();
        case.graph().output = vec![value_info(&name, shape)];
        case
    }

    fn input_shape(model: &Model) -> Vec<usize> {
        model.nodes[0].shape.clone()
    }

    /// Numbers without a pattern.
    fn numbers(shape: &[usize]) -> ArrayD<f64> {
        let mut i = 0.0f64;
        ArrayD::from_shape_simple_fn(shape, || {
            i += 1.0;
            (i * i * 0.37).sin()
        })
    }

    /// Checks that the model of one row gives for each row what the whole gives for it.
    fn is_apart(case: &Case) {
        let (whole, one) = (case.import().unwrap(), case.import_for_one().unwrap());
        assert_eq!(input_shape(&one)[0], 1);
        let x = numbers(&input_shape(&whole));
        let expected = interpret::run_with_client(&whole, std::slice::from_ref(&x)).unwrap();
        let found = interpret::run_with_client(&one, &[x]).unwrap();
        assert_eq!(found[0].shape(), expected[0].shape());
        let error =
            (&found[0] - &expected[0]).into_iter().map(f64::abs).max_by(f64::total_cmp).unwrap();
        assert!(error < 1e-12, "{error}");
    }

    #[test]
    fn a_batch_that_is_written_into_the_nodes_becomes_one() {
        let weights: Vec<f32> = (0..16).map(|i| (i as f32).cos()).collect();
        let case = || {
            Case::new(13, &[8, 2, 2])
                .ints("rows", &[8, -1])
                .ints("inner", &[-1, 2])
                .ints("shape", &[8, 2, 2])
                .ints("one", &[1])
                .floats("w", &[4, 2], &weights[..8])
                .floats("v", &[2, 2], &weights[..4])
        };
        let flat = case().node("Reshape", "x rows", "f", &[]).node("Gemm", "f w", "y", &[]);
        is_apart(&declared(flat, &[8, 2]));
        // Rows and another dimension together, and apart again.
        let merged = case()
            .node("Reshape", "x inner", "f", &[])
            .node("MatMul", "f v", "m", &[])
            .node("Reshape", "m shape", "y", &[]);
        is_apart(&declared(merged, &[8, 2, 2]));
        let moved = case()
            .node("Transpose", "x", "t", &[("perm", Attr::Ints(&[1, 0, 2]))])
            .node("ReduceSum", "t one", "s", &[("keepdims", Attr::Int(0))])
            .node("Transpose", "s", "u", &[("perm", Attr::Ints(&[1, 0]))])
            .node("Softmax", "u", "y", &[]);
        let moved = declared(moved, &[8, 2]);
        assert!(moved.import_for_one().is_ok());
    }

    #[test]
    fn constants_that_repeat_a_row_are_cut_to_it() {
        let case = Case::new(13, &[3, 2])
            .floats("c", &[3, 2], &[1.0, 2.0, 1.0, 2.0, 1.0, 2.0])
            .node("Mul", "x c", "m", &[])
            .node("Add", "m c", "y", &[]);
        is_apart(&declared(case, &[3, 2]));
    }

    #[test]
    fn images_stay_a_batch() {
        let case = Case::new(13, &[4, 1, 4, 4])
            .floats("w", &[2, 1, 3, 3], &[0.5; 18])
            .floats("b", &[2, 1, 1], &[1.0, 2.0])
            .ints("flat", &[4, -1])
            .node("Conv", "x w", "c", &[])
            .node("Add", "c b", "d", &[])
            .node("AveragePool", "d", "p", &[("kernel_shape", Attr::Ints(&[2, 2]))])
            .node("Reshape", "p flat", "f", &[])
            .node("Softmax", "f", "y", &[("axis", Attr::Int(1))]);
        is_apart(&declared(case, &[4, 2]));
    }

    /// The notes on a model, and the shape of its input.
    fn noted(case: &Case) -> (Vec<usize>, String) {
        let bytes = prost::Message::encode_to_vec(&case.model);
        let imported = crate::onnx::read_bytes(bytes.into(), None).unwrap();
        (input_shape(&imported.model), imported.notes.join("; "))
    }

    #[test]
    fn rows_that_are_mixed_are_one_input() {
        let first = [("axes", Attr::Ints(&[0]))];
        let case = || {
            Case::new(13, &[3, 3])
                .floats("c", &[3, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
                .ints("order", &[2, 1, 0])
                .ints("zero", &[0])
                .ints("two", &[2])
                .ints("end", &[3])
        };
        let cases = [
            (case().node("ReduceMean", "x", "m", &first).node("Sub", "x m", "y", &[]), "`m` sums"),
            (case().node("Add", "x c", "y", &[]), "`y` has numbers of its own"),
            (case().node("Mul", "c x", "y", &[]), "`y` has numbers of its own"),
            (case().node("MatMul", "c x", "y", &[]), "`y` sums over the rows"),
            (
                case().node("Transpose", "x", "t", &[]).node("MatMul", "t c", "y", &[]),
                "`y` sums over the rows",
            ),
            (case().node("Transpose", "x", "y", &[]), "`y` does not have the rows"),
            (
                case().node("Transpose", "x", "t", &[]).node("Add", "x t", "y", &[]),
                "`y` joins rows",
            ),
            (case().node("Gather", "x order", "y", &[]), "`y` takes some of the rows"),
            (case().node("Softmax", "x", "y", &[("axis", Attr::Int(0))]), "`y` compares rows"),
            (
                case()
                    .node("Slice", "x zero two zero", "a", &[])
                    .node("Slice", "x two end zero", "b", &[])
                    .node("Concat", "b a", "y", &[("axis", Attr::Int(0))]),
                "`a` takes some of the rows",
            ),
            (
                case()
                    .node("Pad", "x pads", "p", &[])
                    .node("Slice", "p zero end zero", "y", &[])
                    .ints("pads", &[1, 0, 0, 0]),
                "`p` joins rows",
            ),
        ];
        for (case, what) in cases {
            let case = declared(case, &[3, 3]);
            let (shape, note) = noted(&case);
            assert_eq!(shape, [3, 3], "{what}");
            assert!(note.starts_with("the 3 rows of `x` [3, 3] are one input"), "{note}");
            assert!(note.contains(what), "{note}, expected {what}");
        }
        let (shape, note) = noted(&declared(case().node("Relu", "x", "y", &[]), &[3, 3]));
        assert_eq!(shape, [1, 3]);
        assert!(note.starts_with("the model is for batches of 3"), "{note}");
    }

    #[test]
    fn an_open_number_of_rows_that_matters_is_refused() {
        let case = || Case::new(11, &[-1, 3]).floats("c", &[4, 3], &[1.0; 12]);
        let first = [("axes", Attr::Ints(&[0]))];
        let mean = case().node("ReduceMean", "x", "m", &first).node("Sub", "x m", "y", &[]);
        let error = mean.import_for_one().unwrap_err().to_string();
        assert!(error.starts_with("input `x`: dimension 0 is open, but `m` sums over"), "{error}");
        assert!(error.contains("make_dynamic_shape_fixed --input_name x"), "{error}");
        // Only a single row, or four, can be added to these.
        let position = case().node("Add", "x c", "y", &[]);
        let error = position.import_for_one().unwrap_err().to_string();
        assert!(error.contains("`y` makes several rows of one"), "{error}");
        let transposed = case().node("Transpose", "x", "y", &[]);
        assert!(transposed.import_for_one().is_err());
        // Written for one row, and right for it.
        let one = case().ints("one", &[1, -1]).floats("w", &[3, 2], &[1.0; 6]);
        let one = one.node("Reshape", "x one", "f", &[]).node("Gemm", "f w", "y", &[]);
        assert_eq!(input_shape(&one.import_for_one().unwrap()), [1, 3]);
        let one = case().ints("one", &[1, -1]).node("Reshape", "x one", "y", &[]);
        assert_eq!(input_shape(&one.import_for_one().unwrap()), [1, 3]);
        let squeezed = case().node("Squeeze", "x", "f", &first);
        let squeezed = squeezed.node("ReduceSum", "f", "y", &[("axes", Attr::Ints(&[0]))]);
        assert_eq!(input_shape(&squeezed.import_for_one().unwrap()), [1, 3]);
    }

    #[test]
    fn inputs_without_rows_serve_all() {
        let case = Case::new(11, &[-1, 3]).input("u", &[1, 3]).node("Add", "x u", "y", &[]);
        assert_eq!(input_shape(&case.import_for_one().unwrap()), [1, 3]);
        let case = Case::new(11, &[-1, 3]).input("u", &[4, 3]).node("Add", "x u", "y", &[]);
        assert!(case.import_for_one().is_err());
    }
}
