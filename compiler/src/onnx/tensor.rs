//! Stored arrays: numbers in typed fields, in raw bytes or in a file beside the model.

use std::path::{Component, Path};

use bytes::Bytes;
use half::{bf16, f16};
use ndarray::{ArrayD, IxDyn};

use super::error::{Refused, refuse};
use super::proto::TensorProto;
use super::proto::tensor_proto::{DataLocation, DataType};
use super::shape::MAX_RANK;
use super::value::{Constant, Kind};

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
            DataType::Bool => Ok(Format::Bool),
            other @ (DataType::Undefined
            | DataType::String
            | DataType::Complex64
            | DataType::Complex128
            | DataType::Float8e4m3fn
            | DataType::Float8e4m3fnuz
            | DataType::Float8e5m2
            | DataType::Float8e5m2fnuz
            | DataType::Uint4
            | DataType::Int4
            | DataType::Float4e2m1
            | DataType::Float8e8m0
            | DataType::Uint2
            | DataType::Int2
            | DataType::Float6e2m3
            | DataType::Float6e3m2) => Err(refuse(format!(
                "element type {}, expected a float of 16 to 64 bits, an integer of 8 to 64 bits or a bool",
                other.as_str_name()
            ))),
        }
    }

    /// What kind of numbers these are.
    pub(super) fn kind(self) -> Kind {
        match self {
            Format::F16 | Format::Bf16 | Format::F32 | Format::F64 => Kind::Float,
            Format::I8 | Format::I16 | Format::I32 | Format::I64 => Kind::Int,
            Format::U8 | Format::U16 | Format::U32 | Format::U64 => Kind::Int,
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
        let bytes = external(tensor, dir)?;
        from_bytes(&bytes, format, count)?
    } else if let Some(raw) = tensor.raw_data.as_ref().filter(|raw| !raw.is_empty()) {
        from_bytes(raw, format, count)?
    } else {
        from_fields(tensor, format, count)?
    };
    let array = ArrayD::from_shape_vec(IxDyn(&shape), values);
    Ok(Constant::new(array.map_err(|e| refuse(e.to_string()))?, format.kind()))
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
        Format::Bool => numbers!(u8, |v| f64::from(u8::from(v != 0))),
    }
}

fn from_fields(
    tensor: &TensorProto,
    data_type: DataType,
    count: usize,
) -> Result<Vec<f64>, Refused> {
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
        Format::Bool => numbers!(int32_data, |&v| f64::from(u8::from(v != 0))),
    }
}

/// Reads the part of a file beside the model that holds the array.
fn external(tensor: &TensorProto, dir: Option<&Path>) -> Result<Bytes, Refused> {
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
    read_part(dir, path, number("offset")?.unwrap_or(0), number("length")?)
        .map_err(|reason| refuse(format!("external data in `{location}`: {reason}")))
}

fn read_part(dir: &Path, path: &Path, offset: u64, length: Option<u64>) -> Result<Bytes, String> {
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
    Ok(bytes.into())
}
