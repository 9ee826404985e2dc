//! Inputs of a network, and labels: arrays and images, their shapes checked.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use hecc_compiler::calibrate::Targets;
use hecc_compiler::pass::lift_quantizers::input_quantizers;
use hecc_grammar::model::{Model, Node, Quantizer};
use hecc_grammar::plan::{Input, Normalization};
use ndarray::{ArrayD, Axis, Slice};

use crate::data::array_file::ArrayFile;
use crate::data::fit::{fit, fitted_shape};
use crate::data::labels::{LabelSpec, Labels};
use crate::data::npy::Array;
use crate::data::sources::{self, Source};
use crate::data::whole_numbers::{self, WholeNumbers};
use crate::data::{image_file, normalization};
use crate::files::stream;

/// What a network takes.
#[derive(Clone, Copy)]
pub(crate) struct InputSpec<'a> {
    /// Name of the input.
    pub(crate) name: &'a str,
    /// Its shape, perhaps a batch of one in front.
    pub(crate) shape: &'a [usize],
    /// What is done to pixels.
    pub(crate) normalization: Option<&'a Normalization>,
    /// The whole numbers that it takes as they are, if it does.
    pub(crate) whole: Option<WholeNumbers>,
}

/// A set of inputs.
pub(crate) struct Dataset {
    /// One array for each input of the network, all with the same number of examples in front.
    pub(crate) inputs: Vec<ArrayD<f64>>,
    /// What results should be.
    pub(crate) targets: Option<Targets>,
}

/// The inputs of a model.
pub(crate) fn specs_of_model<'a>(
    model: &'a Model,
    normalization: Option<&'a Normalization>,
) -> Vec<InputSpec<'a>> {
    let quantizers = input_quantizers(model);
    let spec = |((_, node), quantizer): ((_, &'a Node), Option<Quantizer>)| InputSpec {
        name: &node.name,
        shape: &node.shape,
        normalization,
        whole: quantizer.as_ref().and_then(whole_numbers::of_quantizer),
    };
    model.inputs().zip(quantizers).map(spec).collect()
}

/// The inputs of a plan.
pub(crate) fn specs_of_inputs(inputs: &[Input]) -> Vec<InputSpec<'_>> {
    inputs
        .iter()
        .map(|input| InputSpec {
            name: &input.name,
            shape: &input.shape,
            normalization: input.normalization.as_ref(),
            whole: input.quantizer.as_ref().and_then(whole_numbers::of_quantizer),
        })
        .collect()
}

impl Dataset {
    /// Reads a set from an `.npz` (arrays `x`, or named as the inputs, and perhaps `y`), an `.npy`, an image, or a
    /// folder of images.
    pub(crate) fn read(
        path: &Path,
        specs: &[InputSpec<'_>],
        label_spec: LabelSpec,
    ) -> Result<Dataset> {
        let inputs = read_inputs(&[path.into()], specs)?;
        let has_labels = !path.is_dir() && !image_file::is_image(path);
        let labels =
            if has_labels { Labels::read(path, n_examples(&inputs), label_spec)? } else { None };
        let targets = labels.map(|labels| labels.targets(n_examples(&inputs), label_spec));
        let targets = targets.transpose().with_context(|| path.display().to_string())?;
        Ok(Dataset { inputs, targets })
    }

    /// The number of examples.
    pub(crate) fn len(&self) -> usize {
        n_examples(&self.inputs)
    }

    /// The first examples only.
    pub(crate) fn truncate(&mut self, limit: usize) {
        let n = self.len().min(limit);
        self.inputs.iter_mut().for_each(|array| *array = slice(array, 0..n));
        let first: Vec<usize> = (0..n).collect();
        self.targets = self.targets.as_ref().map(|targets| targets.select(&first));
    }
}

/// Examples `range` of an array.
pub(crate) fn slice(array: &ArrayD<f64>, range: std::ops::Range<usize>) -> ArrayD<f64> {
    array.slice_axis(Axis(0), Slice::from(range)).to_owned()
}

/// Reads the inputs of a network from files, as [`sources::assign`] matches them: each an `.npy`, an `.npz`, an image or a
/// folder of images.
pub(crate) fn read_inputs(given: &[OsString], specs: &[InputSpec<'_>]) -> Result<Vec<ArrayD<f64>>> {
    let names: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
    let sources = sources::assign(given, &names)?;
    let inputs: Vec<ArrayD<f64>> = sources
        .iter()
        .zip(specs)
        .map(|(source, spec)| read_source(source, spec))
        .collect::<Result<_>>()?;
    for (input, spec) in inputs.iter().zip(specs) {
        let (found, expected) = (input.shape()[0], n_examples(&inputs));
        ensure!(
            found == expected,
            "input `{}` has {found} examples, input `{}` has {expected}",
            spec.name,
            specs[0].name
        );
    }
    Ok(inputs)
}

fn n_examples(inputs: &[ArrayD<f64>]) -> usize {
    inputs.first().map_or(0, |array| array.shape()[0])
}

fn read_source(source: &Source, spec: &InputSpec<'_>) -> Result<ArrayD<f64>> {
    let Source { path, member } = source;
    let place = || stream::input_name(path);
    let array = if path.is_dir() {
        pixels(image_file::read_images(&image_file::list(path)?, spec.shape)?, spec)?
    } else if image_file::is_image(path) {
        pixels(image_file::read_images(std::slice::from_ref(path), spec.shape)?, spec)?
    } else {
        let mut file = ArrayFile::open(path)?;
        let name = file.choose(member.as_deref(), spec.name)?;
        let fits = |found: &[usize]| fitted_shape(found, spec.name, spec.shape).map(drop);
        let Array { data, is_bytes, .. } = file.read(&name, fits)?;
        let array = fit(&data, spec.name, spec.shape).with_context(place)?;
        // Bytes are pixels, as in an image, unless the network itself takes them for what they are.
        if is_bytes && spec.whole.is_none() { pixels(array / 255.0, spec)? } else { array }
    };
    if let Some((index, x)) = array.iter().enumerate().find(|(_, x)| !x.is_finite()) {
        let per_row = array.len() / array.shape()[0];
        let (row, element) = (index / per_row, index % per_row);
        bail!("{}: row {row}, element {element} is {x}, expected a finite number", place());
    }
    if let Some(whole) = spec.whole {
        whole.check(spec.name, &array).with_context(place)?;
    }
    Ok(array)
}

/// What the network takes for pixels in [0, 1].
fn pixels(array: ArrayD<f64>, spec: &InputSpec<'_>) -> Result<ArrayD<f64>> {
    match (spec.whole, spec.normalization) {
        (Some(whole), _) => whole.of_pixels(spec.name, array),
        (None, Some(normalization)) => normalization::apply(normalization, spec.shape, array),
        (None, None) => Ok(array),
    }
}
