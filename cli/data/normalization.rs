//! `--normalize`: how pixels become what the network was trained on.

use anyhow::{Result, bail};
use hecc_grammar::plan::Normalization;
use ndarray::{ArrayD, Axis};

/// Reads `0.1307,0.3081`, or a list of means and one of deviations: `0.485,0.456,0.406/0.229,0.224,0.225`.
pub(crate) fn parse(text: &str) -> Result<Normalization, String> {
    let numbers = |list: &str| -> Result<Vec<f64>, String> {
        list.split(',').map(|number| parse_number(number.trim())).collect()
    };
    let (mean, std) = match text.split_once('/') {
        Some((mean, std)) => (numbers(mean)?, numbers(std)?),
        None => match numbers(text)?[..] {
            [mean, std] => (vec![mean], vec![std]),
            _ => return Err("expected `mean,std`, or `mean,mean,mean/std,std,std`".to_owned()),
        },
    };
    if mean.len() != std.len() {
        return Err(format!("{} means but {} deviations", mean.len(), std.len()));
    }
    match std.iter().find(|&&std| std <= 0.0) {
        Some(std) => Err(format!("a standard deviation is {std}, expected a positive number")),
        None => Ok(Normalization { mean, std }),
    }
}

/// Checks that there is one mean and deviation for each channel, or one for all.
pub(crate) fn check(normalization: &Normalization, shape: &[usize]) -> Result<()> {
    channel_axis(normalization, shape).map(|_| ())
}

/// `(x − mean) / std` for each channel, of images for an input of this shape.
pub(crate) fn apply(
    normalization: &Normalization,
    shape: &[usize],
    mut pixels: ArrayD<f64>,
) -> Result<ArrayD<f64>> {
    let Normalization { mean, std } = normalization;
    let Some(axis) = channel_axis(normalization, shape)? else {
        return Ok((pixels - mean[0]) / std[0]);
    };
    // The images are counted in place of a first dimension of 1, else before the shape.
    let axis = if shape.first() == Some(&1) { axis } else { axis + 1 };
    for ((mut channel, mean), std) in pixels.axis_iter_mut(Axis(axis)).zip(mean).zip(std) {
        channel.mapv_inplace(|x| (x - mean) / std);
    }
    Ok(pixels)
}

/// The dimension of the channels: the first one of an image, or the last; `None` if all are normalized alike.
fn channel_axis(normalization: &Normalization, shape: &[usize]) -> Result<Option<usize>> {
    let found = normalization.mean.len();
    if found == 1 {
        return Ok(None);
    }
    let first = usize::from(shape.first() == Some(&1));
    let last = shape.len().saturating_sub(1);
    match [first, last].map(|axis| shape.get(axis) == Some(&found)) {
        [true, true] if first != last => bail!(
            "--normalize has {found} means, and both dimension {first} and dimension {last} of the network's input {shape:?} \
             may be channels: give images as arrays of floats, normalized"
        ),
        [true, _] => Ok(Some(first)),
        [false, true] => Ok(Some(last)),
        [false, false] => {
            let channels = shape.get(first).copied().unwrap_or(1);
            bail!(
                "--normalize has {found} means, the network's input {shape:?} has {channels} channels"
            )
        }
    }
}

/// The range of normalized pixels.
pub(crate) fn range(normalization: &Normalization) -> (f64, f64) {
    let channels = normalization.mean.iter().zip(&normalization.std);
    channels.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), (mean, std)| {
        (lo.min(-mean / std), hi.max((1.0 - mean) / std))
    })
}

/// A finite number.
pub(crate) fn parse_number(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        _ => Err(format!("`{text}` is not a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn both_forms_are_read() {
        let gray = parse("0.5,0.25").unwrap();
        assert_eq!((gray.mean, gray.std), (vec![0.5], vec![0.25]));
        let color = parse("0.1, 0.2, 0.3 / 1, 2, 4").unwrap();
        assert_eq!((&color.mean[..], &color.std[..]), (&[0.1, 0.2, 0.3][..], &[1.0, 2.0, 4.0][..]));
        for bad in ["0.5", "0.5,0.2,0.1", "1,2/3", "a,b", "0,0", "nan,1", "0,inf"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn channels_are_normalized_apart() {
        let color = parse("0,0.5/1,0.25").unwrap();
        check(&color, &[1, 2, 1, 1]).unwrap();
        assert!(check(&color, &[1, 3, 1, 1]).is_err());
        assert!(check(&color, &[1, 2, 5, 2]).unwrap_err().to_string().contains("both dimension"));
        let last = array![[[[1.0, 1.0]], [[0.0, 0.0]], [[1.0, 0.0]]]].into_dyn();
        let normalized = array![[[[1.0, 2.0]], [[0.0, -2.0]], [[1.0, -2.0]]]].into_dyn();
        assert_eq!(apply(&color, &[1, 3, 1, 2], last.clone()).unwrap(), normalized);
        assert_eq!(apply(&color, &[3, 1, 2], last).unwrap(), normalized);
        let pixels = array![[[1.0], [1.0]], [[0.0], [0.0]]].into_dyn();
        let normalized = array![[[1.0], [2.0]], [[0.0], [-2.0]]].into_dyn();
        assert_eq!(apply(&color, &[1, 2, 1], pixels).unwrap(), normalized);
        assert_eq!(range(&color), (-2.0, 2.0));
    }
}
