//! The weights of a node as a matrix: a row for each channel of the result, a column for each number that it is a sum of.

use std::borrow::Cow;

use hecc_grammar::model::{Const, Model, Op, Tensor, Window};
use ndarray::{Array2, ArrayD, ArrayView2, ArrayView3, Axis, Ix3};

use crate::interpret::Grid;

/// The weights of a convolution without groups, or of a matrix that multiplies from the right.
pub struct Weights<'a> {
    /// Where they are.
    pub constant: Const,
    /// `[results, features]`.
    pub matrix: Cow<'a, [f64]>,
    /// Number of results and of features.
    pub size: (usize, usize),
    /// The dimension of operand and result that they mix.
    pub axis: usize,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Convolution { window: &'a Window, kernel: [usize; 2], spatial: usize },
    Matrix,
}

impl<'a> Weights<'a> {
    /// Those of the node that computes a tensor, if it has any.
    pub fn of(model: &'a Model, tensor: Tensor) -> Option<Weights<'a>> {
        let op = &model.node(tensor).op;
        if let Op::Conv { weight, window, groups: 1, .. } = op {
            let array = model.array(*weight);
            let shape = array.shape();
            let kernel = if let [k] = shape[2..] { [1, k] } else { [shape[2], shape[3]] };
            return Some(Weights {
                constant: *weight,
                matrix: flat(array),
                size: (shape[0], shape[1] * kernel[0] * kernel[1]),
                axis: 1,
                kind: Kind::Convolution { window, kernel, spatial: shape.len() - 2 },
            });
        }
        let Op::MatMul { x, weight } = op else { return None };
        let array = model.array(*weight);
        let &[features, results] = array.shape() else { return None };
        Some(Weights {
            constant: *weight,
            matrix: Cow::Owned(array.t().iter().copied().collect()),
            size: (results, features),
            axis: model.shape(*x).len() - 1,
            kind: Kind::Matrix,
        })
    }

    /// Whether it is a matrix, and not a kernel that slides.
    pub fn is_matrix(&self) -> bool {
        matches!(self.kind, Kind::Matrix)
    }

    /// The place of the weight for a channel of the result, one of the operand, and an element of the kernel.
    pub fn place(&self, o: usize, i: usize, tap: usize) -> u32 {
        (o * self.size.1 + i * self.n_taps() + tap) as u32
    }

    /// Elements of the kernel; 1 for a matrix.
    pub fn n_taps(&self) -> usize {
        match &self.kind {
            Kind::Convolution { kernel, .. } => kernel[0] * kernel[1],
            Kind::Matrix => 1,
        }
    }

    /// The constant that holds another matrix.
    pub fn array(&self, model: &Model, matrix: &Array2<f64>) -> ArrayD<f64> {
        let shape = model.array(self.constant).shape();
        let numbers: Vec<f64> = match self.kind {
            Kind::Convolution { .. } => matrix.iter().copied().collect(),
            Kind::Matrix => matrix.t().iter().copied().collect(),
        };
        ArrayD::from_shape_vec(shape, numbers).expect("as many numbers as before")
    }

    /// What results are sums of, for one image: `[features, positions]`.
    pub fn features(&self, x: &ArrayD<f64>) -> Array2<f64> {
        match &self.kind {
            Kind::Convolution { window, kernel, spatial } => {
                let image = image(x, *spatial);
                let grid = Grid::new([image.shape()[1], image.shape()[2]], *kernel, window);
                grid.columns(image)
            }
            Kind::Matrix => rows(x).reversed_axes().to_owned(),
        }
    }

    /// The results for one image: `[results, positions]`.
    pub fn results(&self, y: &ArrayD<f64>) -> Array2<f64> {
        match &self.kind {
            Kind::Convolution { spatial, .. } => {
                let image = image(y, *spatial);
                let size = (image.shape()[0], image.shape()[1] * image.shape()[2]);
                let flat: Vec<f64> = image.iter().copied().collect();
                Array2::from_shape_vec(size, flat).expect("a number for each pixel")
            }
            Kind::Matrix => rows(y).reversed_axes().to_owned(),
        }
    }
}

fn flat(array: &ArrayD<f64>) -> Cow<'_, [f64]> {
    array.as_slice().map_or_else(|| Cow::Owned(array.iter().copied().collect()), Cow::Borrowed)
}

/// `[1, channels, spatial..]` as `[channels, height, width]`.
fn image(x: &ArrayD<f64>, spatial: usize) -> ArrayView3<'_, f64> {
    let view = x.index_axis(Axis(0), 0);
    let view = if spatial == 1 { view.insert_axis(Axis(1)) } else { view };
    view.into_dimensionality::<Ix3>().expect("one or two spatial dimensions")
}

/// The lanes along the last dimension.
fn rows(x: &ArrayD<f64>) -> ArrayView2<'_, f64> {
    let n = *x.shape().last().expect("a factor of a matrix has a dimension");
    let flat = x.as_slice().expect("values are in standard order");
    ArrayView2::from_shape((flat.len() / n.max(1), n), flat).expect("whole lanes")
}
