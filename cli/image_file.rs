//! PNG and JPEG images as arrays of pixels in [0, 1].

use std::io::Cursor;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use image::{ImageReader, Limits};
use ndarray::{Array4, ArrayD};

use crate::bytes_file;

/// Memory that decoding an image of the right size may take.
const MAX_DECODER_BYTES: u64 = 1 << 28;

/// Whether a file's name is that of an image.
pub(crate) fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    matches!(extension.as_deref(), Some("png" | "jpg" | "jpeg"))
}

/// The images of a folder, in the order of their names, but for hidden ones: systems leave such files behind.
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let context = || format!("cannot read folder `{}`", folder.display());
    let entries = std::fs::read_dir(folder).with_context(context)?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|e| e.path())).collect();
    let mut images: Vec<PathBuf> = paths
        .with_context(context)?
        .into_iter()
        .filter(|path| is_image(path) && !is_hidden(path))
        .collect();
    ensure!(!images.is_empty(), "folder `{}` has no .png, .jpg or .jpeg files", folder.display());
    images.sort();
    Ok(images)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Reads images for an input of shape `[1, channels, height, width]`, or `[1, height, width]` for grey ones; the
/// result has their number in front. Sizes must match: nothing is scaled or cut. Colours and grey are converted.
pub(crate) fn read_images(paths: &[PathBuf], shape: &[usize]) -> Result<ArrayD<f64>> {
    let (channels, height, width) = match *shape {
        [1, channels @ (1 | 3), height, width] => (channels, height, width),
        [1, height, width] => (1, height, width),
        _ => bail!(
            "images go to an input of shape [1, 1 or 3, height, width], this network's has {shape:?}: give an .npy array"
        ),
    };
    let mut pixels = Vec::with_capacity(paths.len() * channels * height * width);
    for path in paths {
        let image = read_image(path, channels, (height, width));
        pixels.extend(image.with_context(|| path.display().to_string())?);
    }
    let array = Array4::from_shape_vec((paths.len(), channels, height, width), pixels)?.into_dyn();
    let mut full = shape.to_vec();
    full[0] = paths.len();
    Ok(array.into_shape_with_order(full)?)
}

fn read_image(path: &Path, channels: usize, (height, width): (usize, usize)) -> Result<Vec<f64>> {
    let bytes = bytes_file::read(path)?;
    let reader = || -> Result<_> {
        let mut reader = ImageReader::new(Cursor::new(bytes.clone())).with_guessed_format()?;
        let mut limits = Limits::default();
        limits.max_alloc = Some(MAX_DECODER_BYTES);
        reader.limits(limits);
        Ok(reader)
    };
    // The size is checked before anything of that size is allocated.
    let (w, h) = reader()?.into_dimensions()?;
    ensure!(
        (h as usize, w as usize) == (height, width),
        "the image is {w} pixels wide and {h} high, the network takes {width} by {height}"
    );
    let image = reader()?.decode()?;
    // 16 bits hold 8-bit pixels exactly: 255 becomes 65535.
    let unit = |x: &u16| f64::from(*x) / 65535.0;
    if channels == 1 {
        return Ok(image.into_luma16().iter().map(unit).collect());
    }
    let interleaved = image.into_rgb16();
    let channel = |c: usize| interleaved.iter().skip(c).step_by(3).map(unit);
    Ok((0..3).flat_map(channel).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, RgbImage};

    #[test]
    fn colours_become_channels() {
        let folder = tempfile::tempdir().unwrap();
        let colour = folder.path().join("b.png");
        RgbImage::from_raw(2, 1, vec![255, 0, 51, 0, 102, 0]).unwrap().save(&colour).unwrap();
        GrayImage::from_raw(2, 1, vec![255, 51])
            .unwrap()
            .save(folder.path().join("a.png"))
            .unwrap();
        std::fs::write(folder.path().join("._a.png"), b"not an image").unwrap();
        let both = list(folder.path()).unwrap();
        let array = read_images(&both, &[1, 3, 1, 2]).unwrap();
        assert_eq!(array.shape(), [2, 3, 1, 2]);
        let pixels: Vec<f64> = array.iter().copied().collect();
        assert_eq!(pixels, [1.0, 0.2, 1.0, 0.2, 1.0, 0.2, 1.0, 0.0, 0.0, 0.4, 0.2, 0.0]);
        assert_eq!(read_images(&both[..1], &[1, 1, 2]).unwrap().shape(), [1, 1, 2]);
    }

    #[test]
    fn other_sizes_and_other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        assert!(list(folder.path()).unwrap_err().to_string().contains("has no .png"));
        GrayImage::new(2, 3).save(&path).unwrap();
        let error =
            format!("{:#}", read_images(std::slice::from_ref(&path), &[1, 1, 4, 4]).unwrap_err());
        assert!(error.ends_with("2 pixels wide and 3 high, the network takes 4 by 4"), "{error}");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(read_images(std::slice::from_ref(&path), &[1, 1, 3, 2]).is_err());
        assert!(read_images(&[path], &[1, 10]).unwrap_err().to_string().contains("[1, 10]"));
    }
}
