//! Quantization scales: what integers stand for.

/// Elements have one quantization scale if they differ by no more than this, the rounding of products.
const TOLERANCE: f64 = 1e-6;

/// Whether all elements have one quantization scale, up to the rounding of products.
pub fn is_uniform(scales: &[f64]) -> bool {
    scales.iter().all(|scale| (scale / scales[0] - 1.0).abs() <= TOLERANCE)
}
