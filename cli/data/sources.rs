//! Which file is for which input of a network: by name, or in order where there are as many as inputs.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::data::array_file::{self, ArrayFile};
use crate::files::stream;
use crate::terminal::failure::hinted;

/// Where the numbers of one input are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// An `.npy`, an `.npz`, an image or a folder of images.
    pub(crate) path: PathBuf,
    /// The array of an `.npz`.
    pub(crate) member: Option<String>,
}

/// A source as it was given, perhaps with the name of its input.
struct Given<'a> {
    input: Option<&'a str>,
    source: Source,
}

/// The source of each input. Sources are `FILE`, `FILE.npz:ARRAY`, or either after `INPUT=`.
pub(crate) fn assign(sources: &[OsString], inputs: &[&str]) -> Result<Vec<Source>> {
    let given: Vec<Given<'_>> =
        sources.iter().map(|source| parse(source, inputs)).collect::<Result<_>>()?;
    if let ([Given { input: None, source: Source { path, member: None } }], [_, _, ..]) =
        (&given[..], inputs)
        && array_file::is_archive(path)
    {
        return from_archive(path, inputs);
    }
    if given.len() != inputs.len() {
        return Err(wrong_count(given.len(), inputs));
    }
    let by_stem = by_stem(&given, inputs);
    let mut found: Vec<Option<Source>> = vec![None; inputs.len()];
    let mut unnamed = vec![];
    for (i, Given { input, source }) in given.into_iter().enumerate() {
        let Some(name) = input.or_else(|| by_stem.as_ref().map(|names| names[i])) else {
            unnamed.push(source);
            continue;
        };
        let place = inputs.iter().position(|input| *input == name);
        let place = place.expect("names were looked up among the inputs");
        if found[place].replace(source).is_some() {
            bail!("input `{name}` was given twice");
        }
    }
    let mut unnamed = unnamed.into_iter();
    let rest = found.into_iter().map(|source| source.or_else(|| unnamed.next()));
    Ok(rest.map(|source| source.expect("there are as many sources as inputs")).collect())
}

/// The file of a source, without the names of its input and its array.
pub(crate) fn path_of(source: &OsStr) -> PathBuf {
    let rest = split(source, b'=').map(|(_, rest)| array_of(rest).path);
    match rest {
        Some(path) if (path.exists() || stream::is_stdin(&path)) && !Path::new(source).exists() => {
            path
        }
        _ => array_of(source).path,
    }
}

fn parse<'a>(source: &'a OsStr, inputs: &[&str]) -> Result<Given<'a>> {
    let named = split(source, b'=').filter(|_| !Path::new(source).exists());
    let Some((name, rest)) = named.and_then(|(name, rest)| Some((name.to_str()?, rest))) else {
        return Ok(Given { input: None, source: array_of(source) });
    };
    if inputs.contains(&name) {
        return Ok(Given { input: Some(name), source: array_of(rest) });
    }
    let source = array_of(source);
    if array_of(rest).path.exists() && !source.path.exists() {
        bail!("`{name}=..`: the network has no input `{name}`; it has {}", inputs.join(", "));
    }
    Ok(Given { input: None, source })
}

/// A path, and the array named after its last colon, if the whole is no path.
fn array_of(source: &OsStr) -> Source {
    let member = split_last(source, b':').and_then(|(path, name)| Some((path, name.to_str()?)));
    match member {
        Some((path, name)) if !Path::new(source).exists() => {
            Source { path: path.into(), member: Some(name.to_owned()) }
        }
        _ => Source { path: source.into(), member: None },
    }
}

/// What is before and after the first such character; of a path that is no text too.
fn split(source: &OsStr, at: u8) -> Option<(&OsStr, &OsStr)> {
    parts(source, source.as_encoded_bytes().iter().position(|&byte| byte == at)?)
}

/// As [`split`], at the last one.
fn split_last(source: &OsStr, at: u8) -> Option<(&OsStr, &OsStr)> {
    parts(source, source.as_encoded_bytes().iter().rposition(|&byte| byte == at)?)
}

#[cfg(unix)]
fn parts(source: &OsStr, at: usize) -> Option<(&OsStr, &OsStr)> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = source.as_bytes();
    Some((OsStr::from_bytes(&bytes[..at]), OsStr::from_bytes(&bytes[at + 1..])))
}

#[cfg(not(unix))]
fn parts(source: &OsStr, at: usize) -> Option<(&OsStr, &OsStr)> {
    let text = source.to_str()?;
    Some((text[..at].as_ref(), text[at + 1..].as_ref()))
}

/// The names of the files, if these are the names of the inputs.
fn by_stem<'a>(given: &[Given<'_>], inputs: &[&'a str]) -> Option<Vec<&'a str>> {
    let named = |given: &Given<'_>| {
        let stem = given.source.path.file_stem()?.to_str()?;
        let input = inputs.iter().find(|input| **input == stem)?;
        (given.input.is_none() && given.source.member.is_none()).then_some(*input)
    };
    let names = given.iter().map(named).collect::<Option<Vec<_>>>()?;
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    (sorted.len() == inputs.len()).then_some(names)
}

/// All inputs from one archive: arrays of their names, or those that `numpy.savez` numbered.
fn from_archive(path: &Path, inputs: &[&str]) -> Result<Vec<Source>> {
    let names = ArrayFile::open(path)?.names();
    let numbered = |i: usize| format!("arr_{i}");
    let has = |name: &str| names.iter().any(|other| other == name);
    let is_numbered = (0..inputs.len()).all(|i| has(&numbered(i))) && !has(&numbered(inputs.len()));
    let source = |member: String| Source { path: path.to_owned(), member: Some(member) };
    match inputs.iter().find(|input| !has(input)) {
        None => Ok(inputs.iter().map(|&input| source(input.to_owned())).collect()),
        Some(_) if is_numbered => Ok((0..inputs.len()).map(|i| source(numbered(i))).collect()),
        Some(missing) => Err(hinted(
            format!(
                "{} has no array `{missing}`: it has {}, the network's inputs are {}",
                path.display(),
                if names.is_empty() { "none".to_owned() } else { names.join(", ") },
                inputs.join(", ")
            ),
            format!("name the arrays as the inputs: {}", save_command(path, inputs)),
        )),
    }
}

fn wrong_count(found: usize, inputs: &[&str]) -> anyhow::Error {
    let (were, have) = (if found == 1 { "was" } else { "were" }, inputs.len());
    let plural = if found == 1 { "" } else { "s" };
    let message = format!(
        "{found} input{plural} {were} given, the network has {have} ({})",
        inputs.join(", ")
    );
    let hint = match inputs {
        [only] => format!("give one file for `{only}`"),
        _ => format!(
            "give one file for each, as INPUT=FILE or in this order, or one .npz: {}",
            save_command(Path::new("inputs.npz"), inputs)
        ),
    };
    hinted(message, hint)
}

/// How to write an archive that has an array for each input.
fn save_command(path: &Path, inputs: &[&str]) -> String {
    let arrays: Vec<String> = inputs.iter().map(|name| format!("'{name}': ...")).collect();
    format!("numpy.savez('{}', **{{{}}})", path.display(), arrays.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use ndarray_npy::NpzWriter;

    fn assigned(sources: &[&str], inputs: &[&str]) -> Result<Vec<String>, String> {
        let sources: Vec<OsString> = sources.iter().map(OsString::from).collect();
        let text = |Source { path, member }: Source| match member {
            Some(member) => format!("{}:{member}", path.display()),
            None => path.display().to_string(),
        };
        let found = assign(&sources, inputs).map_err(|error| error.to_string())?;
        Ok(found.into_iter().map(text).collect())
    }

    fn archive(path: &Path, names: &[&str]) -> String {
        let mut npz = NpzWriter::new(std::fs::File::create(path).unwrap());
        names.iter().for_each(|name| npz.add_array(*name, &array![1.0]).unwrap());
        npz.finish().unwrap();
        path.display().to_string()
    }

    #[test]
    fn files_are_matched_by_name_or_in_order() {
        let two = ["u", "v"];
        let ok = |list: [&str; 2]| Ok(list.map(str::to_owned).to_vec());
        assert_eq!(assigned(&["a.npy", "b.npy"], &two), ok(["a.npy", "b.npy"]));
        assert_eq!(assigned(&["v=a.npy", "u=b.npy"], &two), ok(["b.npy", "a.npy"]));
        assert_eq!(assigned(&["v=a.npy", "b.npz:c"], &two), ok(["b.npz:c", "a.npy"]));
        // Files that bear the names of the inputs need no order.
        assert_eq!(assigned(&["d/v.npy", "d/u.npy"], &two), ok(["d/u.npy", "d/v.npy"]));
        assert_eq!(assigned(&["a=b.npy"], &["x"]), Ok(vec!["a=b.npy".to_owned()]));
    }

    #[test]
    fn one_file_is_not_for_two_inputs() {
        let two = ["u", "v"];
        let error = |sources: &[&str]| assigned(sources, &two).unwrap_err();
        assert_eq!(error(&["a.npy"]), "1 input was given, the network has 2 (u, v)");
        assert_eq!(error(&["u=a.npy"]), "1 input was given, the network has 2 (u, v)");
        assert_eq!(error(&["a.npz:x"]), "1 input was given, the network has 2 (u, v)");
        assert_eq!(error(&["a", "b", "c"]), "3 inputs were given, the network has 2 (u, v)");
        assert_eq!(error(&["u=a.npy", "u=b.npy"]), "input `u` was given twice");
        let one = assigned(&["a", "b"], &["x"]).unwrap_err();
        assert_eq!(one, "2 inputs were given, the network has 1 (x)");
    }

    #[test]
    fn archives_hold_an_array_for_each_input() {
        let folder = tempfile::tempdir().unwrap();
        let both = archive(&folder.path().join("both.npz"), &["v", "u", "y"]);
        let expected = vec![format!("{both}:u"), format!("{both}:v")];
        assert_eq!(assigned(&[&both], &["u", "v"]), Ok(expected));
        let numbered = archive(&folder.path().join("numbered.npz"), &["arr_1", "arr_0"]);
        let expected = vec![format!("{numbered}:arr_0"), format!("{numbered}:arr_1")];
        assert_eq!(assigned(&[&numbered], &["u", "v"]), Ok(expected));
        let other = archive(&folder.path().join("other.npz"), &["u", "x"]);
        let error = assigned(&[&other], &["u", "v"]).unwrap_err();
        assert!(error.ends_with("no array `v`: it has u, x, the network's inputs are u, v"));
        let error = assigned(&[&format!("w={other}")], &["u", "v"]).unwrap_err();
        assert!(error.ends_with("the network has no input `w`; it has u, v"), "{error}");
        assert_eq!(path_of(format!("u={both}").as_ref()), Path::new(&both));
        assert_eq!(path_of(format!("{both}:u").as_ref()), Path::new(&both));
        assert_eq!(path_of(both.as_ref()), Path::new(&both));
    }
}
