//! The library: its parties, and that their bytes are the files of the command line.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use hecc::{
    Calibration, Client, Config, FileError, Model, Plan, Prediction, ReadError, RunError, Sender,
    Server, compile,
};

/// Two inputs, whose elements are multiplied, and a choice of one of three sums of them.
const NETWORK: &str = r#"
    model 1 "choice"
    c0 : [2,3] = [1, 3, -2, 2, -1, 4]
    t0 = input : [1,2] "left"
    t1 = input : [1,2] "right"
    t2 = mul t0, t1 : [1,2] "products"
    t3 = matmul t2, c0 : [1,3] "scores"
    output "y" t3 | softmax axis=1
"#;

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let network: Model = NETWORK.parse().unwrap();
    let inputs = Calibration::assumed(&network, -1.0, 1.0);
    compile(&network, &inputs, &Config::standard()).unwrap()
});

/// Three examples.
const LEFT: [f64; 6] = [0.5, -0.25, 1.0, 1.0, -0.75, 0.5];
const RIGHT: [f64; 6] = [1.0, 0.5, -0.5, 0.75, 0.25, -1.0];

/// Scores of each, by hand: products times the matrix.
fn expected() -> [[f64; 3]; 3] {
    std::array::from_fn(|example| {
        let [a, b] = [0, 1].map(|i| LEFT[2 * example + i] * RIGHT[2 * example + i]);
        [a + 2.0 * b, 3.0 * a - b, -2.0 * a + 4.0 * b]
    })
}

fn check(results: &[Vec<Prediction>]) {
    assert_eq!(results.len(), 3);
    for (outputs, expected) in results.iter().zip(expected()) {
        let [y] = &outputs[..] else { panic!("{} outputs", outputs.len()) };
        let sum: f64 = expected.iter().map(|x| x.exp()).sum();
        let largest = expected.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert_eq!(y.class, expected.iter().position(|x| *x == largest));
        assert_eq!(y.values.shape(), [1, 3]);
        for (found, x) in y.values.iter().zip(expected) {
            assert!((found - x.exp() / sum).abs() < 0.01, "{found}, expected {}", x.exp() / sum);
        }
    }
}

#[test]
fn one_encrypts_another_computes_the_owner_reads() {
    let client = Client::generate(PLAN.client_part().unwrap()).unwrap();
    let server = Server::new(PLAN.server_part(), &client.evaluation_keys().unwrap()).unwrap();
    let public = client.public_key().unwrap();
    let sender = Sender::new(PLAN.client_part().unwrap(), public).unwrap();
    for input in [client.encrypt(&[&LEFT, &RIGHT]), sender.encrypt(&[&LEFT, &RIGHT])] {
        check(&client.decrypt(server.run(input.unwrap()).unwrap()).unwrap());
    }
    // Saved, and read again with the whole plan.
    let saved = client.secret_key();
    let again = Client::from_secret_key(PLAN.to_bytes(), &saved).unwrap();
    assert_eq!(again.key_id(), client.key_id());
    let input = client.encrypt(&[&LEFT, &RIGHT]).unwrap();
    assert_eq!(input.len() as u64, PLAN.input_bytes(3));
    check(&again.decrypt(server.run(input).unwrap()).unwrap());
}

#[test]
fn what_does_not_fit_is_refused() {
    let client = Client::generate(PLAN.client_part().unwrap()).unwrap();
    let encrypted = |inputs: &[&[f64]]| client.encrypt(inputs).unwrap_err();
    assert!(matches!(encrypted(&[&LEFT]), RunError::TensorCount { found: 1, expected: 2 }));
    let error = encrypted(&[&LEFT, &RIGHT[..4]]);
    assert!(matches!(error, RunError::TensorLength { found: 4, expected: 6, .. }), "{error}");
    assert!(matches!(encrypted(&[&[], &[]]), RunError::TensorLength { .. }));
    for bad in [2.0, f64::NAN] {
        let error = encrypted(&[&[0.0, 0.0, 0.0, bad], &RIGHT[..4]]);
        assert!(matches!(error, RunError::OutOfRange { example: 1, .. }), "{error}");
    }
    // Inputs of one key, evaluation keys of another.
    let other = Client::generate(PLAN.client_part().unwrap()).unwrap();
    let server = Server::new(PLAN.server_part(), &other.evaluation_keys().unwrap()).unwrap();
    let error = server.run(client.encrypt(&[&LEFT, &RIGHT]).unwrap()).unwrap_err();
    let other_key = |error: &RunError| {
        matches!(error, RunError::Read(ReadError::File(FileError::OtherKey { .. })))
    };
    assert!(other_key(&error), "{error}");
    let result = server.run(other.encrypt(&[&LEFT, &RIGHT]).unwrap()).unwrap();
    let error = client.decrypt(result).unwrap_err();
    assert!(other_key(&error), "{error}");
    assert!(Server::new(PLAN.client_part().unwrap(), &[]).is_err());
}

#[test]
fn servers_are_shared_by_threads() {
    fn assert_shared<T: Send + Sync + 'static>() {}
    assert_shared::<Server>();
    assert_shared::<Client>();
    assert_shared::<Plan>();
}

#[test]
fn bytes_are_the_files_of_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let write = |name: &str, bytes: &[u8]| std::fs::write(file(name), bytes).unwrap();
    write("plan.bin", &PLAN.to_bytes());
    hecc(folder.path(), &["keygen", "plan.bin"]);
    // Keys of the command line, inputs and results of the library, and the other way round.
    let secret = std::fs::read(file("plan.sk")).unwrap();
    let client = Client::from_secret_key(PLAN.client_part().unwrap(), &secret).unwrap();
    let input = client.encrypt(&[&LEFT, &RIGHT]).unwrap();
    write("x.ct", &input);
    hecc(folder.path(), &["run", "plan.bin", "--input", "x.ct"]);
    let result = std::fs::read(file("x.out.ct")).unwrap();
    check(&client.decrypt(result.clone()).unwrap());
    let keys = std::fs::read(file("plan.ek")).unwrap();
    let server = Server::new(PLAN.server_part(), &keys).unwrap();
    assert!(server.run(input).unwrap() == result, "a run gives the same bytes");
    write("y.out.ct", &result);
    hecc(folder.path(), &["decrypt", "plan.bin", "--input", "y.out.ct"]);
}

fn hecc(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hecc"));
    let output = command.current_dir(folder).args(arguments).output().unwrap();
    // 3: results that are unlike those of calibration.
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{arguments:?}: {told}");
}
