//! Promise 7: headroom. In BFV constants are integers without scale, summands have equal factors, and the noise of results fits.

use super::PlanError;
use super::runs::fail;
use crate::noise::{analyze_exact, budget};
use crate::plan::{Constant, Plan, Scheme, View};

/// A value's modulus exceeds its scale.
pub(super) fn check(plan: &Plan) -> Result<(), PlanError> {
    for (value, _) in plan.values() {
        let ty = plan.ty(value);
        let log_q: f64 = ty.limbs.iter().map(|limb| plan.params.log_q(limb)).sum();
        if ty.scale + 1.0 > log_q {
            return Err(PlanError::Headroom { value, scale: ty.scale, log_q });
        }
    }
    Ok(())
}

/// Results are exact, in BFV.
pub(super) fn check_exact(plan: &Plan) -> Result<(), PlanError> {
    match plan.params.scheme() {
        Scheme::Ckks => Ok(()),
        Scheme::Bfv => {
            check_constants(plan)?;
            for &t in plan.params.t() {
                plan.correction_factors(t).map_err(PlanError::CorrectionFactors)?;
            }
            check_noise(plan)
        }
    }
}

fn check_constants(plan: &Plan) -> Result<(), PlanError> {
    for (i, constant) in plan.constants.iter().enumerate() {
        if !is_exact(constant) {
            return fail(&format!("constant c{i}"), "not integers without scale, which BFV takes");
        }
    }
    for (i, table) in plan.tables.iter().enumerate() {
        if let Some(x) = table.iter().find(|x| x.fract() != 0.0) {
            return fail(&format!("table {i}"), format!("element {x}, expected integers in BFV"));
        }
    }
    Ok(())
}

/// Whether a constant is of integers, if its table is.
fn is_exact(constant: &Constant) -> bool {
    let is_integer = |x: f64| x.fract() == 0.0;
    constant.scale == 0.0
        && match &constant.view {
            View::Splat(x) => is_integer(*x),
            View::Table { factor, .. } => is_integer(*factor),
            View::Imaginary(_) | View::Embedding(_) => false,
        }
}

fn check_noise(plan: &Plan) -> Result<(), PlanError> {
    let noise = analyze_exact(plan);
    for output in &plan.outputs {
        for (value, _) in &output.slots {
            let left = budget(plan, *value, noise[value.index()]);
            if left < 0.0 {
                return Err(PlanError::Noise { name: output.name.clone(), missing: -left });
            }
        }
    }
    Ok(())
}
