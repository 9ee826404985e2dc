//! Others encrypt for the owner of the key, who alone reads inputs and results.

use crate::workshop::Workshop;

#[test]
fn others_encrypt_and_the_owner_decrypts() {
    let workshop = Workshop::split();
    let made = workshop.json("keygen plan.client.bin --public");
    assert_eq!(made["public_key"]["bytes"], workshop.files()["plan.pk"].len());
    // Someone else has the client part and the public key.
    std::fs::create_dir(workshop.path("other")).unwrap();
    for file in ["plan.client.bin", "plan.pk"] {
        std::fs::copy(workshop.path(file), workshop.path(&format!("other/{file}"))).unwrap();
    }
    let sent = workshop.json("encrypt other/plan.client.bin -i x.npy -o x.ct");
    assert!(made["key"].is_string(), "{made}");
    assert_eq!((&sent["public_key"], &sent["key"]), (&true.into(), &made["key"]));
    workshop.ok("run plan.server.bin -i x.ct");
    let error = workshop.fails("decrypt other/plan.client.bin -i x.out.ct");
    assert!(error.contains("there is no `other/plan.sk`"), "{error}");
    let error = workshop.fails("decrypt plan.client.bin -i x.out.ct --keys plan.pk");
    assert!(error.contains("this is a public key, expected a secret key"), "{error}");

    let numbers = |arguments: &str| -> Vec<f64> {
        let json = workshop.json(arguments);
        let scores = json["inputs"][0]["outputs"][0]["scores"].as_array().unwrap();
        scores.iter().map(|x| x.as_f64().unwrap()).collect()
    };
    let others = numbers("decrypt plan.bin -i x.out.ct --all-digits");
    let sent = workshop.json("encrypt plan.bin -i x.npy -o y.ct");
    assert_eq!(sent["public_key"], false);
    workshop.ok("run plan.bin -i y.ct");
    let own = numbers("decrypt plan.bin -i y.out.ct --all-digits");
    let bound = workshop.json("inspect plan.bin")["largest_error"].as_f64().unwrap();
    assert!(
        own.iter().zip(&others).all(|(a, b)| (a - b).abs() < 2.0 * bound),
        "{own:?}, {others:?}"
    );
    assert_ne!(own, others);
}

#[test]
fn digits_encrypted_by_others_are_recognized_exactly() {
    let workshop = Workshop::empty();
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    workshop.ok(&format!(
        "compile {examples}/qat/hcnn_mnist_tiny.onnx -o plan.bin --scheme bfv --calibration \
         {examples}/mnist/calibration.npz"
    ));
    workshop.ok("keygen plan.bin --public");
    workshop.ok(&format!(
        "encrypt plan.bin -i {examples}/mnist/digits.npz --keys plan.pk --index 0..4 -o x.ct"
    ));
    workshop.ok("run plan.bin -i x.ct");
    let json = workshop.json("decrypt plan.bin -i x.out.ct");
    assert_eq!([0, 1, 2, 3].map(|i| &json["inputs"][i]["outputs"][0]["class"]), [7, 2, 1, 0]);
}

#[test]
fn sizes_are_predicted_and_files_described() {
    let workshop = Workshop::full();
    workshop.ok("keygen plan.bin --evaluation-only --force --public");
    workshop.ok("encrypt plan.bin -i x.npy --keys plan.pk -o y.ct");
    let sheet = workshop.json("inspect plan.bin")["file_bytes"].clone();
    let files = workshop.files();
    assert_eq!(sheet["public_key"], files["plan.pk"].len());
    assert_eq!(sheet["public_input_ciphertext"], files["y.ct"].len());
    assert!(files["y.ct"].len() > 19 * files["x.ct"].len() / 10);
    let id = workshop.json("inspect plan.sk")["key"].clone();
    assert!(id.is_string(), "{id}");
    for (file, text) in
        [("plan.pk", "it reads nothing, not even these"), ("y.ct", "1 input of 1 ciphertext")]
    {
        assert_eq!(workshop.json(&format!("inspect {file}"))["key"], id);
        let printed = workshop.ok(&format!("inspect {file}"));
        assert!(printed.contains(text) && !printed.contains("a seed"), "{printed}");
    }
    assert_eq!(workshop.json("inspect plan.pk")["kind"], "public_key");
}

#[test]
fn public_keys_of_two_generations_are_not_mixed() {
    let workshop = Workshop::full();
    workshop.ok("keygen plan.bin --out other --public");
    workshop.ok("encrypt plan.bin -i x.npy --keys other/plan.pk -o y.ct");
    let error = workshop.fails("run plan.bin -i y.ct");
    assert!(error.starts_with("plan.ek holds evaluation keys of key "), "{error}");
    workshop.ok("run plan.bin -i y.ct --keys other/plan.ek");
    let error = workshop.fails("decrypt plan.bin -i y.out.ct");
    assert!(error.starts_with("y.out.ct is encrypted under key "), "{error}");
    workshop.ok("decrypt plan.bin -i y.out.ct --keys other/plan.sk");
    workshop.ok("compile tiny.hecc -o new.bin --calibration data.npz --precision 20");
    let error = workshop.fails("encrypt new.bin -i x.npy --keys other/plan.pk -o z.ct");
    assert!(error.contains("this is a public key made for plan"), "{error}");
}

#[test]
fn no_public_key_is_replaced_unasked() {
    let workshop = Workshop::full();
    workshop.ok("keygen plan.bin --public --force");
    let error = workshop.fails("keygen plan.bin --public --evaluation-only");
    assert!(error.contains("evaluation keys in `plan.ek` already"), "{error}");
    for key in ["plan.sk", "plan.ek"] {
        std::fs::remove_file(workshop.path(key)).unwrap();
    }
    let error = workshop.fails("keygen plan.bin --public");
    assert!(error.contains("there is a public key in `plan.pk` already"), "{error}");
    let before = workshop.files()["plan.pk"].clone();
    let output = workshop.hecc("keygen plan.bin --force");
    let remarks = String::from_utf8(output.stderr).unwrap();
    assert!(remarks.contains("`plan.pk` is a public key of the old secret key"), "{remarks}");
    assert!(workshop.files()["plan.pk"] == before);
    workshop.ok("keygen plan.bin --force --public");
    assert!(workshop.files()["plan.pk"] != before);
    std::fs::copy(workshop.path("x.ct"), workshop.path("plan.pk")).unwrap();
    let error = workshop.fails("keygen plan.bin --force --public");
    assert!(error.contains("`plan.pk` is in the place of a public key"), "{error}");
    let error = workshop.fails("encrypt plan.bin -i x.npy --keys plan.pk -o y.ct");
    assert!(error.contains("this is an encrypted input, expected a secret key"), "{error}");
}

#[test]
fn damaged_public_keys_are_refused_by_name() {
    let workshop = Workshop::full();
    workshop.ok("keygen plan.bin --public --force");
    let whole = workshop.files()["plan.pk"].clone();
    for place in [9, 17, 30, 100, whole.len() / 2, whole.len() - 5] {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x10;
        std::fs::write(workshop.path("plan.pk"), &bytes).unwrap();
        let error = workshop.fails("encrypt plan.bin -i x.npy --keys plan.pk -o y.ct");
        assert!(error.starts_with("plan.pk: "), "{error}");
    }
}
