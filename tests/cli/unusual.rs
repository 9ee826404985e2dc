//! What is unlike the calibration data: refused, or told where a result may be wrong.

use ndarray::{ArrayD, array};

use crate::workshop::Workshop;

/// A table of three features in units of their own, and a network of one ReLU.
const TABLE: &str = r#"model 1 "table"
c0 : [3,4] = [0.5,-0.25,0.125,0.3,0.005,-0.005,0.0025,0.0075,-125,300,100,-200]
c1 : [4,2] = [0.5,-0.5,0.25,0.75,-0.125,0.3,0.1,-0.2]
t0 = input : [1,3] "x"
t1 = matmul t0, c0 : [1,4] "fc1"
t2 = relu t1 : [1,4] "relu"
t3 = matmul t2, c1 : [1,2] "fc2"
output "y" t3
"#;

const ROWS: usize = 200;

/// Numbers in [−1, 1] that look random, the second and third near the first.
fn table() -> ArrayD<f32> {
    let noise = |i: usize| ((i * 2_654_435_761) >> 7) as u8 as f32 / 127.5 - 1.0;
    ArrayD::from_shape_fn(vec![ROWS, 3], |index| {
        let (row, feature) = (index[0], index[1]);
        let x = noise(3 * row) + 0.05 * noise(3 * row + feature);
        x * [1.0, 100.0, 0.001][feature]
    })
}

fn workshop(calibration: &ArrayD<f32>) -> Workshop {
    let workshop = Workshop::empty();
    std::fs::write(workshop.path("table.hecc"), TABLE).unwrap();
    workshop.write_npy("table.npy", calibration);
    workshop
}

/// What `hecc compile` warns of.
fn warnings(workshop: &Workshop) -> String {
    let output =
        workshop.hecc("compile table.hecc -o table.bin --calibration table.npy --precision 8");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn features_are_held_to_their_own_ranges() {
    let workshop = workshop(&table());
    assert!(!warnings(&workshop).contains("warning"));
    workshop.ok("keygen table.bin");
    let inspected = workshop.json("inspect table.bin");
    assert_eq!(inspected["inputs"][0]["ranges"].as_array().unwrap().len(), 3);
    workshop.write_npy("far.npy", &array![[0.1f32, 20.0, 0.0], [0.1, 20.0, 0.5]].into_dyn());
    let error = workshop.fails("encrypt table.bin --input far.npy -o x.ct");
    assert!(
        error.starts_with("example 1: input `x`: feature 2 is 0.5, outside the range ["),
        "{error}"
    );
    assert!(error.contains("--allow-out-of-range"), "{error}");
    // In range one by one, but not together.
    workshop.write_npy("odd.npy", &array![[0.8f32, -80.0, 0.0005]].into_dyn());
    let output = workshop.hecc("encrypt table.bin --input odd.npy -o x.ct --json");
    let warning = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && warning.contains("example 0 is unlike those"), "{warning}");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["unusual"], serde_json::json!([0]));
    workshop.write_npy("row.npy", &array![[0.8f32, 78.0, 0.0008]].into_dyn());
    let json = workshop.json("encrypt table.bin --input row.npy -o x.ct");
    assert_eq!(json["unusual"], serde_json::json!([]));
}

#[test]
fn results_unlike_those_of_calibration_are_told() {
    let workshop = workshop(&table());
    warnings(&workshop);
    workshop.ok("keygen table.bin");
    let status = |input: &str, row: ArrayD<f32>| {
        workshop.write_npy(input, &row);
        workshop.ok(&format!("encrypt table.bin --input {input} -o x.ct --allow-out-of-range"));
        workshop.ok("run table.bin --input x.ct -o y.ct");
        workshop.hecc("decrypt table.bin --input y.ct --json")
    };
    for (row, code) in [([0.5f32, 50.0, 0.0005], 0), ([30.0, -3000.0, 0.03], 3)] {
        let output = status("row.npy", array![row].into_dyn());
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["inputs"][0]["outside_calibration"], code == 3);
        assert!(json["inputs"][0]["outputs"][0]["values"].is_array());
        let errors = String::from_utf8(output.stderr).unwrap();
        let told = errors.contains("outside of what the network was calibrated on: may be wrong");
        assert_eq!(told, code == 3, "{errors}");
    }
}

#[test]
fn outliers_and_constants_of_calibration_data_are_named() {
    let mut data = table();
    data[[17, 1]] = 1e6;
    data.slice_mut(ndarray::s![.., 2]).fill(0.25);
    let workshop = workshop(&data);
    let told = warnings(&workshop);
    assert!(told.contains("warning: input `x`: row 17 has 1000000 in feature 1"), "{told}");
    assert!(
        told.contains("warning: input `x`: feature 2 is 0.25 in all calibration inputs"),
        "{told}"
    );
    // The outlier is refused afterwards, and spoils nothing.
    workshop.ok("keygen table.bin");
    workshop.write_npy("far.npy", &array![[0.0f32, 1e6, 0.25]].into_dyn());
    let error = workshop.fails("encrypt table.bin --input far.npy -o x.ct");
    assert!(error.contains("feature 1 is 1000000, outside the range [-1"), "{error}");
    workshop.write_npy("table.npy", &ArrayD::from_elem(vec![50, 3], 0.5));
    let told = warnings(&workshop);
    assert!(told.contains("all 50 calibration inputs are the same"), "{told}");
    assert!(told.contains("calibrated on 50 inputs only; this network needs 128"), "{told}");
    workshop.write_npy("table.npy", &array![[0.0f32, 1.0, 2.0], [f32::NAN, 1.0, 2.0]].into_dyn());
    let error =
        workshop.fails("compile table.hecc -o table.bin --calibration table.npy --precision 8");
    assert!(error.contains("row 1, element 0 is NaN"), "{error}");
}

#[test]
fn pixels_from_0_to_255_are_recognized() {
    let workshop = Workshop::full();
    workshop.write_npy("bytes.npy", &ArrayD::from_elem(vec![4, 4], 84.0));
    let error = workshop.fails("encrypt plan.bin --input bytes.npy -o y.ct");
    assert!(error.contains("hint: this looks like pixels from 0 to 255"), "{error}");
}

#[test]
fn a_check_prime_shows_integers_that_wrap_around() {
    let workshop = Workshop::empty();
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let calibration = format!("--scheme bfv --calibration {examples}/mnist/calibration.npz");
    let network = format!("{examples}/qat/hcnn_mnist_tiny.onnx");
    let results = |flags: &str| {
        let sheet = workshop.json(&format!("compile {network} -o p.bin {calibration} {flags}"));
        assert_eq!(workshop.json("inspect p.bin")["integer_results"], sheet["integer_results"]);
        let number = |key: &str| sheet["integer_results"][0][key].as_f64();
        (number("calibrated").unwrap(), number("certified").unwrap(), number("holds").unwrap())
    };
    let (calibrated, certified, holds) = results("");
    assert!(calibrated < holds && holds < certified, "{calibrated} {holds} {certified}");
    let (_, _, holds) = results("--check-wrap");
    assert!(holds > certified, "{holds}");
}
