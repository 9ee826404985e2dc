//! What tests of noise need.

use crate::plan::{Params, Plaintexts};
use crate::security::Security;

/// Parameters of a ring of degree 2^8 without primes.
pub(super) fn params(plaintexts: Plaintexts) -> Params {
    Params {
        plaintexts,
        log_n: 8,
        q: vec![],
        p: vec![],
        input_level: 0,
        security: Security::insecure_for_tests(),
    }
}
