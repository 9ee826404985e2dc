//! Every promise that a plan makes, checked once at the door.
//!
//! Numbered promises, a file or two each:
//! 1. Parameters: 3 ≤ log N ≤ 17; primes distinct, of at most 50 bits, ≡ 1 mod 2N; at most 64 ciphertext-modulus primes;
//!    each digit's product is at most the product of the special primes.
//! 2. Security: log2(QP) within the table's bound for the promised level; so is the key to the sparse secret.
//! 3. Types: every instruction has the type that [`Op::infer`] gives, and operands precede users; those that share a pass do the
//!    same, and none needs another.
//! 4. Views: slots inside the ring, elements inside the table, no slot twice; numbers finite.
//! 5. Outputs: form Q, degree 1; every element read from exactly one place, shapes sane; kind and the client's operations
//!    fit, and so does what is said of their errors.
//! 6. Batches: one input or as many as slots; then maps name slot 0 and no key moves slots.
//! 7. Headroom: a value's modulus exceeds its scale by at least one bit. In BFV: constants are integers, summands have
//!    messages with equal factors, and results decrypt exactly, the noise staying below a quarter of Q/t.
//!
//! Client parts make the promises 1, 2, 4, 5 and 6, as far as they can be checked without instructions (`client_part`).

mod batch;
mod bundles;
mod client_part;
mod error;
mod headroom;
mod outputs;
mod params;
mod runs;
mod security;
mod tensors;
mod types;
mod views;

use std::ops::Deref;

pub use client_part::VerifiedClientPart;
pub use error::PlanError;
pub(super) use params::check as check_params;

use super::Plan;

/// No plan has more inputs, nor more outputs.
pub(super) const MAX_TENSORS: usize = 1024;
/// The client applies no more operations to an output.
pub(super) const MAX_CLIENT_OPS: usize = 64;

/// A plan whose promises hold.
#[derive(Clone, Debug)]
pub struct VerifiedPlan(Plan);

impl VerifiedPlan {
    /// Checks every promise.
    ///
    /// # Errors
    /// Names the first one that is broken.
    pub fn new(plan: Plan) -> Result<VerifiedPlan, PlanError> {
        params::check(&plan.params)?;
        security::check(&plan.params)?;
        views::check(&plan)?;
        tensors::check(&plan)?;
        types::check(&plan)?;
        bundles::check(&plan)?;
        headroom::check(&plan)?;
        security::check_ephemeral(&plan.params, plan.ephemeral_log_qp())?;
        outputs::check(&plan)?;
        batch::check(&plan.params, plan.batch, &plan.keys())?;
        batch::check_slots(plan.batch, batch::ends(&plan.inputs, &plan.outputs))?;
        batch::check_slots(plan.batch, batch::layers(&plan))?;
        headroom::check_exact(&plan)?;
        Ok(VerifiedPlan(plan))
    }

    /// The plan, no longer known to be verified.
    pub fn into_inner(self) -> Plan {
        self.0
    }
}

impl Deref for VerifiedPlan {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.0
    }
}
