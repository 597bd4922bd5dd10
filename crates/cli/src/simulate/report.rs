//! Says the simulation to people.

use super::{Ends, Setting, Simulation};
use crate::moment::span;
use crate::paint::{Paint, Tone, bar, columns};

/// The simulation for people.
pub fn text(simulation: &Simulation, paint: Paint) -> String {
    let Simulation { played, aborted, promoted, undecided, example, .. } = simulation;
    let mut text = heading(played);
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
        example.rollout,
        example.windows,
        example.reason.replace('\n', "\n  ")
    ));
    text
}

/// What was played.
fn heading(played: &Setting) -> String {
    let (errors, latency) = (played.compared != "latency", played.compared != "errors");
    let mut service = vec![
        format!("{} requests a second", round(played.requests_per_second)),
        format!("{} % of them to the canary", played.weight),
    ];
    let mut limits = Vec::new();
    if errors {
        service.push(format!("{} errors", percent(played.errors)));
        service.push(format!("canary {}", percent(played.canary_errors)));
        limits.push(format!("limit +{}pp", round(played.limit * 100.0)));
    }
    if latency {
        service.push(format!("latencies of the canary x{}", round(played.slower)));
        limits.push(format!("latency limit +{}", percent(played.latency_limit)));
    }
    let noise = match played.recorded {
        Some(windows) => format!("played from {windows} recorded windows, noise of pods {}", played.noise),
        None => format!("noise {}", played.noise),
    };
    service.push(noise);
    let interval = span(i64::try_from(played.interval).unwrap_or(i64::MAX));
    format!(
        "{} rollouts, seed {}: {}\n{} windows of {interval}, {}\n",
        played.rollouts,
        played.seed,
        service.join(", "),
        played.count,
        limits.join(", "),
    )
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
