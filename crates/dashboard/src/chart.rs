//! Translates the measurements of a metric into the numbers of a chart: canary against stable, and evidence against
//! what a decision needs.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};
use serin_api::{Measurement, Metric, percentage_points};

/// Key of a measurement's metadata that holds the counts of its window, as JSON.
const WINDOW: &str = "window";
/// Limit of a comparison that names none: half a percentage point.
const LIMIT: f64 = 0.005;

/// What can be drawn.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Chart {
    /// Canary against stable, window by window, oldest first.
    Comparison {
        /// How much worse the canary may be, as a share.
        limit: f64,
        /// The windows.
        windows: Vec<Window>,
    },
    /// One number per measurement, oldest first.
    Values {
        /// The numbers.
        points: Vec<Point>,
    },
}

/// One window of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Window {
    /// Its end.
    pub at: Option<Time>,
    /// Its phase: beyond the limit is `Failed`.
    pub phase: String,
    /// Requests of the canary.
    pub canary: Arm,
    /// Requests of stable.
    pub stable: Arm,
    /// What is known after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// Requests of one side in one window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Arm {
    /// Requests.
    pub requests: f64,
    /// Those that failed.
    pub errors: f64,
}

/// Evidence against the canary, and how much an abort needs. Logarithms, because evidence grows without bound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// Decimal logarithm of the evidence.
    pub have: f64,
    /// Decimal logarithm of what is needed.
    pub needed: f64,
}

/// One number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// When it was measured.
    pub at: Option<Time>,
    /// Its phase.
    pub phase: String,
    /// The number.
    pub value: f64,
}

/// The chart of a metric; `None` when its measurements are no numbers.
pub(crate) fn of(metric: Option<&Metric>, measurements: &[Measurement]) -> Option<Chart> {
    let windows: Vec<_> = measurements.iter().filter_map(window).collect();
    if !windows.is_empty() {
        let rate = metric
            .and_then(|metric| metric.comparison.as_ref())
            .and_then(|comparison| comparison.error_rate.as_ref());
        let limit = rate.and_then(|rate| percentage_points(rate.limit.as_deref()?));
        return Some(Chart::Comparison { limit: limit.unwrap_or(LIMIT), windows });
    }
    let points: Vec<_> = measurements.iter().filter_map(point).collect();
    (!points.is_empty()).then_some(Chart::Values { points })
}

fn window(measurement: &Measurement) -> Option<Window> {
    let stored: StoredWindow = serde_json::from_str(measurement.metadata.get(WINDOW)?).ok()?;
    let end = jiff::Timestamp::from_second(stored.end).ok().map(Time);
    Some(Window {
        at: end.or_else(|| measurement.finished_at.clone()),
        phase: measurement.phase.to_string(),
        canary: stored.canary.arm()?,
        stable: stored.stable.arm()?,
        evidence: evidence(&measurement.message),
    })
}

/// The window as the judge stores it.
#[derive(Deserialize)]
struct StoredWindow {
    end: i64,
    canary: StoredArm,
    stable: StoredArm,
}

#[derive(Deserialize)]
struct StoredArm {
    requests: Exact,
    errors: Exact,
}

impl StoredArm {
    fn arm(&self) -> Option<Arm> {
        Some(Arm { requests: self.requests.number()?, errors: self.errors.number()? })
    }
}

/// A number, or the decimal text of one: the judge stores fractions so that reading gives the same bits.
#[derive(Deserialize)]
#[serde(untagged)]
enum Exact {
    Number(f64),
    Text(String),
}

impl Exact {
    fn number(&self) -> Option<f64> {
        let number = match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.parse().ok()?,
        };
        number.is_finite().then_some(number)
    }
}

/// What a reasons line says (`… | evidence 96 of 80 needed …`).
fn evidence(reasons: &str) -> Option<Evidence> {
    let (_, tail) = reasons.split_once("evidence ")?;
    let mut words = tail.split_whitespace();
    let have = logarithm(words.next()?)?;
    let needed = logarithm(words.nth(1)?)?;
    (words.next()? == "needed").then_some(Evidence { have, needed })
}

/// Decimal logarithm of a number that may be too large for a float, such as `8.8e4342`.
fn logarithm(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (mantissa, exponent): (f64, f64) = (mantissa.parse().ok()?, exponent.parse().ok()?);
    // Nothing at all, shown as very little.
    let logarithm = mantissa.log10().max(-300.0) + exponent;
    logarithm.is_finite().then_some(logarithm)
}

fn point(measurement: &Measurement) -> Option<Point> {
    let value = measurement.value.trim();
    let single = value.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(value);
    let value: f64 = single.trim().parse().ok()?;
    let at = measurement.finished_at.clone().or_else(|| measurement.started_at.clone());
    value.is_finite().then(|| Point { at, phase: measurement.phase.to_string(), value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn drawn(measurements: serde_json::Value) -> serde_json::Value {
        let metric = json!({"name": "errors", "provider": {}, "comparison": {"errorRate": {"requests": "r", "limit": "1pp"}}});
        let metric: Metric = serde_json::from_value(metric).unwrap();
        let measurements: Vec<Measurement> = serde_json::from_value(measurements).unwrap();
        serde_json::to_value(of(Some(&metric), &measurements)).unwrap()
    }

    #[test]
    fn a_comparison_shows_both_sides_and_the_evidence() {
        let counts = r#"{"start":1763993220,"end":1763993280,"canary":{"requests":200,"errors":"2.5","pods":1},"stable":{"requests":"1800.25","errors":9,"pods":4}}"#;
        let drawn = drawn(json!([
            {"phase": "Error", "message": "connection refused", "metadata": {"held": "Prometheus"}},
            {"phase": "Failed", "message": "canary 1.62 % | evidence 100 of 10 needed (mean 24.6 of 20) -> FAIL", "metadata": {"window": counts}},
        ]));
        assert_eq!(
            drawn,
            json!({"kind": "comparison", "limit": 0.01, "windows": [{
                "at": "2025-11-24T14:08:00Z", "phase": "Failed",
                "canary": {"requests": 200.0, "errors": 2.5}, "stable": {"requests": 1800.25, "errors": 9.0},
                "evidence": {"have": 2.0, "needed": 1.0},
            }]})
        );
    }

    #[test]
    fn other_metrics_show_their_numbers() {
        let at = "2026-11-24T14:07:00Z";
        let drawn = drawn(json!([
            {"phase": "Successful", "value": "[0.25]", "finishedAt": at},
            {"phase": "Error"},
            {"phase": "Failed", "value": "3", "startedAt": at},
            {"phase": "Failed", "value": "[1,2]"},
            {"phase": "Failed", "value": "NaN"},
        ]));
        assert_eq!(
            drawn,
            json!({"kind": "values", "points": [
                {"at": at, "phase": "Successful", "value": 0.25}, {"at": at, "phase": "Failed", "value": 3.0},
            ]})
        );
        assert_eq!(of(None, &[]), None);
    }

    #[test]
    fn evidence_is_read_from_the_reasons_at_every_size() {
        for (line, expected) in [
            ("breach 3/3 | evidence 100 of 1000 needed (mean 24.6 of 20) -> FAIL", Some((2.0, 3.0))),
            ("evidence 1.0e4342 of 10 needed", Some((4342.0, 1.0))),
            ("evidence 0 of 10 needed", Some((-300.0, 1.0))),
            ("evidence is enough, but not 3 windows in a row beyond the limit", None),
            ("no word of it", None),
        ] {
            assert_eq!(evidence(line).map(|evidence| (evidence.have, evidence.needed)), expected, "{line}");
        }
    }

    #[test]
    fn a_window_that_cannot_be_read_is_left_out() {
        for counts in [
            "",
            "{}",
            r#"{"start":0,"end":60,"canary":{"requests":"many","errors":0},"stable":{"requests":1,"errors":0}}"#,
        ] {
            assert_eq!(
                drawn(json!([{"phase": "Failed", "metadata": {"window": counts}}])),
                json!(null),
                "{counts}"
            );
        }
    }
}
