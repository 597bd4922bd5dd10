//! Reads off the counts of a window what is drawn of a comparison: one number for each side, and where the limit is.

use serin_analysis::comparison::Window as Counts;
use serin_analysis::judge::quantile::classic;
use serin_api::{Comparison, LatencyComparison, Preset, Worse, percentage, percentage_points};

use super::Side;

/// A comparison, as it is drawn.
pub(super) struct Drawn {
    what: What,
    /// As the user wrote it, or the default.
    limit: String,
}

/// What is compared.
enum What {
    Errors,
    Successes,
    /// The quantile that is drawn, how it is called, and the unit.
    Latency(f64, String, &'static str),
    Mean(Worse),
}

impl Drawn {
    /// Counts alone say what is compared when the metric is not known any more.
    pub(super) fn of(comparison: Option<&Comparison>, counts: &Counts) -> Self {
        let limited = |what, limit: Option<&String>, usual: &str| Self {
            what,
            limit: limit.map_or(usual, String::as_str).to_owned(),
        };
        let of = |comparison: &Comparison| {
            let Comparison { error_rate, latency, business_rate, mean, .. } = comparison;
            if let Some(rate) = business_rate {
                limited(What::Successes, rate.limit.as_ref(), "2%")
            } else if let Some(mean) = mean {
                limited(What::Mean(mean.worse.unwrap_or_default()), mean.limit.as_ref(), "2%")
            } else if let Some(latency) = latency {
                let (quantile, name) = quantile(latency);
                let what = What::Latency(quantile, name, unit(comparison.preset, &latency.histogram));
                limited(what, latency.limit.as_ref(), "15%")
            } else {
                limited(What::Errors, error_rate.as_ref().and_then(|rate| rate.limit.as_ref()), "0.5pp")
            }
        };
        comparison.map(of).unwrap_or_else(|| match counts {
            Counts::Rates(_) => limited(What::Errors, None, "0.5pp"),
            Counts::Latency(_) => limited(What::Latency(0.99, "p99".to_owned(), ""), None, "15%"),
            Counts::Means(_) => limited(What::Mean(Worse::Lower), None, "2%"),
        })
    }

    pub(super) fn title(&self) -> String {
        match &self.what {
            What::Errors => "Share of failed requests".to_owned(),
            What::Successes => "Share of attempts that succeed".to_owned(),
            What::Latency(_, name, _) => format!("Latency {name}"),
            What::Mean(_) => "Mean".to_owned(),
        }
    }

    pub(super) fn unit(&self) -> String {
        match &self.what {
            What::Errors | What::Successes => "share".to_owned(),
            What::Latency(_, _, unit) => (*unit).to_owned(),
            What::Mean(_) => String::new(),
        }
    }

    pub(super) fn limit(&self) -> String {
        format!("stable {} {}", if self.falls() { "-" } else { "+" }, self.limit)
    }

    /// Smaller is worse.
    fn falls(&self) -> bool {
        matches!(self.what, What::Successes | What::Mean(Worse::Lower))
    }

    /// Where a number of stable would be at the limit.
    pub(super) fn allowed(&self, stable: f64) -> f64 {
        let sign = if self.falls() { -1.0 } else { 1.0 };
        match self.what {
            What::Errors => stable + percentage_points(&self.limit).unwrap_or(0.0),
            _ => stable * (1.0 + sign * percentage(&self.limit).unwrap_or(0.0)),
        }
    }

    /// Canary and stable.
    pub(super) fn sides(&self, counts: &Counts) -> (Side, Side) {
        match counts {
            Counts::Rates(window) => {
                let word = if matches!(self.what, What::Successes) { "succeeded" } else { "failed" };
                let side = |requests: f64, events: f64| Side {
                    value: (requests > 0.0).then(|| events / requests),
                    text: format!("{} of {} {word}", short(events), short(requests)),
                };
                let (canary, stable) = (window.canary, window.stable);
                (side(canary.requests, canary.errors), side(stable.requests, stable.errors))
            }
            Counts::Latency(window) => {
                let quantile = if let What::Latency(quantile, ..) = self.what { quantile } else { 0.99 };
                let side = |counts: &[f64]| of_buckets(quantile, &window.bounds, counts);
                (side(&window.canary.counts), side(&window.stable.counts))
            }
            Counts::Means(window) => {
                let side = |sum: f64, trials: f64| Side {
                    value: (trials > 0.0).then(|| sum / trials),
                    text: format!("mean of {} values", short(trials)),
                };
                let (canary, stable) = (window.canary.sum, window.stable.sum);
                (side(canary.events, canary.trials), side(stable.events, stable.trials))
            }
        }
    }
}

fn of_buckets(quantile: f64, bounds: &[f64], counts: &[f64]) -> Side {
    let mut below = 0.0;
    let cumulative: Vec<f64> = counts
        .iter()
        .map(|count| {
            below += count;
            below
        })
        .collect();
    let value = classic(quantile, bounds, &cumulative);
    Side { value: Some(value).filter(|value| value.is_finite()), text: format!("{} requests", short(below)) }
}

/// The highest quantile that is compared, and as it is written.
fn quantile(latency: &LatencyComparison) -> (f64, String) {
    let read = |text: &String| {
        let number = text.trim();
        let quantile = match number.strip_prefix('p') {
            Some(percent) => percent.parse::<f64>().ok()? / 100.0,
            None => number.parse().ok()?,
        };
        Some((quantile, text.clone()))
    };
    let all = latency.quantiles.iter().flatten().filter_map(read);
    all.max_by(|(one, _), (other, _)| one.total_cmp(other)).unwrap_or((0.99, "p99".to_owned()))
}

/// The unit that a histogram promises by its name.
fn unit(preset: Option<Preset>, histogram: &str) -> &'static str {
    let name = histogram.split('{').next().unwrap_or_default().trim().trim_end_matches("_bucket");
    let ends = |all: &[&str]| all.iter().any(|ending| name.ends_with(ending));
    match preset.filter(|_| name.is_empty()) {
        Some(Preset::Http | Preset::Traefik | Preset::IngressNginx) => "s",
        Some(Preset::Istio | Preset::Linkerd | Preset::Envoy) => "ms",
        None if ends(&["_seconds"]) => "s",
        None if ends(&["_milliseconds", "_ms"]) => "ms",
        None => "",
    }
}

/// Fractions are rounded for people.
fn short(number: f64) -> String {
    if number.fract() == 0.0 { number.to_string() } else { format!("{number:.1}") }
}
