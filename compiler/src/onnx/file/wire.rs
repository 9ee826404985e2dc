//! Bounds the memory that decoding a file takes, before it is decoded.
//!
//! An empty message is two bytes in the file but up to a kilobyte in memory, so a small hostile file could ask for any
//! amount. This walks over the encoded messages, allocates nothing and adds up what their decoded forms take.

use crate::onnx::error::ImportError;
use crate::onnx::proto;

/// What the structure of any file may take: 20,000 nodes with a few attributes each.
const ALLOWANCE: usize = 64 << 20;
/// What it may take beyond that, per byte of the file: numbers stored as varints grow when decoded.
const GROWTH: usize = 2;
/// As deep as the decoder goes.
const MAX_DEPTH: usize = 100;

/// Messages of the schema that matter here.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Training,
    Function,
    Graph,
    Annotation,
    Node,
    Attribute,
    Tensor,
    Sparse,
    ValueInfo,
    Type,
    TypeTensor,
    TypeOther,
    Shape,
    /// No messages inside.
    Leaf,
}

/// What a length-delimited field holds.
enum Field {
    /// A message and the size of its decoded form.
    Message(Kind, usize),
    /// Packed varints, decoded to this many bytes each.
    Varints(usize),
    /// Packed numbers of fixed size.
    Fixed,
    /// Text or bytes.
    Bytes,
}

/// Refuses files whose decoded form would be much larger than the file.
pub(in crate::onnx) fn check(file: &[u8]) -> Result<(), ImportError> {
    let limit = ALLOWANCE.saturating_add(file.len().saturating_mul(GROWTH));
    let mut walk = Walk { left: limit };
    walk.message(file, Kind::Model, 0).map_err(|reason| match reason {
        Reason::Malformed => ImportError::Model("not an ONNX model: malformed protobuf".to_owned()),
        Reason::TooLarge => ImportError::Model(format!(
            "the file's {} bytes would take more than {limit} bytes of memory when decoded",
            file.len()
        )),
    })
}

enum Reason {
    Malformed,
    TooLarge,
}

struct Walk {
    /// Bytes that may still be taken.
    left: usize,
}

impl Walk {
    fn take(&mut self, bytes: usize) -> Result<(), Reason> {
        self.left = self.left.checked_sub(bytes).ok_or(Reason::TooLarge)?;
        Ok(())
    }

    fn message(&mut self, mut bytes: &[u8], kind: Kind, depth: usize) -> Result<(), Reason> {
        if depth > MAX_DEPTH {
            return Err(Reason::Malformed);
        }
        while !bytes.is_empty() {
            let key = varint(&mut bytes)?;
            // A repeated field of any type takes at least this much: a number, or a handle of text.
            self.take(8)?;
            match key & 7 {
                0 => {
                    varint(&mut bytes)?;
                }
                1 => {
                    split(&mut bytes, 8)?;
                }
                2 => {
                    let length =
                        usize::try_from(varint(&mut bytes)?).map_err(|_| Reason::Malformed)?;
                    let content = split(&mut bytes, length)?;
                    self.field(content, field(kind, key >> 3), depth)?;
                }
                5 => {
                    split(&mut bytes, 4)?;
                }
                _ => return Err(Reason::Malformed),
            }
        }
        Ok(())
    }

    fn field(&mut self, content: &[u8], field: Field, depth: usize) -> Result<(), Reason> {
        match field {
            // Lists grow by doubling, so that up to half of them is spare.
            Field::Message(kind, size) => {
                self.take(2 * size)?;
                self.message(content, kind, depth + 1)
            }
            Field::Varints(size) => self.take(size * content.iter().filter(|&&b| b < 0x80).count()),
            Field::Fixed => self.take(content.len()),
            Field::Bytes => self.take(2 * size_of::<bytes::Bytes>()),
        }
    }
}

/// What the schema says about a field. Text is not told apart from fields that the schema lacks.
fn field(kind: Kind, number: u64) -> Field {
    use proto::{AttributeProto, GraphProto, NodeProto, SparseTensorProto, TensorProto, TypeProto};
    // Other messages are small; this is more than each of them takes.
    let leaf = Field::Message(Kind::Leaf, 128);
    let graph = Field::Message(Kind::Graph, size_of::<GraphProto>());
    let node = Field::Message(Kind::Node, size_of::<NodeProto>());
    let attribute = Field::Message(Kind::Attribute, size_of::<AttributeProto>());
    let tensor = Field::Message(Kind::Tensor, size_of::<TensorProto>());
    let sparse = Field::Message(Kind::Sparse, size_of::<SparseTensorProto>());
    let info = Field::Message(Kind::ValueInfo, size_of::<proto::ValueInfoProto>());
    let r#type = Field::Message(Kind::Type, size_of::<TypeProto>());
    match (kind, number) {
        (Kind::Model, 7) | (Kind::Training, 1 | 2) | (Kind::Attribute, 6 | 11) => graph,
        (Kind::Model, 20) => Field::Message(Kind::Training, size_of::<proto::TrainingInfoProto>()),
        (Kind::Model, 25) => Field::Message(Kind::Function, size_of::<proto::FunctionProto>()),
        (Kind::Graph, 14) => Field::Message(Kind::Annotation, size_of::<proto::TensorAnnotation>()),
        (Kind::Graph, 1) | (Kind::Function, 7) => node,
        (Kind::Node, 5) | (Kind::Function, 11) => attribute,
        (Kind::Graph, 5) | (Kind::Attribute, 5 | 10) | (Kind::Sparse, 1 | 2) => tensor,
        (Kind::Graph, 15) | (Kind::Attribute, 22 | 23) => sparse,
        (Kind::Graph, 11..=13) | (Kind::Function, 12) => info,
        (Kind::ValueInfo, 2) | (Kind::Attribute, 14 | 15) => r#type,
        // The content of a type is part of its size, except in what it points to.
        (Kind::Type, 1 | 8) => Field::Message(Kind::TypeTensor, 0),
        (Kind::Type, 4 | 5 | 9) => Field::Message(Kind::TypeOther, 0),
        (Kind::TypeOther, 1 | 2) => r#type,
        (Kind::TypeTensor, 2) => Field::Message(Kind::Shape, 0),
        (Kind::Shape, 1) => leaf,
        (Kind::Model, 8 | 14 | 26)
        | (Kind::Training, 3 | 4)
        | (Kind::Function, 9 | 14)
        | (Kind::Graph, 16)
        | (Kind::Annotation, 2)
        | (Kind::Node, 9 | 10)
        | (Kind::Tensor, 3 | 13 | 16)
        | (Kind::ValueInfo, 4) => leaf,
        (Kind::Attribute, 8) | (Kind::Tensor, 1 | 7 | 11) | (Kind::Sparse, 3) => Field::Varints(8),
        (Kind::Tensor, 5) => Field::Varints(4),
        (Kind::Attribute, 7) | (Kind::Tensor, 4 | 10) => Field::Fixed,
        _ => Field::Bytes,
    }
}

fn split<'a>(bytes: &mut &'a [u8], at: usize) -> Result<&'a [u8], Reason> {
    let (head, tail) = bytes.split_at_checked(at).ok_or(Reason::Malformed)?;
    *bytes = tail;
    Ok(head)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Reason> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = split(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Reason::Malformed)
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::onnx::import;

    /// A field with the given number and content.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut length = content.len();
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend_from_slice(content);
        bytes
    }

    #[test]
    fn empty_messages_do_not_multiply() {
        let attributes: Vec<u8> = [5 << 3 | 2, 0].repeat(1 << 20);
        let file = field(7, &field(1, &attributes));
        let error = check(&file).unwrap_err().to_string();
        assert!(error.contains("bytes of memory when decoded"), "{error}");
        let nodes: Vec<u8> = [1 << 3 | 2, 0].repeat(1 << 20);
        assert!(check(&field(7, &nodes)).is_err());
        assert!(check(&field(7, &nodes[..1000])).is_ok());
    }

    #[test]
    fn deep_nesting_is_an_error() {
        // A graph in an attribute of a node of a graph, and so on.
        let mut graph = Vec::new();
        for _ in 0..2000 {
            graph = field(1, &field(5, &field(6, &graph)));
        }
        assert!(import(field(7, &graph).into(), None).is_err());
        // Groups, an encoding that ONNX does not use.
        assert!(import(vec![0x0b; 400_000].into(), None).is_err());
    }

    #[test]
    fn lengths_beyond_the_end_are_errors() {
        assert!(check(&[7 << 3 | 2, 0xff, 0xff, 0xff, 0xff, 0x7f]).is_err());
        assert!(check(&[0xff; 20]).is_err());
    }
}
