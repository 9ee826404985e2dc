//! `Resize` and `Upsample`: a linear map along each axis in turn.

use hecc_grammar::model::Tensor;

use super::resample::{Axis, Coordinates, Kernel, Nearest};
use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::value::Value;

pub(super) const RESIZE: Importer = Importer {
    op_type: "Resize",
    since: 10,
    supported: "`mode` nearest, linear, cubic; `antialias`, `axes`, `coordinate_transformation_mode`, `cubic_coeff_a`, `exclude_outside`, `keep_aspect_ratio_policy`, `nearest_mode`; constant scales or sizes",
    refused: "`coordinate_transformation_mode` tf_crop_and_resize; encrypted scales or sizes",
    import: resize,
};
pub(super) const UPSAMPLE: Importer = Importer {
    op_type: "Upsample",
    since: 7,
    supported: "`mode` nearest, linear; `scales` as attribute or constant input",
    refused: "encrypted scales",
    import: upsample,
};

/// How elements of the result are made of the data's.
enum Mode {
    Nearest(Nearest),
    Weighted { kernel: Kernel, exclude_outside: bool, antialias: bool },
}

fn resize(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    if node.opset < 11 {
        return floor_or_linear(node, 1, model);
    }
    let x = node.tensor(0, model)?;
    let from = model.shape(x);
    // A region has a meaning in one mode only, which is refused.
    node.value(1);
    let coordinates = coordinates(node)?;
    let (mode, antialias) = (mode(node)?, node.flag("antialias", false)?);
    node.ignore("extrapolation_value");
    let mode = match mode {
        Mode::Weighted { kernel, exclude_outside, .. } => {
            Mode::Weighted { kernel, exclude_outside, antialias }
        }
        Mode::Nearest(nearest) => Mode::Nearest(nearest),
    };
    let axes = match node.attr::<Vec<i64>>("axes")? {
        Some(axes) => axes.iter().map(|&a| shape::axis(a, from.len())).collect::<Result<_, _>>()?,
        None => (0..from.len()).collect::<Vec<usize>>(),
    };
    let axes = extents(node, &from, axes, coordinates)?;
    Ok(vec![apply(x, &axes, &mode, model)?.into()])
}

fn upsample(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    floor_or_linear(node, 1, model)
}

/// As before operator set 11: positions are divided by the scale, and which element is nearest depends on it.
fn floor_or_linear(
    node: &mut Node<'_>,
    scales_input: usize,
    model: &mut Builder,
) -> Result<Vec<Value>, Refused> {
    let x = node.tensor(0, model)?;
    let from = model.shape(x);
    let scales = match node.attr::<Vec<f64>>("scales")? {
        Some(scales) => scales,
        None => node.constant(scales_input)?.to_vec(),
    };
    let mode = match node.attr::<String>("mode")?.as_deref() {
        None | Some("nearest") => Mode::Nearest(Nearest::Outer),
        // The name in operator set 7.
        Some("linear" | "bilinear") => {
            Mode::Weighted { kernel: Kernel::Linear, exclude_outside: false, antialias: false }
        }
        Some(other) => return Err(unknown("mode", other, "nearest or linear")),
    };
    let all: Vec<usize> = (0..from.len()).collect();
    let axes = scaled(&from, all, &scales, Coordinates::Asymmetric)?;
    Ok(vec![apply(x, &axes, &mode, model)?.into()])
}

fn unknown(name: &str, found: &str, expected: &str) -> Refused {
    refuse(format!("attribute `{name}` is `{found}`, expected {expected}"))
}

fn coordinates(node: &mut Node<'_>) -> Result<Coordinates, Refused> {
    let name = "coordinate_transformation_mode";
    Ok(match node.attr::<String>(name)?.as_deref() {
        None | Some("half_pixel") => Coordinates::HalfPixel,
        Some("half_pixel_symmetric") => Coordinates::HalfPixelSymmetric,
        Some("pytorch_half_pixel") => Coordinates::PytorchHalfPixel,
        Some("tf_half_pixel_for_nn") => Coordinates::TfHalfPixelForNearest,
        Some("align_corners") => Coordinates::AlignCorners,
        Some("asymmetric") => Coordinates::Asymmetric,
        Some(other @ "tf_crop_and_resize") => {
            return Err(unknown(name, other, "one that takes the whole image")
                .instead("Slice to crop, then Resize with half_pixel"));
        }
        Some(other) => return Err(unknown(name, other, "a mode of ONNX")),
    })
}

fn mode(node: &mut Node<'_>) -> Result<Mode, Refused> {
    let nearest = match node.attr::<String>("nearest_mode")?.as_deref() {
        None | Some("round_prefer_floor" | "") => Nearest::RoundPreferFloor,
        Some("round_prefer_ceil") => Nearest::RoundPreferCeil,
        Some("floor") => Nearest::Floor,
        Some("ceil") => Nearest::Ceil,
        Some(other) => return Err(unknown("nearest_mode", other, "a mode of ONNX")),
    };
    let a = node.attr::<f64>("cubic_coeff_a")?.unwrap_or(-0.75);
    let exclude_outside = node.flag("exclude_outside", false)?;
    let weighted = |kernel| Mode::Weighted { kernel, exclude_outside, antialias: false };
    match node.attr::<String>("mode")?.as_deref() {
        None | Some("nearest") => Ok(Mode::Nearest(nearest)),
        Some("linear") => Ok(weighted(Kernel::Linear)),
        Some("cubic") if a.is_finite() => Ok(weighted(Kernel::Cubic { a })),
        Some("cubic") => Err(refuse(format!("attribute `cubic_coeff_a` is {a}"))),
        Some(other) => Err(unknown("mode", other, "nearest, linear or cubic")),
    }
}

/// The axes that change, from the inputs `scales` or `sizes`.
fn extents(
    node: &mut Node<'_>,
    from: &[usize],
    axes: Vec<usize>,
    coordinates: Coordinates,
) -> Result<Vec<(usize, Axis)>, Refused> {
    let policy = node.attr::<String>("keep_aspect_ratio_policy")?;
    let scales = node.optional_constant(2)?.filter(|scales| !scales.array.is_empty());
    let sizes = node.optional_constant(3)?.filter(|sizes| !sizes.array.is_empty());
    let sizes = match (scales, sizes) {
        (Some(scales), None) => return scaled(from, axes, &scales.to_vec(), coordinates),
        (None, Some(sizes)) => shape::counts(&sizes.to_integers()?, "the sizes")?,
        (Some(_), Some(_)) | (None, None) => {
            return Err(refuse("expected either scales or sizes"));
        }
    };
    check_count(sizes.len(), &axes, "sizes")?;
    let ratios = axes.iter().zip(&sizes).map(|(&axis, &to)| to as f64 / from[axis] as f64);
    let common = match policy.as_deref() {
        None | Some("stretch") => None,
        Some("not_larger") => ratios.reduce(f64::min),
        Some("not_smaller") => ratios.reduce(f64::max),
        Some(other) => return Err(unknown("keep_aspect_ratio_policy", other, "a policy of ONNX")),
    };
    let resized = |(axis, to): (usize, usize)| {
        let extent = from[axis];
        let (to, scale) = match common {
            Some(scale) => ((scale * extent as f64).round() as usize, scale),
            None => (to, to as f64 / extent as f64),
        };
        (axis, Axis { from: extent, to, scale, coordinates })
    };
    Ok(axes.into_iter().zip(sizes).map(resized).collect())
}

fn scaled(
    from: &[usize],
    axes: Vec<usize>,
    scales: &[f64],
    coordinates: Coordinates,
) -> Result<Vec<(usize, Axis)>, Refused> {
    check_count(scales.len(), &axes, "scales")?;
    let most = shape::MAX_ELEMENTS as f64;
    if let Some(bad) = scales.iter().find(|&&s| !(s > 0.0 && s <= most)) {
        return Err(refuse(format!("the scale {bad}, expected a positive number")));
    }
    let axis = |(axis, &scale): (usize, &f64)| {
        // Scales are stored as f32, and so every runtime multiplies; what is meant is so up to that only.
        let to = f64::from(from[axis] as f32 * scale as f32).min(most);
        let to = if (to - to.round()).abs() < 1e-5 * to { to.round() } else { to.floor() };
        (axis, Axis { from: from[axis], to: to as usize, scale, coordinates })
    };
    Ok(axes.into_iter().zip(scales).map(axis).collect())
}

fn check_count(found: usize, axes: &[usize], what: &str) -> Result<(), Refused> {
    match found == axes.len() {
        true => Ok(()),
        false => Err(refuse(format!("{found} {what}, expected {}", axes.len()))),
    }
}

fn apply(
    mut x: Tensor,
    axes: &[(usize, Axis)],
    mode: &Mode,
    model: &mut Builder,
) -> Result<Tensor, Refused> {
    let mut to = model.shape(x);
    axes.iter().for_each(|(axis, line)| to[*axis] = line.to);
    shape::elements(&to)?;
    for &(axis, line) in axes {
        if (line.from, line.scale) == (line.to, 1.0) {
            continue;
        }
        x = match *mode {
            Mode::Nearest(nearest) => model.gather(x, axis, line.nearest(nearest))?,
            Mode::Weighted { kernel, exclude_outside, antialias } => {
                model.spend(line.from.saturating_mul(line.to))?;
                let matrix = line.matrix(kernel, exclude_outside, antialias);
                model.mat_mul_along(x, axis, matrix)?
            }
        };
    }
    Ok(x)
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    /// Two elements resized by a factor, along the last dimension.
    fn line(scale: f32, attributes: &[(&str, Attr<'_>)]) -> Vec<f64> {
        let case = Case::new(13, &[1, 2]).floats("s", &[2], &[1.0, scale]);
        case.node("Resize", "x - s", "y", attributes).result(&[0.0, 4.0]).1
    }

    #[test]
    fn every_mode_along_a_line() {
        let linear = || ("mode", Attr::Text("linear"));
        let by = |mode| ("coordinate_transformation_mode", Attr::Text(mode));
        assert_eq!(line(2.0, &[]), [0.0, 0.0, 4.0, 4.0]);
        assert_eq!(line(1.5, &[("nearest_mode", Attr::Text("ceil"))]), [0.0, 4.0, 4.0]);
        assert_eq!(line(1.5, &[("nearest_mode", Attr::Text("floor"))]), [0.0, 0.0, 4.0]);
        assert_eq!(line(2.0, &[linear()]), [0.0, 1.0, 3.0, 4.0]);
        assert_eq!(line(2.0, &[linear(), by("asymmetric")]), [0.0, 2.0, 4.0, 4.0]);
        assert_eq!(line(1.5, &[linear(), by("align_corners")]), [0.0, 2.0, 4.0]);
        assert_eq!(line(0.5, &[linear(), by("pytorch_half_pixel")]), [0.0]);
        assert_eq!(line(0.5, &[linear()]), [2.0]);
        // A quarter before the first element, whose neighbors beyond the data it stands for itself.
        let cubic = line(2.0, &[("mode", Attr::Text("cubic"))])[0];
        assert!((cubic - 4.0 * -0.10546875).abs() < 1e-12, "{cubic}");
    }

    #[test]
    fn images_by_scales_or_sizes() {
        let case = Case::new(13, &[1, 1, 2, 2]).ints("s", &[1, 1, 4, 2]);
        let (shape, y) = case.node("Resize", "x - - s", "y", &[]).result(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!((shape, y), (vec![1, 1, 4, 2], vec![1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 4.0]));
        let old = Case::new(9, &[1, 1, 1, 2]).floats("s", &[4], &[1.0, 1.0, 2.0, 2.0]);
        let (shape, y) = old.node("Upsample", "x s", "y", &[]).result(&[1.0, 2.0]);
        assert_eq!((shape, y), (vec![1, 1, 2, 4], vec![1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]));
    }

    #[test]
    fn what_is_not_resized_is_said() {
        let crop = [("coordinate_transformation_mode", Attr::Text("tf_crop_and_resize"))];
        let case =
            |scales: &[f32]| Case::new(13, &[1, 2]).floats("s", &[scales.len() as i64], scales);
        let error = case(&[1.0, 2.0]).node("Resize", "x - s", "y", &crop).error();
        assert!(error.contains("instead: Slice to crop"), "{error}");
        assert!(case(&[2.0]).node("Resize", "x - s", "y", &[]).error().contains("1 scales"));
        assert!(case(&[1.0, -1.0]).node("Resize", "x - s", "y", &[]).error().contains("positive"));
        assert!(case(&[1.0, 1e9]).node("Resize", "x - s", "y", &[]).error().contains("positive"));
        assert!(case(&[1.0, 2.0]).node("Resize", "x", "y", &[]).error().contains("either scales"));
    }
}
