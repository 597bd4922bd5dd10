//! Performs: observes the cluster, asks core for a plan, records it and carries it out. It decides nothing about
//! rollouts; what it decides itself is when to look and when to try again.

pub mod announce;
pub mod aws;
pub mod balancers;
pub mod breaker;
pub mod cache;
pub mod caches;
pub mod connect;
pub mod denial;
pub mod difference;
pub mod exchange;
pub mod experiments;
pub mod exposition;
pub mod extensions;
pub mod failure;
pub mod farewell;
pub mod lease;
pub mod link;
pub mod login;
pub mod mark;
pub mod measure;
pub mod metrics;
pub mod notify;
pub mod object;
pub mod observe;
pub mod options;
pub mod patience;
pub mod perform;
pub mod queue;
pub mod read;
pub mod reconcile;
pub mod resource;
pub mod run;
pub mod runs;
pub mod serve;
pub mod sight;
pub mod talk;
pub mod tally;
pub mod telemetry;
pub mod versions;
pub mod watch;
pub mod watches;

/// How this program names itself to others.
pub const AGENT: &str = concat!("serin-controller/", env!("CARGO_PKG_VERSION"));
