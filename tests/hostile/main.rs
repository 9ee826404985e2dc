//! Files of every kind, changed at random and given a right checksum again: each is refused or harmless, without a panic, at
//! once, and in memory of about its own size or of what an honest file takes.
//!
//! `HECC_MUTATIONS=1000000 cargo test --release --test hostile` reads so many, by default a few. The n-th change of a reader is
//! the same in every run; what fails is kept in `target/hostile`.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]
#![expect(clippy::print_stdout, reason = "the counts are the result")]

#[path = "../../runtime/tests/runtime/build.rs"]
#[expect(dead_code, reason = "what other tests build plans with")]
mod build;
#[path = "../../runtime/tests/runtime/common.rs"]
#[expect(dead_code, reason = "what other tests run plans with")]
mod common;
#[path = "../../grammar/tests/counting/mod.rs"]
mod counting;
#[path = "../../cli/data/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "of the command line's data only the readers are tested here"
)]
mod data;
#[path = "../../cli/files/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "of the command line's files only the readers are tested here"
)]
mod files;
mod mutate;
mod readers;
#[path = "../../grammar/tests/resealed/mod.rs"]
mod resealed;
#[path = "../../cli/terminal/mod.rs"]
#[expect(dead_code, unused_imports, reason = "what the readers print with")]
mod terminal;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use counting::peak;
use mutate::Dice;
use readers::Reader;

/// Files that are read if `HECC_MUTATIONS` does not say how many.
const FEW: u64 = 22_000;
/// What any refusal may take besides: messages, and one entry for each slot of the largest ring.
const FIXED: usize = 256 << 10;
/// An answer that takes longer is none.
const LONGEST: Duration = Duration::from_secs(10);

/// What is read now, and since when.
static READING: Mutex<Option<(Instant, String, Vec<u8>)>> = Mutex::new(None);

fn main() {
    // All on this thread, whose memory is counted.
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global().unwrap();
    std::thread::spawn(watch);
    let wanted = std::env::var("HECC_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(FEW);
    let readers = readers::all();
    let targets = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    for Reader { name, .. } in &readers {
        assert!(targets.join(format!("{name}.rs")).exists(), "{name} has no target for fuzzing");
    }
    let each = wanted.div_ceil(readers.len() as u64);
    let mut n_failed = 0;
    for reader in &readers {
        n_failed += check(reader, each);
    }
    println!("{} files of {} kinds, {n_failed} failed", each * readers.len() as u64, readers.len());
    assert_eq!(n_failed, 0);
}

/// Reads changed files, and says how many of them failed.
fn check(reader: &Reader, n_files: u64) -> u64 {
    let honest = reader.seeds.iter().map(|seed| {
        let file = (reader.file)(seed);
        let (result, peak) = peak(|| (reader.read)(&file));
        assert!(
            result.is_ok(),
            "{}: an honest file is refused: {}",
            reader.name,
            result.unwrap_err()
        );
        peak
    });
    let announced = honest.max().unwrap() + reader.announced;
    let (mut n_accepted, mut n_failed, mut slowest) = (0, 0, Duration::ZERO);
    let start = Instant::now();
    for n in 0..n_files {
        let mut dice = Dice::new(reader.name, n);
        let file = (reader.file)(&mutate::changed(&reader.seeds, &mut dice));
        *READING.lock().unwrap() = Some((Instant::now(), reader.name.to_owned(), file.clone()));
        let begin = Instant::now();
        let (result, peak) = peak(|| catch_unwind(AssertUnwindSafe(|| (reader.read)(&file))));
        slowest = slowest.max(begin.elapsed());
        let problem = match result {
            Err(_) => Some("a panic".to_owned()),
            Ok(Err(message)) if message.is_empty() => Some("no sentence".to_owned()),
            Ok(_) if peak > 2 * file.len() + announced + FIXED => {
                Some(format!("{peak} bytes of memory for a file of {}", file.len()))
            }
            Ok(result) => {
                n_accepted += u64::from(result.is_ok());
                None
            }
        };
        if let Some(problem) = problem {
            n_failed += 1;
            println!(
                "{}, number {n}: {problem}: {}",
                reader.name,
                kept(reader.name, n, &file).display()
            );
        }
    }
    *READING.lock().unwrap() = None;
    println!(
        "{}: {n_files} files, {n_accepted} harmless, slowest {slowest:.1?}, {:.1?} in all",
        reader.name,
        start.elapsed()
    );
    n_failed
}

/// Ends the process if a file takes too long.
fn watch() {
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let reading = READING.lock().unwrap();
        if let Some((start, name, file)) = &*reading
            && start.elapsed() > LONGEST
        {
            println!("{name}: no answer within {LONGEST:?}: {}", kept(name, 0, file).display());
            std::process::exit(1);
        }
    }
}

/// Where a file that failed is kept.
fn kept(name: &str, n: u64, file: &[u8]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("hostile");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{name}-{n}"));
    std::fs::write(&path, file).unwrap();
    path
}
