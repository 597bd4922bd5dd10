//! kubectl serin: see, promote, abort and explain rollouts.
//!
//! What is said and what is decided are pure functions of the objects seen ([`tree`], [`explain`], [`verb`]); only
//! `cluster`, `observe`, `watching`, `perform`, `asking`, `survey`, `measured` and `print` touch the world.

pub mod adopt;
mod asking;
pub mod change;
mod cluster;
pub mod compare;
mod connection;
pub mod drill;
pub mod explain;
pub mod failure;
pub mod flags;
pub mod forecast;
mod http;
pub mod invocation;
pub mod lint;
mod measured;
pub mod moment;
mod observe;
pub mod observed;
pub mod paint;
mod perform;
mod print;
pub mod record;
pub mod run;
#[cfg(test)]
pub(crate) mod sample;
mod services;
pub mod simulate;
mod survey;
mod templates;
pub mod tree;
pub mod verb;
pub mod verify;
mod watching;
