//! `QuantizeLinear` and `DequantizeLinear`: from numbers to integers and back. On encrypted tensors the pair is one
//! rounding, on constants it leaves integers and their scales.

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::quantized::{Parameters, dequantize, quantize};
use crate::onnx::value::Format;
use crate::onnx::value::Value;

pub(super) const QUANTIZE_LINEAR: Importer = Importer {
    op_type: "QuantizeLinear",
    since: 10,
    supported: "`axis`, `output_dtype`, `precision`; constants per tensor or channel; encrypted tensors per tensor, before a `DequantizeLinear` or a `Clip`; integers of 4 to 32 bits",
    refused: "`block_size`; floats of 8 bits",
    import: |node, _| quantize_linear(node),
};
pub(super) const DEQUANTIZE_LINEAR: Importer = Importer {
    op_type: "DequantizeLinear",
    since: 10,
    supported: "`axis`, `output_dtype`; constants and encrypted integers per tensor or channel; after a `QuantizeLinear` per tensor",
    refused: "`block_size`; floats of 8 bits",
    import: dequantize_linear,
};

fn quantize_linear(node: &mut Node<'_>) -> Result<Vec<Value>, Refused> {
    let mut parameters = Parameters::read(node, 1, 2)?;
    let axis = axis(node)?;
    // Concerns floats of 8 bits only; the precision of a quotient is that of f64.
    node.ignore("saturate");
    node.ignore("precision");
    if let Some(to) = node.attr::<i64>("output_dtype")?.filter(|&to| to != 0) {
        let to = Format::of(i32::try_from(to).unwrap_or(-1))?;
        if parameters.format.is_some_and(|format| format != to) {
            return Err(refuse(format!(
                "attribute `output_dtype` is {to:?}, the zero point is not"
            )));
        }
        parameters.format = Some(to);
    }
    Ok(vec![quantize(value(node)?, &parameters, axis, node)?])
}

fn dequantize_linear(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let parameters = Parameters::read(node, 1, 2)?;
    let axis = axis(node)?;
    node.ignore("output_dtype");
    Ok(vec![dequantize(value(node)?, &parameters, axis, model)?])
}

fn value(node: &mut Node<'_>) -> Result<Value, Refused> {
    node.value(0).ok_or_else(|| refuse("input 0 is missing"))
}

/// The dimension that lists of scales run along.
fn axis(node: &mut Node<'_>) -> Result<i64, Refused> {
    match node.attr::<i64>("block_size")? {
        None | Some(0) => Ok(node.attr::<i64>("axis")?.unwrap_or(1)),
        Some(size) => Err(refuse(format!("attribute `block_size` is {size}, expected 0"))
            .instead("quantize per channel")),
    }
}

#[cfg(test)]
mod tests {
    use hecc_grammar::model::{ClientOp, Op};

    use crate::onnx::testing::{Attr, Case, DataType};

    /// Steps of a half, `uint8` with zero point 3.
    fn shifted(opset: i64, shape: &[i64]) -> Case {
        Case::new(opset, shape)
            .floats("s", &[], &[0.5])
            .stored("z", DataType::Uint8, &[], &[3])
            .node("QuantizeLinear", "x s z", "q", &[])
    }

    #[test]
    fn a_pair_is_one_rounding() {
        let case = shifted(10, &[4]).node("DequantizeLinear", "q s z", "d", &[]);
        let case = case.node("Neg", "d", "y", &[]);
        assert_eq!(case.result(&[-9.0, 0.25, 0.75, 200.0]).1, [1.5, 0.0, -1.0, -126.0]);
        let want = [
            "t0 = input",
            "t1 = fake_quant t0 scale=0.5 zero_point=3 q_min=0 q_max=255 rounding=half_even",
            "t2 = mul t1, c0",
            "output \"y\" t2",
        ];
        assert_eq!(case.operations(), want);
    }

    #[test]
    fn a_clip_between_them_narrows() {
        let case = shifted(13, &[3])
            .stored("lo", DataType::Uint8, &[], &[0])
            .stored("hi", DataType::Uint8, &[], &[15])
            .node("Clip", "q lo hi", "c", &[])
            .node("DequantizeLinear", "c s z", "y", &[]);
        assert_eq!(case.result(&[-9.0, 0.5, 200.0]).1, [-1.5, 0.5, 6.0]);
        assert!(
            case.operations()[1].contains("| fake_quant scale=0.5 zero_point=3 q_min=0 q_max=15")
        );
        let empty = shifted(13, &[3])
            .stored("hi", DataType::Uint8, &[], &[0])
            .node("Clip", "q - hi", "c", &[])
            .node("DequantizeLinear", "c s z", "y", &[]);
        assert!(empty.error().contains("integers from 0 to 0, expected two"));
    }

    #[test]
    fn what_moves_elements_may_stand_between_them() {
        let case = shifted(13, &[2, 3])
            .ints("shape", &[1, 6])
            .node("Transpose", "q", "t", &[])
            .node("Reshape", "t shape", "r", &[])
            .node("Identity", "r", "i", &[])
            .node("DequantizeLinear", "i s z", "y", &[]);
        let (shape, y) = case.result(&[0.0, 1.1, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!((shape, y), (vec![1, 6], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
        let error = shifted(13, &[1]).node("Relu", "q", "y", &[]).error();
        assert!(error.contains("holds the integers of `q` (QuantizeLinear)"), "{error}");
    }

    #[test]
    fn nothing_is_rounded_twice() {
        let case = shifted(13, &[2, 3])
            .node("DequantizeLinear", "q s z", "d", &[])
            .node("Flatten", "d", "f", &[])
            .node("QuantizeLinear", "f s z", "r", &[])
            .node("DequantizeLinear", "r s z", "e", &[])
            .node("DequantizeLinear", "q s z", "g", &[])
            .node("Add", "e g", "y", &[]);
        let roundings = case.operations().iter().filter(|line| line.contains("fake_quant")).count();
        assert_eq!(roundings, 1);
    }

    #[test]
    fn a_rounding_that_comes_last_is_the_clients() {
        let case = shifted(13, &[1, 2]);
        let model = case.node("DequantizeLinear", "q s z", "y", &[]).import().unwrap();
        assert_eq!(model.nodes.len(), 1);
        assert!(matches!(model.outputs[0].client[..], [ClientOp::FakeQuant(_)]));
        let case = Case::new(13, &[1, 2])
            .floats("s", &[], &[0.25])
            .node("Softmax", "x", "p", &[])
            .node("QuantizeLinear", "p s", "q", &[])
            .node("DequantizeLinear", "q s", "y", &[]);
        assert_eq!(case.result(&[0.0, 3.0]).1, [0.0, 1.0]);
        let model = case.import().unwrap();
        assert!(matches!(
            model.outputs[0].client[..],
            [ClientOp::Softmax { .. }, ClientOp::FakeQuant(_)]
        ));
    }

    #[test]
    fn integers_at_either_end() {
        // What the last node leaves are integers, and so is what the client encrypts.
        assert_eq!(shifted(13, &[3]).result(&[-9.0, 0.5, 200.0]).1, [0.0, 4.0, 255.0]);
        let case = Case::new(13, &[1, 2])
            .of_bytes()
            .floats("s", &[], &[0.5])
            .stored("z", DataType::Uint8, &[], &[3])
            .node("DequantizeLinear", "x s z", "y", &[]);
        assert_eq!(case.result(&[0.0, 255.0]).1, [-1.5, 126.0]);
    }

    #[test]
    fn scales_may_change_on_the_way_back() {
        let case = shifted(13, &[2])
            .floats("t", &[], &[2.0])
            .stored("one", DataType::Uint8, &[], &[1])
            .node("DequantizeLinear", "q t one", "y", &[]);
        assert_eq!(case.result(&[-0.5, 3.0]).1, [2.0, 16.0]);
    }

    /// A convolution to two channels with weights `(q − [0, 1])·[0.5, 0.25]`.
    fn convolution(scales: &[f32], attributes: &[(&str, Attr<'_>)]) -> Case {
        Case::new(13, &[1, 1, 2])
            .stored("q", DataType::Int8, &[2, 1, 2], &[1, -2, 3, 5])
            .floats("s", &[scales.len() as i64], scales)
            .stored("z", DataType::Int8, &[2], &[0, 1])
            .stored("b", DataType::Int32, &[2], &[10, 20])
            .floats("t", &[1], &[0.125])
            .node("DequantizeLinear", "q s z", "w", attributes)
            .node("DequantizeLinear", "b t", "c", &[("axis", Attr::Int(0))])
            .node("Conv", "x w c", "y", &[])
    }

    #[test]
    fn weights_stay_integers() {
        let case = convolution(&[0.5, 0.25], &[("axis", Attr::Int(0))]);
        assert_eq!(case.result(&[1.0, 3.0]).1, [-2.5 + 1.25, 3.5 + 2.5]);
        let model = case.import().unwrap();
        let Op::Conv { weight, bias: None, .. } = model.nodes[1].op else { panic!("integers") };
        assert_eq!(model.array(weight).iter().copied().collect::<Vec<_>>(), [1.0, -2.0, 2.0, 4.0]);
        let (Op::MulConst(_, scale), Op::AddConst(_, bias)) =
            (&model.nodes[2].op, &model.nodes[3].op)
        else {
            panic!("a scale, then the bias")
        };
        assert_eq!(model.array(*scale), &ndarray::array![[[0.5], [0.25]]].into_dyn());
        assert_eq!(model.array(*bias), &ndarray::array![[[1.25], [2.5]]].into_dyn());
        let model = convolution(&[0.5, 0.5], &[("axis", Attr::Int(0))]).import().unwrap();
        assert_eq!(model.constants[1], ndarray::arr0(0.5).into_dyn());
        // Nothing to multiply by, and still no bias in the convolution.
        let model = convolution(&[1.0, 1.0], &[("axis", Attr::Int(0))]).import().unwrap();
        assert!(matches!(model.nodes[2].op, Op::AddConst(..)));
    }

    #[test]
    fn scales_within_a_sum_are_multiplied_in() {
        let case = Case::new(13, &[1, 2])
            .stored("q", DataType::Int8, &[2, 1], &[3, 5])
            .floats("s", &[2], &[0.5, 0.25])
            .node("DequantizeLinear", "q s", "w", &[("axis", Attr::Int(0))])
            .node("MatMul", "x w", "y", &[]);
        assert_eq!(case.result(&[1.0, 2.0]).1, [1.5 + 2.5]);
        assert_eq!(case.import().unwrap().nodes.len(), 2);
    }

    #[test]
    fn constants_are_quantized_and_moved_at_import() {
        // As TensorRT's tools write weights: floats through a pair, transposed behind it.
        let case = Case::new(13, &[1, 2])
            .floats("f", &[2, 2], &[0.26, -0.74, 9.0, 0.1])
            .floats("s", &[2], &[0.5, 0.25])
            .stored("z", DataType::Int8, &[2], &[0, 0])
            .node("QuantizeLinear", "f s z", "q", &[("axis", Attr::Int(0))])
            .node("Clip", "q lo hi", "c", &[])
            .stored("lo", DataType::Int8, &[], &[-7])
            .stored("hi", DataType::Int8, &[], &[7])
            .node("DequantizeLinear", "c s z", "w", &[("axis", Attr::Int(0))])
            .node("Transpose", "w", "t", &[])
            .node("MatMul", "x t", "y", &[]);
        assert_eq!(case.result(&[1.0, 1.0]).1, [0.5 - 0.5, 1.75 + 0.0]);
        let model = case.import().unwrap();
        assert_eq!(model.constants[0], ndarray::array![[1.0, 7.0], [-1.0, 0.0]].into_dyn());
        assert_eq!(model.constants[1], ndarray::array![[0.5, 0.25]].into_dyn());
    }

    #[test]
    fn element_types_are_honored() {
        let to = |n| [("output_dtype", Attr::Int(n))];
        let case = |n| {
            let case = Case::new(21, &[1]).floats("s", &[], &[1.0]);
            case.node("QuantizeLinear", "x s", "y", &to(n)).result(&[-1e9]).1
        };
        assert_eq!(
            [2, 3, 4, 5, 21, 22].map(|n| case(n)[0]),
            [0.0, -128.0, 0.0, -32768.0, 0.0, -8.0]
        );
        let error = |n| {
            let case = Case::new(21, &[1]).floats("s", &[], &[1.0]).ints("z", &[0]);
            case.node("QuantizeLinear", if n == 7 { "x s z" } else { "x s" }, "y", &to(n)).error()
        };
        assert!(error(7).contains("integers of type I64, expected 4 to 32 bits"));
        assert!(error(17).contains("element type FLOAT8E4M3FN"), "{}", error(17));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let channels = Case::new(13, &[1, 2]).floats("s", &[2], &[0.5, 0.25]).node(
            "QuantizeLinear",
            "x s",
            "y",
            &[],
        );
        assert!(channels.error().contains("of shape [2], expected one number"));
        let zero =
            Case::new(13, &[1]).floats("s", &[], &[0.0]).node("QuantizeLinear", "x s", "y", &[]);
        assert!(zero.error().contains("scale 0, expected a positive number"));
        let blocks = Case::new(21, &[1, 4])
            .floats("w", &[4, 1], &[1.0; 4])
            .floats("s", &[2, 1], &[0.5, 0.25])
            .node("QuantizeLinear", "w s", "q", &[("block_size", Attr::Int(2))])
            .node("MatMul", "x q", "y", &[]);
        assert!(blocks.error().contains("attribute `block_size` is 2, expected 0"));
        let wrong = convolution(&[0.5, 0.25, 1.0], &[("axis", Attr::Int(0))]);
        assert!(wrong.error().contains("3 scales or zero points, expected 2 as dimension 0"));
        let dynamic = Case::new(13, &[1]).node("DynamicQuantizeLinear", "x", "q s z", &[]);
        assert!(dynamic.error().contains("static quantization"));
    }
}
