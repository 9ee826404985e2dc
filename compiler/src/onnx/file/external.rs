//! Arrays in files beside the model.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use crate::onnx::error::{Refused, refuse};
use crate::onnx::proto::TensorProto;
use crate::onnx::shape::check_len;

/// Reads the part of a file beside the model that holds the array.
pub(super) fn read(
    tensor: &TensorProto,
    dir: Option<&Path>,
    expected: Option<usize>,
) -> Result<Vec<u8>, Refused> {
    let entry = |key: &str| {
        let found = tensor.external_data.iter().find(|entry| entry.key() == key);
        found.map(|entry| entry.value())
    };
    let number = |key: &str| match entry(key) {
        None => Ok(None),
        Some(text) => match text.parse::<u64>() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(refuse(format!("external data: {key} `{text}`, expected a number"))),
        },
    };
    let location = entry("location").ok_or_else(|| refuse("external data without a location"))?;
    let dir = dir
        .ok_or_else(|| refuse(format!("external data in `{location}`: the model has no folder")))?;
    let path = Path::new(location);
    let stays_inside =
        path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if location.is_empty() || location.contains('\\') || !stays_inside {
        return Err(refuse(format!(
            "external data in `{location}`, expected a path below the model's folder"
        )));
    }
    let length = number("length")?;
    if let Some(length) = length {
        check_len(usize::try_from(length).unwrap_or(usize::MAX), expected, "bytes")?;
    }
    let offset = number("offset")?.unwrap_or(0);
    let outside = |reason| refuse(format!("external data in `{location}`: {reason}"));
    let (mut file, length) = open_part(dir, path, offset, length).map_err(outside)?;
    check_len(length, expected, "bytes")?;
    let mut bytes = Vec::with_capacity(length);
    file.read_to_end(&mut bytes).map_err(|error| outside(error.to_string()))?;
    Ok(bytes)
}

/// A part of a file from an offset on, of this length or to the end; and how long it is.
fn open_part(
    dir: &Path,
    path: &Path,
    offset: u64,
    length: Option<u64>,
) -> Result<(impl Read, usize), String> {
    let text = |e: std::io::Error| e.to_string();
    // A symbolic link could lead out of the folder though the path does not.
    let (root, full) =
        (dir.canonicalize().map_err(text)?, dir.join(path).canonicalize().map_err(text)?);
    if !full.starts_with(&root) {
        return Err("a link that leaves the model's folder".to_owned());
    }
    // The kind first: to open a pipe is to wait for whoever writes to it.
    if !std::fs::metadata(&full).map_err(text)?.is_file() {
        return Err("not a file".to_owned());
    }
    let mut file = std::fs::File::open(&full).map_err(text)?;
    let metadata = file.metadata().map_err(text)?;
    let rest = metadata.len().checked_sub(offset);
    let rest =
        rest.ok_or_else(|| format!("offset {offset}, but the file has {} bytes", metadata.len()))?;
    let length = length.unwrap_or(rest);
    if length > rest {
        return Err(format!(
            "{length} bytes from {offset} on, but the file has {}",
            metadata.len()
        ));
    }
    file.seek(SeekFrom::Start(offset)).map_err(text)?;
    Ok((file.take(length), usize::try_from(length).map_err(|e| e.to_string())?))
}

#[cfg(test)]
mod tests {
    use super::super::tensor::read;
    use crate::onnx::proto::{StringStringEntryProto, TensorProto};

    fn outside(entries: &[(&str, &str)]) -> TensorProto {
        let entry = |(key, value): &(&str, &str)| StringStringEntryProto {
            key: Some((*key).to_owned()),
            value: Some((*value).to_owned()),
        };
        TensorProto {
            data_type: Some(1),
            dims: vec![2],
            data_location: Some(1),
            external_data: entries.iter().map(entry).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn external_data_lies_below_the_model() {
        let dir = tempfile::tempdir().unwrap();
        let model = dir.path().join("model");
        std::fs::create_dir_all(model.join("sub")).unwrap();
        let bytes: Vec<u8> = [9.0f32, 1.5, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        std::fs::write(model.join("sub/w.bin"), &bytes).unwrap();
        std::fs::write(dir.path().join("secret"), &bytes[..8]).unwrap();
        let tensor = outside(&[("location", "sub/w.bin"), ("offset", "4"), ("length", "8")]);
        assert_eq!(read(&tensor, Some(&model)).unwrap().to_vec(), [1.5, -2.0]);
        let open = outside(&[("location", "sub/w.bin"), ("offset", "4")]);
        assert_eq!(read(&open, Some(&model)).unwrap().to_vec(), [1.5, -2.0]);
        let error =
            |entries: &[(&str, &str)]| read(&outside(entries), Some(&model)).unwrap_err().reason;
        let absolute = dir.path().join("secret").to_string_lossy().into_owned();
        for location in ["../secret", "sub/../../secret", &absolute, "", "..\\secret"] {
            assert!(
                error(&[("location", location)]).contains("expected a path below"),
                "{location}"
            );
        }
        assert!(error(&[("offset", "0")]).contains("without a location"));
        assert!(error(&[("location", "sub")]).contains("not a file"));
        let at =
            |offset, length| [("location", "sub/w.bin"), ("offset", offset), ("length", length)];
        assert!(error(&at("8", "8")).contains("8 bytes from 8 on, but the file has 12"));
        assert!(error(&at("99", "8")).contains("offset 99"));
        assert!(error(&at("x", "8")).contains("expected a number"));
        assert!(error(&at("0", "12")).contains("12 bytes, expected 8"));
        assert!(error(&[("location", "sub/w.bin")]).contains("12 bytes, expected 8"));
        assert!(read(&tensor, None).unwrap_err().reason.contains("the model has no folder"));
    }

    #[cfg(unix)]
    #[test]
    fn pipes_are_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let made = std::process::Command::new("mkfifo").arg(dir.path().join("w")).status();
        assert!(made.unwrap().success());
        let error = read(&outside(&[("location", "w")]), Some(dir.path())).unwrap_err().reason;
        assert!(error.contains("not a file"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_do_not_lead_out() {
        let dir = tempfile::tempdir().unwrap();
        let model = dir.path().join("model");
        std::fs::create_dir(&model).unwrap();
        std::fs::write(dir.path().join("secret"), [0; 8]).unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), model.join("w")).unwrap();
        let error = read(&outside(&[("location", "w")]), Some(&model)).unwrap_err().reason;
        assert!(error.contains("leaves the model's folder"), "{error}");
    }
}
