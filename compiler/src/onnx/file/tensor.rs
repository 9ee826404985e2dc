//! Stored arrays: numbers in typed fields, in raw bytes or in a file beside the model ([`external`]).

use std::path::Path;

use half::{bf16, f16};
use ndarray::{ArrayD, IxDyn};

use super::external;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::proto::TensorProto;
use crate::onnx::proto::tensor_proto::{DataLocation, DataType};
use crate::onnx::shape::{MAX_RANK, check_len};
use crate::onnx::value::{Constant, Format, Strings};

/// Converts a stored array to f64. Nothing is allocated before the length of what is stored is known to fit.
pub(in crate::onnx) fn read(tensor: &TensorProto, dir: Option<&Path>) -> Result<Constant, Refused> {
    let shape = shape(tensor)?;
    let format = Format::of(tensor.data_type())?;
    if tensor.segment.is_some() {
        return Err(refuse("stored in segments, expected in one piece"));
    }
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let count = count.ok_or_else(|| refuse(format!("shape {shape:?} is too large")))?;
    let values = if tensor.data_location() == DataLocation::External {
        let bytes = external::read(tensor, dir, format.bytes(count))?;
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
pub(in crate::onnx) fn holds_strings(tensor: &TensorProto) -> bool {
    tensor.data_type() == DataType::String as i32
}

/// Converts stored texts.
pub(in crate::onnx) fn read_strings(tensor: &TensorProto) -> Result<Strings, Refused> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
