//! `simulate`: what the judge does with a made-up or recorded service, rollout after rollout, and how often it is wrong.

mod report;
mod setting;
mod source;
#[cfg(test)]
mod tests;

pub use report::text;
pub use setting::{Played as Comparison, Setting, Source};

use serde::Serialize;
use serin_analysis::judge::error_rate::Settings;
use serin_analysis::simulation::rollout::{End, Part, Plan, Played};

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
    /// Plays all rollouts of what `source` says.
    ///
    /// # Errors
    /// Flags that do not fit each other or the source; more windows than can be played in a moment.
    pub fn of(arguments: &SimulateArguments, source: Source) -> Result<Self, String> {
        let SimulateArguments { rollouts, count, .. } = *arguments;
        let (parts, left_out) = source.parts(arguments)?;
        let comparisons = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        if rollouts.saturating_mul(count).saturating_mul(comparisons) > WINDOWS {
            return Err(format!(
                "--rollouts {rollouts} of --count {count} windows each, for each of {comparisons} comparisons, are more than {WINDOWS} windows in all; give fewer of either"
            ));
        }
        let plan = Plan { parts, weight: f64::from(arguments.weight) / 100.0, count };
        let setting = Setting::of(arguments, &plan, left_out);
        let played = (0..rollouts)
            .map(|index| plan.play(seed(arguments.seed, index)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|rejected| rejected.to_string())?;
        Ok(Self::summed(setting, &plan, &played))
    }

    fn summed(played_setting: Setting, plan: &Plan, played: &[Played]) -> Self {
        let [aborted, promoted, undecided] =
            [End::Aborted, End::Promoted, End::Undecided].map(|end| ends(played, end));
        let share = |ends: Ends| ends.rollouts as f64 / played.len().max(1) as f64;
        let (harmless, beyond) = harm(plan);
        Self {
            played: played_setting,
            aborted,
            promoted,
            undecided,
            false_aborts: harmless.then(|| share(aborted)),
            false_promotions: beyond.then(|| share(promoted)),
            alpha: plan.alpha(),
            example: example(played),
        }
    }
}

/// Differences of shares that were written in percent miss the limit by this much at most.
const ROUNDING: f64 = 1e-12;

/// Whether the canary is harmless in all that is compared, and whether it is at a limit or beyond in any of it.
fn harm(plan: &Plan) -> (bool, bool) {
    let each: Vec<(bool, bool)> = plan.parts.iter().map(harm_of).collect();
    (each.iter().all(|(harmless, _)| *harmless), each.iter().any(|(_, beyond)| *beyond))
}

/// The same of one comparison. A business rate never moves.
fn harm_of(part: &Part) -> (bool, bool) {
    let Settings { limit, kappa, .. } = part.settings;
    let pairs = [
        (part.compared.errors(), part.change.errors, limit),
        (part.compared.latency(), part.change.slower.ln(), part.slower.ln_1p()),
    ];
    let mut asked = pairs.into_iter().filter(|(asked, _, _)| *asked);
    let beyond = asked.clone().any(|(_, more, limit)| more + ROUNDING >= limit);
    (asked.all(|(_, more, limit)| more - ROUNDING <= kappa * limit), beyond)
}

/// Seeds of neighbours share no rollout.
fn seed(seed: u64, index: u32) -> u64 {
    seed.wrapping_mul(1_000_003).wrapping_add(u64::from(index))
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
