//! Pruned networks, as ONNX files.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use hecc_compiler::onnx;
use hecc_grammar::model::Node;
use ndarray::ArrayD;
use ndarray_npy::NpzReader;
use serde_json::Value as Json;

use crate::workshop::Workshop;

fn examples(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// A folder with the square network of the examples and the data that it is calibrated on.
fn workshop() -> Workshop {
    let workshop = Workshop::empty();
    for name in ["square.onnx", "calibration.npz"] {
        std::fs::copy(examples("mnist").join(name), workshop.path(name)).unwrap();
    }
    workshop
}

fn number(json: &Json, path: &str) -> f64 {
    json.pointer(path).and_then(Json::as_f64).unwrap_or_else(|| panic!("{path} in {json}"))
}

#[test]
fn tiles_of_a_batch_are_pruned() {
    let workshop = workshop();
    let prune = "prune square.onnx -o pruned.onnx --calibration calibration.npz";
    let flags = "--keep 0.5 --precision 8 --tiles 4x1x1024";
    let report = workshop.json(&format!("{prune} {flags}"));
    let (all, left) = (number(&report, "/before/plaintexts"), number(&report, "/after/plaintexts"));
    assert!(left <= (0.5 * all).ceil(), "{left} of {all}");
    // Groups are small, so half of them matter little.
    let (count, of) = (number(&report, "/agreement/count"), number(&report, "/agreement/of"));
    assert!(count >= 0.9 * of, "{count} of {of}");
    assert!(report["options"].as_str().unwrap().starts_with("--tiles 4x1x1024 "), "{report}");
}

#[test]
fn a_pruned_network_is_an_onnx_file_with_a_cheaper_plan() {
    let workshop = workshop();
    let prune = "prune square.onnx -o pruned.onnx --calibration calibration.npz";
    let report = workshop.json(&format!("{prune} --keep 0.85"));
    let (all, left) = (number(&report, "/before/plaintexts"), number(&report, "/after/plaintexts"));
    assert!(left <= (0.85 * all).ceil(), "{left} of {all}");
    assert!(number(&report, "/after/seconds") < number(&report, "/before/seconds"));
    let (count, of) = (number(&report, "/agreement/count"), number(&report, "/agreement/of"));
    assert!(count >= 0.9 * of, "{count} of {of}");
    let layers = report["layers"].as_array().unwrap();
    assert!(
        layers
            .iter()
            .any(|layer| number(layer, "/plaintexts") < number(layer, "/plaintexts_before"))
    );
    // What a fit does not help keeps its weights: no error is larger, some must be notably smaller.
    let is_refitted =
        |layer: &Json| number(layer, "/error") < 0.9 * number(layer, "/error_without_refit");
    assert!(layers.iter().any(is_refitted), "{report}");
    // What is written compiles to the plan that was announced.
    let options = report["options"].as_str().unwrap();
    let sheet = workshop.json(&format!(
        "compile pruned.onnx -o pruned.bin --calibration calibration.npz {options}"
    ));
    let keys = number(&sheet, "/memory_bytes/keys_at_least");
    assert_eq!(keys, number(&report, "/after/key_bytes"), "{sheet}");
    // Without a fit, and by magnitude alone, more is lost.
    let p2t =
        workshop.json(&format!("{} --keep 0.85 --method p2t", prune.replace("pruned", "p2t")));
    assert!(number(&p2t, "/rms_error") > number(&report, "/rms_error"), "{p2t}");
    // As HE-PEx, with units in another order perhaps, and read back.
    for method in ["p2t-by-layer", "p4e"] {
        let prune = prune.replace("pruned", method);
        let report = workshop.json(&format!("{prune} --keep 0.7 --method {method}"));
        assert!(number(&report, "/after/plaintexts") <= (0.7 * all).ceil(), "{report}");
    }
    // Once more, over the file that is there.
    let same = workshop.json(&format!("{prune} --keep 1"));
    assert_eq!(number(&same, "/after/plaintexts"), all);
    // Nothing is fitted where nothing is gone.
    assert_eq!(number(&same, "/rms_error"), 0.0, "{same}");
}

/// The arrays of an .npz by name.
fn masks(path: &Path) -> BTreeMap<String, ArrayD<bool>> {
    let mut npz = NpzReader::new(File::open(path).unwrap()).unwrap();
    let names = npz.names().unwrap();
    names
        .into_iter()
        .map(|name| {
            let array = npz.by_name(&name).unwrap();
            (name, array)
        })
        .collect()
}

/// The weights of a network by ONNX node, those of matrices as `Gemm` with `transB` has them.
fn weights(path: &Path) -> BTreeMap<String, ArrayD<f64>> {
    let model = onnx::import(std::fs::read(path).unwrap().into(), None).unwrap();
    let of_node = |(_, node): (_, &Node)| {
        let array = model.array(*node.op.constants().first()?).clone();
        let array = match array.ndim() {
            2 => array.reversed_axes().as_standard_layout().into_owned(),
            4 => array,
            _ => return None,
        };
        Some((node.name.clone(), array))
    };
    model.tensors().filter_map(of_node).collect()
}

#[test]
fn a_mask_says_which_weights_may_be_trained() {
    let workshop = workshop();
    let prune = "prune square.onnx --calibration calibration.npz --keep 0.6";
    workshop.ok(&format!("{prune} -o pruned.onnx --mask mask.npz"));
    let masks = masks(&workshop.path("mask.npz"));
    let names: Vec<&str> = masks.keys().map(String::as_str).collect();
    assert_eq!(names, ["conv.weight", "fc1.weight", "fc2.weight"]);
    let before = weights(&workshop.path("square.onnx"));
    let after = weights(&workshop.path("pruned.onnx"));
    assert!(masks.values().any(|mask| mask.iter().any(|may_change| !may_change)));
    for (mask, (before, after)) in masks.values().zip(before.values().zip(after.values())) {
        assert_eq!(mask.shape(), after.shape());
        for (&may_change, (before, after)) in mask.iter().zip(before.iter().zip(after)) {
            assert_eq!(may_change, *after != 0.0 || *before == 0.0);
        }
    }
    // One error, before anything is done.
    let fails = |rest: &str| workshop.fails(&format!("{prune} {rest}"));
    assert!(fails("-o p.onnx --mask m.txt").contains("`m.txt` does not end in .npz"));
    assert!(fails("-o p.onnx --mask -").contains("does not end in .npz"));
    assert!(fails("-o p.npz --mask ./p.npz").contains("is the pruned network"));
    let error = fails("-o p.onnx --mask calibration.npz");
    assert!(error.contains("is the calibration data") && error.contains("--mask names"), "{error}");
    assert!(fails("-o p.onnx --mask none/m.npz").contains("there is no folder"));
    std::fs::write(workshop.path("notes.npz"), "mine").unwrap();
    assert!(fails("-o p.onnx --mask notes.npz").contains("it is not overwritten"));
    assert!(!workshop.path("p.onnx").exists());
}

#[test]
fn what_cannot_be_pruned_is_refused_before_anything_is_written() {
    let workshop = workshop();
    let prune = |rest: &str| workshop.fails(&format!("prune {rest} --calibration calibration.npz"));
    for keep in ["0", "1.5", "half"] {
        assert!(prune(&format!("square.onnx -o p.onnx --keep {keep}")).contains("--keep"));
    }
    std::fs::write(workshop.path("net.hecc"), "model 1 \"m\"\n").unwrap();
    assert!(prune("net.hecc -o p.onnx --keep 0.5").contains("does not end in .onnx"));
    std::fs::write(workshop.path("notes.txt"), "mine").unwrap();
    assert!(prune("square.onnx -o notes.txt --keep 0.5").contains("is no network in ONNX"));
    assert!(prune("square.onnx -o square.onnx --keep 0.5").contains("would be overwritten"));
    std::fs::copy(examples("qat/hcnn_mnist_tiny.onnx"), workshop.path("few_bits.onnx")).unwrap();
    let error = prune("few_bits.onnx -o p.onnx --keep 0.5");
    assert!(error.contains("trained for few bits"), "{error}");
    assert!(!workshop.path("p.onnx").exists());
    assert_eq!(std::fs::read_to_string(workshop.path("notes.txt")).unwrap(), "mine");
}
