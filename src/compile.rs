//! From a trained network to a plan.

use hecc_compiler::calibrate::Calibration;
use hecc_compiler::config::Config;
use hecc_compiler::error::CompileError;
use hecc_compiler::pipeline;
use hecc_grammar::model::Model;

use crate::Plan;
use crate::measure::check;

/// Compiles a network. What cannot be computed on encrypted data, such as ReLU, is replaced by polynomials that fit the network's
/// behavior on the calibration inputs: at least 64 examples, and 64 more for each layer that is replaced. As with `hecc compile`
/// outliers among them are left out ([`Calibration::screened`] says which), and the plan is compared with the network before it is
/// returned. [`Config::standard`] is `hecc compile` without flags.
///
/// ```
/// use hecc::{Calibration, Config, Plan, compile, onnx};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let network = onnx::import_file("examples/qat/hcnn_mnist_tiny.onnx".as_ref())?;
/// let pixels = Calibration::assumed(&network, 0.0, 1.0);
/// let plan = compile(&network, &pixels, &Config::standard())?;
/// assert_eq!(plan.inputs()[0].shape, [1, 1, 28, 28]);
/// assert_eq!(plan.outputs()[0].shape, [1, 10]);
/// println!("{:.2} s and {} bytes of memory on the server", plan.seconds(), plan.memory_bytes());
/// // What goes into a file comes out of it.
/// assert_eq!(Plan::from_bytes(plan.to_bytes())?.fingerprint(), plan.fingerprint());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the calibration inputs do not fit the network, it cannot be approximated as well as `config` wishes, or no secure parameters
/// carry it.
pub fn compile(
    network: &Model,
    calibration: &Calibration,
    config: &Config,
) -> Result<Plan, CompileError> {
    let (calibration, _) = calibration.clone().screened(network);
    let compiled = pipeline::compile(network, &calibration, config)?;
    check(&compiled, &calibration)?;
    Ok(Plan::new(compiled.plan, network.clone()))
}
