//! Convolution and average pooling over one or two spatial dimensions.
//!
//! One dimension is computed as two, the first of which has length 1.

use std::ops::Range;

use hecc_grammar::model::Window;
use ndarray::{
    Array2, ArrayD, ArrayView1, ArrayView2, ArrayView3, ArrayView4, Axis, linalg::general_mat_mul,
    s,
};
use num_traits::Zero;

/// `[n, c_in, spatial..]` with `[c_out, c_in / groups, kernel..]` to `[n, c_out, spatial..]`.
pub(super) fn conv(
    x: &ArrayD<f64>,
    weight: &ArrayD<f64>,
    bias: Option<&ArrayD<f64>>,
    window: &Window,
    groups: usize,
) -> ArrayD<f64> {
    let (x4, w4) = (as_images(x), as_images(weight));
    let [c_out, c_in] = [0, 1].map(|d| w4.shape()[d]);
    let size = [x4.shape()[2], x4.shape()[3]];
    let grid = Grid::new(size, [w4.shape()[2], w4.shape()[3]], window);
    let rows_of_taps = grid.rows_of_taps(&w4);
    let per_group = c_out / groups;
    let mut out = ndarray::Array3::<f64>::zeros((x4.shape()[0], c_out, grid.pixels()));
    for (image, mut result) in x4.outer_iter().zip(out.outer_iter_mut()) {
        for g in 0..groups {
            let lines = grid.lines(image.slice(s![g * c_in..(g + 1) * c_in, .., ..]));
            let outputs = g * per_group..(g + 1) * per_group;
            let mut target = result.slice_mut(s![outputs.clone(), ..]);
            for (ky, taps) in rows_of_taps.iter().enumerate() {
                let met = lines.slice(s![.., grid.met_by(ky)]);
                general_mat_mul(1.0, &taps.slice(s![outputs.clone(), ..]), &met, 1.0, &mut target);
            }
        }
        if let Some(bias) = bias {
            for (mut row, b) in result.outer_iter_mut().zip(bias) {
                row += *b;
            }
        }
    }
    out.into_shape_with_order(grid.shape(x, c_out)).expect("one element for each pixel")
}

/// `[n, c, spatial..]`, averaged over windows.
pub(super) fn average_pool(
    x: &ArrayD<f64>,
    kernel: &[usize],
    window: &Window,
    count_include_pad: bool,
) -> ArrayD<f64> {
    let x4 = as_images(x);
    let channels = x4.shape()[1];
    let kernel = if let [k] = *kernel { [1, k] } else { [kernel[0], kernel[1]] };
    let grid = Grid::new([x4.shape()[2], x4.shape()[3]], kernel, window);
    let inside = grid.columns(
        ArrayView3::from_shape(
            (1, x4.shape()[2], x4.shape()[3]),
            &vec![1.0; x4.shape()[2] * x4.shape()[3]],
        )
        .expect("one element for each pixel"),
    );
    let divisors =
        inside.sum_axis(Axis(0)).mapv(|n| if count_include_pad { grid.taps() as f64 } else { n });
    let mut out = ndarray::Array3::<f64>::zeros((x4.shape()[0], channels, grid.pixels()));
    for (image, mut result) in x4.outer_iter().zip(out.outer_iter_mut()) {
        for (channel, mut row) in image.outer_iter().zip(result.outer_iter_mut()) {
            let sums = grid.columns(channel.insert_axis(Axis(0))).sum_axis(Axis(0));
            row.assign(&(sums / &divisors));
        }
    }
    out.into_shape_with_order(grid.shape(x, channels)).expect("one element for each pixel")
}

/// `[a, b, length]` as `[a, b, 1, length]`; four dimensions as they are.
fn as_images(x: &ArrayD<f64>) -> ArrayView4<'_, f64> {
    let view = if x.ndim() == 3 { x.view().insert_axis(Axis(2)) } else { x.view() };
    view.into_dimensionality().expect("convolutions have one or two spatial dimensions")
}

/// Where a window's elements lie, in two spatial dimensions.
pub(crate) struct Grid {
    kernel: [usize; 2],
    strides: [usize; 2],
    pads: [usize; 2],
    dilations: [usize; 2],
    out: [usize; 2],
}

impl Grid {
    /// Of an operand of some height and width.
    pub(crate) fn new(size: [usize; 2], kernel: [usize; 2], window: &Window) -> Grid {
        let two =
            |v: &[usize], first: usize| if let [only] = *v { [first, only] } else { [v[0], v[1]] };
        let (strides, dilations) = (two(&window.strides, 1), two(&window.dilations, 1));
        let (begin, end) = (two(&window.pads_begin, 0), two(&window.pads_end, 0));
        let out = [0, 1].map(|d| {
            let padded = size[d] + begin[d] + end[d];
            (padded - dilations[d] * (kernel[d] - 1) - 1) / strides[d] + 1
        });
        Grid { kernel, strides, pads: begin, dilations, out }
    }

    /// Elements of the window.
    pub(crate) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Elements of a channel of the result.
    pub(crate) fn pixels(&self) -> usize {
        self.out[0] * self.out[1]
    }

    /// The result's shape, with as many spatial dimensions as `x`.
    fn shape(&self, x: &ArrayD<f64>, channels: usize) -> Vec<usize> {
        let spatial = if x.ndim() == 3 { &self.out[1..] } else { &self.out[..] };
        [&[x.shape()[0], channels], spatial].concat()
    }

    /// `[c, h, w]` to `[c·kh·kw, pixels]`: every window as a column (im2col). Padding gives zeros.
    pub(crate) fn columns<T: Copy + Zero>(&self, x: ArrayView3<'_, T>) -> Array2<T> {
        let (channels, h, _) = x.dim();
        let size = (channels * self.taps(), self.pixels());
        let mut columns = Vec::with_capacity(size.0 * size.1);
        for row in 0..size.0 {
            let (channel, ky, kx) =
                (row / self.taps(), row % self.taps() / self.kernel[1], row % self.kernel[1]);
            let image: ArrayView2<'_, T> = x.index_axis(Axis(0), channel);
            for oy in 0..self.out[0] {
                let end = columns.len() + self.out[1];
                let y = oy * self.strides[0] + ky * self.dilations[0];
                if let Some(y) = y.checked_sub(self.pads[0]).filter(|&y| y < h) {
                    self.push_line(image.row(y), kx, &mut columns);
                }
                columns.resize(end, T::zero());
            }
        }
        Array2::from_shape_vec(size, columns).expect("as many lines as there are")
    }

    /// Weights `[c_out, c_in, kh, kw]` as a matrix `[c_out, c_in·kw]` for each row of the kernel.
    fn rows_of_taps(&self, weight: &ArrayView4<'_, f64>) -> Vec<Array2<f64>> {
        let (c_out, c_in, kh, kw) = weight.dim();
        let weight = weight.as_standard_layout();
        let weight = weight.as_slice().expect("it is in standard layout");
        let matrix = |ky: usize| {
            let rows = weight.chunks_exact(kw).skip(ky).step_by(kh);
            let mut taps = Vec::with_capacity(c_out * c_in * kw);
            rows.for_each(|row| taps.extend_from_slice(row));
            Array2::from_shape_vec((c_out, c_in * kw), taps).expect("a row for each output channel")
        };
        (0..kh).map(matrix).collect()
    }

    /// `[c, h, w]` to `[c·kw, lines·out_w]`: for each element of a row of the kernel, what it meets in all lines of the padded
    /// operand. Lines that one row of the kernel meets stand together: with a stride of two, even ones before odd ones. A
    /// third of [`Grid::columns`] where the kernel is 3×3.
    fn lines(&self, x: ArrayView3<'_, f64>) -> Array2<f64> {
        let (channels, h, _) = x.dim();
        let size =
            (channels * self.kernel[1], self.phases().len() * self.lines_of_phase() * self.out[1]);
        let mut lines = Vec::with_capacity(size.0 * size.1);
        for row in 0..size.0 {
            let image = x.index_axis(Axis(0), row / self.kernel[1]);
            for phase in self.phases() {
                for y in (phase..).step_by(self.strides[0]).take(self.lines_of_phase()) {
                    let end = lines.len() + self.out[1];
                    if let Some(y) = y.checked_sub(self.pads[0]).filter(|&y| y < h) {
                        self.push_line(image.row(y), row % self.kernel[1], &mut lines);
                    }
                    lines.resize(end, 0.0);
                }
            }
        }
        Array2::from_shape_vec(size, lines).expect("as many lines as there are")
    }

    /// Remainders of lines by the stride, of those that some row of the kernel meets.
    fn phases(&self) -> Range<usize> {
        0..self.strides[0].min(self.dilations[0] * (self.kernel[0] - 1) + 1)
    }

    /// Lines whose number has the same remainder by the stride, as many as the last row of the kernel needs.
    fn lines_of_phase(&self) -> usize {
        self.out[0] + self.dilations[0] * (self.kernel[0] - 1) / self.strides[0]
    }

    /// The columns of [`Grid::lines`] that a row of the kernel meets, one for each element of the result.
    fn met_by(&self, ky: usize) -> Range<usize> {
        let offset = ky * self.dilations[0];
        let phase = offset % self.strides[0] * self.lines_of_phase();
        let first = (phase + offset / self.strides[0]) * self.out[1];
        first..first + self.pixels()
    }

    /// Pushes the elements of a line that element `kx` of the windows meets, up to the last one inside.
    fn push_line<T: Copy + Zero>(&self, line: ArrayView1<'_, T>, kx: usize, columns: &mut Vec<T>) {
        let (offset, pad) = (kx * self.dilations[1], self.pads[1]);
        let first = pad.saturating_sub(offset).div_ceil(self.strides[1]).min(self.out[1]);
        columns.resize(columns.len() + first, T::zero());
        let most = self.out[1] - first;
        // Less than the padding only where all of the line is padding.
        let from = (first * self.strides[1] + offset).saturating_sub(pad).min(line.len());
        match (self.strides[1], line.as_slice()) {
            (1, Some(line)) => {
                columns.extend_from_slice(&line[from..(from + most).min(line.len())])
            }
            (stride, _) => columns.extend(line.iter().skip(from).step_by(stride).take(most)),
        }
    }

    /// Adds to the elements of an operand, `[c, h, w]`, what stands in their places in `columns`: the transpose of
    /// [`Grid::columns`].
    pub(crate) fn add_columns(&self, columns: &Array2<f32>, [h, w]: [usize; 2], x: &mut [f32]) {
        for (row, source) in columns.outer_iter().enumerate() {
            let (channel, ky, kx) =
                (row / self.taps(), row % self.taps() / self.kernel[1], row % self.kernel[1]);
            let image = &mut x[channel * h * w..(channel + 1) * h * w];
            let source = source.to_slice().expect("a row of a matrix is contiguous");
            for (oy, line) in source.chunks_exact(self.out[1]).enumerate() {
                let y = oy * self.strides[0] + ky * self.dilations[0];
                let Some(y) = y.checked_sub(self.pads[0]).filter(|&y| y < h) else { continue };
                let target = &mut image[y * w..(y + 1) * w];
                let offset = kx * self.dilations[1];
                let first = self.pads[1].saturating_sub(offset).div_ceil(self.strides[1]);
                if first >= line.len() {
                    continue;
                }
                let from = first * self.strides[1] + offset - self.pads[1];
                let places = target.iter_mut().skip(from).step_by(self.strides[1]);
                places.zip(&line[first..]).for_each(|(x, value)| *x += value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array;

    fn counting(shape: &[usize]) -> ArrayD<f64> {
        let n: usize = shape.iter().product();
        let numbers = (0..n).map(|i| (i * 7 % 11) as f64 - 4.0);
        Array::from_iter(numbers).into_shape_with_order(shape.to_vec()).unwrap()
    }

    /// The definition, tap by tap. Returns sums and the number of taps that lie inside.
    fn naive(
        x: &ArrayD<f64>,
        w: &ArrayD<f64>,
        window: &Window,
        groups: usize,
        at: [usize; 4],
    ) -> f64 {
        let [n, o, oy, ox] = at;
        let (c, kh, kw) = (w.shape()[1], w.shape()[2], w.shape()[3]);
        let group = o / (w.shape()[0] / groups);
        let mut sum = 0.0;
        for i in 0..c {
            for ky in 0..kh {
                for kx in 0..kw {
                    let y = (oy * window.strides[0] + ky * window.dilations[0]) as isize
                        - window.pads_begin[0] as isize;
                    let z = (ox * window.strides[1] + kx * window.dilations[1]) as isize
                        - window.pads_begin[1] as isize;
                    let inside = (0..x.shape()[2] as isize).contains(&y)
                        && (0..x.shape()[3] as isize).contains(&z);
                    if inside {
                        sum += x[[n, group * c + i, y as usize, z as usize]] * w[[o, i, ky, kx]];
                    }
                }
            }
        }
        sum
    }

    #[test]
    fn convolution_is_its_definition() {
        let window = Window {
            strides: vec![2, 1],
            pads_begin: vec![1, 3],
            pads_end: vec![0, 2],
            dilations: vec![1, 2],
        };
        let (x, w) = (counting(&[2, 4, 6, 7]), counting(&[6, 2, 3, 2]));
        let bias = counting(&[6]);
        let out = conv(&x, &w, Some(&bias), &window, 2);
        assert_eq!(out.shape(), [2, 6, 3, 10]);
        for (at, value) in out.indexed_iter() {
            let at = [at[0], at[1], at[2], at[3]];
            assert_eq!(*value, naive(&x, &w, &window, 2, at) + bias[at[1]], "{at:?}");
        }
        let turn = |x: ArrayD<f64>| x.permuted_axes(vec![0, 1, 3, 2]);
        let by_columns = turn(turn(x).as_standard_layout().into_owned());
        assert_eq!(conv(&by_columns, &w, Some(&bias), &window, 2), out);
    }

    #[test]
    fn pooling_divides_by_what_it_counts() {
        let window = Window {
            strides: vec![2, 2],
            pads_begin: vec![1, 0],
            pads_end: vec![1, 1],
            dilations: vec![1, 1],
        };
        let x = counting(&[1, 1, 4, 5]);
        let ones = ArrayD::ones(vec![1, 1, 3, 2]);
        let inside = conv(&ArrayD::ones(vec![1, 1, 4, 5]), &ones, None, &window, 1);
        let sums = conv(&x, &ones, None, &window, 1);
        assert_eq!(average_pool(&x, &[3, 2], &window, false), &sums / &inside);
        assert_eq!(average_pool(&x, &[3, 2], &window, true), &sums / 6.0);
    }
}
