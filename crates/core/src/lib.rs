//! Decides: `plan(&World) -> Plan`, without clock, client, randomness or panic.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod adoption;
pub mod affinity;
mod analysis;
pub mod analysis_spec;
mod anti_affinity;
pub mod brake;
mod capacity;
mod collision;
mod condition;
mod count;
pub mod dry_run;
pub mod duration;
mod dynamic;
mod ephemeral;
pub mod experiment;
pub mod extension;
mod facts;
mod field_path;
pub mod finalizer;
mod gate;
pub mod journal;
pub mod load_balancer;
mod managed_route;
mod memory;
pub mod orphan;
pub mod parting;
mod phase;
pub mod plan;
pub mod pod;
mod problem;
mod recreate;
pub mod replica;
mod replica_set;
mod restart;
mod revision;
mod safety;
mod scale;
pub mod seen;
mod service;
pub mod split;
pub mod step;
pub mod strategy;
mod template;
mod time;
mod traffic;
mod trial;
pub mod unreadable;
mod weights;
pub mod workload;
pub mod world;
pub mod write;

pub use plan::{Plan, plan};
pub use problem::of_analyses;
