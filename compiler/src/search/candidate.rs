//! Parameters that were considered, for reports.

use hecc_grammar::plan::Params;
use hecc_grammar::security::max_log_qp;

use crate::lower::Products;

/// One set of parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Number of ciphertext-modulus primes.
    pub n_limbs: usize,
    /// Number of special primes.
    pub n_special: usize,
    /// log2 of the whole modulus.
    pub log_qp: f64,
    /// What the ring carries at the wanted security.
    pub max_log_qp: u32,
    /// What only one scheme has.
    pub scheme: OfScheme,
    /// Predicted seconds for one input on one core; `None` if not secure or not tried.
    pub seconds: Option<f64>,
}

/// What only one scheme has.
#[derive(Clone, Debug, PartialEq)]
pub enum OfScheme {
    /// Approximate numbers.
    Ckks {
        /// log2 of the scale.
        scale: f64,
        /// Bits of precision of results, or of one bootstrap.
        precision: f64,
        /// Levels between bootstraps, if there are any.
        levels: Option<usize>,
    },
    /// Integers.
    Bfv {
        /// The plaintext primes.
        t: Vec<u64>,
        /// How ciphertexts are multiplied.
        products: Products,
    },
}

impl Candidate {
    /// Parameters not tried yet; `None` for rings that the security table does not know.
    pub fn new(params: &Params, scheme: OfScheme) -> Option<Candidate> {
        Some(Candidate {
            log_n: params.log_n,
            n_limbs: params.q.len(),
            n_special: params.p.len(),
            log_qp: params.log_qp(),
            max_log_qp: max_log_qp(params.log_n, params.security)?,
            scheme,
            seconds: None,
        })
    }

    /// Whether the ring carries the modulus at the security wanted.
    pub fn is_secure(&self) -> bool {
        self.log_qp <= f64::from(self.max_log_qp)
    }

    /// What costs are nearly proportional to: limbs times digits of all plaintext primes.
    pub fn work(&self) -> f64 {
        let limbs = self.n_limbs as f64;
        let digits = (limbs / self.n_special as f64).ceil();
        let instances = match &self.scheme {
            OfScheme::Ckks { .. } => 1,
            OfScheme::Bfv { t, .. } => t.len(),
        };
        f64::from(self.log_n).exp2() * instances as f64 * (limbs + 1.0) * (digits + 1.0)
    }
}
