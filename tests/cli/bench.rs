//! `hecc bench`: what it prints, and the cost table that it leaves.

use crate::workshop::Workshop;

#[test]
fn operations_take_time() {
    let workshop = Workshop::empty();
    let report = workshop.json("bench ops --log-n 13 --limbs 4 --repeats 1");
    assert_eq!((&report["limbs"], &report["security"]), (&4.into(), &128.into()));
    for name in ["ntt", "mul_relin_rescale", "rotate", "rotate_hoisted_8", "rescale"] {
        assert!(report["ops"][name].as_f64().unwrap() > 0.0, "{report}");
    }
}

#[test]
fn a_measured_cost_table_is_used_and_a_damaged_one_is_named() {
    let workshop = Workshop::full();
    std::fs::create_dir_all(workshop.path("home/hecc")).unwrap();
    let table = workshop.path("home/hecc/costs.json");
    let predicted = |workshop: &Workshop| {
        workshop.json("inspect plan.bin")["predicted_seconds"]["run"].as_f64().unwrap()
    };
    let shipped = predicted(&workshop);
    let slow = r#"{"butterfly":1e-6,"mul_add":1e-6,"convert":1e-6,"pass":1e-6,"encode":1e-6}"#;
    std::fs::write(&table, slow).unwrap();
    assert!(predicted(&workshop) > 100.0 * shipped);
    std::fs::write(&table, slow.replace("1e-6", "-1")).unwrap();
    let error = workshop.fails("inspect plan.bin");
    assert!(error.contains("costs.json") && error.contains("hecc bench --calibrate"), "{error}");
    std::fs::write(&table, "{").unwrap();
    assert!(workshop.fails("inspect plan.bin").contains("is not JSON"));
}

#[test]
fn wrong_sizes_are_refused() {
    let workshop = Workshop::empty();
    for (arguments, text) in [
        ("bench ops --log-n 3", "3 is not in 12..=16"),
        ("bench ops --log-n 12 --limbs 30", "too few; take fewer limbs"),
        ("bench bootstrap --values 100", "expected a power of two from 4 to 65536"),
        ("bench bootstrap --bits 99", "expected 8 to 30"),
        ("bench bootstrap --log-n 15 --levels 30", "no secure parameters"),
        ("bench bootstrap --log-n 14", "14 is not in 15..=16"),
    ] {
        let error = workshop.fails(arguments);
        assert!(error.contains(text), "hecc {arguments}: {error}, expected {text}");
    }
}
