//! Arrays in the shape of a network's input, the number of examples in front.

use anyhow::Result;
use ndarray::ArrayD;

use crate::terminal::failure::hinted;

/// Gives an array the shape of an input: the number of examples in place of its first dimension, if that is 1, else before
/// its shape. Dimensions of length 1 may be missing.
pub(crate) fn fit(array: &ArrayD<f64>, input: &str, shape: &[usize]) -> Result<ArrayD<f64>> {
    let fitted = fitted_shape(array.shape(), input, shape)?;
    // In the order of the indices, whatever the order in memory.
    Ok(ArrayD::from_shape_vec(fitted, array.iter().copied().collect())?)
}

/// The shape that [`fit`] gives to an array of shape `found`, for those who have not read it yet.
pub(crate) fn fitted_shape(found: &[usize], input: &str, shape: &[usize]) -> Result<Vec<usize>> {
    if found.contains(&0) {
        return Err(hinted(
            format!("no rows: the array has shape {found:?}"),
            "rows that were chosen by a condition may be none",
        ));
    }
    let takes_first = shape.first() == Some(&1);
    let wanted = squeezed(shape);
    let is_one = squeezed(found) == wanted;
    let several = found.first().copied().filter(|_| squeezed(&found[1..]) == wanted);
    let n_examples = match (is_one, several) {
        // A batch of examples of a single number each has as many as there are numbers.
        (_, Some(n)) if takes_first || !is_one => n,
        (true, _) => 1,
        (false, _) => return Err(refused(found, input, shape)),
    };
    let rest = if takes_first { &shape[1..] } else { shape };
    Ok([&[n_examples], rest].concat())
}

fn squeezed(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|&dim| dim != 1).collect()
}

fn refused(found: &[usize], input: &str, shape: &[usize]) -> anyhow::Error {
    let list = |shape: &[usize]| {
        let dims: Vec<String> = shape.iter().map(usize::to_string).collect();
        dims.join(", ")
    };
    let rest = if shape.first() == Some(&1) { &shape[1..] } else { shape };
    let mut several = vec!["n".to_owned()];
    several.extend(rest.iter().map(usize::to_string));
    let expected = match shape.first() == Some(&1) {
        true => format!("[{}]", several.join(", ")),
        false => format!("[{}], or [{}] for n inputs,", list(shape), several.join(", ")),
    };
    hinted(format!("shape {found:?}, expected {expected} for input `{input}`"), hint(found, rest))
}

/// What would make an array fit.
fn hint(found: &[usize], wanted: &[usize]) -> String {
    let of_image =
        |shape: &[usize]| shape.get(shape.len().wrapping_sub(3)..).map(<[usize]>::to_vec);
    if let (Some([a, b, c]), Some([x, y, z])) =
        (of_image(found).as_deref(), of_image(wanted).as_deref())
    {
        let axes = |image: &str| {
            if found.len() == 4 { format!("(0, {image})") } else { format!("({image})") }
        };
        let shift = if found.len() == 4 { ["3, 1, 2", "2, 3, 1"] } else { ["2, 0, 1", "1, 2, 0"] };
        if (a, b, c) == (y, z, x) {
            return format!(
                "the channels are last, the network takes them first: numpy.transpose(x, {})",
                axes(shift[0])
            );
        }
        if (a, b, c) == (z, x, y) {
            return format!(
                "the channels are first, the network takes them last: numpy.transpose(x, {})",
                axes(shift[1])
            );
        }
    }
    let dims: Vec<String> = wanted.iter().map(usize::to_string).collect();
    let regroup = format!("x.reshape(-1, {})", dims.join(", "));
    if found.len() == wanted.len() && found.len() > 1 && found[1..] == wanted[1..] {
        return format!("{} rows are one input of this network: {regroup} groups them", wanted[0]);
    }
    // Shapes that were found may be any.
    let count = |shape: &[usize]| shape.iter().try_fold(1usize, |n, &dim| n.checked_mul(dim));
    if found.len() > 1 && count(&found[1..]).is_some_and(|n| count(wanted) == Some(n)) {
        return format!("if the order of the numbers is the network's: {regroup}");
    }
    "dimensions of length 1 may be left out, no others".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::failure::hint_of;

    fn fitted(found: &[usize], shape: &[usize]) -> Option<Vec<usize>> {
        let array = fit(&ArrayD::zeros(found), "x", shape).ok()?;
        Some(array.shape().to_vec())
    }

    fn told(found: &[usize], shape: &[usize]) -> (String, String) {
        let error = fit(&ArrayD::zeros(found), "x", shape).unwrap_err();
        (error.to_string(), hint_of(&error).unwrap().to_owned())
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
        for wrong in [&[784][..], &[28, 27], &[5, 28, 28, 1, 2], &[0, 1, 28, 28], &[]] {
            assert_eq!(fitted(wrong, &mnist), None, "{wrong:?}");
        }
    }

    #[test]
    fn shapes_of_more_elements_than_there_are_numbers() {
        let error = fitted_shape(&[3, usize::MAX / 2, 94], "x", &[1, 3, 4, 4]).unwrap_err();
        assert_eq!(hint_of(&error).unwrap(), "dimensions of length 1 may be left out, no others");
    }

    #[test]
    fn inputs_without_a_batch() {
        assert_eq!(fitted(&[4, 3], &[4, 3]), Some(vec![1, 4, 3]));
        assert_eq!(fitted(&[1, 4, 3], &[4, 3]), Some(vec![1, 4, 3]));
        assert_eq!(fitted(&[8, 4, 3], &[4, 3]), Some(vec![8, 4, 3]));
        assert_eq!(fitted(&[4], &[4]), Some(vec![1, 4]));
        assert_eq!(fitted(&[300, 4], &[4]), Some(vec![300, 4]));
        assert_eq!(fitted(&[], &[]), Some(vec![1]));
        assert_eq!(fitted(&[300], &[]), Some(vec![300]));
        assert_eq!(fitted(&[300, 1], &[]), Some(vec![300]));
        assert_eq!(fitted(&[8, 3], &[4, 3]), None);
        let (error, hint) = told(&[8, 3], &[4, 3]);
        assert_eq!(hint, "4 rows are one input of this network: x.reshape(-1, 4, 3) groups them");
        assert_eq!(
            error,
            "shape [8, 3], expected [4, 3], or [n, 4, 3] for n inputs, for input `x`"
        );
    }

    #[test]
    fn what_would_help_is_said() {
        assert_eq!(told(&[0, 4], &[1, 4]).0, "no rows: the array has shape [0, 4]");
        let (error, hint) = told(&[9, 32, 32, 3], &[1, 3, 32, 32]);
        assert_eq!(error, "shape [9, 32, 32, 3], expected [n, 3, 32, 32] for input `x`");
        assert!(hint.ends_with("numpy.transpose(x, (0, 3, 1, 2))"), "{hint}");
        let hint = told(&[9, 3, 32, 32], &[1, 32, 32, 3]).1;
        assert!(hint.ends_with("numpy.transpose(x, (0, 2, 3, 1))"), "{hint}");
        assert!(told(&[32, 32, 3], &[1, 3, 32, 32]).1.ends_with("(x, (2, 0, 1))"));
        assert!(told(&[9, 784], &[1, 1, 28, 28]).1.ends_with("x.reshape(-1, 1, 28, 28)"));
        assert!(told(&[9, 5], &[1, 4]).1.contains("length 1"));
    }
}
