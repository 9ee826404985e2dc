//! The words of the command line.

use std::ffi::{OsStr, OsString};

/// Options that take several numbers.
const LISTS: [&str; 2] = ["--input-range", "--degrees"];

/// Words where the numbers of a list were typed apart, `-5, 5` or `-5 5`, joined to the one word that was meant.
pub(crate) fn joined(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = vec![];
    for word in words {
        match &mut joined[..] {
            [.., option, list] if is_list(option) && are_numbers(list) && are_numbers(&word) => {
                if !list.to_string_lossy().ends_with(',') {
                    list.push(",");
                }
                list.push(&word);
            }
            _ => joined.push(word),
        }
    }
    joined
}

fn is_list(option: &OsStr) -> bool {
    LISTS.iter().any(|list| option == *list)
}

/// Whether a word is numbers with commas between them, perhaps with more to come.
fn are_numbers(word: &OsStr) -> bool {
    let list = word.to_str().map(|text| text.strip_suffix(',').unwrap_or(text));
    list.is_some_and(|list| list.split(',').all(|number| number.parse::<f64>().is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_typed_apart_are_one_word() {
        let of = |line: &str| joined(line.split(' ').map(OsString::from));
        let range = ["--input-range", "-5,5", "m.onnx"];
        for typed in ["-5,5", "-5, 5", "-5 5"] {
            assert_eq!(of(&format!("--input-range {typed} m.onnx")), range);
        }
        assert_eq!(of("--degrees 3, 7, 15"), ["--degrees", "3,7,15"]);
        assert_eq!(of("--limit 5 6"), ["--limit", "5", "6"]);
    }
}
