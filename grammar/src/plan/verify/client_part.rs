//! The promises of a client part: those of inputs, outputs and parameters that a plan makes, and that keys and results can be
//! what it says. What it cannot prove without the instructions is that they are.

use std::ops::Deref;

use super::runs::fail;
use super::{PlanError, batch, outputs, params, security, tensors};
use crate::plan::{ClientPart, Interface, Key, KeyUse, Params, ResultType, Scheme};

/// A client part whose promises hold.
#[derive(Clone, Debug)]
pub struct VerifiedClientPart(ClientPart);

impl VerifiedClientPart {
    /// Checks every promise.
    ///
    /// # Errors
    /// Names the first one that is broken.
    pub fn new(part: ClientPart) -> Result<VerifiedClientPart, PlanError> {
        let Interface { params, batch, n_inputs: _, keys, results } = &part.interface;
        params::check(params)?;
        security::check(params)?;
        check_keys(params, keys)?;
        security::check_ephemeral(params, part.interface.ephemeral_log_qp())?;
        results.iter().try_for_each(|result| check_result(params, result))?;
        tensors::check_ends(&part.inputs, &part.outputs, params.n_slots())?;
        check_counts(&part)?;
        part.outputs.iter().try_for_each(outputs::check_output)?;
        batch::check(params, *batch, keys)?;
        batch::check_slots(*batch, batch::ends(&part.inputs, &part.outputs))?;
        check_bounds(&part)?;
        Ok(VerifiedClientPart(part))
    }

    /// That of a verified plan, which made these promises.
    pub(in crate::plan) fn of_plan(part: ClientPart) -> VerifiedClientPart {
        VerifiedClientPart(part)
    }
}

impl Deref for VerifiedClientPart {
    type Target = ClientPart;

    fn deref(&self) -> &ClientPart {
        &self.0
    }
}

/// Each key once, as a plan could use it.
fn check_keys(params: &Params, keys: &[KeyUse]) -> Result<(), PlanError> {
    if !keys.is_sorted_by(|a, b| a.key < b.key) {
        return fail("keys", "not in ascending order, each once");
    }
    for KeyUse { key, limbs, n_special } in keys {
        let fits = match *key {
            Key::Rotate(steps) => steps > 0 && (steps as usize) < params.row_length(),
            Key::Relinearize | Key::Conjugate | Key::Encapsulate | Key::Decapsulate => true,
        };
        let fits = fits && key.scheme().is_none_or(|scheme| scheme == params.scheme());
        let has_limbs = !limbs.is_empty() && limbs.is_subset(params.all_limbs());
        if !fits || !has_limbs || !(1..=params.p.len()).contains(n_special) {
            return fail(&format!("key {key}"), "no plan with these parameters uses it so");
        }
    }
    Ok(())
}

fn check_result(params: &Params, result: &ResultType) -> Result<(), PlanError> {
    let ResultType { limbs, scale, correction_factors: factors } = result;
    let has_limbs = !limbs.is_empty() && limbs.is_subset(params.all_limbs());
    let log_q = || -> f64 { limbs.iter().map(|limb| params.log_q(limb)).sum() };
    let has_scale = || match params.scheme() {
        Scheme::Ckks => *scale > 0.0 && scale + 1.0 <= log_q(),
        Scheme::Bfv => *scale == 0.0,
    };
    let are_units = factors.iter().zip(params.t()).all(|(factor, t)| (1..*t).contains(factor));
    if has_limbs && has_scale() && are_units && factors.len() == params.t().len() {
        return Ok(());
    }
    fail("results", "primes, scale or correction factors of a ciphertext that no plan has")
}

/// Ciphertexts are as many as tensors have maps.
fn check_counts(part: &ClientPart) -> Result<(), PlanError> {
    let ClientPart { interface, inputs, outputs, bounds, name: _ } = part;
    let n_inputs: usize = inputs.iter().map(|input| input.slots.len()).sum();
    let values = || outputs.iter().flat_map(|output| &output.slots).map(|(value, _)| value.index());
    let n_results = interface.results.len();
    if n_inputs != interface.n_inputs || !values().eq(0..n_results) || bounds.len() != n_results {
        return fail("ciphertexts", "not as many as its inputs and outputs take");
    }
    Ok(())
}

/// A bound that is none would have every digit shown.
fn check_bounds(part: &ClientPart) -> Result<(), PlanError> {
    let is_bound = |bound: &f64| match part.interface.params.scheme() {
        Scheme::Ckks => *bound > 0.0 && bound.is_finite(),
        Scheme::Bfv => *bound == 0.0,
    };
    match part.bounds.iter().all(is_bound) {
        true => Ok(()),
        false => fail("results", "a bound on errors that is none"),
    }
}
