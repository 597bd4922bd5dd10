//! Says the forecast: a line per weight, what a step is too short for, and what cannot be tested at all.

use serde::Serialize;

use super::{Known, Service, Stay, Times, Wanted, times};
use crate::moment::span;
use crate::paint::{Paint, Tone, columns};

/// Longer than this is said to be out of reach: nobody leaves a canary alone for more than a day.
const REACH: f64 = 86_400.0;

/// The forecast for every weight.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// The service that it is about.
    pub service: Service,
    /// The faults to be seen and the limits to be kept.
    pub wanted: Wanted,
    /// Every weight.
    pub steps: Vec<Row>,
    /// Steps that end before their verdict can be expected.
    pub too_short: Vec<String>,
    /// Limits that no step can test within a day, or that cannot be tested at all.
    pub untestable: Vec<String>,
    /// What the forecast rests on.
    pub assumed: String,
}

/// One weight.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The weight and its length.
    #[serde(flatten)]
    pub stay: Stay,
    /// When verdicts can be expected.
    #[serde(flatten)]
    pub times: Times,
}

impl Forecast {
    /// Looks ahead at every weight.
    pub fn of(service: Service, wanted: Wanted, known: &Known, stays: Vec<Stay>) -> Self {
        let steps: Vec<Row> = stays
            .into_iter()
            .map(|stay| Row { times: times(&service, &wanted, known, f64::from(stay.weight) / 100.0), stay })
            .collect();
        let (too_short, mut untestable) = (too_short(&steps, &wanted), untestable(&steps, &wanted));
        untestable.extend(known.blind.iter().cloned());
        let assumed = assumed(&service, known);
        Self { service, wanted, steps, too_short, untestable, assumed }
    }
}

fn too_short(steps: &[Row], wanted: &Wanted) -> Vec<String> {
    let mut lines = Vec::new();
    for Row { stay, times } in steps {
        let Some(step) = stay.step.filter(|_| !stay.open) else { continue };
        for (what, needed) in [
            (format!("{} more errors", points(wanted.see_errors)), times.errors_seen),
            (format!("requests that are {} slower", percent(wanted.see_slowdown)), times.slowdown_seen),
        ] {
            if let Some(needed) = needed.filter(|needed| *needed > stay.seconds) {
                lines.push(format!(
                    "step {step} (weight {} %) pauses for {}; {what} are seen after {}",
                    stay.weight,
                    whole(stay.seconds),
                    whole(needed)
                ));
            }
        }
    }
    lines
}

fn untestable(steps: &[Row], wanted: &Wanted) -> Vec<String> {
    let best = |of: fn(&Times) -> Option<f64>| {
        steps.iter().filter_map(|row| of(&row.times)).fold(f64::INFINITY, f64::min)
    };
    let mut found = vec![
        (format!("{} more errors", points(wanted.see_errors)), best(|times| times.errors_seen)),
        (format!("an error rate within {}", points(wanted.error_limit)), best(|times| times.errors_shown)),
        (format!("a slowdown of {}", percent(wanted.see_slowdown)), best(|times| times.slowdown_seen)),
        (format!("latencies within {}", percent(wanted.latency_limit)), best(|times| times.latency_shown)),
    ];
    if steps.iter().any(|row| row.times.business_shown.is_some()) {
        found.push((
            format!("a business rate within {}", percent(wanted.business_limit)),
            best(|times| times.business_shown.flatten()),
        ));
    }
    found.retain(|(_, needed)| !steps.is_empty() && *needed > REACH);
    let line = |(what, needed): (String, f64)| match needed.is_finite() {
        true => format!(
            "{what}: {} at the best weight; use a larger weight, another metric, or only watch it (dryRun)",
            whole(needed)
        ),
        false => {
            format!(
                "{what}: at no weight and after no time: it is within what counts as harmless or within what pods differ by for \
                 ever, or the buckets cannot tell it"
            )
        }
    };
    found.into_iter().map(line).collect()
}

/// The forecast for people.
pub fn text(forecast: &Forecast, paint: Paint) -> String {
    let Forecast { service, wanted, steps, too_short, untestable, assumed } = forecast;
    let mut text = format!(
        "At {} requests a second, {} errors, {} pods and windows of {}, with probability 80 %:\n",
        round(service.requests_per_second),
        percent(service.error_rate),
        service.pods,
        whole(service.window),
    );
    let business = service.conversion.is_some();
    let mut heading = vec![
        "WEIGHT".to_owned(),
        "PAUSES".to_owned(),
        format!("SEES {}", points(wanted.see_errors)),
        format!("SHOWS < {}", points(wanted.error_limit)),
        format!("SEES {} SLOWER", percent(wanted.see_slowdown)),
        format!("SHOWS < {} SLOWER", percent(wanted.latency_limit)),
    ];
    if business {
        heading.push(format!("SHOWS < {} LESS BUSINESS", percent(wanted.business_limit)));
    }
    let mut lines = vec![heading.into_iter().map(|title| (title, Tone::Strong)).collect::<Vec<_>>()];
    for Row { stay, times } in steps {
        let pauses = match (stay.open, stay.step) {
            (true, _) => "open".to_owned(),
            (false, None) => "-".to_owned(),
            (false, Some(_)) => whole(stay.seconds),
        };
        let mut cells = vec![format!("{} %", stay.weight), pauses];
        cells.extend(
            [times.errors_seen, times.errors_shown, times.slowdown_seen, times.latency_shown].map(after),
        );
        if let Some(shown) = times.business_shown {
            cells.push(after(shown));
        }
        lines.push(cells.into_iter().map(|cell| (cell, Tone::Plain)).collect());
    }
    text.push_str(&columns(paint, &lines));
    for (title, lines) in [("Too short:", too_short), ("Cannot be tested:", untestable)] {
        if !lines.is_empty() {
            text.push_str(&format!("{}\n", paint.tone(Tone::Waiting, title)));
            lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        }
    }
    text.push_str(&format!("{assumed}\n"));
    text
}

fn assumed(service: &Service, known: &Known) -> String {
    let quantile = known.quantile();
    let latencies = match &known.latency {
        Some(_) => format!("Latencies are those that Prometheus has counted, at {quantile}"),
        None => format!("Latencies are taken at {quantile}, with a spread of {}", service.latency_spread),
    };
    let pods = match known.errors.measured.or(known.latency_noise().measured) {
        Some(rho) => format!("pods differ as measured (rho {rho:.4})"),
        None => "pods are taken to differ as most do".to_owned(),
    };
    format!("{latencies}; {pods}.")
}

fn after(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "never".to_owned(), whole)
}

fn whole(seconds: f64) -> String {
    span(seconds.ceil() as i64)
}

fn percent(share: f64) -> String {
    format!("{}%", round(share * 100.0))
}

fn points(share: f64) -> String {
    format!("+{}pp", round(share * 100.0))
}

/// Three digits are enough for people.
fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
