//! What users bring: networks, arrays, images, labels, and the options that say how to read them.

pub(crate) mod array_file;
pub(crate) mod class_names;
pub(crate) mod dataset;
pub(crate) mod fit;
pub(crate) mod foreign_file;
pub(crate) mod image_file;
pub(crate) mod labels;
pub(crate) mod model_file;
pub(crate) mod normalization;
pub(crate) mod npy;
pub(crate) mod sources;
pub(crate) mod whole_numbers;
