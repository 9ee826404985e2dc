//! Promise 1: parameters.

use super::PlanError;
use crate::plan::params::ROUNDING;
use crate::plan::{Params, Plaintexts, is_prime};

/// Exact results have no more plaintext primes.
const MAX_PLAINTEXT_PRIMES: usize = 16;

pub(in crate::plan) fn check(params: &Params) -> Result<(), PlanError> {
    if !(3..=17).contains(&params.log_n) {
        return fail(format!("log_n is {}, expected 3 to 17", params.log_n));
    }
    check_counts(params)?;
    check_primes(params)?;
    check_digits(params)?;
    check_input(params)
}

fn fail(what: String) -> Result<(), PlanError> {
    Err(PlanError::Params(what))
}

fn check_counts(params: &Params) -> Result<(), PlanError> {
    let (n_q, n_p) = (params.q.len(), params.p.len());
    if n_q == 0 || n_q > 64 || n_p > 64 {
        return fail(format!(
            "{n_q} ciphertext-modulus and {n_p} special primes, expected 1 to 64 and 0 to 64"
        ));
    }
    match &params.plaintexts {
        Plaintexts::Bfv { t } if !(1..=MAX_PLAINTEXT_PRIMES).contains(&t.len()) => {
            fail(format!("{} plaintext primes, expected 1 to {MAX_PLAINTEXT_PRIMES}", t.len()))
        }
        Plaintexts::Bfv { .. } | Plaintexts::Ckks { .. } => Ok(()),
    }
}

fn check_primes(params: &Params) -> Result<(), PlanError> {
    let mut primes: Vec<u64> = [&params.q[..], params.t(), &params.p].concat();
    for &prime in &primes {
        if prime >= 1 << 50 || prime % (2 << params.log_n) != 1 || !is_prime(prime) {
            return fail(format!("{prime} is not a prime below 2^50 that is 1 modulo 2N"));
        }
    }
    primes.sort_unstable();
    if primes.windows(2).any(|pair| pair[0] == pair[1]) {
        return fail("a prime is listed twice".to_owned());
    }
    Ok(())
}

fn check_digits(params: &Params) -> Result<(), PlanError> {
    let log_p: f64 = params.p.iter().map(|&prime| (prime as f64).log2()).sum();
    for digit in params.digits(params.all_limbs()) {
        let limbs = params.digit(params.all_limbs(), digit);
        let log_digit: f64 = limbs.iter().map(|limb| params.log_q(limb)).sum();
        if log_digit > log_p + ROUNDING {
            return fail(format!(
                "digit {digit} has {log_digit:.1} bits, more than the special primes' {log_p:.1}"
            ));
        }
    }
    Ok(())
}

/// What is sent to the plan.
fn check_input(params: &Params) -> Result<(), PlanError> {
    if params.input_level >= params.q.len() {
        let (level, count) = (params.input_level, params.q.len());
        return fail(format!(
            "input level is {level}, but there are {count} ciphertext-modulus primes"
        ));
    }
    match params.plaintexts {
        Plaintexts::Ckks { top_scale } if !(top_scale > 0.0 && top_scale < 256.0) => {
            fail(format!("top scale {top_scale} is outside (0, 256)"))
        }
        Plaintexts::Ckks { .. } | Plaintexts::Bfv { .. } => Ok(()),
    }
}
