//! Says the simulation to people.

use super::{Comparison, Ends, Setting, Simulation};
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

/// What was played: one line for the rollouts, one for each comparison, one for each that is left out.
fn heading(played: &Setting) -> String {
    let mut text = format!(
        "{} rollouts of {} windows, seed {}, {} % of the requests to the canary\n",
        played.rollouts, played.count, played.seed, played.weight
    );
    played.comparisons.iter().for_each(|one| text.push_str(&comparison(one)));
    played.left_out.iter().for_each(|why| text.push_str(&format!("not played: {why}\n")));
    text
}

/// One comparison: its service, the canary, limits, noise.
fn comparison(one: &Comparison) -> String {
    let (errors, latency) =
        (matches!(one.compared, "errors" | "both"), matches!(one.compared, "latency" | "both"));
    let mut facts = vec![format!("{} requests a second", round(one.requests_per_second))];
    let mut limits = Vec::new();
    if errors {
        facts.push(format!("{} errors", percent(one.errors)));
        facts.push(format!("canary {}", percent(one.canary_errors)));
        limits.push(format!("limit +{}pp", round(one.limit * 100.0)));
    }
    if latency {
        facts.push(format!("latencies of the canary x{}", round(one.slower)));
        limits.push(format!("latency limit +{}", percent(one.latency_limit)));
    }
    if one.compared == "business" {
        facts.push(format!("{} succeed, of the canary as well", percent(one.errors)));
        limits.push(format!("limit -{}", percent(one.limit)));
    }
    facts.extend(limits);
    let interval = span(i64::try_from(one.interval).unwrap_or(i64::MAX));
    facts.push(format!("windows of {interval}"));
    facts.push(match one.recorded {
        Some(windows) => format!("played from {windows} recorded windows, noise of pods {}", one.noise),
        None => format!("noise {}", one.noise),
    });
    let name = one.name.as_ref().map_or(String::new(), |name| format!("{name}: "));
    format!("  {name}{}\n", facts.join(", "))
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
