//! What is played, for people: the service and its rollouts.

use serde::Serialize;
use serin_analysis::simulation::questions::Compared;
use serin_analysis::simulation::rollout::{Part, Plan};

pub use super::source::Source;
use crate::flags::SimulateArguments;

/// The rollouts and what is compared in them; rates are shares.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Setting {
    /// Percent of the traffic that the canary gets.
    pub weight: u32,
    /// Windows until the planned end.
    pub count: u32,
    /// Questions that share alpha.
    pub metrics: u32,
    /// Rollouts.
    pub rollouts: u32,
    /// The seed.
    pub seed: u64,
    /// What is compared, each in its service.
    pub comparisons: Vec<Played>,
    /// Recorded comparisons that are not played, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// One comparison of a service.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Played {
    /// Its name in the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is compared: `errors`, `latency`, `both` or `business`.
    pub compared: &'static str,
    /// Requests a second, of all revisions.
    pub requests_per_second: f64,
    /// Pods, the canary's among them.
    pub pods: usize,
    /// Share of stable's requests that fails; of attempts that succeed, for a business rate.
    pub errors: f64,
    /// The same of the canary.
    pub canary_errors: f64,
    /// The limit of errors, as a share; of a business rate, as a share of it.
    pub limit: f64,
    /// The canary's requests take so many times as long.
    pub slower: f64,
    /// How much slower it may be, as a share.
    pub latency_limit: f64,
    /// Length of a window in seconds.
    pub interval: u64,
    /// Windows of the record that is played; `None` = a made-up service.
    pub recorded: Option<usize>,
    /// How much single pods vary.
    pub noise: &'static str,
}

impl Setting {
    /// What is played, in the words of the flags.
    pub(super) fn of(arguments: &SimulateArguments, plan: &Plan, left_out: Vec<String>) -> Self {
        let metrics = plan.parts.iter().map(|part| part.settings.metrics).max().unwrap_or(1);
        Self {
            weight: arguments.weight,
            count: plan.count,
            metrics,
            rollouts: arguments.rollouts,
            seed: arguments.seed,
            comparisons: plan.parts.iter().map(|part| Played::of(part, arguments)).collect(),
            left_out,
        }
    }
}

impl Played {
    fn of(part: &Part, arguments: &SimulateArguments) -> Self {
        let service = &part.service;
        Self {
            name: part.name.clone(),
            compared: word(part.compared),
            requests_per_second: service.rps,
            pods: service.pods,
            errors: service.rate,
            canary_errors: service.rate + part.change.errors,
            limit: part.settings.limit,
            slower: part.change.slower,
            latency_limit: part.slower,
            interval: service.window as u64,
            recorded: service.record.as_ref().map(|record| record.windows()),
            noise: match (arguments.noise, part.name.is_some() && part.measured) {
                (None, true) => "as recorded",
                (level, _) => level.unwrap_or_default().word(),
            },
        }
    }
}

fn word(compared: Compared) -> &'static str {
    match compared {
        Compared::Errors => "errors",
        Compared::Latency => "latency",
        Compared::Both => "both",
        Compared::Business => "business",
    }
}
