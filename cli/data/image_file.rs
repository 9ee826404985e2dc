//! PNG and JPEG images as arrays of pixels in [0, 1].

use std::io::Cursor;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use image::{ImageReader, Limits};
use ndarray::ArrayD;

use crate::files::{bytes_file, memory};
use crate::terminal::units;

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

/// Where the pixels of an image go in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    channels: usize,
    height: usize,
    width: usize,
    /// Whether the channels of a pixel are side by side, as TensorFlow has them.
    channels_last: bool,
}

/// Reads images for an input of shape `[1, channels, height, width]` or `[1, height, width, channels]`, for gray ones also
/// `[1, height, width]`, and all of these without the 1; the result has their number in front. Sizes must match: nothing
/// is scaled or cut. Colors and gray are converted.
pub(crate) fn read_images(paths: &[PathBuf], shape: &[usize]) -> Result<ArrayD<f64>> {
    let layouts = layouts(shape);
    if layouts.is_empty() {
        bail!(
            "images go to an input of shape [1, 1 or 3, height, width] or [1, height, width, 1 or 3], this network's has \
             {shape:?}: give an .npy array"
        );
    }
    let count = paths.len().saturating_mul(shape.iter().product::<usize>());
    let what = units::count(paths.len(), "image");
    memory::require((count as u64).saturating_mul(2 * size_of::<f64>() as u64), &what)?;
    let mut pixels = Vec::with_capacity(count);
    for path in paths {
        let image = read_image(path, &layouts, shape);
        pixels.extend(image.with_context(|| path.display().to_string())?);
    }
    let rest = if shape.first() == Some(&1) { &shape[1..] } else { shape };
    Ok(ArrayD::from_shape_vec([&[paths.len()], rest].concat(), pixels)?)
}

/// The layouts that a shape may mean.
fn layouts(shape: &[usize]) -> Vec<Layout> {
    let gray = |height, width| vec![Layout { channels: 1, height, width, channels_last: false }];
    let color = |a: usize, b: usize, c: usize| {
        let first = Layout { channels: a, height: b, width: c, channels_last: false };
        let last = Layout { channels: c, height: a, width: b, channels_last: true };
        [first, last].into_iter().filter(|layout| matches!(layout.channels, 1 | 3))
    };
    match *shape {
        [1, a, b, c] => color(a, b, c).collect(),
        [1, height, width] => {
            // A batch of gray images, or one image without a batch.
            let gray = gray(height, width).into_iter();
            gray.chain(color(1, height, width).filter(|layout| layout.channels == 3)).collect()
        }
        [a, b, c] => color(a, b, c).collect(),
        [height, width] if height > 1 => gray(height, width),
        _ => vec![],
    }
}

fn read_image(path: &Path, layouts: &[Layout], shape: &[usize]) -> Result<Vec<f64>> {
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
    let layout = choose(layouts, (w as usize, h as usize), shape)?;
    let image = reader()?.decode()?;
    // 16 bits hold 8-bit pixels exactly: 255 becomes 65535.
    let unit = |x: &u16| f64::from(*x) / 65535.0;
    if layout.channels == 1 {
        return Ok(image.into_luma16().iter().map(unit).collect());
    }
    let interleaved = image.into_rgb16();
    if layout.channels_last {
        return Ok(interleaved.iter().map(unit).collect());
    }
    let channel = |c: usize| interleaved.iter().skip(c).step_by(3).map(unit);
    Ok((0..3).flat_map(channel).collect())
}

/// The layout of an image of this width and height.
fn choose(layouts: &[Layout], (w, h): (usize, usize), shape: &[usize]) -> Result<Layout> {
    let fitting: Vec<Layout> =
        layouts.iter().copied().filter(|l| (l.width, l.height) == (w, h)).collect();
    match fitting[..] {
        [] => {
            let sizes: Vec<String> =
                layouts.iter().map(|l| format!("{} by {}", l.width, l.height)).collect();
            bail!(
                "the image is {w} pixels wide and {h} high, the network takes {}",
                sizes.join(" or ")
            )
        }
        [only] => Ok(only),
        // Gray images are the same numbers in any layout.
        [first, ..] if fitting.iter().all(|layout| layout.channels == 1) => Ok(first),
        _ => bail!(
            "the channels of input {shape:?} may be its first or its last dimension, and images of {w} by {h} fit both: \
             give an .npy array"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, RgbImage};

    #[test]
    fn colors_become_channels() {
        let folder = tempfile::tempdir().unwrap();
        let color = folder.path().join("b.png");
        RgbImage::from_raw(2, 1, vec![255, 0, 51, 0, 102, 0]).unwrap().save(&color).unwrap();
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
    fn channels_may_be_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        RgbImage::from_raw(2, 1, vec![255, 0, 51, 0, 102, 0]).unwrap().save(&path).unwrap();
        let read = |shape: &[usize]| read_images(std::slice::from_ref(&path), shape);
        let pixels =
            |shape: &[usize]| -> Vec<f64> { read(shape).unwrap().iter().copied().collect() };
        let (last, first) = ([1.0, 0.0, 0.2, 0.0, 0.4, 0.0], [1.0, 0.0, 0.0, 0.4, 0.2, 0.0]);
        assert_eq!(pixels(&[1, 1, 2, 3]), last);
        assert_eq!(pixels(&[1, 3, 1, 2]), first);
        assert_eq!(pixels(&[3, 1, 2]), first);
        assert_eq!(read(&[3, 1, 2]).unwrap().shape(), [1, 3, 1, 2]);
        assert_eq!(pixels(&[1, 2, 3]), last);
        assert_eq!(read(&[1, 1, 2, 1]).unwrap().shape(), [1, 1, 2, 1]);
        // The size tells the layouts apart, unless all are equal.
        let square = folder.path().join("b.png");
        RgbImage::new(3, 3).save(&square).unwrap();
        let error = read_images(&[square], &[1, 3, 3, 3]).unwrap_err();
        assert!(format!("{error:#}").contains("first or its last dimension"), "{error:#}");
        let error = format!("{:#}", read(&[1, 5, 4, 3]).unwrap_err());
        assert!(error.ends_with("2 pixels wide and 1 high, the network takes 4 by 5"), "{error}");
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
