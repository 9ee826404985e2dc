//! Which elements of an input are of one kind: their ranges are observed together.

use hecc_grammar::plan::Ranges;
use ndarray::ArrayD;

/// Inputs of more elements than this without channels have one range: single elements are seen too seldom.
const MOST_FEATURES: usize = 1024;

/// Elements of an input that are observed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grouping {
    /// All.
    All,
    /// Those of a channel (dimension 1).
    Channel,
    /// Each for itself: the features of a table.
    Feature,
}

impl Grouping {
    /// That of an input of some shape.
    pub(super) fn of(shape: &[usize]) -> Grouping {
        let n_elements: usize = shape.iter().product();
        let per_channel = shape.get(2..).map_or(1, |inner| inner.iter().product());
        match shape.len() {
            3.. if per_channel > 1 => Grouping::Channel,
            _ if n_elements <= MOST_FEATURES => Grouping::Feature,
            _ => Grouping::All,
        }
    }

    /// The number of groups.
    pub(super) fn len(self, shape: &[usize]) -> usize {
        match self {
            Grouping::All => 1,
            Grouping::Channel => shape[1],
            Grouping::Feature => shape.iter().product(),
        }
    }

    /// The group of each element.
    pub(super) fn index(self, shape: &[usize]) -> Vec<usize> {
        let any = Ranges(vec![(0.0, 0.0); self.len(shape)]);
        (0..shape.iter().product()).map(|element| any.index(shape, element)).collect()
    }

    /// What a group is called.
    pub(super) fn name(self, group: usize) -> String {
        match self {
            Grouping::All => "the elements".to_owned(),
            Grouping::Channel => format!("channel {group}"),
            Grouping::Feature => format!("feature {group}"),
        }
    }
}

/// The elements of each input of a batch, one input after the other.
pub(super) fn rows<'a>(shape: &[usize], array: &'a ArrayD<f64>) -> Vec<Vec<&'a f64>> {
    let n_elements = shape.iter().product::<usize>().max(1);
    let elements: Vec<&f64> = array.iter().collect();
    elements.chunks(n_elements).map(<[&f64]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_features_and_images_channels() {
        assert_eq!(Grouping::of(&[1, 30]), Grouping::Feature);
        assert_eq!(Grouping::of(&[30]), Grouping::Feature);
        assert_eq!(Grouping::of(&[1, 30, 1]), Grouping::Feature);
        assert_eq!(Grouping::of(&[1, 3, 32, 32]), Grouping::Channel);
        assert_eq!(Grouping::of(&[1, 9, 128]), Grouping::Channel);
        assert_eq!(Grouping::of(&[1, 5000]), Grouping::All);
        assert_eq!(Grouping::Channel.index(&[1, 2, 2]), [0, 0, 1, 1]);
        assert_eq!(Grouping::Feature.index(&[1, 3]), [0, 1, 2]);
    }
}
