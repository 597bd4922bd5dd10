//! What end-to-end tests share: a namespace and a controller per test, waiting on conditions, and a diagnosis on failure.
//!
//! The tests run on the cluster of `KUBECONFIG`. `./dev e2e` starts the testbed and sets what is needed; see
//! `testbed/README.md` for the variables.

pub mod audit;
pub mod cluster;
pub mod controller;
pub mod load;
pub mod manifest;
pub mod receiver;
pub mod scene;
pub mod way;

pub use cluster::Cluster;
pub use controller::Controller;
pub use scene::{Scene, play};
