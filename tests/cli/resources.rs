//! Files that are small and ask for much: each is refused at once, by its shape, its kind or the memory that it would take.

use std::time::{Duration, Instant};

use hecc_grammar::plan::{self, Key, Op, Params, Plaintexts, Value, is_prime};
use hecc_grammar::security::Security;

use crate::build::Build;
use crate::workshop::Workshop;

/// A refusal that takes longer, on a busy machine too, has done work first.
const AT_ONCE: Duration = Duration::from_secs(60);

fn refused_at_once(workshop: &Workshop, arguments: &str, text: &str) {
    let start = Instant::now();
    let error = workshop.fails(arguments);
    assert!(error.contains(text), "hecc {arguments}: {error}, expected {text}");
    assert!(start.elapsed() < AT_ONCE, "hecc {arguments} took {:?}", start.elapsed());
}

/// An `.npy` that has a header and none of the numbers that it speaks of.
fn header_of(shape: &str) -> Vec<u8> {
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes()].concat()
}

#[test]
fn shapes_are_compared_before_data_is_read() {
    let workshop = Workshop::full();
    let write = |name: &str, bytes: &[u8]| std::fs::write(workshop.path(name), bytes).unwrap();
    write("flat.npy", &header_of("(1099511627776,)"));
    write("many.npy", &header_of("(1099511627776, 1, 4, 4)"));
    let mut archive = zip::ZipWriter::new(std::fs::File::create(workshop.path("y.npz")).unwrap());
    let images = workshop.files()["x.npy"].clone();
    for (name, bytes) in [("x.npy", &images), ("y.npy", &header_of("(1099511627776,)"))] {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(name, options).unwrap();
        std::io::Write::write_all(&mut archive, bytes).unwrap();
    }
    archive.finish().unwrap();
    for (arguments, text) in [
        ("encrypt plan.bin -i flat.npy -o y.ct", "shape [1099511627776], expected [n, 1, 4, 4]"),
        (
            "encrypt plan.bin -i many.npy -o y.ct",
            "an array of shape [1099511627776, 1, 4, 4]: needs",
        ),
        ("simulate plan.bin --data flat.npy", "shape [1099511627776], expected"),
        ("compile tiny.hecc -o p.bin --calibration flat.npy", "shape [1099511627776], expected"),
        ("simulate plan.bin --data y.npz", "labels `y` have shape [1099511627776], expected [1]"),
    ] {
        refused_at_once(&workshop, arguments, text);
    }
}

#[cfg(unix)]
#[test]
fn pipes_that_nobody_may_write_to_are_refused() {
    let workshop = Workshop::full();
    let made = std::process::Command::new("mkfifo").arg(workshop.path("pipe")).status();
    assert!(made.unwrap().success());
    let is_pipe = "`pipe` is a named pipe, expected a file\n  hint: `-` is standard input";
    for arguments in [
        "keygen pipe",
        "encrypt pipe -i x.npy -o y.ct --keys plan.sk",
        "encrypt plan.bin -i pipe -o y.ct",
        "encrypt plan.bin -i x.npy -o y.ct --keys pipe",
        "run plan.bin -i pipe -o y.ct",
        "decrypt plan.bin -i pipe",
        "inspect pipe",
        "simulate plan.bin --data pipe",
        "compile tiny.hecc -o p.bin --calibration pipe",
    ] {
        let text = if arguments == "keygen pipe" { "pipe has no name and folder" } else { is_pipe };
        // The whole folder is compared: a pipe in it would be read.
        let start = Instant::now();
        let output = workshop.hecc(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "hecc {arguments}: {errors}");
        assert!(errors.contains(text), "hecc {arguments}: {errors}");
        assert!(start.elapsed() < AT_ONCE, "hecc {arguments} took {:?}", start.elapsed());
    }
}

/// A plan with a key for every rotation of a large ring.
fn of_many_keys() -> Vec<u8> {
    let log_n = 15;
    let step = 2u64 << log_n;
    let mut primes = (1..).map(|k| (1u64 << 49) + 1 - k * step).filter(|&q| is_prime(q));
    let p: Vec<u64> = primes.by_ref().take(7).collect();
    let q: Vec<u64> = primes.take(10).collect();
    let (plaintexts, security) = (Plaintexts::Ckks { top_scale: 40.0 }, Security::Bits128);
    let input_level = q.len() - 1;
    let params = Params { plaintexts, log_n, q, p, input_level, security };
    let n = params.n_slots() as u32;
    let mut build = Build::new(params, 1);
    let sum = (1..n).fold(Value(0), |sum, k| {
        let rotated = build.switch(Value(0), Key::Rotate(k));
        build.op(Op::Add(sum, rotated))
    });
    plan::to_bytes(&build.finish(&[sum]), None)
}

#[test]
fn keys_larger_than_memory_are_refused_before_any_is_made() {
    let workshop = Workshop::full();
    std::fs::write(workshop.path("many.bin"), of_many_keys()).unwrap();
    let text =
        "16,383 evaluation keys for a server: needs 292 GB of memory, --max-memory allows 8.00 GB";
    refused_at_once(&workshop, "keygen many.bin --max-memory 8G", text);
}

#[test]
fn every_command_keeps_to_its_memory() {
    let workshop = Workshop::full();
    for arguments in [
        "keygen plan.bin --force",
        "encrypt plan.bin -i x.npy -o y.ct",
        "run plan.bin -i x.ct -o y.ct",
        "decrypt plan.bin -i x.out.ct",
        "inspect plan.bin",
        "simulate plan.bin --data data.npz",
    ] {
        let limited = format!("{arguments} --max-memory 20k");
        refused_at_once(&workshop, &limited, "--max-memory allows 20.0 kB\n  hint: a larger");
    }
    workshop.ok("run plan.bin -i x.ct -o y.ct --max-memory 1G");
}

#[test]
fn networks_that_no_plan_holds() {
    let workshop = Workshop::empty();
    let write = |name: &str, text: &str| std::fs::write(workshop.path(name), text).unwrap();
    let head = "model 1 \"bomb\"\nt0 = input : [1,4] \"x\"\n";
    let wide = "t1 = expand t0 : [4000000,4] \"wide\"\noutput \"y\" t1\n";
    write("wide.hecc", &format!("{head}{wide}"));
    let mut deep = head.to_owned();
    for i in 0..20_000 {
        deep += &format!("t{} = mul t{i}, t{i} : [1,4] \"square{i}\"\n", i + 1);
    }
    write("deep.hecc", &format!("{deep}output \"y\" t20000\n"));
    for (file, text) in [
        ("wide.hecc", "node `wide`: has 16000000 elements, at most 4194304 can be encrypted"),
        ("deep.hecc", "node `square1000`: more than 1000 activations and products follow"),
    ] {
        refused_at_once(&workshop, &format!("compile {file} -o p.bin --input-range -1,1"), text);
    }
}

#[test]
fn settings_that_do_not_exist_are_no_panic() {
    let workshop = Workshop::full();
    for threads in ["0", "1025", "65535"] {
        let error = workshop.fails(&format!("run plan.bin -i x.ct -o y.ct --threads {threads}"));
        assert!(error.contains("is not in 1..=1024"), "{error}");
    }
    let run = ["run", "plan.bin", "-i", "x.ct", "-o", "y.ct"];
    let output = workshop.command(&run).env("HECC_KERNEL", "nope").output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.starts_with("error: HECC_KERNEL is `nope`, expected one of "), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}
