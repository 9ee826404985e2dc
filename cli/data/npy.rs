//! The `.npy` format of numpy, read without trust: nothing is allocated that the bytes do not pay for.
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

use std::io::Read;

use anyhow::{Context, Result, bail, ensure};
use ndarray::{ArrayD, IxDyn, ShapeBuilder};

use crate::files::memory;

/// The first bytes of an `.npy` array.
pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";

/// Longest header read; numpy writes 128 bytes, more for large record types, which are not read.
const MAX_HEADER: usize = 1 << 12;

/// An array with the type that its elements had in the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    /// The numbers.
    pub(crate) data: ArrayD<f64>,
    /// Whether the elements were bytes (`uint8`), as pixels are.
    pub(crate) is_bytes: bool,
    /// Whether the elements were floating-point numbers.
    pub(crate) is_float: bool,
}

/// How the elements are stored.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Element {
    /// `f`, `i`, `u` or `b`.
    kind: u8,
    size: usize,
    big_endian: bool,
}

/// Bytes that a number takes in memory while an array is read: as it is kept, and once more while it is brought into shape.
const WORKING_BYTES: usize = 16;

/// Reads an array of numbers if `accept` takes its shape, which is asked before any of them is read.
pub(crate) fn read_npy(
    mut from: impl Read,
    accept: impl Fn(&[usize]) -> Result<()>,
) -> Result<Array> {
    let (element, fortran, shape) = read_header(&mut from)?;
    accept(&shape)?;
    let n_bytes = shape.iter().try_fold(element.size, |n, &dim| n.checked_mul(dim));
    let n_bytes = n_bytes.with_context(|| format!("an array of shape {shape:?} is too large"))?;
    let needed = (n_bytes / element.size).saturating_mul(WORKING_BYTES + element.size);
    memory::require(needed as u64, &format!("an array of shape {shape:?}"))?;
    let mut bytes = vec![];
    // Grows with what there is, whatever the header promises.
    from.by_ref().take(n_bytes as u64).read_to_end(&mut bytes)?;
    ensure!(
        bytes.len() == n_bytes,
        "its data has {} bytes, shape {shape:?} takes {n_bytes}: it is truncated",
        bytes.len()
    );
    ensure!(from.read(&mut [0])? == 0, "its data goes on after the {n_bytes} bytes of the array");
    let numbers: Vec<f64> =
        bytes.chunks_exact(element.size).map(|bytes| number(element, bytes)).collect();
    let data = ArrayD::from_shape_vec(IxDyn(&shape).set_f(fortran), numbers)?;
    let is_bytes = element.kind == b'u' && element.size == 1;
    Ok(Array { data, is_bytes, is_float: element.kind == b'f' })
}

fn read_header(from: &mut impl Read) -> Result<(Element, bool, Vec<usize>)> {
    let mut start = [0; 8];
    from.read_exact(&mut start).context("it is too short for an .npy array")?;
    ensure!(start.starts_with(MAGIC), "it is not an .npy array: it starts with other bytes");
    let len = if start[6] == 1 {
        let mut len = [0; 2];
        from.read_exact(&mut len)?;
        u32::from(u16::from_le_bytes(len))
    } else {
        let mut len = [0; 4];
        from.read_exact(&mut len)?;
        u32::from_le_bytes(len)
    } as usize;
    ensure!(len <= MAX_HEADER, "its header has {len} bytes, expected at most {MAX_HEADER}");
    let mut header = vec![0; len];
    from.read_exact(&mut header).context("its header is truncated")?;
    let header = std::str::from_utf8(&header).context("its header is not text")?;
    let value = |key: &str| {
        let after = header.split_once(&format!("'{key}':")).map(|(_, after)| after.trim_start());
        after.with_context(|| format!("its header has no `{key}`"))
    };
    let fortran = match value("fortran_order")? {
        text if text.starts_with("True") => true,
        text if text.starts_with("False") => false,
        _ => bail!("its header has no order of elements"),
    };
    Ok((element(value("descr")?)?, fortran, shape(value("shape")?)?))
}

/// A type such as `'<f4'`.
fn element(text: &str) -> Result<Element> {
    let quoted = text.strip_prefix('\'').and_then(|rest| rest.split_once('\''));
    let (descr, _) = quoted.context("its elements are records, expected numbers")?;
    let element = match *descr.as_bytes() {
        [order @ (b'<' | b'>' | b'|' | b'='), kind, size @ b'1'..=b'8'] => {
            Element { kind, size: usize::from(size - b'0'), big_endian: order == b'>' }
        }
        _ => Element { kind: b'?', size: 0, big_endian: false },
    };
    match (element.kind, element.size) {
        (b'f', 2 | 4 | 8) | (b'i' | b'u', 1 | 2 | 4 | 8) | (b'b', 1) => Ok(element),
        _ => bail!("its elements are `{descr}`, expected real numbers (float, int, uint or bool)"),
    }
}

/// A shape such as `(3, 4)` or `(3,)`.
fn shape(text: &str) -> Result<Vec<usize>> {
    let inner = text.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let (inner, _) = inner.context("its header has no shape")?;
    let dims = inner.split(',').map(str::trim).filter(|dim| !dim.is_empty());
    dims.map(|dim| dim.parse().with_context(|| format!("a dimension is `{dim}`"))).collect()
}

fn number(element: Element, bytes: &[u8]) -> f64 {
    let mut raw = [0; 8];
    raw[..element.size].copy_from_slice(bytes);
    if element.big_endian {
        raw[..element.size].reverse();
    }
    let word = u64::from_le_bytes(raw);
    let shift = 64 - 8 * element.size;
    match (element.kind, element.size) {
        (b'f', 8) => f64::from_bits(word),
        (b'f', 4) => f64::from(f32::from_bits(word as u32)),
        (b'f', _) => half::f16::from_bits(word as u16).to_f64(),
        (b'i', _) => ((word << shift) as i64 >> shift) as f64,
        _ => word as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};
    use ndarray_npy::WriteNpyExt;

    fn read_npy(bytes: &[u8]) -> Result<Array> {
        super::read_npy(bytes, |_| Ok(()))
    }

    fn written<T: ndarray_npy::WritableElement>(array: &Array2<T>) -> Vec<u8> {
        let mut bytes = vec![];
        array.write_npy(&mut bytes).unwrap();
        bytes
    }

    /// An array of one dimension with this header.
    fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn numbers_of_all_types() {
        let expected = array![[1.0, -2.0], [3.0, 4.0]].into_dyn();
        assert_eq!(read_npy(&written(&array![[1.0f32, -2.0], [3.0, 4.0]])).unwrap().data, expected);
        assert_eq!(read_npy(&written(&array![[1i8, -2], [3, 4]])).unwrap().data, expected);
        assert_eq!(read_npy(&written(&array![[1i64, -2], [3, 4]])).unwrap().data, expected);
        let pixels = read_npy(&written(&array![[255u8, 0]])).unwrap();
        assert_eq!((pixels.data, pixels.is_bytes), (array![[255.0, 0.0]].into_dyn(), true));
        let transposed = array![[1.0, 3.0], [-2.0, 4.0]].reversed_axes();
        assert_eq!(read_npy(&written(&transposed)).unwrap().data, expected);
        let header = "{'descr': '>f2', 'fortran_order': False, 'shape': (2,), }";
        let halves = read_npy(&with_header(header, &[0x3c, 0x00, 0xc0, 0x00])).unwrap();
        assert_eq!(halves.data, array![1.0, -2.0].into_dyn());
    }

    #[test]
    fn hostile_arrays_are_refused() {
        let good = written(&array![[1.0, 2.0]]);
        let refuse = |bytes: &[u8], message: &str| {
            let error = format!("{:#}", read_npy(bytes).unwrap_err());
            assert!(error.contains(message), "{error}, expected {message}");
        };
        refuse(b"", "too short");
        refuse(b"PK\x03\x04 and more", "not an .npy array");
        refuse(&good[..good.len() - 1], "15 bytes, shape [1, 2] takes 16: it is truncated");
        refuse(&[&good[..], b"x"].concat(), "goes on after");
        let header = |descr: &str, shape: &str| {
            let header =
                format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}");
            with_header(&header, &[0; 16])
        };
        refuse(&header("'<f8'", "(1000000000000,)"), "truncated");
        refuse(&header("'<f8'", "(4294967296, 4294967296)"), "too large");
        refuse(&header("'<f8'", "(-1,)"), "a dimension is `-1`");
        refuse(&header("'<c8'", "(1,)"), "expected real numbers");
        refuse(&header("[('a', '<f4')]", "(1,)"), "records");
        // The shape is enough to refuse an array: of its data nothing is there.
        let huge = header("'<f8'", "(1000000000000,)");
        let error = super::read_npy(&huge[..], |shape| bail!("{shape:?} is not wanted"));
        assert_eq!(error.unwrap_err().to_string(), "[1000000000000] is not wanted");
        refuse(&header("'|O8'", "(1,)"), "expected real numbers");
    }
}
