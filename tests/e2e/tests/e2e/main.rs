//! Serin on a real Kubernetes, one test per promise. `just e2e fast` plays those in `fast`, `just e2e` all of them.

mod chart;
mod clients;
mod events;
mod failover;
mod fast;
mod full;
mod takeover;
mod traffic;
