//! `simulate`: what the judge does with a made-up service, rollout after rollout, and how often it is wrong.

mod report;
#[cfg(test)]
mod tests;

pub use report::text;

use serde::Serialize;
use serin_analysis::judge::error_rate::Settings;
use serin_analysis::simulation::errors::{End, Plan, Played};
use serin_analysis::simulation::service::Service;

use crate::flags::SimulateArguments;

/// Windows in all rollouts together that are played at most.
const WINDOWS: u32 = 1_000_000;

/// What was played, and how it ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Simulation {
    /// What was played.
    pub played: Setting,
    /// Rollouts that were aborted.
    pub aborted: Ends,
    /// Rollouts of which the canary was shown not to be worse by the limit.
    pub promoted: Ends,
    /// Rollouts without a decision at the planned end.
    pub undecided: Ends,
    /// Share of rollouts with an abort that was wrong; `None` when the canary is worse than harmless.
    pub false_aborts: Option<f64>,
    /// Share of rollouts with a promotion that was wrong; `None` when the canary is not worse than its limit.
    pub false_promotions: Option<f64>,
    /// Share of false aborts that the judge keeps, in the long run.
    pub alpha: f64,
    /// One of the rollouts that ended as most did.
    pub example: Example,
}

/// The made-up service and its rollouts; rates are shares.
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
    /// Length of a window in seconds.
    pub interval: u64,
    /// Windows until the planned end.
    pub count: u32,
    /// The limit, as a share.
    pub limit: f64,
    /// Comparisons that share alpha.
    pub metrics: u32,
    /// Name of the noise.
    pub noise: &'static str,
    /// Rollouts.
    pub rollouts: u32,
    /// The seed.
    pub seed: u64,
}

/// Rollouts that ended in one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ends {
    /// How many.
    pub rollouts: usize,
    /// Windows judged until the end, in the middle one of them.
    pub median_windows: Option<u32>,
}

/// The last look of one rollout.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Example {
    /// Its number, from 1.
    pub rollout: u32,
    /// Windows judged.
    pub windows: u32,
    /// The line of reasons.
    pub reason: String,
}

impl Simulation {
    /// Plays all rollouts.
    ///
    /// # Errors
    /// More windows than can be played in a moment, with the flags.
    pub fn of(arguments: &SimulateArguments) -> Result<Self, String> {
        let SimulateArguments { rollouts, count, .. } = *arguments;
        if rollouts.saturating_mul(count) > WINDOWS {
            return Err(format!(
                "--rollouts {rollouts} of --count {count} windows each are more than {WINDOWS} windows in all; give fewer of either"
            ));
        }
        let plan = plan(arguments);
        let played = (0..rollouts)
            .map(|index| plan.play(seed(arguments.seed, index)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|rejected| rejected.to_string())?;
        Ok(Self::summed(arguments, &plan, &played))
    }

    fn summed(arguments: &SimulateArguments, plan: &Plan, played: &[Played]) -> Self {
        let [aborted, promoted, undecided] =
            [End::Aborted, End::Promoted, End::Undecided].map(|end| ends(played, end));
        let share = |ends: Ends| ends.rollouts as f64 / played.len().max(1) as f64;
        let Settings { limit, kappa, alpha, .. } = plan.settings;
        let more = plan.more_errors - ROUNDING;
        Self {
            played: setting(arguments),
            aborted,
            promoted,
            undecided,
            false_aborts: (more <= kappa * limit).then(|| share(aborted)),
            false_promotions: (more + 2.0 * ROUNDING >= limit).then(|| share(promoted)),
            alpha,
            example: example(played),
        }
    }
}

/// Differences of shares that were written in percent miss the limit by this much at most.
const ROUNDING: f64 = 1e-12;

/// Seeds of neighbours share no rollout.
fn seed(seed: u64, index: u32) -> u64 {
    seed.wrapping_mul(1_000_003).wrapping_add(u64::from(index))
}

fn plan(arguments: &SimulateArguments) -> Plan {
    let service = Service {
        rps: arguments.rps,
        rate: arguments.errors,
        noise: arguments.noise.noise(),
        ladder: Vec::new(),
        window: arguments.interval.as_secs_f64(),
    };
    Plan {
        service,
        weight: f64::from(arguments.weight) / 100.0,
        more_errors: arguments.canary_errors.map_or(0.0, |canary| canary - arguments.errors),
        count: arguments.count,
        settings: Settings { limit: arguments.limit, metrics: arguments.metrics, ..Settings::default() },
    }
}

fn setting(arguments: &SimulateArguments) -> Setting {
    Setting {
        requests_per_second: arguments.rps,
        weight: arguments.weight,
        errors: arguments.errors,
        canary_errors: arguments.canary_errors.unwrap_or(arguments.errors),
        interval: arguments.interval.as_secs(),
        count: arguments.count,
        limit: arguments.limit,
        metrics: arguments.metrics,
        noise: arguments.noise.word(),
        rollouts: arguments.rollouts,
        seed: arguments.seed,
    }
}

fn ends(played: &[Played], end: End) -> Ends {
    let mut windows: Vec<u32> =
        played.iter().filter(|played| played.end == end).map(|played| played.windows).collect();
    windows.sort_unstable();
    Ends { rollouts: windows.len(), median_windows: windows.get(windows.len() / 2).copied() }
}

/// The first rollout that ended as most did.
fn example(played: &[Played]) -> Example {
    let often = |end: End| played.iter().filter(|played| played.end == end).count();
    let most = [End::Undecided, End::Promoted, End::Aborted].into_iter().max_by_key(|end| often(*end));
    let found = (1..).zip(played).find(|(_, played)| Some(played.end) == most);
    found.map_or(Example { rollout: 0, windows: 0, reason: String::new() }, |(rollout, played)| Example {
        rollout,
        windows: played.windows,
        reason: played.reason.clone(),
    })
}
