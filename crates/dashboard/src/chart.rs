//! Translates the measurements of a metric into the numbers of a chart: canary against stable, and evidence against
//! what a decision needs.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;
use serin_analysis::comparison::Window as Counts;
use serin_api::{Measurement, Metric};

mod compared;

/// Key of a measurement's metadata that holds the counts of its window, as JSON.
const WINDOW: &str = "window";

/// What can be drawn.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Chart {
    /// Canary against stable, window by window, oldest first.
    Comparison {
        /// What is compared, for people: `Share of failed requests`.
        title: String,
        /// How numbers are written: `share`, or the unit that stands behind them.
        unit: String,
        /// What the limit is, for people: `stable + 0.5pp`.
        limit: String,
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
    /// The canary.
    pub canary: Side,
    /// Stable.
    pub stable: Side,
    /// Where stable's number would be at the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<f64>,
    /// What is known after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// One side in one window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// The number that is compared; `None` without requests.
    pub value: Option<f64>,
    /// What it was read off, for people: `29 of 1790 failed`.
    pub text: String,
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
    let comparison = metric.and_then(|metric| metric.comparison.as_ref());
    let windows = measurements.iter().filter_map(|measurement| {
        let counts: Counts = serde_json::from_str(measurement.metadata.get(WINDOW)?).ok()?;
        Some((measurement, counts))
    });
    let windows: Vec<_> = windows.collect();
    if let Some((_, counts)) = windows.first() {
        let drawn = compared::Drawn::of(comparison, counts);
        let windows =
            windows.iter().map(|(measurement, counts)| window(&drawn, measurement, counts)).collect();
        return Some(Chart::Comparison {
            title: drawn.title(),
            unit: drawn.unit(),
            limit: drawn.limit(),
            windows,
        });
    }
    let points: Vec<_> = measurements.iter().filter_map(point).collect();
    (!points.is_empty()).then_some(Chart::Values { points })
}

fn window(drawn: &compared::Drawn, measurement: &Measurement, counts: &Counts) -> Window {
    let end = jiff::Timestamp::from_second(counts.end()).ok().map(Time);
    let (canary, stable) = drawn.sides(counts);
    Window {
        at: end.or_else(|| measurement.finished_at.clone()),
        phase: measurement.phase.to_string(),
        allowed: stable.value.map(|value| drawn.allowed(value)),
        canary,
        stable,
        evidence: evidence(&measurement.message),
    }
}

/// What the reasons say (`… | evidence 96 of 80 needed …`); the strongest of several questions.
fn evidence(reasons: &str) -> Option<Evidence> {
    reasons.lines().filter_map(of_line).max_by(|one, other| one.have.total_cmp(&other.have))
}

fn of_line(reasons: &str) -> Option<Evidence> {
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

    fn drawn(comparison: serde_json::Value, measurements: serde_json::Value) -> serde_json::Value {
        let metric = json!({"name": "errors", "provider": {}, "comparison": comparison});
        let metric: Metric = serde_json::from_value(metric).unwrap();
        let measurements: Vec<Measurement> = serde_json::from_value(measurements).unwrap();
        serde_json::to_value(of(Some(&metric), &measurements)).unwrap()
    }

    fn errors() -> serde_json::Value {
        json!({"errorRate": {"requests": "r", "limit": "1pp"}})
    }

    #[test]
    fn a_comparison_shows_both_sides_and_the_evidence() {
        let counts = r#"{"start":1763993220,"end":1763993280,"canary":{"requests":200,"errors":"2.5","pods":1},"stable":{"requests":"1800.25","errors":9,"pods":4}}"#;
        let drawn = drawn(
            errors(),
            json!([
                {"phase": "Error", "message": "connection refused", "metadata": {"held": "Prometheus"}},
                {"phase": "Failed", "message": "canary 1.62 % | evidence 100 of 10 needed (mean 24.6 of 20) -> FAIL", "metadata": {"window": counts}},
            ]),
        );
        let stable = 9.0 / 1800.25;
        assert_eq!(
            drawn,
            json!({"kind": "comparison", "title": "Share of failed requests", "unit": "share", "limit": "stable + 1pp", "windows": [{
                "at": "2025-11-24T14:08:00Z", "phase": "Failed",
                "canary": {"value": 0.0125, "text": "2.5 of 200 failed"}, "stable": {"value": stable, "text": "9 of 1800.2 failed"},
                "allowed": stable + 0.01, "evidence": {"have": 2.0, "needed": 1.0},
            }]})
        );
    }

    #[test]
    fn every_comparison_is_drawn_with_its_own_limit() {
        let rates = r#"{"start":0,"end":60,"canary":{"requests":100,"errors":20,"pods":1},"stable":{"requests":200,"errors":50,"pods":1}}"#;
        let times = r#"{"start":0,"end":60,"bounds":[0.1,0.2,"inf"],"canary":{"counts":[90,10,0],"pods":1},"stable":{"counts":[0,0,0],"pods":1}}"#;
        let means = r#"{"start":0,"end":60,"canary":{"sum":{"events":80,"trials":10},"pods":1},"stable":{"sum":{"events":50,"trials":5},"pods":1}}"#;
        let look = |counts| json!([{"phase": "Successful", "message": "a | evidence 1 of 80 needed\nb | evidence 10 of 80 needed", "metadata": {"window": counts}}]);
        for (comparison, counts, title, limit, canary, allowed) in [
            (
                json!({"businessRate": {"attempts": "a", "successes": "s"}}),
                rates,
                "Share of attempts that succeed",
                "stable - 2%",
                json!(0.2),
                json!(0.245),
            ),
            (
                json!({"latency": {"histogram": "h_seconds", "quantiles": ["p95"], "limit": "10%"}}),
                times,
                "Latency p95",
                "stable + 10%",
                json!(0.15),
                json!(null),
            ),
            (
                json!({"mean": {"sum": "s", "count": "c"}}),
                means,
                "Mean",
                "stable - 2%",
                json!(8.0),
                json!(9.8),
            ),
            (
                json!({"mean": {"sum": "s", "count": "c", "worse": "higher", "limit": "5%"}}),
                means,
                "Mean",
                "stable + 5%",
                json!(8.0),
                json!(10.5),
            ),
        ] {
            let drawn = drawn(comparison, look(counts));
            let window = &drawn["windows"][0];
            assert_eq!((&drawn["title"], &drawn["limit"]), (&json!(title), &json!(limit)), "{drawn}");
            assert!(
                (window["canary"]["value"].as_f64().unwrap() - canary.as_f64().unwrap()).abs() < 1e-9,
                "{drawn}"
            );
            let near = match (window["allowed"].as_f64(), allowed.as_f64()) {
                (Some(found), Some(allowed)) => (found - allowed).abs() < 1e-9,
                (found, allowed) => found == allowed,
            };
            assert!(near, "{drawn}");
            assert_eq!(window["evidence"]["have"], 1.0, "the strongest question");
        }
    }

    #[test]
    fn other_metrics_show_their_numbers() {
        let at = "2026-11-24T14:07:00Z";
        let drawn = drawn(
            errors(),
            json!([
                {"phase": "Successful", "value": "[0.25]", "finishedAt": at},
                {"phase": "Error"},
                {"phase": "Failed", "value": "3", "startedAt": at},
                {"phase": "Failed", "value": "[1,2]"},
                {"phase": "Failed", "value": "NaN"},
            ]),
        );
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
                drawn(errors(), json!([{"phase": "Failed", "metadata": {"window": counts}}])),
                json!(null),
                "{counts}"
            );
        }
    }
}
