//! Plans that someone else made: those without security are refused by every command, others by whoever wants more.

use hecc_grammar::plan::{self, Key, Op, Params, Plaintexts, Value};
use hecc_grammar::security::Security;

use crate::build::Build;
use crate::workshop::Workshop;

/// A square on a ring of degree 8, whose key is found in a moment by trying all.
fn insecure() -> Vec<u8> {
    let plaintexts = Plaintexts::Ckks { top_scale: 40.0 };
    let (q, p) = (vec![562949953421201, 562949953420609], vec![562949953420369]);
    let security = Security::insecure_for_tests();
    let params = Params { plaintexts, log_n: 3, q, p, input_level: 1, security };
    let mut build = Build::new(params, 1);
    let square = build.op(Op::Mul(Value(0), Value(0)));
    let square = build.switch(square, Key::Relinearize);
    plan::to_bytes(&build.finish(&[square]), None)
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
