//! How good plans are, in any unit: what is shown, what is asked for, what outputs are for.

use hecc_grammar::plan::{self, Ranges, VerifiedPlan};
use ndarray::{Array1, Array2, ArrayD};
use ndarray_npy::NpzWriter;
use serde_json::Value as Json;

use crate::workshop::Workshop;

const N_ROWS: usize = 240;

/// Numbers in [−1, 1) that look random.
fn noise(i: usize) -> f64 {
    let x = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((x ^ (x >> 29)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

fn list(from: usize, count: usize, factor: f64) -> String {
    let numbers: Vec<String> =
        (0..count).map(|i| format!("{:?}", noise(from + i) * factor)).collect();
    format!("[{}]", numbers.join(","))
}

/// Four inputs, eight hidden units with ReLU, some outputs in some unit, and what is done with them.
fn network(n_outputs: usize, unit: f64, end: &str) -> String {
    let (hidden, bias) = (list(0, 32, 1.0), list(40, 8, 0.3));
    let (last, offset) = (list(60, 8 * n_outputs, unit), list(200, n_outputs, unit));
    format!(
        "model 1 \"net\"\nc0 : [4,8] = {hidden}\nc1 : [1,8] = {bias}\nc2 : [8,{n_outputs}] = {last}\n\
         c3 : [1,{n_outputs}] = {offset}\nt0 = input : [1,4] \"x\"\nt1 = matmul t0, c0 : [1,8] \"fc1\"\n\
         t2 = add t1, c1 : [1,8] \"bias1\"\nt3 = relu t2 : [1,8] \"relu\"\nt4 = matmul t3, c2 : [1,{n_outputs}] \"fc2\"\n\
         t5 = add t4, c3 : [1,{n_outputs}] \"bias2\"\n{end}\n"
    )
}

fn inputs() -> Array2<f32> {
    Array2::from_shape_fn((N_ROWS, 4), |(row, i)| noise(1000 + row * 4 + i) as f32)
}

/// A folder with a network and data, perhaps with labels.
fn workshop(network: &str, labels: Option<ArrayD<f64>>) -> Workshop {
    let workshop = Workshop::empty();
    std::fs::write(workshop.path("net.hecc"), network).unwrap();
    let mut npz = NpzWriter::new(std::fs::File::create(workshop.path("rows.npz")).unwrap());
    npz.add_array("x", &inputs()).unwrap();
    if let Some(labels) = labels {
        npz.add_array("y", &labels).unwrap();
    }
    npz.finish().unwrap();
    workshop
}

fn compile(workshop: &Workshop, flags: &str) -> Json {
    workshop.json(&format!("compile net.hecc -o net.bin --calibration rows.npz {flags}"))
}

/// What `decrypt` prints for the first rows.
fn decrypted(workshop: &Workshop) -> (String, Json) {
    let few = inputs().slice_move(ndarray::s![..2, ..]).into_dyn();
    workshop.write_npy("few.npy", &few);
    workshop.ok("keygen net.bin --force");
    workshop.ok("encrypt net.bin --input few.npy -o few.ct");
    workshop.ok("run net.bin --input few.ct");
    (
        workshop.ok("decrypt net.bin --input few.out.ct --all-digits"),
        workshop.json("decrypt net.bin --input few.out.ct --all-digits")["inputs"][0]["outputs"][0]
            .clone(),
    )
}

#[test]
fn numbers_are_judged_alike_in_any_unit() {
    let of = |unit: f64| {
        let workshop = workshop(&network(1, unit, "output \"y\" t5"), None);
        let sheet = compile(&workshop, "--explain");
        let degree = sheet["explanation"]["activations"][0]["chosen"].as_u64().unwrap();
        let errors = sheet["fidelity"]["outputs"][0].clone();
        assert!(sheet["fidelity"]["agreement"].is_null(), "{sheet}");
        (degree, errors["error"]["rms"].as_f64().unwrap(), workshop)
    };
    let (degree, rms, workshop) = of(1.0);
    assert!(rms < 0.02, "{rms}");
    for unit in [1e-3, 10.0, 2.5e5] {
        let (other_degree, other_rms, _) = of(unit);
        assert_eq!(other_degree, degree, "in unit {unit}");
        assert!((other_rms / rms - 1.0).abs() < 1e-3, "{other_rms} in unit {unit}, else {rms}");
    }
    let (text, output) = decrypted(&workshop);
    assert!(!text.contains("class"), "{text}");
    assert_eq!((output["kind"].as_str(), &output["class"]), (Some("values"), &Json::Null));
}

#[test]
fn several_numbers_are_no_scores() {
    // As of an autoencoder.
    let ends = "t6 = tanh t5 : [1,5] \"tanh\"\nt7 = reshape t6 : [1,5] \"flat\"\noutput \"y\" t7";
    let workshop = workshop(&network(5, 0.3, ends), None);
    let sheet = compile(&workshop, "");
    assert!(sheet["fidelity"]["agreement"].is_null(), "{sheet}");
    assert!(sheet["fidelity"]["outputs"][0]["error"]["rms"].as_f64().unwrap() < 0.02);
    assert!(!decrypted(&workshop).0.contains("class"));
}

#[test]
fn rows_that_may_be_scores_are_judged_as_both() {
    let workshop = workshop(&network(3, 1.0, "output \"y\" t5"), None);
    let sheet = compile(&workshop, "");
    let fidelity = &sheet["fidelity"];
    let share = &fidelity["agreement"];
    assert!(share["share"].as_f64().unwrap() > 0.9 && share["of"].as_u64() == Some(60), "{share}");
    let [lo, hi] = [0, 1].map(|end| share["interval_95"][end].as_f64().unwrap());
    assert!(lo < share["share"].as_f64().unwrap() && hi <= 1.0);
    assert!(fidelity["outputs"][0]["error"]["rms"].as_f64().unwrap() < 0.2);
    let (text, output) = decrypted(&workshop);
    assert!(text.contains("largest ") && !text.contains("class"), "{text}");
    assert!(output["largest"].is_u64() && output["class"].is_null(), "{output}");
    compile(&workshop, "--regression");
    assert_eq!(decrypted(&workshop).1["kind"], "values");
    compile(&workshop, "--classifier");
    assert!(decrypted(&workshop).1["class"].is_u64());
}

#[test]
fn labels_say_what_outputs_are_and_how_right_they_are() {
    let classes = Array1::from_shape_fn(N_ROWS, |row| (row % 3) as f64).into_dyn();
    let workshop = workshop(&network(3, 1.0, "output \"y\" t5"), Some(classes));
    std::fs::write(workshop.path("names.txt"), "cat\ndog\nbig cow\n").unwrap();
    let sheet = compile(&workshop, "--class-names names.txt");
    let accuracy = &sheet["fidelity"]["accuracy"];
    assert_eq!(accuracy["compiled"]["of"], 60, "{accuracy}");
    assert!(accuracy["original"]["share"].as_f64().unwrap() < 0.8);
    let (text, output) = decrypted(&workshop);
    let class = output["class"].as_u64().unwrap() as usize;
    let name = ["cat", "dog", "big cow"][class];
    assert_eq!(output["class_name"], name);
    assert!(text.contains(&format!("class {name}\n")), "{text}");
    let simulated = workshop.json("simulate net.bin --data rows.npz");
    assert!(simulated["clear"]["accuracy"].is_number() && simulated["clear"]["r2"].is_null());
}

#[test]
fn targets_may_be_numbers() {
    let first = inputs().column(0).mapv(f64::from).into_dyn();
    let workshop = workshop(&network(1, 1.0, "output \"y\" t5"), Some(first));
    let sheet = compile(&workshop, "");
    let r2 = |json: &Json| json["r2"].clone();
    let accuracy = r2(&sheet["fidelity"]["accuracy"]);
    let [original, compiled] = ["original", "compiled"].map(|of| accuracy[of].as_f64().unwrap());
    assert!((original - compiled).abs() < 0.05 && original < 1.0, "{accuracy}");
    let simulated = workshop.json("simulate net.bin --data rows.npz");
    let [original, clear] = ["original", "clear"].map(|of| r2(&simulated[of]).as_f64().unwrap());
    assert!((original - clear).abs() < 0.05, "{simulated}");
    assert!(simulated["noisy"]["rmse"].as_f64().unwrap() > 0.0);
    assert!(simulated["clear"]["accuracy"].is_null());
    let text = workshop.ok("simulate net.bin --data rows.npz");
    assert!(text.contains("RMSE") && !text.contains("accuracy"), "{text}");
}

#[test]
fn one_number_decides_where_labels_or_steps_say_so() {
    let yes = Array1::from_shape_fn(N_ROWS, |row| f64::from(u8::from(row % 2 == 0))).into_dyn();
    let end = "output \"y\" t5 | sigmoid";
    let labeled = workshop(&network(1, 1.0, end), Some(yes));
    let sheet = compile(&labeled, "");
    assert_eq!(sheet["fidelity"]["agreement"]["of"], 60, "{sheet}");
    let (text, output) = decrypted(&labeled);
    assert_eq!(output["kind"], "threshold");
    let probability = output["values"][0].as_f64().unwrap();
    assert_eq!(output["class"].as_u64().unwrap(), u64::from(probability > 0.5));
    assert!(text.contains("class "), "{text}");
    let unlabeled = workshop(&network(1, 1.0, end), None);
    assert!(compile(&unlabeled, "")["fidelity"]["agreement"].is_null());
    assert!(!decrypted(&unlabeled).0.contains("class"));
}

#[test]
fn poor_agreement_is_warned_of_and_wishes_are_kept() {
    let workshop = workshop(&network(3, 1.0, "output \"y\" t5 | softmax axis=1"), None);
    let poor = "compile net.hecc -o net.bin --calibration rows.npz --degrees 2";
    let output = workshop.hecc(poor);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && errors.contains("warning: only "), "{errors}");
    let sheet = String::from_utf8(output.stdout).unwrap();
    assert!(sheet.starts_with("agreement "), "{sheet}");
    let compiled = workshop.json(poor);
    assert!(compiled["fidelity"]["warning"].is_string(), "{compiled}");
    let share = compiled["fidelity"]["agreement"]["share"].as_f64().unwrap();
    assert!(share < 0.99, "{share}");
    let inspected = workshop.json("inspect net.bin");
    assert_eq!(inspected["fidelity"], compiled["fidelity"]);
    let inspected = workshop.ok("inspect net.bin");
    assert!(inspected.contains("95 % sure") && inspected.contains("approximation"), "{inspected}");

    std::fs::remove_file(workshop.path("net.bin")).unwrap();
    for wish in ["--min-agreement 99.9", "--max-error 0.1%"] {
        let error = workshop.fails(&format!("{poor} {wish}"));
        assert!(error.contains("node `relu`, which polynomials of degree up to 2"), "{error}");
        assert!(error.contains(wish.split(' ').next().unwrap()), "{error}");
    }
    let met = compile(&workshop, "--min-agreement 98");
    assert!(met["fidelity"]["agreement"]["share"].as_f64().unwrap() >= 0.98);
    let met = compile(&workshop, "--max-error 10%");
    let largest = met["fidelity"]["outputs"][0]["error"]["largest"].as_f64().unwrap();
    assert!(largest <= 0.1, "{largest}");
    for wrong in ["--degrees 0", "--degrees 2,x", "--min-agreement 101", "--max-error -1"] {
        workshop.fails(&format!("compile net.hecc -o net.bin --calibration rows.npz {wrong}"));
    }
}

/// The bound is above what is simulated, and not more than four bits.
#[test]
fn the_bound_on_noise_is_near_what_is_simulated() {
    let workshop = Workshop::empty();
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    for network in ["mnist/square", "mnist/lenet_relu", "deep/deep", "deep/residual"] {
        let sheet = workshop.json(&format!(
            "compile {examples}/{network}.onnx --calibration {examples}/mnist/calibration.npz -o p.bin"
        ));
        let digits = format!("simulate p.bin --data {examples}/mnist/digits.npz");
        let simulated = workshop.json(&digits);
        let last = simulated["layers"].as_array().unwrap().last().unwrap();
        let largest = last["noise"]["max"].as_f64().unwrap();
        let bits = (sheet["largest_error"].as_f64().unwrap() / largest).log2();
        assert!((0.0..4.0).contains(&bits), "{network}: {bits} bits above");
    }
}

/// A plan whose inputs may be so large that the square of one is no number any more.
#[test]
fn results_of_which_nothing_is_proven_are_shown_with_all_digits_only() {
    let workshop = Workshop::full();
    let file = std::fs::read(workshop.path("plan.bin")).unwrap();
    let mut plan = (*plan::from_bytes(file.into()).unwrap().plan).clone();
    plan.layers.clear();
    plan.origins.fill(0);
    plan.inputs[0].ranges = Ranges::all(-1e200, 1e200);
    let file = plan::to_bytes(&VerifiedPlan::new(plan).unwrap(), None);
    std::fs::write(workshop.path("huge.bin"), file).unwrap();
    workshop.ok("keygen huge.bin");
    workshop.ok("encrypt huge.bin -i x.npy -o huge.ct");
    workshop.ok("run huge.bin -i huge.ct");
    let error = workshop.fails("decrypt huge.bin -i huge.out.ct");
    assert!(error.contains("nothing is proven of the plan's results"), "{error}");
    assert!(error.contains("hint: --all-digits"), "{error}");
    let json = workshop.json("decrypt huge.bin -i huge.out.ct --all-digits");
    assert!(json["inputs"][0]["outputs"][0]["values"].is_array(), "{json}");
}
