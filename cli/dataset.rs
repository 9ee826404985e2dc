//! Inputs of a network, and labels: arrays and images, their shapes checked.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use hecc_grammar::model::Model;
use hecc_grammar::plan::{Normalization, Plan};
use ndarray::{ArrayD, Axis, Slice};

use crate::array_file::ArrayFile;
use crate::failure::hinted;
use crate::npy::Array;
use crate::{image_file, normalization};

/// What a network takes.
#[derive(Clone, Copy)]
pub(crate) struct InputSpec<'a> {
    /// Name of the input.
    pub(crate) name: &'a str,
    /// Its shape, a batch of one in front.
    pub(crate) shape: &'a [usize],
    /// What is done to pixels.
    pub(crate) normalization: Option<&'a Normalization>,
}

/// A set of inputs.
pub(crate) struct Dataset {
    /// One array for each input of the network, all with the same number of images in front.
    pub(crate) inputs: Vec<ArrayD<f64>>,
    /// The right class of each image.
    pub(crate) labels: Option<Vec<usize>>,
}

/// The inputs of a model.
pub(crate) fn specs_of_model<'a>(
    model: &'a Model,
    normalization: Option<&'a Normalization>,
) -> Vec<InputSpec<'a>> {
    let nodes = model.inputs();
    nodes
        .map(|(_, node)| InputSpec { name: &node.name, shape: &node.shape, normalization })
        .collect()
}

/// The inputs of a plan.
pub(crate) fn specs_of_plan(plan: &Plan) -> Vec<InputSpec<'_>> {
    let inputs = plan.inputs.iter();
    inputs
        .map(|input| InputSpec {
            name: &input.name,
            shape: &input.shape,
            normalization: input.normalization.as_ref(),
        })
        .collect()
}

impl Dataset {
    /// Reads a set from an `.npz` (arrays `x`, or named as the inputs, and perhaps `y`), an `.npy`, an image, or a
    /// folder of images.
    pub(crate) fn read(path: &Path, specs: &[InputSpec<'_>]) -> Result<Dataset> {
        let source = path.as_os_str().to_owned();
        let inputs = read_inputs(std::slice::from_ref(&source), specs)?;
        let has_labels = !path.is_dir() && !image_file::is_image(path);
        let labels = if has_labels { read_labels(path, n_images(&inputs))? } else { None };
        Ok(Dataset { inputs, labels })
    }

    /// The number of images.
    pub(crate) fn len(&self) -> usize {
        n_images(&self.inputs)
    }

    /// Only the images of those numbers.
    pub(crate) fn keep(&mut self, images: &[usize]) {
        self.inputs.iter_mut().for_each(|array| *array = array.select(Axis(0), images));
        if let Some(labels) = &mut self.labels {
            *labels = images.iter().map(|&image| labels[image]).collect();
        }
    }

    /// The first images only.
    pub(crate) fn truncate(&mut self, limit: usize) {
        let n = self.len().min(limit);
        self.inputs.iter_mut().for_each(|array| *array = slice(array, 0..n));
        if let Some(labels) = &mut self.labels {
            labels.truncate(n);
        }
    }
}

/// Images `range` of an array.
pub(crate) fn slice(array: &ArrayD<f64>, range: std::ops::Range<usize>) -> ArrayD<f64> {
    array.slice_axis(Axis(0), Slice::from(range)).to_owned()
}

/// Image `index` of `n_images`, each input flattened.
pub(crate) fn image(inputs: &[ArrayD<f64>], index: usize, n_images: usize) -> Vec<Vec<f64>> {
    let part = |array: &ArrayD<f64>| {
        let len = array.len() / n_images;
        array.iter().skip(index * len).take(len).copied().collect()
    };
    inputs.iter().map(part).collect()
}

/// Reads one source for each input, in order, or all of them from one `.npz`. A source is an `.npy`, an `.npz` (with
/// `:NAME` for one of its arrays), an image or a folder of images.
pub(crate) fn read_inputs(
    sources: &[OsString],
    specs: &[InputSpec<'_>],
) -> Result<Vec<ArrayD<f64>>> {
    let pairs: Vec<(&OsString, &InputSpec<'_>)> = match sources {
        [only] => specs.iter().map(|spec| (only, spec)).collect(),
        _ => sources.iter().zip(specs).collect(),
    };
    if sources.len() > specs.len() || pairs.len() < specs.len() {
        let names: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
        bail!(
            "{} inputs were given, the network has {} ({})",
            sources.len(),
            specs.len(),
            names.join(", ")
        );
    }
    let inputs: Vec<ArrayD<f64>> =
        pairs.into_iter().map(|(source, spec)| read_source(source, spec)).collect::<Result<_>>()?;
    for (input, spec) in inputs.iter().zip(specs) {
        let (found, expected) = (input.shape()[0], n_images(&inputs));
        ensure!(
            found == expected,
            "input `{}` has {found} images, input `{}` has {expected}",
            spec.name,
            specs[0].name
        );
    }
    Ok(inputs)
}

fn n_images(inputs: &[ArrayD<f64>]) -> usize {
    inputs.first().map_or(0, |array| array.shape()[0])
}

fn read_source(source: &OsStr, spec: &InputSpec<'_>) -> Result<ArrayD<f64>> {
    let (path, member) = split_member(source);
    let array = if path.is_dir() {
        pixels(image_file::read_images(&image_file::list(&path)?, spec.shape)?, spec)
    } else if image_file::is_image(&path) {
        pixels(image_file::read_images(&[path], spec.shape)?, spec)
    } else {
        let mut file = ArrayFile::open(&path)?;
        let name = file.choose(member, spec.name)?;
        let Array { data, is_bytes } = file.read(&name)?;
        let array = fit(data, spec).with_context(|| path.display().to_string())?;
        // Bytes are pixels, as in an image.
        if is_bytes { pixels(array / 255.0, spec) } else { array }
    };
    if let Some((index, x)) = array.iter().enumerate().find(|(_, x)| !x.is_finite()) {
        let per_row = array.len() / array.shape()[0];
        let (row, element) = (index / per_row, index % per_row);
        bail!(
            "{}: row {row}, element {element} is {x}, expected a finite number",
            source.to_string_lossy()
        );
    }
    Ok(array)
}

/// A path, and the array named after its last colon, if the whole is no path.
fn split_member(source: &OsStr) -> (PathBuf, Option<&str>) {
    match split_colon(source) {
        Some((path, member)) if !Path::new(source).exists() => (path.into(), Some(member)),
        _ => (source.into(), None),
    }
}

/// The file of a source, without the name of an array.
pub(crate) fn path_of(source: &OsStr) -> PathBuf {
    split_member(source).0
}

/// What is before and after the last colon; of a path that is no text too.
#[cfg(unix)]
fn split_colon(source: &OsStr) -> Option<(&OsStr, &str)> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = source.as_bytes();
    let colon = bytes.iter().rposition(|&byte| byte == b':')?;
    let member = std::str::from_utf8(&bytes[colon + 1..]).ok()?;
    Some((OsStr::from_bytes(&bytes[..colon]), member))
}

/// What is before and after the last colon.
#[cfg(not(unix))]
fn split_colon(source: &OsStr) -> Option<(&OsStr, &str)> {
    let (path, member) = source.to_str()?.rsplit_once(':')?;
    Some((OsStr::new(path), member))
}

fn pixels(array: ArrayD<f64>, spec: &InputSpec<'_>) -> ArrayD<f64> {
    match spec.normalization {
        Some(normalization) => normalization::apply(normalization, array),
        None => array,
    }
}

/// Gives an array the shape of the input, the number of images in front. Dimensions of length 1 may be missing.
fn fit(array: ArrayD<f64>, spec: &InputSpec<'_>) -> Result<ArrayD<f64>> {
    let squeezed =
        |shape: &[usize]| -> Vec<usize> { shape.iter().copied().filter(|&dim| dim != 1).collect() };
    let found = array.shape().to_vec();
    let takes_batch = spec.shape.first() == Some(&1);
    let image = squeezed(spec.shape);
    let mut shape = spec.shape.to_vec();
    if takes_batch && found.first().is_some_and(|&n| n > 0) && squeezed(&found[1..]) == image {
        shape[0] = found[0];
    } else if squeezed(&found) != image || shape.is_empty() {
        let mut expected: Vec<String> = spec.shape.iter().map(usize::to_string).collect();
        if takes_batch {
            expected[0] = "n".to_owned();
        }
        return Err(hinted(
            format!(
                "shape {found:?}, expected [{}] for input `{}`",
                expected.join(", "),
                spec.name
            ),
            "dimensions of length 1 may be left out; transposed images (height, width, channels) are not converted",
        ));
    }
    // In the order of the indices, whatever the order in memory.
    Ok(ArrayD::from_shape_vec(shape, array.iter().copied().collect())?)
}

fn read_labels(path: &Path, n_images: usize) -> Result<Option<Vec<usize>>> {
    let mut file = ArrayFile::open(path)?;
    if !file.names().iter().any(|name| name == "y") {
        return Ok(None);
    }
    let labels = file.read("y")?.data;
    ensure!(
        labels.len() == n_images,
        "{}: labels `y` have shape {:?}, expected [{n_images}]: one class for each image",
        path.display(),
        labels.shape()
    );
    let class = |&y: &f64| {
        let is_class = y >= 0.0 && y.fract() == 0.0 && y < 1e9;
        ensure!(is_class, "{}: label {y} is not a class 0, 1, 2, ...", path.display());
        Ok(y as usize)
    };
    labels.iter().map(class).collect::<Result<_>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(found: &[usize], shape: &[usize]) -> Option<Vec<usize>> {
        let spec = InputSpec { name: "x", shape, normalization: None };
        fit(ArrayD::zeros(found), &spec).ok().map(|array| array.shape().to_vec())
    }

    #[test]
    fn dimensions_of_length_one_may_be_missing() {
        let mnist = [1, 1, 28, 28];
        assert_eq!(fitted(&[28, 28], &mnist), Some(vec![1, 1, 28, 28]));
        assert_eq!(fitted(&[1, 28, 28], &mnist), Some(vec![1, 1, 28, 28]));
        assert_eq!(fitted(&[5, 28, 28], &mnist), Some(vec![5, 1, 28, 28]));
        assert_eq!(fitted(&[5, 1, 28, 28], &mnist), Some(vec![5, 1, 28, 28]));
        assert_eq!(fitted(&[3], &[1, 3]), Some(vec![1, 3]));
        assert_eq!(fitted(&[3], &[1, 1]), Some(vec![3, 1]));
        assert_eq!(fitted(&[4, 3], &[4, 3]), Some(vec![4, 3]));
        for wrong in [&[784][..], &[28, 27], &[5, 28, 28, 1, 2], &[0, 1, 28, 28], &[]] {
            assert_eq!(fitted(wrong, &mnist), None, "{wrong:?}");
        }
        assert_eq!(fitted(&[8, 3], &[4, 3]), None);
    }

    #[test]
    fn arrays_of_archives_are_named_after_a_colon() {
        assert_eq!(split_member(OsStr::new("a.npz:x")), ("a.npz".into(), Some("x")));
        assert_eq!(split_member(OsStr::new("a.npz")), ("a.npz".into(), None));
    }
}
