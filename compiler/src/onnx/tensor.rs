//! Stored arrays: numbers in typed fields, in raw bytes or in a file beside the model.

use std::path::{Component, Path};

use half::{bf16, f16};
use ndarray::{ArrayD, IxDyn};

use super::error::{Refused, refuse};
use super::proto::TensorProto;
use super::proto::tensor_proto::{DataLocation, DataType};
use super::shape::MAX_RANK;
use super::value::{Constant, Kind, Strings};

/// The element types that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    F16,
    Bf16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    /// Two in a byte, the first in the lower half.
    I4,
    /// As `I4`.
    U4,
    Bool,
}

impl Format {
    /// The element type behind its number in the file.
    pub(super) fn of(number: i32) -> Result<Format, Refused> {
        let data_type = DataType::try_from(number);
        match data_type.map_err(|_| refuse(format!("element type {number} is unknown")))? {
            DataType::Float => Ok(Format::F32),
            DataType::Double => Ok(Format::F64),
            DataType::Float16 => Ok(Format::F16),
            DataType::Bfloat16 => Ok(Format::Bf16),
            DataType::Uint8 => Ok(Format::U8),
            DataType::Int8 => Ok(Format::I8),
            DataType::Uint16 => Ok(Format::U16),
            DataType::Int16 => Ok(Format::I16),
            DataType::Int32 => Ok(Format::I32),
            DataType::Int64 => Ok(Format::I64),
            DataType::Uint32 => Ok(Format::U32),
            DataType::Uint64 => Ok(Format::U64),
            DataType::Int4 => Ok(Format::I4),
            DataType::Uint4 => Ok(Format::U4),
            DataType::Bool => Ok(Format::Bool),
            other @ (DataType::Undefined
            | DataType::String
            | DataType::Complex64
            | DataType::Complex128
            | DataType::Float8e4m3fn
            | DataType::Float8e4m3fnuz
            | DataType::Float8e5m2
            | DataType::Float8e5m2fnuz
            | DataType::Float4e2m1
            | DataType::Float8e8m0
            | DataType::Uint2
            | DataType::Int2
            | DataType::Float6e2m3
            | DataType::Float6e3m2) => Err(refuse(format!(
                "element type {}, expected a float of 16 to 64 bits, an integer of 4 to 64 bits or a bool",
                other.as_str_name()
            ))),
        }
    }

    /// Bytes of so many elements in raw and external data.
    fn bytes(self, count: usize) -> Option<usize> {
        match self {
            Format::I4 | Format::U4 => Some(count.div_ceil(2)),
            Format::I8 | Format::U8 | Format::Bool => Some(count),
            Format::F16 | Format::Bf16 | Format::I16 | Format::U16 => count.checked_mul(2),
            Format::F32 | Format::I32 | Format::U32 => count.checked_mul(4),
            Format::F64 | Format::I64 | Format::U64 => count.checked_mul(8),
        }
    }

    /// The smallest and the largest integer of a type that tensors are quantized to.
    pub(super) fn quantized_range(self) -> Option<(i64, i64)> {
        match self {
            Format::I4 => Some((-8, 7)),
            Format::U4 => Some((0, 15)),
            Format::I8 => Some((i64::from(i8::MIN), i64::from(i8::MAX))),
            Format::U8 => Some((0, i64::from(u8::MAX))),
            Format::I16 => Some((i64::from(i16::MIN), i64::from(i16::MAX))),
            Format::U16 => Some((0, i64::from(u16::MAX))),
            Format::I32 => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
            Format::F16 | Format::Bf16 | Format::F32 | Format::F64 => None,
            Format::I64 | Format::U32 | Format::U64 | Format::Bool => None,
        }
    }

    /// The smallest and the largest integer of a type of integers, as far as 64 bits hold them.
    pub(super) fn integers(self) -> Option<(i64, i64)> {
        match self {
            Format::I64 => Some((i64::MIN, i64::MAX)),
            Format::U32 => Some((0, i64::from(u32::MAX))),
            Format::U64 => Some((0, i64::MAX)),
            Format::I4 | Format::U4 | Format::I8 | Format::U8 => self.quantized_range(),
            Format::I16 | Format::U16 | Format::I32 => self.quantized_range(),
            Format::F16 | Format::Bf16 | Format::F32 | Format::F64 | Format::Bool => None,
        }
    }

    /// What kind of numbers these are.
    pub(super) fn kind(self) -> Kind {
        match self {
            Format::F16 | Format::Bf16 | Format::F32 | Format::F64 => Kind::Float,
            Format::I4 | Format::I8 | Format::I16 | Format::I32 | Format::I64 => Kind::Int,
            Format::U4 | Format::U8 | Format::U16 | Format::U32 | Format::U64 => Kind::Int,
            Format::Bool => Kind::Bool,
        }
    }
}

/// Converts a stored array to f64. Nothing is allocated before the length of what is stored is known to fit.
pub(super) fn read(tensor: &TensorProto, dir: Option<&Path>) -> Result<Constant, Refused> {
    let shape = shape(tensor)?;
    let format = Format::of(tensor.data_type())?;
    if tensor.segment.is_some() {
        return Err(refuse("stored in segments, expected in one piece"));
    }
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let count = count.ok_or_else(|| refuse(format!("shape {shape:?} is too large")))?;
    let values = if tensor.data_location() == DataLocation::External {
        let bytes = external(tensor, dir, format.bytes(count))?;
        from_bytes(&bytes, format, count)?
    } else if let Some(raw) = tensor.raw_data.as_ref().filter(|raw| !raw.is_empty()) {
        from_bytes(raw, format, count)?
    } else {
        from_fields(tensor, format, count)?
    };
    let array = ArrayD::from_shape_vec(IxDyn(&shape), values);
    let constant = Constant::new(array.map_err(|e| refuse(e.to_string()))?, format.kind());
    Ok(constant.stored_as(Some(format)))
}

/// Whether the elements are texts.
pub(super) fn holds_strings(tensor: &TensorProto) -> bool {
    tensor.data_type() == DataType::String as i32
}

/// Converts stored texts.
pub(super) fn read_strings(tensor: &TensorProto) -> Result<Strings, Refused> {
    let (shape, texts) = (shape(tensor)?, &tensor.string_data);
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    if count != Some(texts.len()) {
        return Err(refuse(format!("{} texts for shape {shape:?}", texts.len())));
    }
    let names = texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    Ok(Strings { names, shape })
}

fn shape(tensor: &TensorProto) -> Result<Vec<usize>, Refused> {
    if tensor.dims.len() > MAX_RANK {
        return Err(refuse(format!(
            "{} dimensions, expected at most {MAX_RANK}",
            tensor.dims.len()
        )));
    }
    let dims = tensor.dims.iter().map(|&d| usize::try_from(d).ok()).collect::<Option<Vec<_>>>();
    dims.ok_or_else(|| refuse(format!("shape {:?} has a negative dimension", tensor.dims)))
}

fn check_len(found: usize, expected: Option<usize>, unit: &str) -> Result<(), Refused> {
    match expected {
        Some(expected) if expected == found => Ok(()),
        Some(expected) => Err(refuse(format!("{found} {unit}, expected {expected}"))),
        None => Err(refuse(format!("{found} {unit}, expected more than fit in memory"))),
    }
}

fn from_bytes(bytes: &[u8], format: Format, count: usize) -> Result<Vec<f64>, Refused> {
    macro_rules! numbers {
        ($type:ty, $to:expr) => {{
            const SIZE: usize = size_of::<$type>();
            check_len(bytes.len(), count.checked_mul(SIZE), "bytes")?;
            let to: fn($type) -> f64 = $to;
            let (chunks, _) = bytes.as_chunks::<SIZE>();
            Ok(chunks.iter().map(|&chunk| to(<$type>::from_le_bytes(chunk))).collect())
        }};
    }
    match format {
        Format::F32 => numbers!(f32, f64::from),
        Format::F64 => numbers!(f64, f64::from),
        Format::F16 => numbers!(f16, f64::from),
        Format::Bf16 => numbers!(bf16, f64::from),
        Format::U8 => numbers!(u8, f64::from),
        Format::I8 => numbers!(i8, f64::from),
        Format::U16 => numbers!(u16, f64::from),
        Format::I16 => numbers!(i16, f64::from),
        Format::I32 => numbers!(i32, f64::from),
        Format::U32 => numbers!(u32, f64::from),
        Format::I64 => numbers!(i64, |v| v as f64),
        Format::U64 => numbers!(u64, |v| v as f64),
        Format::I4 | Format::U4 => {
            check_len(bytes.len(), format.bytes(count), "bytes")?;
            Ok(halves(bytes.iter().copied(), format, count))
        }
        Format::Bool => numbers!(u8, |v| f64::from(u8::from(v != 0))),
    }
}

fn from_fields(tensor: &TensorProto, format: Format, count: usize) -> Result<Vec<f64>, Refused> {
    macro_rules! numbers {
        ($field:ident, $to:expr) => {{
            check_len(
                tensor.$field.len(),
                Some(count),
                concat!("elements in `", stringify!($field), "`"),
            )?;
            Ok(tensor.$field.iter().map($to).collect())
        }};
    }
    match format {
        Format::F32 => numbers!(float_data, |&v| f64::from(v)),
        Format::F64 => numbers!(double_data, |&v| v),
        // Half floats are stored as bit patterns.
        Format::F16 => numbers!(int32_data, |&v| f64::from(f16::from_bits(v as u16))),
        Format::Bf16 => numbers!(int32_data, |&v| f64::from(bf16::from_bits(v as u16))),
        Format::I64 => numbers!(int64_data, |&v| v as f64),
        Format::U32 | Format::U64 => numbers!(uint64_data, |&v| v as f64),
        Format::U8 | Format::I8 | Format::U16 | Format::I16 | Format::I32 => {
            numbers!(int32_data, |&v| f64::from(v))
        }
        Format::I4 | Format::U4 => {
            let bytes = &tensor.int32_data;
            check_len(bytes.len(), format.bytes(count), "elements in `int32_data`")?;
            Ok(halves(bytes.iter().map(|&byte| byte as u8), format, count))
        }
        Format::Bool => numbers!(int32_data, |&v| f64::from(u8::from(v != 0))),
    }
}

/// Numbers of four bits.
fn halves(bytes: impl Iterator<Item = u8>, format: Format, count: usize) -> Vec<f64> {
    let is_signed = format == Format::I4;
    let number = |half: u8| match half & 15 {
        n if is_signed && n > 7 => f64::from(n) - 16.0,
        n => f64::from(n),
    };
    bytes.flat_map(|byte| [byte, byte >> 4]).take(count).map(number).collect()
}

/// Reads the part of a file beside the model that holds the array.
fn external(
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
    read_part(dir, path, number("offset")?.unwrap_or(0), length)
        .map_err(|reason| refuse(format!("external data in `{location}`: {reason}")))
}

fn read_part(dir: &Path, path: &Path, offset: u64, length: Option<u64>) -> Result<Vec<u8>, String> {
    use std::io::{Read, Seek, SeekFrom};
    let text = |e: std::io::Error| e.to_string();
    // A symbolic link could lead out of the folder though the path does not.
    let (root, full) =
        (dir.canonicalize().map_err(text)?, dir.join(path).canonicalize().map_err(text)?);
    if !full.starts_with(&root) {
        return Err("a link that leaves the model's folder".to_owned());
    }
    let mut file = std::fs::File::open(&full).map_err(text)?;
    let metadata = file.metadata().map_err(text)?;
    if !metadata.is_file() {
        return Err("not a file".to_owned());
    }
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
    let mut bytes = Vec::with_capacity(usize::try_from(length).map_err(|e| e.to_string())?);
    file.take(length).read_to_end(&mut bytes).map_err(text)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::proto::StringStringEntryProto;

    fn raw(data_type: i32, dims: &[i64], bytes: &[u8]) -> TensorProto {
        TensorProto {
            data_type: Some(data_type),
            dims: dims.to_vec(),
            raw_data: Some(bytes.to_vec().into()),
            ..Default::default()
        }
    }

    fn values(tensor: &TensorProto) -> Vec<f64> {
        read(tensor, None).unwrap().to_vec()
    }

    #[test]
    fn raw_numbers_of_every_type() {
        assert_eq!(values(&raw(1, &[1], &1.5f32.to_le_bytes())), [1.5]);
        assert_eq!(values(&raw(11, &[1], &1.5f64.to_le_bytes())), [1.5]);
        assert_eq!(values(&raw(10, &[1], &0x3e00u16.to_le_bytes())), [1.5]);
        assert_eq!(values(&raw(16, &[1], &0x3fc0u16.to_le_bytes())), [1.5]);
        assert_eq!(values(&raw(3, &[2], &[255, 1])), [-1.0, 1.0]);
        assert_eq!(values(&raw(2, &[2], &[255, 1])), [255.0, 1.0]);
        assert_eq!(values(&raw(7, &[1], &(-3i64).to_le_bytes())), [-3.0]);
        assert_eq!(values(&raw(13, &[1], &u64::MAX.to_le_bytes())), [u64::MAX as f64]);
        assert_eq!(values(&raw(9, &[2], &[0, 7])), [0.0, 1.0]);
        assert_eq!(values(&raw(22, &[3], &[0xf8, 0x07])), [-8.0, -1.0, 7.0]);
        assert_eq!(values(&raw(21, &[3], &[0xf8, 0x07])), [8.0, 15.0, 7.0]);
    }

    #[test]
    fn typed_fields() {
        let half = TensorProto {
            data_type: Some(10),
            dims: vec![2],
            int32_data: vec![0x3e00, 0xc000],
            ..Default::default()
        };
        assert_eq!(values(&half), [1.5, -2.0]);
        let double =
            TensorProto { data_type: Some(11), double_data: vec![0.1], ..Default::default() };
        assert_eq!(values(&double), [0.1]);
        let four = TensorProto {
            data_type: Some(22),
            dims: vec![3],
            int32_data: vec![0x2f, 1],
            ..Default::default()
        };
        assert_eq!(values(&four), [-1.0, 2.0, 1.0]);
    }

    #[test]
    fn lengths_must_fit() {
        let error = |tensor: &TensorProto| read(tensor, None).unwrap_err().reason;
        assert_eq!(error(&raw(1, &[2], &[0; 7])), "7 bytes, expected 8");
        assert!(error(&raw(1, &[i64::MAX, i64::MAX], &[0; 4])).contains("too large"));
        assert!(error(&raw(11, &[i64::MAX], &[0; 4])).contains("more than fit in memory"));
        assert!(error(&raw(1, &[-1], &[0; 4])).contains("negative"));
        assert!(error(&raw(8, &[1], &[])).contains("element type STRING"));
        assert!(error(&raw(99, &[1], &[])).contains("element type 99 is unknown"));
        assert!(error(&raw(1, &[1; 17], &[0; 4])).contains("17 dimensions"));
    }

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
        assert!(read(&tensor, None).unwrap_err().reason.contains("the model has no folder"));
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
