//! Runs hecc plans on encrypted inputs.
