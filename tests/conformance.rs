//! Runs the ONNX backend node cases through import and interpreter.
//!
//! The cases are not part of the repository: `tests/onnx/fetch.py` puts them into `target/onnx-node-tests`. Without that folder the
//! test says that it was skipped; another one that `HECC_ONNX_NODE_TESTS` names must be there. Every case whose operators are all in the table of operators must pass
//! in each variant (which inputs are encrypted, which are stored constants) or be listed in [`REFUSED`] with a part of
//! the error message.

use std::path::{Path, PathBuf};

use hecc_compiler::interpret;
use hecc_compiler::onnx::proto::{
    GraphProto, ModelProto, NodeProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
    type_proto,
};
use hecc_compiler::onnx::{Batch, import_message, operators, read_tensor};
use ndarray::ArrayD;
use prost::Message;

/// Cases (by the start of their name) that may be refused, with a part of the message that they must then give.
const REFUSED: &[(&str, &str)] = &[
    ("test_attention_", "which only the client can compute"),
    ("test_averagepool_3d_", "(rank 5), expected [n, c, length] or [n, c, height, width]"),
    ("test_batchnorm_", "attribute `training_mode` is 1"),
    // NaN and infinite numbers among the constants that are added to encrypted data.
    ("test_cast_", "are not finite"),
    ("test_castlike_", "are not finite"),
    ("test_cast_", "element type FLOAT"),
    ("test_cast_", "4; instead: an integer of 8 bits or more"),
    ("test_castlike_", "element type FLOAT"),
    ("test_castlike_", "4; instead: an integer of 8 bits or more"),
    ("test_equal_string", "input 0 holds texts, expected numbers"),
    ("test_convtranspose_3d", "(rank 5), expected [n, c, length] or [n, c, height, width]"),
    // The reference takes the extent before it is rounded for the last position, onnxruntime does not.
    ("test_resize_downsample_scales_cubic_align_corners", "2.5, expected 2.39"),
    ("test_resize_downsample_scales_linear_align_corners", "4, expected 3.14"),
    ("test_resize_tf_crop_and_resize", "expected one that takes the whole image"),
    // Results without elements; encrypted tensors have some.
    ("test_reduce_l1_empty_set", "dimension 1 is open"),
    ("test_reduce_max_empty_set", "dimension 1 is open"),
    ("test_reduce_min_empty_set", "dimension 1 is open"),
    ("test_reduce_prod_empty_set", "dimension 1 is open"),
    ("test_reduce_sum_square_empty_set", "dimension 1 is open"),
    ("test_tril_zero", "has no elements"),
    ("test_triu_zero", "has no elements"),
    ("test_constantofshape_int_shape_zero", "shape [0] has no elements"),
    ("test_reduce_log_sum_empty_set_expanded", "dimension 1 is open"),
    ("test_reduce_sum_empty_set", "dimension 1 is open"),
    ("test_reshape_allowzero_reordered", "[3, 4, 0] has 0"),
    ("test_rotary_embedding_", "has no elements"),
    ("test_shape_start_greater_than_end", "shape [0] has no elements"),
    ("test_slice_start_out_of_bounds", "has no elements"),
    ("test_split_zero_size_splits_", "parts [0, 0, 0]"),
    ("test_dequantizelinear_blocked", "attribute `block_size` is 2"),
    ("test_dequantizelinear_", "element type FLOAT"),
    // Encrypted tensors have one scale.
    ("test_quantizelinear_axis", "of shape [3], expected one number"),
    ("test_quantizelinear_int4", "of shape [3], expected one number"),
    ("test_quantizelinear_uint4", "of shape [3], expected one number"),
    ("test_quantizelinear_blocked_", "attribute `block_size` is 2"),
    ("test_quantizelinear_", "element type FLOAT"),
    // The reference wraps around where results saturate.
    ("test_qlinearmatmul_2D_int8_", "-128, expected 20"),
    ("test_qlinearmatmul_3D_int8_", "-128, expected 11"),
    // Not tensors at all.
    ("test_if_opt", "(Optional): this operator is not supported"),
    ("test_if_seq", "(SequenceConstruct): this operator is not supported"),
    ("test_identity_opt", "initializer `opt_in`"),
    ("test_identity_sequence", "initializer `x`"),
    ("test_not_", "operator set 1, expected 7 to 28"),
    ("test_pow", "the exponent differs between elements"),
    ("test_training_dropout", "`training_mode` is true"),
];

/// What is said of operators of constants, or of the client, inside of functions that are written out.
const INSIDE: &[&str] = &[
    "is computed from encrypted data, expected a constant",
    "the divisor is encrypted, expected a constant",
    "which only the client can compute, after decryption",
    "has no value or no slope at 0",
];

/// Which inputs of a case are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    /// The first one.
    First,
    /// The second one.
    Second,
    /// All of them.
    All,
    /// The first one, for a result that does not depend on its numbers: it is added to an encrypted zero.
    Known,
    /// None: the case is folded at import, and its result added to an encrypted zero.
    Folded,
}

/// The variants that an operator takes.
fn variants(op_type: &str) -> &'static [Variant] {
    use Variant::{All, First, Folded, Known, Second};
    match op_type {
        "Add" | "Concat" | "Einsum" | "Max" | "Mean" | "Min" | "Mul" | "Sub" | "Sum" => {
            &[First, Second, All, Folded]
        }
        "Gemm" | "MatMul" => &[First, Second, Folded],
        "AveragePool" | "Conv" | "ConvInteger" | "ConvTranspose" | "GlobalAveragePool"
        | "QLinearConv" | "QLinearMatMul" => &[First],
        "MatMulInteger" => &[First, Second],
        "Shape" | "Size" => &[Known, Folded],
        "And" | "Constant" | "ConstantOfShape" | "Mod" | "Or" | "Range" | "Reciprocal" | "Xor" => {
            &[Folded]
        }
        "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" => {
            &[First, Second, All, Folded]
        }
        "Where" => &[Second, Folded],
        _ => &[First, Folded],
    }
}

/// How many cases ONNX 1.19.1 has, and how many of them pass at least. A mistake in the walk could refuse many for a reason that is
/// listed.
const CASES: usize = 1615;
const PASSED: usize = 676;

/// The folders of all cases; none if nobody fetched them.
fn cases() -> Option<Vec<PathBuf>> {
    let named = std::env::var_os("HECC_ONNX_NODE_TESTS").map(PathBuf::from);
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/onnx-node-tests");
    let folder = named.clone().unwrap_or_else(default);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if named.is_some() => {
            panic!("HECC_ONNX_NODE_TESTS names {}: {error}", folder.display())
        }
        Err(_) => {
            let folder = folder.display();
            eprintln!("skipped: no cases in {folder} (tests/onnx/fetch.py fetches them)");
            return None;
        }
    };
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.expect("a case").path()).collect();
    cases.sort();
    Some(cases)
}

#[test]
fn backend_node_cases() {
    let Some(cases) = cases() else { return };
    let known: Vec<&str> = operators().collect();
    let (mut passed, mut refused, mut foreign, mut runs) = (0, 0, 0, 0);
    let mut failures = Vec::new();
    let mut unused: Vec<&(&str, &str)> = REFUSED.iter().collect();
    for case in &cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let Ok(bytes) = std::fs::read(case.join("model.onnx")) else { continue };
        let model = ModelProto::decode(&bytes[..]).unwrap();
        let nodes = &model.graph.as_ref().unwrap().node;
        if nodes.iter().any(|n| !n.domain().is_empty() || !known.contains(&n.op_type())) {
            foreign += 1;
            continue;
        }
        // An expanded function is one graph, of which only the first input is encrypted.
        let single = nodes.len() == 1;
        let variants = if single { variants(nodes[0].op_type()) } else { &[Variant::First] };
        let possible = |variant: &&Variant| takes(&model, **variant);
        let mut outcome = Ok(());
        for &variant in variants.iter().filter(possible) {
            runs += 1;
            let result = run(case, &model, variant).map_err(|e| format!("{variant:?}: {e}"));
            outcome = outcome.and(result);
        }
        let Err(error) = outcome else {
            passed += 1;
            continue;
        };
        let entry =
            REFUSED.iter().find(|(start, part)| name.starts_with(start) && error.contains(part));
        if let Some(entry) = entry {
            refused += 1;
            unused.retain(|other| *other != entry);
        } else if !single && INSIDE.iter().any(|part| error.contains(part)) {
            foreign += 1;
        } else {
            failures.push(format!("{name}: {error}"));
        }
    }
    failures
        .extend(unused.iter().map(|entry| format!("{entry:?}: listed as refused, but no case is")));
    eprintln!(
        "{} cases: {passed} passed ({runs} runs), {refused} refused as expected, {foreign} of other operators",
        cases.len()
    );
    let enough = cases.len() < CASES || passed >= PASSED;
    assert!(enough, "{passed} passed, expected {PASSED} or more of {} cases", cases.len());
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// Whether the inputs that the variant encrypts exist and are floats, or integers that the operator reads.
fn takes(model: &ModelProto, variant: Variant) -> bool {
    let Some(graph) = &model.graph else { return false };
    let inputs = &graph.input;
    let integers =
        ["ConvInteger", "DequantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul"];
    let takes_integers = graph.node.iter().all(|node| integers.contains(&node.op_type()));
    let is_float = |info: &ValueInfoProto| match info.r#type.as_ref().and_then(|t| t.value.as_ref())
    {
        Some(type_proto::Value::TensorType(tensor)) => {
            matches!(tensor.elem_type(), 1 | 10 | 11 | 16) || takes_integers
        }
        _ => false,
    };
    match variant {
        Variant::First => inputs.first().is_some_and(is_float),
        Variant::Second => inputs.get(1).is_some_and(is_float),
        Variant::All => inputs.iter().all(is_float),
        Variant::Known | Variant::Folded => true,
    }
}

/// Runs every data set of a case.
fn run(case: &Path, model: &ModelProto, variant: Variant) -> Result<(), String> {
    for set in 0.. {
        let data = case.join(format!("test_data_set_{set}"));
        if !data.is_dir() {
            return if set == 0 { Err("no data".to_owned()) } else { Ok(()) };
        }
        let graph = model.graph.as_ref().ok_or("no graph")?;
        let inputs = stored(&data, "input", graph.input.len())?;
        let outputs = stored(&data, "output", graph.output.len())?;
        // Encrypted values keep their precision where others are rounded to 8 bits.
        let to_bfloat16 = case.to_string_lossy().contains("to_BFLOAT16");
        let tolerance = if to_bfloat16 { 4e-3 } else { 1e-3 };
        let results = results(model, &inputs, variant)?;
        let masked = graph.node[0].op_type() == "Dropout";
        if results.len() != outputs.len() && !masked {
            return Err(format!("{} results, expected {}", results.len(), outputs.len()));
        }
        for (result, want) in results.iter().zip(&outputs) {
            compare(result, &read_tensor(want).map_err(|e| e.to_string())?, tolerance)?;
        }
    }
    Ok(())
}

fn stored(data: &Path, kind: &str, count: usize) -> Result<Vec<TensorProto>, String> {
    let one = |i| {
        let bytes =
            std::fs::read(data.join(format!("{kind}_{i}.pb"))).map_err(|e| e.to_string())?;
        TensorProto::decode(&bytes[..]).map_err(|e| e.to_string())
    };
    (0..count).map(one).collect()
}

/// What import and interpreter give for the case's inputs.
fn results(
    model: &ModelProto,
    inputs: &[TensorProto],
    variant: Variant,
) -> Result<Vec<ArrayD<f64>>, String> {
    let mut model = model.clone();
    let graph = model.graph.as_mut().ok_or("no graph")?;
    // Masks are not computed; whoever asks for them is told so.
    if graph.node[0].op_type() == "Dropout" {
        graph.output.truncate(1);
    }
    let is_encrypted = |i: usize| match variant {
        Variant::First | Variant::Known => i == 0,
        Variant::Second => i == 1,
        Variant::All => true,
        Variant::Folded => false,
    };
    let mut encrypted = Vec::new();
    let declared = std::mem::take(&mut graph.input);
    for (i, (info, tensor)) in declared.into_iter().zip(inputs).enumerate() {
        if is_encrypted(i) {
            encrypted.push(read_tensor(tensor).map_err(|e| e.to_string())?);
            graph.input.push(info);
        } else {
            graph.initializer.push(TensorProto { name: info.name, ..tensor.clone() });
        }
    }
    if matches!(variant, Variant::Known | Variant::Folded) {
        encrypted.push(ArrayD::zeros(vec![]));
        add_zero(graph);
    }
    let imported = import_message(&model, None, Batch::AsDeclared).map_err(|e| e.to_string())?;
    interpret::run_with_client(&imported, &encrypted).map_err(|e| e.to_string())
}

/// With ONNX's own tolerances, unless the relative one is given larger.
fn compare(result: &ArrayD<f64>, want: &ArrayD<f64>, tolerance: f64) -> Result<(), String> {
    if result.shape() != want.shape() {
        return Err(format!("shape {:?}, expected {:?}", result.shape(), want.shape()));
    }
    let is_close = |a: f64, b: f64| {
        a == b || (a - b).abs() <= 1e-7 + tolerance * b.abs() || (a.is_nan() && b.is_nan())
    };
    match result.iter().zip(want).find(|(a, b)| !is_close(**a, **b)) {
        Some((a, b)) => Err(format!("{a}, expected {b}")),
        None => Ok(()),
    }
}

/// Adds an encrypted scalar to every output.
fn add_zero(graph: &mut GraphProto) {
    let zero = "encrypted zero".to_owned();
    let tensor =
        type_proto::Tensor { elem_type: Some(1), shape: Some(TensorShapeProto::default()) };
    let r#type =
        TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() };
    let info =
        ValueInfoProto { name: Some(zero.clone()), r#type: Some(r#type), ..Default::default() };
    graph.input.push(info);
    for output in &mut graph.output {
        let sum = format!("{} plus zero", output.name());
        graph.node.push(NodeProto {
            op_type: Some("Add".to_owned()),
            input: vec![output.name().to_owned(), zero.clone()],
            output: vec![sum.clone()],
            ..Default::default()
        });
        output.name = Some(sum);
    }
}
