//! Networks trained for few bits, from file to class: real ones on real digits.

use ndarray::Array1;
use ndarray_npy::NpzReader;
use serde_json::Value as Json;

use crate::workshop::Workshop;

/// The folder of examples.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

/// Ten digits and their labels.
fn digits() -> (String, Vec<i64>) {
    let path = format!("{EXAMPLES}/mnist/digits.npz");
    let mut file = NpzReader::new(std::fs::File::open(&path).unwrap()).unwrap();
    let labels: Array1<i64> = file.by_name("y").unwrap();
    (path, labels.to_vec())
}

fn compile(workshop: &Workshop, network: &str, flags: &str) -> Json {
    let calibration = format!("{EXAMPLES}/mnist/calibration.npz");
    workshop.json(&format!(
        "compile {EXAMPLES}/qat/{network} -o plan.bin --calibration {calibration} --explain {flags}"
    ))
}

/// The classes that are decrypted.
fn classes(workshop: &Workshop, inputs: &str) -> Vec<i64> {
    workshop.ok("keygen plan.bin");
    workshop.ok(&format!("encrypt plan.bin --input {inputs} -o x.ct"));
    workshop.ok("run plan.bin --input x.ct");
    let json = workshop.json("decrypt plan.bin --input x.out.ct");
    let class = |input: &Json| input["outputs"][0]["class"].as_i64().unwrap();
    json["inputs"].as_array().unwrap().iter().map(class).collect()
}

#[test]
fn digits_are_recognized_exactly() {
    let workshop = Workshop::empty();
    let sheet = compile(&workshop, "hcnn_mnist_tiny.onnx", "");
    assert_eq!(sheet["scheme"], "bfv", "integers are faster here");
    assert!(sheet["explanation"]["other_scheme"]["predicted_seconds"].as_f64().unwrap() > 0.0);
    assert!(sheet["noise_budget_bits"].as_f64().unwrap() >= 0.0);
    let widths = sheet["explanation"]["integers"]["widths"].as_array().unwrap();
    assert_eq!(widths.len(), 6);
    let (inputs, labels) = digits();
    assert_eq!(classes(&workshop, &inputs), labels);
}

#[test]
fn a_batch_is_one_run() {
    let workshop = Workshop::empty();
    let sheet = compile(&workshop, "hcnn_mnist_tiny.onnx", "--scheme bfv --batch");
    assert_eq!(sheet["evaluation_keys"], 1);
    let (inputs, labels) = digits();
    assert_eq!(classes(&workshop, &inputs), labels);
    let inspected = workshop.json("inspect x.ct");
    assert_eq!(inspected["sets"], labels.len());
}

#[test]
fn a_few_inputs_share_ciphertexts() {
    let (inputs, labels) = digits();
    for flags in ["--scheme bfv --batch=4", "--scheme ckks --tiles 4x2x1024"] {
        let workshop = Workshop::empty();
        compile(&workshop, "hcnn_mnist_tiny.onnx", flags);
        assert_eq!(classes(&workshop, &inputs), labels, "{flags}");
    }
}

#[test]
fn batches_and_tiles_are_checked() {
    let workshop = Workshop::empty();
    let network = format!("{EXAMPLES}/qat/hcnn_mnist_tiny.onnx");
    let data = format!("--calibration {EXAMPLES}/mnist/calibration.npz");
    for (flags, expected) in [
        ("--batch=0", "`0` is neither a number of inputs"),
        ("--batch=many", "`many` is neither a number of inputs"),
        (
            "--batch=100000",
            "a batch of 131072 inputs: a ciphertext of the ring N = 2^16 holds 32768",
        ),
        ("--tiles 3x8x512", "`3` is not a power of two"),
        ("--tiles 2x2x2", "2^3 slots in all"),
        ("--tiles 4096", "tiles of 1 numbers: `"),
        ("--tiles 2x2x2x2x512", "takes 2 for its dimensions, perhaps one for copies"),
        ("--tiles 4x8x512 --batch=512", "cannot be used with"),
    ] {
        let error = workshop.fails(&format!("compile {network} -o plan.bin {data} {flags}"));
        assert!(error.contains(expected), "{flags}: {error}");
    }
}

#[test]
fn a_float_network_is_rounded_on_request() {
    let workshop = Workshop::empty();
    let sheet = compile(&workshop, "hcnn_mnist_float.onnx", "--scheme bfv --quantize w=4,in=3");
    let bits = sheet["explanation"]["integers"]["required_bits"].as_f64().unwrap();
    assert!(bits > 30.0, "{bits}");
    let agreement = sheet["fidelity"]["agreement"]["share"].as_f64().unwrap();
    assert!((0.9..=1.0).contains(&agreement), "{agreement}");
    let simulated = workshop.json(&format!("simulate plan.bin --data {}", digits().0));
    assert!(!simulated.is_null());
    let network = format!("{EXAMPLES}/qat/hcnn_mnist_float.onnx");
    let data = format!("--calibration {EXAMPLES}/mnist/calibration.npz");
    let error = workshop.fails(&format!("compile {network} -o again.bin --scheme bfv {data}"));
    assert!(error.contains("--quantize"), "{error}");
    for wrong in ["w=4", "w=1,in=2", "in=2,w=4", "w=4,in=17"] {
        let error = workshop.fails(&format!("compile {network} -o again.bin --quantize {wrong}"));
        assert!(error.contains("w=BITS,in=BITS"), "{error}");
    }
}
