//! Files of other programs: networks, arrays, archives, images.

use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::rc::Rc;

use bytes::Bytes;
use hecc_compiler::onnx;
use ndarray::ArrayD;
use ndarray_npy::WriteNpyExt;
use tempfile::TempDir;

use super::{Reader, as_it_is};
use crate::data::array_file::ArrayFile;
use crate::data::fit::fitted_shape;
use crate::data::image_file::read_images;

/// What images and arrays are for.
const SHAPE: [usize; 4] = [1, 3, 4, 4];

/// Memory for the entries that the ends of an archive announce, 65,535 at most each: it may have two that look like one.
const DIRECTORY: usize = 16 << 20;

/// Networks with their weights inside.
const NETWORKS: [&[u8]; 10] = [
    include_bytes!("../../onnx/models/gelu.onnx"),
    include_bytes!("../../onnx/models/half.onnx"),
    include_bytes!("../../onnx/models/lenet.onnx"),
    include_bytes!("../../onnx/models/old.onnx"),
    include_bytes!("../../onnx/models/qcdq.onnx"),
    include_bytes!("../../onnx/models/qdq.onnx"),
    include_bytes!("../../onnx/models/qoperator.onnx"),
    include_bytes!("../../onnx/models/residual.onnx"),
    include_bytes!("../../onnx/models/silu.onnx"),
    include_bytes!("../../onnx/models/torch.onnx"),
];

/// Readers take paths: here is the file that is read now.
type Folder = Rc<TempDir>;

pub(super) fn all() -> Vec<Reader> {
    // In memory where there is such a place: millions of files are written.
    let folder = match std::env::var_os("TMPDIR") {
        None => tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()),
        Some(_) => tempfile::tempdir(),
    };
    let folder = Rc::new(folder.unwrap());
    let npys = npys();
    let zipped = npys.iter().map(|npy| archive(npy)).collect();
    vec![
        onnx(),
        arrays("npy", npys.clone(), as_it_is, &folder),
        arrays("npz-member", npys, archive, &folder),
        Reader { announced: DIRECTORY, ..arrays("npz", zipped, as_it_is, &folder) },
        images("png", image::ImageFormat::Png, png, &folder),
        images("jpeg", image::ImageFormat::Jpeg, as_it_is, &folder),
    ]
}

fn onnx() -> Reader {
    let read = |file: &[u8]| {
        let imported = onnx::import(Bytes::copy_from_slice(file), None);
        imported.map(drop).map_err(|error| error.to_string())
    };
    Reader {
        name: "onnx",
        seeds: NETWORKS.map(<[u8]>::to_vec).to_vec(),
        file: as_it_is,
        read: Box::new(read),
        // What shapes announce: constants and folded tensors as large as a network may have.
        announced: 64 << 20,
    }
}

fn npys() -> Vec<Vec<u8>> {
    let numbers: Vec<f32> = (0..96).map(|i| i as f32 / 96.0).collect();
    let floats = ArrayD::from_shape_vec(vec![2, 3, 4, 4], numbers).unwrap();
    let bytes = floats.mapv(|x| (x * 255.0) as u8);
    let integers = ArrayD::from_shape_vec(vec![1, 3, 4, 4], (0..48).collect::<Vec<i64>>()).unwrap();
    let mut all = [vec![], vec![], vec![]];
    floats.write_npy(&mut all[0]).unwrap();
    bytes.write_npy(&mut all[1]).unwrap();
    integers.write_npy(&mut all[2]).unwrap();
    all.to_vec()
}

/// An archive with an array of this content, whose checksum is right.
fn archive(npy: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(vec![]));
    archive.start_file("x.npy", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(npy).unwrap();
    archive.finish().unwrap().into_inner()
}

fn arrays(
    name: &'static str,
    seeds: Vec<Vec<u8>>,
    file: fn(&[u8]) -> Vec<u8>,
    folder: &Folder,
) -> Reader {
    let folder = folder.clone();
    let read = move |file: &[u8]| {
        let path = written(&folder, name, file);
        let read = || -> anyhow::Result<()> {
            let mut archive = ArrayFile::open(&path)?;
            let array = archive.choose(None, "x")?;
            archive.read(&array, |found| fitted_shape(found, "x", &SHAPE).map(drop))?;
            Ok(())
        };
        read().map_err(|error| format!("{error:#}"))
    };
    Reader { name, seeds, file, read: Box::new(read), announced: 0 }
}

fn images(
    name: &'static str,
    format: image::ImageFormat,
    file: fn(&[u8]) -> Vec<u8>,
    folder: &Folder,
) -> Reader {
    let folder = folder.clone();
    let pixels = (0..48).map(|i| i * 5).collect();
    let color = image::RgbImage::from_raw(4, 4, pixels).unwrap();
    let gray = image::DynamicImage::from(color.clone()).into_luma8();
    let images = [color.into(), image::DynamicImage::from(gray)];
    let encoded = |image: image::DynamicImage| {
        let mut bytes = Cursor::new(vec![]);
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let seeds = images.map(encoded).to_vec();
    let read = move |file: &[u8]| {
        let images = read_images(&[written(&folder, name, file)], &SHAPE);
        images.map(drop).map_err(|error| format!("{error:#}"))
    };
    Reader { name, seeds, file, read: Box::new(read), announced: 1 << 20 }
}

/// The chunks of a PNG with their checksums made right again, as far as there are chunks.
fn png(content: &[u8]) -> Vec<u8> {
    let mut file = content.to_vec();
    let mut at = 8;
    while let Some(length) = file.get(at..at + 4) {
        let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
        let Some(end) =
            at.checked_add(length).map(|end| end + 8).filter(|end| end + 4 <= file.len())
        else {
            break;
        };
        let sum = crc32(&file[at + 4..end]);
        file[end..end + 4].copy_from_slice(&sum.to_be_bytes());
        at = end + 4;
    }
    file
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

fn written(folder: &TempDir, name: &str, file: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, file).unwrap();
    path
}
