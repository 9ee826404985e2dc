//! The element types of stored arrays.

use crate::onnx::error::{Refused, refuse};
use crate::onnx::proto::tensor_proto::DataType;

/// What kind of numbers they are: integers are divided and cast differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::onnx) enum Kind {
    Float,
    Int,
    Bool,
}

/// The element types that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::onnx) enum Format {
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
    pub(in crate::onnx) fn of(number: i32) -> Result<Format, Refused> {
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

    /// Bytes of `count` elements in raw and external data.
    pub(in crate::onnx) fn bytes(self, count: usize) -> Option<usize> {
        match self {
            Format::I4 | Format::U4 => Some(count.div_ceil(2)),
            Format::I8 | Format::U8 | Format::Bool => Some(count),
            Format::F16 | Format::Bf16 | Format::I16 | Format::U16 => count.checked_mul(2),
            Format::F32 | Format::I32 | Format::U32 => count.checked_mul(4),
            Format::F64 | Format::I64 | Format::U64 => count.checked_mul(8),
        }
    }

    /// The smallest and the largest integer of a type that tensors are quantized to.
    pub(in crate::onnx) fn quantized_range(self) -> Option<(i64, i64)> {
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
    pub(in crate::onnx) fn integers(self) -> Option<(i64, i64)> {
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
    pub(in crate::onnx) fn kind(self) -> Kind {
        match self {
            Format::F16 | Format::Bf16 | Format::F32 | Format::F64 => Kind::Float,
            Format::I4 | Format::I8 | Format::I16 | Format::I32 | Format::I64 => Kind::Int,
            Format::U4 | Format::U8 | Format::U16 | Format::U32 | Format::U64 => Kind::Int,
            Format::Bool => Kind::Bool,
        }
    }
}
