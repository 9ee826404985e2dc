//! Promise 2: security.

use super::PlanError;
use crate::plan::Params;
use crate::security::{max_log_qp, max_log_qp_ephemeral};

pub(super) fn check(params: &Params) -> Result<(), PlanError> {
    let (found, bits) = (params.log_qp(), params.security.bits());
    match max_log_qp(params.log_n, params.security) {
        Some(allowed) if found <= f64::from(allowed) => Ok(()),
        allowed => Err(PlanError::Security {
            found,
            log_n: params.log_n,
            allowed: allowed.unwrap_or(0),
            bits,
        }),
    }
}

/// What is published under the sparse secret is one key, whose modulus must be small.
pub(super) fn check_ephemeral(params: &Params, found: Option<f64>) -> Result<(), PlanError> {
    let Some(found) = found else { return Ok(()) };
    let bits = params.security.bits();
    match max_log_qp_ephemeral(params.log_n, params.security) {
        Some(allowed) if found <= f64::from(allowed) => Ok(()),
        allowed => Err(PlanError::EphemeralSecurity {
            found,
            log_n: params.log_n,
            allowed: allowed.unwrap_or(0),
            bits,
        }),
    }
}
