//! What is played, from the flags and the record.

use serde::Serialize;
use serin_analysis::judge::error_rate::Settings;
use serin_analysis::simulation::questions::Compared;
use serin_analysis::simulation::record::Record;
use serin_analysis::simulation::rollout::Plan;
use serin_analysis::simulation::service::{Change, PODS, Service, UNCHANGED, ladder};

use crate::flags::SimulateArguments;

/// The service and its rollouts; rates are shares.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Setting {
    /// Requests a second, of all revisions.
    pub requests_per_second: f64,
    /// Percent of the traffic that the canary gets.
    pub weight: u32,
    /// Share of stable's requests that fails.
    pub errors: f64,
    /// Share of the canary's requests that fails.
    pub canary_errors: f64,
    /// Windows of the record that is played; `None` = a made-up service.
    pub recorded: Option<usize>,
    /// What is compared: `errors`, `latency` or `both`.
    pub compared: &'static str,
    /// The canary's requests take so many times as long.
    pub slower: f64,
    /// How much slower it may be, as a share.
    pub latency_limit: f64,
    /// Length of a window in seconds.
    pub interval: u64,
    /// Windows until the planned end.
    pub count: u32,
    /// The limit of errors, as a share.
    pub limit: f64,
    /// Questions that share alpha.
    pub metrics: u32,
    /// Name of the noise.
    pub noise: &'static str,
    /// Rollouts.
    pub rollouts: u32,
    /// The seed.
    pub seed: u64,
}

impl Setting {
    /// What the flags ask for.
    ///
    /// # Errors
    /// Flags that do not fit each other, or the record.
    pub(super) fn of(arguments: &SimulateArguments, record: Option<&Record>) -> Result<Self, String> {
        let compared = compared(arguments, record)?;
        let (requests_per_second, errors) = record.map_or((arguments.rps, arguments.errors), Record::usual);
        let canary_errors = arguments.canary_errors.unwrap_or(errors + arguments.worse.unwrap_or(0.0));
        Ok(Self {
            requests_per_second,
            weight: arguments.weight,
            errors,
            canary_errors,
            recorded: record.map(Record::windows),
            compared: word(compared),
            slower: arguments.slower.unwrap_or(1.0),
            latency_limit: arguments.latency_limit,
            interval: arguments.interval.as_secs(),
            count: arguments.count,
            limit: arguments.limit,
            metrics: arguments.metrics.max(compared.questions()),
            noise: arguments.noise.word(),
            rollouts: arguments.rollouts,
            seed: arguments.seed,
        })
    }

    /// The rollouts as the judge gets them.
    pub(super) fn plan(&self, arguments: &SimulateArguments, record: Option<Record>) -> Plan {
        let compared = match self.compared {
            "errors" => Compared::Errors,
            "latency" => Compared::Latency,
            _ => Compared::Both,
        };
        let made_up = || if compared.latency() { ladder(false) } else { Vec::new() };
        Plan {
            service: Service {
                pods: PODS,
                rps: self.requests_per_second,
                rate: self.errors,
                noise: arguments.noise.noise(),
                ladder: record.as_ref().map_or_else(made_up, Record::ladder),
                window: arguments.interval.as_secs_f64(),
                record,
            },
            weight: f64::from(self.weight) / 100.0,
            change: Change {
                errors: arguments.worse.unwrap_or(self.canary_errors - self.errors),
                slower: self.slower,
                ..UNCHANGED
            },
            compared,
            count: self.count,
            settings: Settings { limit: self.limit, metrics: self.metrics, ..Settings::default() },
            slower: self.latency_limit,
        }
    }
}

/// What is compared: what was asked for, or what the record has.
fn compared(arguments: &SimulateArguments, record: Option<&Record>) -> Result<Compared, String> {
    let has = record.map(|record| (record.has_errors(), record.has_latencies()));
    let usual = match has {
        Some((true, true)) => Compared::Both,
        Some((_, true)) => Compared::Latency,
        None if arguments.slower.is_some() => Compared::Both,
        _ => Compared::Errors,
    };
    let compared = arguments.compare.map_or(usual, Compared::from);
    let (errors, latency) = has.unwrap_or((true, true));
    if compared.errors() && !errors {
        return Err("--compare asks for errors, and the record has none: record requests and errors, or give --compare latency".into());
    }
    if compared.latency() && !latency {
        return Err(
            "--compare asks for latencies, and the record has none: record buckets, or give --compare errors"
                .into(),
        );
    }
    if !compared.latency() && arguments.slower.is_some() {
        return Err("--slower is not seen when only errors are compared: give --compare both and a record with latencies, or leave it out".into());
    }
    if !compared.errors() && (arguments.worse.is_some() || arguments.canary_errors.is_some()) {
        return Err("--worse and --canary-errors are not seen when only latencies are compared: give --compare both, or leave them out".into());
    }
    Ok(compared)
}

fn word(compared: Compared) -> &'static str {
    match compared {
        Compared::Errors => "errors",
        Compared::Latency => "latency",
        Compared::Both => "both",
    }
}
