//! Makes the comparisons that are played, of flags alone, of a table, or of an AnalysisRun.

use serin_analysis::judge::error_rate::Settings;
use serin_analysis::simulation::questions::{Compared, QUANTILES};
use serin_analysis::simulation::record::{Record, Recording};
use serin_analysis::simulation::rollout::Part;
use serin_analysis::simulation::service::{Change, PODS, Service, UNCHANGED, ladder};

use crate::flags::SimulateArguments;

/// Limits unless something else is said.
const LIMIT: f64 = 0.005;
const LATENCY_LIMIT: f64 = 0.15;

/// Where the service comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// From the flags alone.
    MadeUp,
    /// A table of windows.
    Table(Record),
    /// All comparisons of an AnalysisRun.
    Run(Recording),
}

impl Source {
    /// The comparisons, with what the canary does; and those that are left out, with the reason.
    ///
    /// # Errors
    /// Flags that do not fit each other, or the source.
    pub(super) fn parts(self, arguments: &SimulateArguments) -> Result<(Vec<Part>, Vec<String>), String> {
        let has = self.has();
        let compared = compared(arguments, has)?;
        match self {
            Self::MadeUp => Ok((vec![made_up(arguments, compared, None)], Vec::new())),
            Self::Table(record) => Ok((vec![made_up(arguments, compared, Some(record))], Vec::new())),
            Self::Run(Recording { parts, left_out }) => {
                let asked = |part: &Part| match part.compared {
                    Compared::Errors => compared.errors(),
                    Compared::Latency => compared.latency(),
                    Compared::Both | Compared::Business => arguments.compare.is_none(),
                };
                let parts = parts.into_iter().filter(asked).map(|part| changed(part, arguments));
                Ok((parts.collect(), left_out))
            }
        }
    }

    /// Whether it has errors and latencies; `None` = whatever is asked for.
    fn has(&self) -> Option<(bool, bool)> {
        match self {
            Self::MadeUp => None,
            Self::Table(record) => Some((record.has_errors(), record.has_latencies())),
            Self::Run(Recording { parts, .. }) => {
                let any = |compared| parts.iter().any(|part| part.compared == compared);
                Some((any(Compared::Errors), any(Compared::Latency)))
            }
        }
    }
}

/// A recorded comparison with the canary and the limits of the flags.
fn changed(part: Part, arguments: &SimulateArguments) -> Part {
    let limit = match part.compared {
        Compared::Errors => arguments.limit,
        _ => None,
    };
    let noise = arguments.noise.map(|level| level.noise());
    let change = match part.compared {
        Compared::Errors => Change { errors: more_errors(arguments, part.service.rate), ..UNCHANGED },
        Compared::Latency => Change { slower: arguments.slower.unwrap_or(1.0), ..UNCHANGED },
        Compared::Both | Compared::Business => UNCHANGED,
    };
    Part {
        change,
        settings: Settings {
            limit: limit.unwrap_or(part.settings.limit),
            metrics: part.settings.metrics.max(arguments.metrics),
            ..part.settings
        },
        slower: arguments.latency_limit.unwrap_or(part.slower),
        service: Service { noise: noise.unwrap_or(part.service.noise), ..part.service },
        ..part
    }
}

/// How many more of the canary's requests fail than of a service of which `rate` do.
fn more_errors(arguments: &SimulateArguments, rate: f64) -> f64 {
    let given = arguments.canary_errors.map(|errors| errors - rate);
    arguments.worse.or(given).unwrap_or(0.0)
}

/// The service of the flags, or of a table.
fn made_up(arguments: &SimulateArguments, compared: Compared, record: Option<Record>) -> Part {
    let (rps, rate) = record.as_ref().map_or((arguments.rps, arguments.errors), Record::usual);
    let ladder_of_none = || if compared.latency() { ladder(false) } else { Vec::new() };
    Part {
        name: None,
        service: Service {
            pods: PODS,
            rps,
            rate,
            noise: arguments.noise.unwrap_or_default().noise(),
            ladder: record.as_ref().map_or_else(ladder_of_none, Record::ladder),
            window: arguments.interval.as_secs_f64(),
            record,
        },
        change: Change {
            errors: more_errors(arguments, rate),
            slower: arguments.slower.unwrap_or(1.0),
            ..UNCHANGED
        },
        compared,
        settings: Settings {
            limit: arguments.limit.unwrap_or(LIMIT),
            metrics: arguments.metrics.max(compared.questions()),
            ..Settings::default()
        },
        slower: arguments.latency_limit.unwrap_or(LATENCY_LIMIT),
        quantiles: QUANTILES.to_vec(),
        measured: true,
    }
}

/// What is compared: what was asked for, or what the record has.
fn compared(arguments: &SimulateArguments, has: Option<(bool, bool)>) -> Result<Compared, String> {
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
