//! Says the simulation to people.

use super::{Ends, Simulation};
use crate::moment::span;
use crate::paint::{Paint, Tone, bar, columns};

/// The simulation for people.
pub fn text(simulation: &Simulation, paint: Paint) -> String {
    let Simulation { played, aborted, promoted, undecided, example, .. } = simulation;
    let mut text = format!(
        "{} rollouts, seed {}: {} requests a second, {} % of them to the canary, {} errors, canary {}, noise {}\n\
         {} windows of {}, limit +{}pp\n",
        played.rollouts,
        played.seed,
        played.requests_per_second,
        played.weight,
        percent(played.errors),
        percent(played.canary_errors),
        played.noise,
        played.count,
        span(i64::try_from(played.interval).unwrap_or(i64::MAX)),
        round(played.limit * 100.0),
    );
    let row = |word: &str, tone: Tone, ends: &Ends| {
        let share = ends.rollouts as f64 / f64::from(played.rollouts.max(1));
        let windows = ends.median_windows.map(|windows| format!("after {windows} windows (median)"));
        vec![
            (format!("  {word}"), tone),
            (ends.rollouts.to_string(), Tone::Plain),
            (percent(share), Tone::Plain),
            (bar(share, 1.0), tone),
            (windows.unwrap_or_default(), Tone::Plain),
        ]
    };
    text.push_str(&columns(
        paint,
        &[
            row("aborted", Tone::Bad, aborted),
            row("promoted", Tone::Good, promoted),
            row("undecided", Tone::Waiting, undecided),
        ],
    ));
    text.push_str(&meaning(simulation));
    text.push_str(&format!(
        "The last look of rollout {}, after {} windows:\n  {}\n",
        example.rollout, example.windows, example.reason
    ));
    text
}

/// Which of the ends were wrong.
fn meaning(simulation: &Simulation) -> String {
    match (simulation.false_aborts, simulation.false_promotions) {
        (Some(wrong), _) => format!(
            "The canary is not worse, or harmlessly so: {} of the rollouts were aborted falsely; the judge keeps at most {}.\n",
            percent(wrong),
            percent(simulation.alpha)
        ),
        (None, Some(wrong)) => format!(
            "The canary is at its limit or worse: {} of the rollouts were promoted falsely.\n",
            percent(wrong)
        ),
        (None, None) => {
            "The canary is worse by more than half of the limit and less than all of it: neither an abort nor a promotion is false.\n"
                .to_owned()
        }
    }
}

fn percent(share: f64) -> String {
    format!("{}%", round(share * 100.0))
}

/// Three digits are enough for people.
fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
