//! Plans that someone else made: those without security are refused by every command, others by whoever wants more.

use hecc_grammar::plan::{self, Op, Output, OutputKind, Params, Plan, Profile, Runs, VerifiedPlan};
use hecc_grammar::plan::{Dim, Input, Key, Ranges, Run, Scheme};
use hecc_grammar::security::Security;

use crate::workshop::Workshop;

/// A square on a ring of degree 8, whose key is found in a moment by trying all.
fn insecure() -> Vec<u8> {
    let (scheme, t, q) = (Scheme::Ckks, vec![], vec![562949953421201, 562949953420609]);
    let security = Security::insecure_for_tests();
    let (p, input_level, top_scale) = (vec![562949953420369], 1, 40.0);
    let mut plan =
        Plan::new(Params { scheme, log_n: 3, q, t, p, input_level, top_scale, security }, "tiny");
    let slots = Runs(vec![Run {
        slot: 0,
        element: 0,
        dims: vec![Dim { count: 4, slot_stride: 1, element_stride: 1 }],
    }]);
    plan.inputs.push(Input {
        name: "x".to_owned(),
        shape: vec![1, 1, 2, 2],
        ranges: Ranges::all(-1.0, 1.0),
        seen: Profile::default(),
        factor: 1.0,
        quantizer: None,
        slots: vec![slots.clone()],
        normalization: None,
    });
    let x = plan.push(Op::Input(0), 0).unwrap();
    let square = plan.push(Op::Mul(x, x), 0).unwrap();
    let square = plan.push_switch(square, Key::Relinearize, 0).unwrap();
    plan.outputs.push(Output {
        name: "y".to_owned(),
        shape: vec![1, 4],
        factor: 1.0,
        element_scales: vec![],
        limit: None,
        magnitude: None,
        seen: Profile::default(),
        slots: vec![(square, slots)],
        client: vec![],
        kind: OutputKind::Values,
    });
    plan::to_bytes(&VerifiedPlan::new(plan).unwrap(), None)
}

#[test]
fn no_command_takes_an_insecure_plan() {
    let workshop = Workshop::full();
    std::fs::write(workshop.path("weak.bin"), insecure()).unwrap();
    for arguments in [
        "keygen weak.bin",
        "keygen weak.bin --force --require-security 128",
        "encrypt weak.bin -i x.npy -o y.ct",
        "run weak.bin -i x.ct -o y.ct",
        "decrypt weak.bin -i x.out.ct",
        "simulate weak.bin --data data.npz",
        "inspect weak.bin",
    ] {
        let error = workshop.fails(arguments);
        assert!(error.contains("security of 0 bits, expected 128, 192 or 256"), "{error}");
    }
}

#[test]
fn the_client_may_require_more_than_a_plan_gives() {
    let workshop = Workshop::full();
    for arguments in ["keygen plan.bin --force", "encrypt plan.bin -i x.npy -o y.ct"] {
        let error = workshop.fails(&format!("{arguments} --require-security 256"));
        assert!(error.contains("plan.bin: its parameters give 128 bits of security"), "{error}");
        assert!(
            error.contains("256 are required\n  hint: `hecc compile --security 256`"),
            "{error}"
        );
        workshop.fails(&format!("{arguments} --require-security 100"));
    }
    workshop.ok("compile tiny.hecc -o strong.bin --calibration data.npz --security 256");
    workshop.ok("keygen strong.bin --require-security 256");
    workshop.ok("encrypt strong.bin -i x.npy -o y.ct --require-security 256");
}
