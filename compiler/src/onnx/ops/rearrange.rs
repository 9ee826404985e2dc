//! `DepthToSpace`, `SpaceToDepth` and `Tile`: elements that move and repeat.

use hecc_grammar::model::Tensor;

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::value::Value;

pub(super) const DEPTH_TO_SPACE: Importer = Importer {
    op_type: "DepthToSpace",
    since: 7,
    supported: "`blocksize`, `mode` DCR and CRD",
    refused: "",
    import: depth_to_space,
};
pub(super) const SPACE_TO_DEPTH: Importer = Importer {
    op_type: "SpaceToDepth",
    since: 7,
    supported: "`blocksize`",
    refused: "",
    import: space_to_depth,
};
pub(super) const TILE: Importer = Importer {
    op_type: "Tile",
    since: 7,
    supported: "constant repeats",
    refused: "",
    import: tile,
};

fn depth_to_space(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let (x, [n, c, h, w], b) = image_and_block(node, model)?;
    let mode = node.attr::<String>("mode")?;
    if c % (b * b) != 0 {
        return Err(refuse(format!("{c} channels, expected a multiple of {b}·{b}")));
    }
    let (to, perm) = match mode.as_deref() {
        None | Some("DCR") => ([n, b, b, c / (b * b), h, w], [0, 3, 4, 1, 5, 2]),
        Some("CRD") => ([n, c / (b * b), b, b, h, w], [0, 1, 4, 2, 5, 3]),
        Some(other) => {
            return Err(refuse(format!("attribute `mode` is `{other}`, expected DCR or CRD")));
        }
    };
    let x = model.reshape(x, to.to_vec())?;
    let x = model.transpose(x, perm.to_vec())?;
    Ok(vec![model.reshape(x, vec![n, c / (b * b), h * b, w * b])?.into()])
}

fn space_to_depth(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let (x, [n, c, h, w], b) = image_and_block(node, model)?;
    if h % b != 0 || w % b != 0 {
        return Err(refuse(format!("an image of {h} by {w}, expected multiples of {b}")));
    }
    let x = model.reshape(x, vec![n, c, h / b, b, w / b, b])?;
    let x = model.transpose(x, vec![0, 3, 5, 1, 2, 4])?;
    Ok(vec![model.reshape(x, vec![n, c * b * b, h / b, w / b])?.into()])
}

/// Input 0, which must be `[n, c, h, w]`, and the attribute `blocksize`.
fn image_and_block(
    node: &mut Node<'_>,
    model: &mut Builder,
) -> Result<(Tensor, [usize; 4], usize), Refused> {
    let x = node.tensor(0, model)?;
    let shape = model.shape(x);
    let extents = <[usize; 4]>::try_from(&shape[..]).map_err(|_| {
        refuse(format!("input 0 has shape {shape:?}, expected [n, c, height, width]"))
    })?;
    let block = node.attr::<i64>("blocksize")?.and_then(|b| usize::try_from(b).ok());
    let block = block.filter(|b| (1..=1 << 14).contains(b));
    let block = block.ok_or_else(|| refuse("attribute `blocksize` is missing or not positive"))?;
    Ok((x, extents, block))
}

fn tile(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let mut x = node.tensor(0, model)?;
    let repeats = shape::counts(&node.constant(1)?.to_integers()?, "the repeats")?;
    let from = model.shape(x);
    if repeats.len() != from.len() {
        return Err(refuse(format!(
            "repeats {repeats:?} of shape {from:?}, expected one for each"
        )));
    }
    // So large a result is refused before indices are written down.
    shape::count(
        &from.iter().zip(&repeats).map(|(d, r)| d.saturating_mul(*r)).collect::<Vec<_>>(),
    )?;
    for (axis, (&extent, &times)) in from.iter().zip(&repeats).enumerate() {
        if times != 1 {
            let indices = (0..extent * times).map(|i| i % extent).collect();
            x = model.gather(x, axis, indices)?;
        }
    }
    Ok(vec![x.into()])
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    fn numbers(n: usize) -> Vec<f64> {
        (0..n).map(|i| i as f64).collect()
    }

    #[test]
    fn blocks_become_channels_and_back() {
        let block = || ("blocksize", Attr::Int(2));
        let case = |mode| {
            Case::new(13, &[1, 8, 1, 1]).node(
                "DepthToSpace",
                "x",
                "y",
                &[block(), ("mode", Attr::Text(mode))],
            )
        };
        let (shape, y) = case("DCR").result(&numbers(8));
        assert_eq!((shape, y), (vec![1, 2, 2, 2], vec![0.0, 2.0, 4.0, 6.0, 1.0, 3.0, 5.0, 7.0]));
        assert_eq!(case("CRD").result(&numbers(8)).1, numbers(8));
        assert!(case("RCD").error().contains("expected DCR or CRD"));
        let there_and_back = Case::new(13, &[1, 4, 2, 3])
            .node("DepthToSpace", "x", "t", &[block()])
            .node("SpaceToDepth", "t", "y", &[block()]);
        assert_eq!(there_and_back.result(&numbers(24)), (vec![1, 4, 2, 3], numbers(24)));
        let odd = Case::new(13, &[1, 1, 3, 2]).node("SpaceToDepth", "x", "y", &[block()]);
        assert!(odd.error().contains("3 by 2, expected multiples of 2"));
        let flat = Case::new(13, &[1, 4]).node("DepthToSpace", "x", "y", &[block()]);
        assert!(flat.error().contains("expected [n, c, height, width]"));
    }

    #[test]
    fn tiles_repeat() {
        let case = |repeats: &[i64]| {
            Case::new(13, &[1, 2]).ints("r", repeats).node("Tile", "x r", "y", &[])
        };
        let (shape, y) = case(&[2, 2]).result(&[1.0, 2.0]);
        assert_eq!((shape, y), (vec![2, 4], vec![1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0]));
        assert!(case(&[2]).error().contains("expected one for each"));
        assert!(case(&[1 << 27, 1 << 27]).error().contains("more than"));
    }
}
