//! Tests of whole plans, in one program.

mod adversarial;
mod bfv;
mod build;
mod checkpoints;
mod common;
mod device;
mod evaluators;
mod files;
mod hostile_parts;
mod noise;
mod random;
mod separation;
mod sharing;
