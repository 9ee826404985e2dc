//! What works: from a network to a decrypted prediction, and everything on the way.

use std::collections::BTreeMap;

use hecc_compiler::interpret;
use hecc_grammar::model;
use ndarray::{ArrayD, Axis};
use ndarray_npy::ReadNpyExt;

use crate::distance::distance;
use crate::workshop::{MODEL, N_IMAGES, Workshop, images, weights};

/// What the original network says about image `index`: one probability for each class.
fn expected(index: usize) -> Vec<f64> {
    let mut resolve = |name: &str| (name == "c2").then(|| weights().mapv(f64::from));
    let model = model::parse(MODEL, &mut resolve).unwrap();
    let image = images().index_axis(Axis(0), index).insert_axis(Axis(0)).mapv(f64::from);
    interpret::run_with_client(&model, &[image]).unwrap()[0].iter().copied().collect()
}

fn assert_near(found: &[f64], expected: &[f64]) {
    assert!(distance(found, expected) < 1e-3, "{found:?}, expected {expected:?}");
}

fn numbers(json: &serde_json::Value) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn a_prediction_is_decrypted() {
    let workshop = Workshop::full();
    let json = workshop.json("decrypt plan.bin --input x.out.ct --all-digits -o y.npy");
    let output = &json["inputs"][0]["outputs"][0];
    let expected = expected(3);
    assert_near(&numbers(&output["values"]), &expected);
    let best = (0..3).max_by(|&a, &b| expected[a].total_cmp(&expected[b])).unwrap();
    assert_eq!(output["class"], best);
    let file = std::fs::File::open(workshop.path("y.npy")).unwrap();
    let array = ArrayD::<f64>::read_npy(file).unwrap();
    assert_eq!(array.shape(), [1, 3]);
    assert_near(array.as_slice().unwrap(), &expected);
    let text = workshop.ok("decrypt plan.bin --input x.out.ct --top 2");
    assert!(text.starts_with(&format!("class {best}\n")) && text.contains("probability"), "{text}");
    assert_eq!(text.lines().count(), 5, "{text}");
}

/// As classifiers are exported that say which class it is, by its name, and how sure they are.
#[test]
fn a_label_goes_with_scores() {
    let workshop = Workshop::full();
    let scores = "output \"y\" t4 | softmax axis=1\n";
    let label =
        "output \"label\" t4 | arg_max axis=1 keepdims=false | labels \"cat\" \"dog\" \"cow\"\n";
    let model = MODEL.replace(scores, &format!("{label}{scores}"));
    std::fs::write(workshop.path("two.hecc"), model).unwrap();
    std::fs::copy(workshop.path("tiny.npz"), workshop.path("two.npz")).unwrap();
    workshop.ok("compile two.hecc -o two.bin --calibration data.npz");
    workshop.ok("keygen two.bin");
    workshop.ok("encrypt two.bin --input x.npy -o two.ct");
    workshop.ok("run two.bin --input two.ct");
    let json = workshop.json("decrypt two.bin --input two.out.ct --all-digits -o y.npy");
    let expected = expected(3);
    let best = (0..3).max_by(|&a, &b| expected[a].total_cmp(&expected[b])).unwrap();
    assert_near(&numbers(&json["inputs"][0]["outputs"][0]["values"]), &[best as f64]);
    let file = std::fs::File::open(workshop.path("y.npy")).unwrap();
    assert_near(ArrayD::<f64>::read_npy(file).unwrap().as_slice().unwrap(), &expected);
}

#[cfg(unix)]
#[test]
fn the_secret_key_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let workshop = Workshop::full();
    workshop.ok("keygen plan.bin --out keys");
    let mode = |name: &str| std::fs::metadata(workshop.path(name)).unwrap().permissions().mode();
    assert_eq!(mode("keys/plan.sk") & 0o777, 0o600);
    assert_ne!(mode("keys/plan.ek") & 0o044, 0);
    let error = workshop.fails("run plan.bin --input x.ct --keys keys/plan.sk");
    assert!(error.contains("this is a secret key, expected evaluation keys"), "{error}");
}

#[test]
fn threads_do_not_change_a_byte() {
    let workshop = Workshop::full();
    let before = workshop.files()["x.out.ct"].clone();
    for threads in [1, 2, 3] {
        workshop.ok(&format!("run plan.bin --input x.ct -o t.ct --threads {threads}"));
        assert!(workshop.files()["t.ct"] == before, "{threads} threads");
    }
    workshop.ok("run plan.bin --input x.ct -o t.ct --cache 100M --quiet");
    assert!(workshop.files()["t.ct"] == before);
}

#[test]
fn compiling_is_reproducible() {
    let workshop = Workshop::full();
    workshop.ok("compile tiny.hecc -o again.bin --calibration data.npz");
    let files = workshop.files();
    assert!(files["plan.bin"] == files["again.bin"]);
}

#[test]
fn several_images_run_one_after_the_other() {
    let workshop = Workshop::full();
    let summary = workshop.json("encrypt plan.bin --input data.npz --index 2..5 -o three.ct");
    assert_eq!(summary["inputs"], 3);
    assert_eq!(workshop.json("inspect three.ct")["sets"], 3);
    assert_eq!(workshop.json("run plan.bin --input three.ct")["inputs"], 3);
    let json = workshop.json("decrypt plan.bin --input three.out.ct --all-digits -o three.npz");
    let inputs = json["inputs"].as_array().unwrap();
    assert_eq!(inputs.len(), 3);
    for (i, output) in inputs.iter().enumerate() {
        assert_near(&numbers(&output["outputs"][0]["values"]), &expected(i + 2));
    }
    assert!(workshop.files().contains_key("three.npz"));
}

#[test]
fn sizes_are_predicted_exactly() {
    let workshop = Workshop::full();
    let files = workshop.files();
    let sheet = workshop.json("inspect plan.bin");
    let names = BTreeMap::from([
        ("plan", "plan.bin"),
        ("secret_key", "plan.sk"),
        ("evaluation_keys", "plan.ek"),
        ("input_ciphertext", "x.ct"),
        ("output_ciphertext", "x.out.ct"),
    ]);
    for (name, file) in names {
        assert_eq!(sheet["file_bytes"][name], files[file].len(), "{name}");
    }
    assert_eq!(sheet["security_bits"], 128);
    assert!(sheet["log_qp"].as_f64() < sheet["max_log_qp"].as_f64());
}

#[test]
fn every_kind_of_file_is_described() {
    let workshop = Workshop::full();
    for (file, kind, text) in [
        ("plan.bin", "plan", "flatten"),
        ("plan.sk", "secret_key", "a secret key"),
        ("plan.ek", "evaluation_keys", "for rotations"),
        ("x.ct", "ciphertexts", "1 input of 1 ciphertext"),
        ("x.out.ct", "ciphertexts", "1 output of 1 ciphertext"),
    ] {
        assert_eq!(workshop.json(&format!("inspect {file}"))["kind"], kind);
        let printed = workshop.ok(&format!("inspect {file}"));
        assert!(printed.contains(text) && printed.contains("128 bits"), "{printed}");
    }
    let layers = &workshop.json("inspect plan.bin")["layers"];
    assert_eq!(layers[1]["name"], "conv");
    assert_eq!(layers[2]["products"], 1);
}

#[test]
fn a_plan_is_as_good_as_its_network() {
    let workshop = Workshop::full();
    let json = workshop.json("simulate plan.bin --data data.npz");
    assert_eq!(json["inputs"], N_IMAGES);
    assert_eq!(json["clear"]["agreement"], 1.0);
    assert!(json["original"]["accuracy"].is_number(), "{json}");
    assert_eq!(json["clear"]["accuracy"], json["original"]["accuracy"]);
    let noisy = json["noisy"]["output_error"]["max"].as_f64().unwrap();
    assert!(noisy > json["clear"]["output_error"]["max"].as_f64().unwrap() && noisy < 1e-3);
    let layers = json["layers"].as_array().unwrap();
    assert!(!layers.is_empty() && layers.iter().all(|layer| layer["outside"] == 0), "{layers:?}");
    let again = workshop.json("simulate plan.bin --data data.npz --seed 0");
    assert_eq!(json, again);
    let text = workshop.ok("simulate plan.bin --data far.npy --noise clear");
    assert!(text.contains("4 (25.00 %)") && !text.contains("with noise"), "{text}");
}

#[test]
fn pixels_are_normalized_alike_everywhere() {
    let workshop = Workshop::empty();
    std::fs::create_dir(workshop.path("images")).unwrap();
    for i in 0..3u8 {
        let pixels = (0..16).map(|k| k * 16 + i * 5).collect();
        let image = image::GrayImage::from_raw(4, 4, pixels).unwrap();
        image.save(workshop.path(&format!("images/{i}.png"))).unwrap();
    }
    workshop.ok("compile tiny.hecc -o plan.bin --calibration images --normalize 0.5,0.25");
    let input = &workshop.json("inspect plan.bin")["inputs"][0];
    assert_eq!(input["normalization"]["mean"][0], 0.5);
    assert_near(&numbers(&input["range"]), &[-2.0, 2.0]);
    workshop.ok("keygen plan.bin");
    workshop.ok("encrypt plan.bin --input images/1.png -o x.ct");
    let error = workshop.fails("encrypt plan.bin --input far.npy -o far.ct");
    assert!(error.contains("element [0, 0, 0, 0] is 9, outside the range [-2, 2]"), "{error}");
}

#[test]
fn stages_and_choices_are_shown() {
    let workshop = Workshop::empty();
    let model = workshop.ok("compile tiny.hecc --emit model");
    assert!(model.starts_with("model 1 \"tiny\"\n") && model.contains("conv t0"), "{model}");
    for (stage, text) in
        [("approximate", "conv"), ("graph", "affine"), ("pack", "d3"), ("plan", "plan 1")]
    {
        let printed = workshop.ok(&format!("compile tiny.hecc --emit {stage}"));
        assert!(printed.contains(text), "{stage}: {printed}");
    }
    // The text of a network is a network.
    std::fs::write(workshop.path("copy.hecc"), model).unwrap();
    let sheet = workshop.ok("compile copy.hecc -o plan.bin --input-range -1,1 --explain");
    assert!(sheet.contains("eprint 2024/463") && sheet.contains("not secure"), "{sheet}");
    let output = workshop.hecc("compile copy.hecc -o plan.bin");
    let remarks = String::from_utf8(output.stderr).unwrap();
    assert!(remarks.contains("inputs are taken to be uniform in [0, 1]"), "{remarks}");
    assert!(workshop.hecc("compile copy.hecc -o plan.bin --quiet").stdout.is_empty());
}

#[test]
fn shells_are_completed() {
    let workshop = Workshop::empty();
    for shell in ["bash", "zsh", "fish"] {
        assert!(workshop.ok(&format!("completions {shell}")).contains("simulate"));
    }
}

#[test]
fn a_profile_is_shown_next_to_what_was_predicted() {
    let workshop = Workshop::full();
    assert!(workshop.json("inspect plan.bin")["measured"].is_null());
    let text = workshop.ok("run plan.bin --input x.ct -o y.ct --threads 1 --profile");
    assert!(text.contains("dot_plain") && text.contains("predicted, 1 core"), "{text}");
    let json = workshop.json("inspect plan.bin");
    let measured = &json["measured"];
    let run = measured["seconds"].as_f64().unwrap();
    let layers = json["layers"].as_array().unwrap().iter();
    let sum: f64 = layers.map(|layer| layer["measured_seconds"].as_f64().unwrap()).sum();
    assert!(sum > 0.0 && sum <= run, "layers take {sum} s of {run} s");
    assert!(measured["encoding_seconds"].as_f64().unwrap() < run);
    assert_eq!((&measured["runs"], &measured["threads"]), (&1.into(), &1.into()));
    let text = workshop.ok("inspect plan.bin");
    assert!(text.contains("measured") && text.contains("(1 run with 1 thread)"), "{text}");
    // Of another plan it says nothing.
    workshop.ok("compile tiny.hecc -o plan.bin --calibration data.npz --precision 12");
    assert!(workshop.json("inspect plan.bin")["measured"].is_null());
    std::fs::write(workshop.path("plan.profile.json"), "[]").unwrap();
    let error = workshop.fails("inspect plan.bin");
    assert!(error.contains("`plan.profile.json` is no profile of a run"), "{error}");
    workshop.ok("keygen plan.bin --force");
    workshop.ok("encrypt plan.bin --input x.npy -o x.ct");
    let error = workshop.fails("run plan.bin --input x.ct -o z.ct --profile");
    assert!(error.contains("is no profile of a run: it is not overwritten"), "{error}");
    assert!(!workshop.path("z.ct").exists());
    let error = workshop.fails("run plan.bin --input x.ct --profile --checkpoint c");
    assert!(error.contains("cannot be used with"), "{error}");
}
