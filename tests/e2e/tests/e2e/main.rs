//! Serin on a real Kubernetes, one test per promise. `./dev e2e fast` plays those in `fast`, `./dev e2e` all of them.

mod analysis;
mod bake;
mod blue_green;
mod chart;
mod clients;
mod events;
mod experiment;
mod extension;
mod failover;
mod fast;
mod fields;
mod full;
mod istio;
mod judge;
mod kinds;
mod notification;
mod parting;
mod routing;
mod safeguard;
mod takeover;
mod traffic;
mod workload;
