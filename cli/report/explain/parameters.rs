//! The parameters that were considered.

use hecc_compiler::lower::Products;
use hecc_compiler::search::{Candidate, OfScheme};
use serde_json::{Value as Json, json};

use crate::terminal::table::{Align, Table};
use crate::terminal::units;

/// A table of candidates, the chosen one first.
pub(super) fn table(candidates: &[Candidate]) -> Table {
    let mut table = Table::new(&[
        ("ring degree", Align::Right),
        ("numbers", Align::Left),
        ("primes", Align::Right),
        ("special primes", Align::Right),
        ("modulus, bits", Align::Right),
        ("allowed", Align::Right),
        ("time, 1 core", Align::Right),
    ]);
    for candidate in candidates {
        table.row(vec![
            format!("2^{}", candidate.log_n),
            numbers(&candidate.scheme),
            candidate.n_limbs.to_string(),
            candidate.n_special.to_string(),
            format!("{:.1}", candidate.log_qp),
            candidate.max_log_qp.to_string(),
            match candidate.seconds {
                Some(seconds) => units::seconds(seconds),
                None if candidate.is_secure() => "not tried".to_owned(),
                None => "not secure".to_owned(),
            },
        ]);
    }
    table
}

/// What numbers are.
fn numbers(scheme: &OfScheme) -> String {
    match scheme {
        OfScheme::Ckks { scale, levels: None, .. } => format!("scale of {scale:.0} bits"),
        OfScheme::Ckks { scale, levels: Some(levels), .. } => {
            format!("scale of {scale:.0} bits, {levels} levels a bootstrap")
        }
        OfScheme::Bfv { t, products } => {
            let bits = t.iter().map(|&t| (t as f64).log2()).fold(0.0, f64::max);
            let kind = name(*products).to_uppercase();
            format!("{kind}, {} plaintext primes of {bits:.1} bits", t.len())
        }
    }
}

/// The scheme whose products of ciphertexts are used.
fn name(products: Products) -> &'static str {
    match products {
        Products::ScaleInvariant => "bfv",
        Products::Bgv => "bgv",
    }
}

/// Plaintext primes, primes and ring of a candidate.
pub(super) fn in_words(candidate: &Candidate) -> String {
    let primes = match &candidate.scheme {
        OfScheme::Bfv { t, .. } => format!("{} and ", units::count(t.len(), "plaintext prime")),
        OfScheme::Ckks { .. } => String::new(),
    };
    let modulus = units::count(candidate.n_limbs, "ciphertext-modulus prime");
    format!("{primes}{modulus} at ring degree 2^{}", candidate.log_n)
}

/// A candidate for scripts.
pub(super) fn json(candidate: &Candidate) -> Json {
    let mut json = json!({
        "log_n": candidate.log_n,
        "primes": candidate.n_limbs,
        "special_primes": candidate.n_special,
        "log_qp": candidate.log_qp,
        "max_log_qp": candidate.max_log_qp,
        "predicted_seconds": candidate.seconds,
    });
    match &candidate.scheme {
        OfScheme::Ckks { scale, precision, levels } => {
            json["scale_bits"] = (*scale).into();
            json["precision_bits"] = (*precision).into();
            json["levels_between_bootstraps"] = (*levels).into();
        }
        OfScheme::Bfv { t, products } => {
            json["plaintext_primes"] = t.clone().into();
            json["products"] = name(*products).into();
        }
    }
    json
}
