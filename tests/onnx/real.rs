//! Models that people have trained. They are not part of the repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use hecc_compiler::onnx::ImportError;
use hecc_compiler::{interpret, onnx};
use hecc_grammar::model::Op;
use ndarray::ArrayD;

use crate::distance::distance;

/// The folder with `cifar10-models/` and so on, from `HECC_DATA`.
fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("HECC_DATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: HECC_DATA does not name the folder with the data");
    }
    folder
}

#[test]
fn resnets_agree_with_onnxruntime() {
    let Some(data) = data() else { return };
    let models = data.join("cifar10-models");
    let images = cifar(&data.join("cifar10/test_first5000.bin.gz"), 100);
    let want = npy_f32(&models.join("resnet20_logits_first1000_f32.npy"));
    for name in ["resnet20_bn", "resnet20_folded", "resnet20_clean_folded"] {
        let model = onnx::import_file(&models.join(format!("{name}.onnx"))).unwrap();
        let y = interpret::run(&model, std::slice::from_ref(&images)).unwrap().remove(0);
        let found: Vec<f64> = y.iter().copied().collect();
        let error = distance(&found, &want[..found.len()]);
        assert!(error < 1e-3, "{name}: error {error}");
        eprintln!("{name}: largest difference {error:.1e}");
    }
}

#[test]
fn trained_models_import() {
    let Some(data) = data() else { return };
    let tabular = ["breast_cancer", "digits"].map(|set| {
        ["logreg", "mlp_relu", "mlp_sigmoid"].map(|kind| format!("tabular/{set}_{kind}.onnx"))
    });
    let resnets = ["bn", "folded"].map(|kind| format!("cifar10-models/resnet32_{kind}.onnx"));
    for name in tabular.concat().into_iter().chain(resnets) {
        let model = onnx::import_file(&data.join(&name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let zeros: Vec<_> = model.inputs().map(|(_, n)| ArrayD::zeros(n.shape.clone())).collect();
        let y = interpret::run_with_client(&model, &zeros).unwrap();
        assert!(y[0].iter().all(|v| v.is_finite()), "{name}");
    }
}

/// Networks of two bits that Xilinx trained with Brevitas.
#[test]
fn quantized_models_import() {
    let Some(data) = data() else { return };
    for name in ["TFC_1W2A", "TFC_2W2A"] {
        let model = onnx::import_file(&data.join(format!("qonnx/{name}.onnx"))).unwrap();
        let roundings = model.nodes.iter().filter(|node| matches!(node.op, Op::FakeQuant { .. }));
        assert_eq!(roundings.count(), 4, "{name}");
        for node in &model.nodes {
            let Op::MatMul { weight, .. } = node.op else { continue };
            assert!(model.array(weight).iter().all(|w| w.abs() <= 1.0 && w.fract() == 0.0));
        }
    }
}

#[test]
fn max_pools_are_all_named() {
    let Some(data) = data() else { return };
    let error = onnx::import_file(&data.join("onnx-zoo/opt-mnist_wonnx.onnx")).unwrap_err();
    let ImportError::Nodes(nodes) = error else { panic!("{error}") };
    let names: Vec<&str> = nodes.iter().map(|node| node.node.as_str()).collect();
    assert_eq!(names, ["Pooling66", "Pooling160"]);
    assert!(nodes.iter().all(|node| node.rewrite.as_ref().unwrap().contains("AveragePool")));
}

/// Images as the ResNets take them: channels first, `(x/255 − mean)/deviation`.
fn cifar(path: &Path, count: usize) -> ArrayD<f64> {
    let output = Command::new("gzip").arg("-dc").arg(path).output().unwrap();
    let bytes = output.stdout;
    assert!(bytes.len() >= count * 3073, "gzip gives {} bytes", bytes.len());
    let (mean, deviation) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let pixel = |index: ndarray::IxDyn| {
        let (i, c) = (index[0], index[1]);
        let byte = bytes[i * 3073 + 1 + c * 1024 + index[2] * 32 + index[3]];
        (f64::from(byte) / 255.0 - mean[c]) / deviation[c]
    };
    ArrayD::from_shape_fn(vec![count, 3, 32, 32], pixel)
}

/// The numbers of an f32 `.npy` file.
fn npy_f32(path: &Path) -> Vec<f64> {
    let bytes = std::fs::read(path).unwrap();
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let (numbers, _) = bytes[header..].as_chunks();
    numbers.iter().map(|n| f64::from(f32::from_le_bytes(*n))).collect()
}
