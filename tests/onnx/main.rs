//! The importer on whole models: those in this folder, broken variants of them, and (where `HECC_DATA` names the
//! folder with the project's data) real ones.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

#[path = "../distance/mod.rs"]
mod distance;
mod mutation;
mod real;
mod table;
mod versions;

use std::path::{Path, PathBuf};

use hecc_compiler::onnx::proto::TensorProto;
use hecc_compiler::{interpret, onnx};
use ndarray::ArrayD;
use prost::Message;

use distance::distance;

const MODELS: [&str; 11] = [
    "external",
    "gelu",
    "half",
    "lenet",
    "old",
    "qcdq",
    "qdq",
    "qoperator",
    "residual",
    "silu",
    "torch",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx/models")
}

fn stored(name: &str) -> ArrayD<f64> {
    let bytes = std::fs::read(folder().join(name)).unwrap();
    onnx::read_tensor(&TensorProto::decode(&bytes[..]).unwrap()).unwrap()
}

/// `make_models.py` and `make_quantized_models.py` made these and recorded what onnxruntime computes.
#[test]
fn small_models_agree_with_onnxruntime() {
    for name in MODELS {
        let model = onnx::import_file(&folder().join(format!("{name}.onnx")));
        let model = model.unwrap_or_else(|e| panic!("{name}: {e}"));
        let y = interpret::run_with_client(&model, &[stored(&format!("{name}.input.pb"))]).unwrap();
        let want = stored(&format!("{name}.output.pb"));
        assert_eq!(y[0].shape(), want.shape(), "{name}");
        let tolerance = if name == "half" { 2e-2 } else { 1e-5 };
        let numbers = |array: &ArrayD<f64>| array.iter().copied().collect::<Vec<_>>();
        let error = distance(&numbers(&y[0]), &numbers(&want));
        assert!(error < tolerance, "{name}: error {error}");
    }
}

/// What exporters write out as several nodes is one activation.
#[test]
fn written_out_activations_are_recognized() {
    use hecc_grammar::model::{Function, Op};
    let functions = |name: &str| -> Vec<Function> {
        let model = onnx::import_file(&folder().join(format!("{name}.onnx"))).unwrap();
        let function = |op: &Op| {
            if let Op::Activation { function, .. } = op { Some(*function) } else { None }
        };
        model.nodes.iter().filter_map(|node| function(&node.op)).collect()
    };
    assert_eq!(functions("gelu"), [Function::Gelu { tanh: false }]);
    let swish = Function::Swish { alpha: 1.0 };
    let want = [swish, Function::Mish, Function::HardSwish, Function::Relu];
    assert_eq!(functions("silu"), want);
    assert_eq!(functions("residual"), [Function::HardSwish, Function::Sigmoid]);
}

/// However a tool writes a quantized network: integer weights, their scale, the bias, and roundings in between.
#[test]
fn quantized_models_have_one_form() {
    let operations = |name: &str| -> Vec<String> {
        let model = onnx::import_file(&folder().join(format!("{name}.onnx"))).unwrap();
        let text = model.text(0).to_string();
        let nodes = text.lines().filter(|line| line.starts_with('t'));
        nodes.map(|line| line.split_whitespace().nth(2).unwrap().to_owned()).collect()
    };
    let layer = ["conv", "mul", "add"];
    let last = ["matmul", "mul", "add"];
    let brevitas =
        [&["input", "fake_quant"], &layer[..], &["relu", "fake_quant", "reshape"], &last];
    assert_eq!(operations("qcdq"), brevitas.concat());
    let square = ["fake_quant", "mul", "fake_quant"];
    // The lower end of its result's grid is the ReLU.
    let pairs =
        [&["input", "fake_quant"], &layer[..], &square, &layer, &["fake_quant", "reshape"], &last];
    assert_eq!(operations("qdq"), pairs.concat());
    // Without integers to move, the reshape comes first.
    let integers =
        [&["input", "fake_quant"], &layer[..], &square, &layer, &["reshape", "fake_quant"], &last];
    assert_eq!(operations("qoperator"), integers.concat());
    let squares = ["fake_quant", "mul", "reshape"];
    let torch = [&["input", "fake_quant"], &layer[..], &squares, &last];
    assert_eq!(operations("torch"), torch.concat());
}
