//! Which digits of results are shown: those that the plan proves, those that may be shared, or all.

use crate::workshop::Workshop;

fn values(json: &serde_json::Value) -> Vec<f64> {
    let values = json["inputs"][0]["outputs"][0]["values"].as_array().unwrap();
    values.iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn digits_that_are_not_proven_are_not_shown() {
    let workshop = Workshop::full();
    let all = workshop.json("decrypt plan.bin -i x.out.ct --raw --all-digits");
    let shown = workshop.json("decrypt plan.bin -i x.out.ct --raw -o y.npy");
    assert_eq!((&all["digits"]["are"], &shown["digits"]["are"]), (&"all".into(), &"proven".into()));
    let unit = shown["digits"]["unit"].as_f64().unwrap();
    assert!((1e-4..0.1).contains(&unit), "{unit}");
    let file = std::fs::File::open(workshop.path("y.npy")).unwrap();
    let file: ndarray::ArrayD<f64> = ndarray_npy::ReadNpyExt::read_npy(file).unwrap();
    assert_eq!(file.into_raw_vec_and_offset().0, values(&shown));
    for (exact, rounded) in values(&all).into_iter().zip(values(&shown)) {
        assert!((exact - rounded).abs() <= 0.5001 * unit && exact != rounded);
        let multiple = rounded / unit;
        assert!((multiple - multiple.round()).abs() < 1e-9, "{rounded} by {unit}");
    }
    let class = |json: &serde_json::Value| json["inputs"][0]["outputs"][0]["class"].as_u64();
    assert!(class(&all).is_some() && class(&all) == class(&shown), "{all}, {shown}");
}

#[test]
fn results_are_shared_with_noise_that_is_counted() {
    let workshop = Workshop::full();
    let error = workshop.fails("decrypt plan.bin -i x.out.ct --share");
    assert!(error.contains("nothing would be left\n  hint: a plan of at least "), "{error}");
    workshop.ok("compile tiny.hecc -o fine.bin --calibration data.npz --precision 24");
    workshop.ok("keygen fine.bin");
    workshop.ok("encrypt fine.bin -i data.npz --index 0..2 -o two.ct");
    workshop.ok("run fine.bin -i two.ct");
    let error = workshop.fails("decrypt fine.bin -i two.out.ct --share");
    assert!(error.starts_with("there are 2 results, --share=1 is for 1"), "{error}");
    workshop.fails("decrypt fine.bin -i two.out.ct --share --all-digits");
    workshop.fails("decrypt fine.bin -i two.out.ct --share=2 --distance 0");

    let exact = workshop.json("decrypt fine.bin -i two.out.ct --raw --all-digits");
    let share = "decrypt fine.bin -i two.out.ct --raw --share=100";
    let (one, other) = (workshop.json(share), workshop.json(share));
    let digits = &one["digits"];
    assert_eq!((&digits["decryptions"], &digits["distance_bits"]), (&100.into(), &10.0.into()));
    let noise = digits["noise"].as_f64().unwrap();
    assert_ne!(values(&one), values(&other));
    for (exact, shared) in values(&exact).into_iter().zip(values(&one)) {
        assert!((exact - shared).abs() < 9.0 * noise, "{exact}, {shared}, {noise}");
    }
    let closer = workshop.json(&format!("{share} --distance 12"));
    let ratio = closer["digits"]["noise"].as_f64().unwrap() / noise;
    assert!((ratio - 4.0).abs() < 1e-6, "{ratio}");
    let told = workshop.hecc("decrypt fine.bin -i two.out.ct --share=2");
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("2 decryptions may be shared") && told.contains("of 2^-10"), "{told}");
}
