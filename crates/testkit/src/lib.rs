//! A simulated cluster with a virtual clock and seeded faults, and short ways to write down a World.

pub mod api_server;
pub mod cluster;
pub mod digest;
mod json_patch;
mod merge_patch;
pub mod scene;
pub mod seed;
pub mod trial;

pub use cluster::{Outcome, simulate};
pub use digest::{digest, gates, reasons};
pub use scene::{Scene, base, fresh};
