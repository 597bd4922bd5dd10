//! kubectl serin: see, promote, abort and explain rollouts.
//!
//! What is said and what is decided are pure functions of the objects seen ([`tree`], [`explain`], [`verb`]); only
//! `cluster`, `watching`, `perform` and `print` touch the world.

pub mod change;
mod cluster;
mod connection;
pub mod explain;
pub mod failure;
pub mod flags;
mod http;
pub mod invocation;
pub mod lint;
pub mod moment;
pub mod observed;
pub mod paint;
mod perform;
mod print;
pub mod run;
#[cfg(test)]
pub(crate) mod sample;
pub mod tree;
pub mod verb;
pub mod verify;
mod watching;
