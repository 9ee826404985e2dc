//! Whether a plan's parameters are as secure as the owner of the data wants them: judged by the client, from ring, modulus and
//! sparse secret, whatever the plan says of itself.

use hecc_grammar::plan::Interface;
use hecc_grammar::security::{Security, level_of};

use crate::error::TooWeak;

/// Checks that a plan's parameters give at least the security wanted.
///
/// # Errors
/// If they give less.
pub fn check_security(interface: &Interface, wanted: Security) -> Result<(), TooWeak> {
    let (log_n, log_qp) = (interface.params.log_n, interface.params.log_qp());
    let ephemeral = interface.ephemeral_log_qp();
    let found = level_of(log_n, log_qp, ephemeral);
    if found.is_some_and(|level| level >= wanted) {
        return Ok(());
    }
    let (found, wanted) = (found.map_or(0, Security::bits), wanted.bits());
    Err(TooWeak { found, wanted, log_n, log_qp, ephemeral })
}

#[cfg(test)]
mod tests {
    use hecc_grammar::plan::{Params, Plaintexts};

    use super::*;

    /// A plan that promises so much, on a ring of degree 2^`log_n` with a modulus of 96 bits.
    fn plan(log_n: u32, security: Security) -> Interface {
        let (q, p) = (vec![281474976546817], vec![281474976694273]);
        let plaintexts = Plaintexts::Ckks { top_scale: 40.0 };
        let params = Params { plaintexts, log_n, q, p, input_level: 0, security };
        Interface { params, batch: 1, n_inputs: 0, keys: vec![], results: vec![] }
    }

    #[test]
    fn promises_count_for_nothing() {
        let boast = plan(3, Security::Bits256);
        let error = check_security(&boast, Security::Bits128).expect_err("the ring is tiny");
        assert_eq!((error.found, error.wanted), (0, 128));
        assert!(error.to_string().starts_with("its parameters give 0 bits of security (N = 2^3, "));
        let modest = plan(13, Security::Bits128);
        assert_eq!(check_security(&modest, Security::Bits256), Ok(()));
        let error = check_security(&plan(12, Security::Bits256), Security::Bits192);
        assert_eq!(error.map_err(|error| error.found), Err(128));
    }
}
