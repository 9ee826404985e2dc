//! Pruned networks, as ONNX files.

use std::path::{Path, PathBuf};

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
    // Once more, over the file that is there.
    let same = workshop.json(&format!("{prune} --keep 1"));
    assert_eq!(number(&same, "/after/plaintexts"), all);
    // Nothing is fitted where nothing is gone.
    assert_eq!(number(&same, "/rms_error"), 0.0, "{same}");
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
