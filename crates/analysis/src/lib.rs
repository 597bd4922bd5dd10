//! Translates metric queries to and from provider APIs, and judges the samples.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod argument;
pub mod comparison;
pub mod condition;
pub mod judge;
mod limit;
pub mod provider;
pub mod run;
pub mod secret;
pub mod simulation;
pub mod validate;
