//! Shows rollouts in a browser: JSON and SSE API with embedded assets.
//!
//! What is shown and what is decided are pure functions of the objects seen ([`info`], [`verb`], [`guard`], [`feed`]);
//! only `watch`, `pods`, `cluster`, `api` and `serve` touch the world.

pub mod access;
pub mod api;
pub mod app;
pub mod asset;
pub mod cache;
pub mod change;
pub mod chart;
pub mod cluster;
pub mod failure;
pub mod feed;
pub mod flags;
pub mod guard;
pub mod info;
pub mod own;
pub mod pods;
#[cfg(test)]
pub(crate) mod sample;
pub mod seen;
pub mod serve;
pub mod story;
pub mod table;
pub mod verb;
pub mod watch;
