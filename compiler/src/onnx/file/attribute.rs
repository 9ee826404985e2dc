//! Values of attributes, by the type that an operator expects.

use crate::onnx::error::{Refused, refuse};
use crate::onnx::proto::attribute_proto::AttributeType;
use crate::onnx::proto::{AttributeProto, TensorProto};

/// A type that attributes can hold.
pub(in crate::onnx) trait Attribute: Sized {
    const TYPE: AttributeType;
    fn get(attribute: &AttributeProto) -> Option<Self>;
    /// Whether it is not NaN.
    fn is_number(&self) -> bool {
        true
    }
}

impl Attribute for i64 {
    const TYPE: AttributeType = AttributeType::Int;
    fn get(attribute: &AttributeProto) -> Option<i64> {
        attribute.i
    }
}

impl Attribute for f64 {
    const TYPE: AttributeType = AttributeType::Float;
    fn get(attribute: &AttributeProto) -> Option<f64> {
        attribute.f.map(f64::from)
    }
    fn is_number(&self) -> bool {
        // Open ends are infinite.
        !self.is_nan()
    }
}

/// A number that is compared with but never computed with, and so may be NaN.
pub(in crate::onnx) struct Marker(pub(in crate::onnx) f64);

impl Attribute for Marker {
    const TYPE: AttributeType = AttributeType::Float;
    fn get(attribute: &AttributeProto) -> Option<Marker> {
        attribute.f.map(|x| Marker(f64::from(x)))
    }
}

impl Attribute for String {
    const TYPE: AttributeType = AttributeType::String;
    fn get(attribute: &AttributeProto) -> Option<String> {
        attribute.s.as_ref().map(|s| String::from_utf8_lossy(s).into_owned())
    }
}

impl Attribute for Vec<i64> {
    const TYPE: AttributeType = AttributeType::Ints;
    fn get(attribute: &AttributeProto) -> Option<Vec<i64>> {
        Some(attribute.ints.clone())
    }
}

impl Attribute for Vec<f64> {
    const TYPE: AttributeType = AttributeType::Floats;
    fn get(attribute: &AttributeProto) -> Option<Vec<f64>> {
        Some(attribute.floats.iter().map(|&v| f64::from(v)).collect())
    }
}

impl Attribute for Vec<String> {
    const TYPE: AttributeType = AttributeType::Strings;
    fn get(attribute: &AttributeProto) -> Option<Vec<String>> {
        let text = |s: &bytes::Bytes| String::from_utf8_lossy(s).into_owned();
        Some(attribute.strings.iter().map(text).collect())
    }
}

impl Attribute for TensorProto {
    const TYPE: AttributeType = AttributeType::Tensor;
    fn get(attribute: &AttributeProto) -> Option<TensorProto> {
        attribute.t.clone()
    }
}

/// Reads an attribute as `T`.
pub(in crate::onnx) fn read<T: Attribute>(attribute: &AttributeProto) -> Result<T, Refused> {
    if !attribute.ref_attr_name().is_empty() {
        return Err(refuse(format!(
            "attribute `{}` refers to a function's parameter `{}`, expected a value",
            attribute.name(),
            attribute.ref_attr_name()
        )));
    }
    let found = attribute.r#type();
    // Files of IR version 1 do not state the type.
    let value =
        if found == T::TYPE || attribute.r#type.is_none() { T::get(attribute) } else { None };
    let value = value.ok_or_else(|| {
        refuse(format!(
            "attribute `{}` has type {found:?}, expected {:?}",
            attribute.name(),
            T::TYPE
        ))
    })?;
    match value.is_number() {
        true => Ok(value),
        false => Err(refuse(format!(
            "attribute `{}` is NaN, expected a finite number",
            attribute.name()
        ))),
    }
}
