//! What tests of noise need.

use crate::plan::{Params, Scheme};
use crate::security::Security;

/// Parameters of a ring of degree 2^8 without primes.
pub(super) fn params(scheme: Scheme) -> Params {
    Params {
        scheme,
        log_n: 8,
        q: vec![],
        t: vec![],
        p: vec![],
        input_level: 0,
        top_scale: 40.0,
        security: Security::insecure_for_tests(),
    }
}
