//! Targets for libFuzzer: the readers that `tests/hostile` changes files for, with contents instead of files, so that checksums
//! are right whatever the content is.

#![allow(dead_code, unused_imports, reason = "of the command line only the readers are fuzzed")]

#[path = "../../runtime/tests/runtime/build.rs"]
mod build;
#[path = "../../runtime/tests/runtime/common.rs"]
mod common;
#[path = "../../cli/data/mod.rs"]
mod data;
#[path = "../../cli/files/mod.rs"]
mod files;
#[path = "../../tests/hostile/readers/mod.rs"]
mod readers;
#[path = "../../grammar/tests/resealed/mod.rs"]
mod resealed;
#[path = "../../cli/terminal/mod.rs"]
mod terminal;

use std::cell::OnceCell;

use readers::Reader;

pub use libfuzzer_sys;

/// Names and honest contents of all targets.
pub fn seeds() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    readers::all().into_iter().map(|reader| (reader.name, reader.seeds)).collect()
}

/// Reads the file with this content: it is refused, or harmless.
pub fn read(name: &str, content: &[u8]) {
    thread_local! {
        static READER: OnceCell<Reader> = const { OnceCell::new() };
    }
    READER.with(|reader| {
        let reader = reader.get_or_init(|| {
            let found = readers::all().into_iter().find(|reader| reader.name == name);
            found.unwrap_or_else(|| panic!("there is no reader {name}"))
        });
        if let Err(message) = (reader.read)(&(reader.file)(content)) {
            assert!(!message.is_empty(), "refused without a sentence");
        }
    });
}

/// The entry point of a target.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        use $crate::libfuzzer_sys;
        libfuzzer_sys::fuzz_target!(|content: &[u8]| $crate::read($name, content));
    };
}
