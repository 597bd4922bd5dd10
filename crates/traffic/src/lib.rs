//! Translates a Split to and from one kind of routing object; pure, without client, socket or clock.
//!
//! [`routers`] reads the traffic routing of a Rollout and gives one [`Router`] for each kind of routing object that it
//! names. The shell fetches what a router [needs](Router::needs) and what that names [further](Router::further), asks for
//! a [`report`] to plan from, and performs the writes that a router [renders](Router::render) for the split of the plan.
//! What a router added is [taken back](Router::release) when its objects are named no more. [`service`] does the same for
//! the selectors of Services.
//!
//! One more router is one file that implements [`Router`], one arm in `routers::build` (which does not compile while a
//! field of the API has none), and a folder of cases below `tests/golden`, over which all laws then run.
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

mod affinity;
mod alb;
mod ambassador;
mod announce;
mod apisix;
mod app_mesh;
mod capability;
pub mod elb;
mod expression;
pub mod extension;
mod fork;
mod gateway_api;
mod generic;
mod istio;
mod known_words;
mod nginx;
mod object;
mod owned;
mod patch;
mod reading;
mod refusal;
mod router;
mod routers;
pub mod service;
mod smi;
mod traefik;

pub use alb::{Alb, load_balancer_hosts, load_balancers};
pub use ambassador::Ambassador;
pub use announce::events;
pub use apisix::Apisix;
pub use app_mesh::AppMesh;
pub use capability::{Capabilities, Headers, Mirrors};
pub use gateway_api::GatewayApi;
pub use generic::Generic;
pub use istio::Istio;
pub use nginx::Nginx;
pub use refusal::{Cause, Refusal, Role};
pub use router::{Objects, Router, report};
pub use routers::{ApiVersions, backends, routers};
pub use smi::Smi;
pub use traefik::Traefik;
