//! `--normalize`: how pixels become what the network was trained on.

use anyhow::{Result, ensure};
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

/// Checks that there is one mean and deviation for each channel (dimension 1), or one for all.
pub(crate) fn check(normalization: &Normalization, shape: &[usize]) -> Result<()> {
    let found = normalization.mean.len();
    let channels = shape.get(1).copied().unwrap_or(1);
    ensure!(
        found == 1 || found == channels,
        "--normalize has {found} means, the network's input {shape:?} has {channels} channels"
    );
    Ok(())
}

/// `(x − mean) / std` for each channel (dimension 1).
pub(crate) fn apply(normalization: &Normalization, mut pixels: ArrayD<f64>) -> ArrayD<f64> {
    let Normalization { mean, std } = normalization;
    if mean.len() == 1 || pixels.ndim() < 2 {
        return (pixels - mean[0]) / std[0];
    }
    for ((mut channel, mean), std) in pixels.axis_iter_mut(Axis(1)).zip(mean).zip(std) {
        channel.mapv_inplace(|x| (x - mean) / std);
    }
    pixels
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
        let grey = parse("0.5,0.25").unwrap();
        assert_eq!((grey.mean, grey.std), (vec![0.5], vec![0.25]));
        let colour = parse("0.1, 0.2, 0.3 / 1, 2, 4").unwrap();
        assert_eq!(
            (&colour.mean[..], &colour.std[..]),
            (&[0.1, 0.2, 0.3][..], &[1.0, 2.0, 4.0][..])
        );
        for bad in ["0.5", "0.5,0.2,0.1", "1,2/3", "a,b", "0,0", "nan,1", "0,inf"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn channels_are_normalized_apart() {
        let colour = parse("0,0.5/1,0.25").unwrap();
        check(&colour, &[1, 2, 1, 1]).unwrap();
        assert!(check(&colour, &[1, 3, 1, 1]).is_err());
        let pixels = array![[[1.0], [1.0]], [[0.0], [0.0]]].into_dyn();
        assert_eq!(apply(&colour, pixels), array![[[1.0], [2.0]], [[0.0], [-2.0]]].into_dyn());
        assert_eq!(range(&colour), (-2.0, 2.0));
    }
}
