//! Reads a comparison as the user wrote it; everything that cannot work is refused with its field and a remedy.

use serin_api::{
    Arms, Comparison, LatencyComparison, Metric, Sensitivity, go_duration, percentage, percentage_points,
};

use super::arm::Labels;
use super::preset;
use super::question::Asking;
use super::selector::Selector;
use super::{HORIZON, Source};
use crate::judge::error_rate::Settings;
use crate::judge::mean::Worse;
use crate::limit::Limits;

/// Questions that a comparison asks, for the alpha that all questions of a run share.
pub fn questions(comparison: &Comparison) -> u32 {
    let tails = |latency: &LatencyComparison| latency.quantiles.as_ref().map_or(QUANTILES.len(), Vec::len);
    let latency = comparison.latency.as_ref().map_or(1, |latency| tails(latency).saturating_add(1));
    u32::try_from(latency).unwrap_or(u32::MAX)
}

/// Bytes of the status that the evidence of one comparison takes at most, without what a replay needs.
pub(crate) fn room(comparison: &Comparison) -> usize {
    let further = usize::try_from(questions(comparison)).unwrap_or(usize::MAX).saturating_sub(1);
    let ladder = if comparison.latency.is_some() { LADDER } else { 0 };
    ONE_QUESTION.saturating_add(further.saturating_mul(FURTHER_QUESTION)).saturating_add(ladder)
}

/// A comparison of one question: 31 numbers, 18 of them floats of 11 letters each.
const ONE_QUESTION: usize = 340;
/// Each further question of it.
const FURTHER_QUESTION: usize = 270;
/// 40 buckets of history.
const LADDER: usize = 700;

/// Quantiles that are compared unless the user names others.
const QUANTILES: [&str; 2] = ["p95", "p99"];

/// What is asked of whom, before the settings that all comparisons share.
pub(super) struct Measure {
    pub(super) source: Source,
    pub(super) asking: Vec<Asking>,
    pub(super) labels: Labels,
    pub(super) limit: f64,
    pub(super) unit: &'static str,
}

pub(super) fn only_its_own_fields(metric: &Metric) -> Result<(), String> {
    let others = [
        ("successCondition", metric.success_condition.is_some()),
        ("failureCondition", metric.failure_condition.is_some()),
        ("failureLimit", metric.failure_limit.is_some()),
        ("consecutiveSuccessLimit", metric.consecutive_success_limit.is_some()),
    ];
    match others.into_iter().find(|(_, set)| *set) {
        Some((field, _)) => Err(format!("{field}: a comparison decides by its own limit; remove {field}")),
        None if metric.provider.prometheus.is_none() => {
            Err("comparison: only Prometheus can be compared; set provider.prometheus".to_owned())
        }
        None => Ok(()),
    }
}

/// Reads what is compared.
pub(super) fn measure(comparison: &Comparison, arms: Option<&Arms>) -> Result<Measure, String> {
    let arms = known(arms)?;
    let Comparison { error_rate, latency, business_rate, mean, .. } = comparison;
    let given = [error_rate.is_some(), latency.is_some(), business_rate.is_some(), mean.is_some()];
    match given.iter().filter(|given| **given).count() {
        1 => {}
        0 => {
            return Err("comparison: it names nothing to compare; set comparison.errorRate, latency, businessRate or mean"
                .to_owned());
        }
        _ => {
            return Err(
                "comparison: it names several things to compare; give each a metric of its own".to_owned()
            );
        }
    }
    let reading = Reading { comparison, arms };
    if let Some(rate) = error_rate {
        reading.error_rate(rate)
    } else if let Some(latency) = latency {
        reading.latency(latency)
    } else if let Some(rate) = business_rate {
        reading.business_rate(rate)
    } else if let Some(mean) = mean {
        reading.mean(mean)
    } else {
        Err("comparison: it names nothing to compare".to_owned())
    }
}

struct Reading<'c> {
    comparison: &'c Comparison,
    arms: &'c Arms,
}

impl Reading<'_> {
    fn error_rate(&self, rate: &serin_api::ErrorRateComparison) -> Result<Measure, String> {
        let names = preset::names(self.comparison.preset);
        let requests = selector("errorRate.requests", or(&rate.requests, names.requests))?;
        let matchers = rate.errors.as_deref().unwrap_or(names.errors);
        if matchers.trim().is_empty() {
            return Err("comparison.errorRate.errors: it is empty, so that every request would be an error"
                .to_owned());
        }
        let errors =
            requests.narrowed(matchers).map_err(|why| format!("comparison.errorRate.errors: {why}"))?;
        let limit = match rate.limit.as_deref() {
            None => 0.005,
            Some(text) => percentage_points(text).filter(|limit| *limit > 0.0 && *limit < 1.0).ok_or_else(|| {
                format!("comparison.errorRate.limit: \"{text}\" is no difference of shares; give one such as 0.5pp or 0.005")
            })?,
        };
        Ok(Measure {
            source: Source::Rates { trials: requests, events: errors },
            asking: vec![Asking::ErrorRate],
            labels: self.labels("errorRate", rate.revision_label.as_ref(), rate.pod_label.as_ref())?,
            limit,
            unit: "",
        })
    }

    fn latency(&self, latency: &LatencyComparison) -> Result<Measure, String> {
        let names = preset::names(self.comparison.preset);
        let histogram = selector("latency.histogram", or(&latency.histogram, names.histogram))?;
        let mut asking = vec![Asking::Shift];
        match &latency.quantiles {
            None => {
                for text in QUANTILES {
                    asking.push(Asking::Tail(quantile(text)?));
                }
            }
            Some(all) => {
                for text in all {
                    asking.push(Asking::Tail(quantile(text)?));
                }
            }
        }
        Ok(Measure {
            unit: histogram.unit(),
            source: Source::Buckets(histogram.histogram()),
            asking,
            labels: self.labels("latency", latency.revision_label.as_ref(), latency.pod_label.as_ref())?,
            limit: relative("latency", latency.limit.as_deref(), 0.15)?,
        })
    }

    fn business_rate(&self, rate: &serin_api::BusinessRateComparison) -> Result<Measure, String> {
        self.without_preset("businessRate")?;
        Ok(Measure {
            source: Source::Rates {
                trials: selector("businessRate.attempts", &rate.attempts)?,
                events: selector("businessRate.successes", &rate.successes)?,
            },
            asking: vec![Asking::BusinessRate],
            labels: self.labels("businessRate", rate.revision_label.as_ref(), rate.pod_label.as_ref())?,
            limit: relative("businessRate", rate.limit.as_deref(), 0.02)?,
            unit: "",
        })
    }

    fn mean(&self, mean: &serin_api::MeanComparison) -> Result<Measure, String> {
        self.without_preset("mean")?;
        let worse = match mean.worse.unwrap_or_default() {
            serin_api::Worse::Lower => Worse::Lower,
            serin_api::Worse::Higher => Worse::Higher,
        };
        Ok(Measure {
            source: Source::Means {
                trials: selector("mean.count", &mean.count)?,
                sums: selector("mean.sum", &mean.sum)?,
            },
            asking: vec![Asking::Mean(worse)],
            labels: self.labels("mean", mean.revision_label.as_ref(), mean.pod_label.as_ref())?,
            limit: relative("mean", mean.limit.as_deref(), 0.02)?,
            unit: "",
        })
    }

    fn without_preset(&self, what: &str) -> Result<(), String> {
        match self.comparison.preset {
            Some(_) => Err(format!(
                "comparison.preset: presets know errorRate and latency; remove it and name the counters in {what}"
            )),
            None => Ok(()),
        }
    }

    fn labels(&self, field: &str, revision: Option<&String>, pod: Option<&String>) -> Result<Labels, String> {
        let by_service = preset::names(self.comparison.preset).by_service && revision.is_none();
        match self.comparison.preset.filter(|_| by_service) {
            Some(preset) => Labels::by_service(preset, self.arms),
            None => Labels::by_revision(&format!("comparison.{field}"), (revision, pod), self.arms),
        }
    }
}

fn known(arms: Option<&Arms>) -> Result<&Arms, String> {
    let arms = arms.filter(|arms| !arms.canary.is_empty() && !arms.stable.is_empty());
    let arms = arms.ok_or(
        "comparison: spec.arms does not say which two revisions to compare; runs of a Rollout have it, in others set \
         spec.arms.canary and spec.arms.stable to pod template hashes",
    )?;
    if arms.canary == arms.stable {
        return Err(
            "comparison: spec.arms names the same revision twice; there is nothing to compare".to_owned()
        );
    }
    Ok(arms)
}

fn or<'t>(given: &'t str, otherwise: &'t str) -> &'t str {
    if given.trim().is_empty() { otherwise } else { given }
}

fn selector(field: &str, text: &str) -> Result<Selector, String> {
    Selector::parse(text).map_err(|why| format!("comparison.{field}: {why}"))
}

/// `p99`, `p99.9` or `0.99`.
fn quantile(text: &str) -> Result<f64, String> {
    let number = text.trim();
    let read = match number.strip_prefix('p') {
        Some(percent) => percent.parse::<f64>().ok().map(|percent| percent / 100.0),
        None => number.parse().ok(),
    };
    read.filter(|q| (0.5..1.0).contains(q)).ok_or_else(|| {
        format!("comparison.latency.quantiles: \"{text}\" is no quantile from p50 up to p100; give one such as p99")
    })
}

fn relative(what: &str, text: Option<&str>, otherwise: f64) -> Result<f64, String> {
    let Some(text) = text else { return Ok(otherwise) };
    percentage(text).filter(|limit| *limit > 0.0 && *limit < 1.0).ok_or_else(|| {
        format!(
            "comparison.{what}.limit: \"{text}\" is no relative change below 100%; give one such as {}%",
            otherwise * 100.0
        )
    })
}

/// Share of stable's requests that may fail before nothing is judged.
pub(super) fn unhealthy_above(comparison: &Comparison) -> Result<Option<f64>, String> {
    let given = comparison.error_rate.as_ref().and_then(|rate| rate.unhealthy_above.as_deref());
    let read = |text: &str| {
        percentage(text).filter(|share| *share > 0.0 && *share < 1.0).ok_or_else(|| {
            format!(
                "comparison.errorRate.unhealthyAbove: \"{text}\" is no share of requests; give one such as 5%"
            )
        })
    };
    given.map(read).transpose()
}

pub(super) fn settings(comparison: &Comparison, limit: f64, metrics: u32) -> Result<Settings, String> {
    let usual = Settings::default();
    let alpha = match comparison.alpha.as_deref() {
        None => usual.alpha,
        Some(text) => {
            text.trim().parse().ok().filter(|alpha| *alpha > 0.0 && *alpha < 1.0).ok_or_else(|| {
                format!("comparison.alpha: \"{text}\" is no probability; give one such as 0.05")
            })?
        }
    };
    let consecutive = at_least("consecutiveWindows", comparison.consecutive_windows, 3, 1)?;
    let kappa = match comparison.sensitivity.unwrap_or_default() {
        Sensitivity::Strict => 1.0,
        Sensitivity::Balanced => 0.5,
        Sensitivity::Sensitive => 0.0,
    };
    Ok(Settings {
        limit,
        kappa,
        alpha,
        consecutive: u32::try_from(consecutive).unwrap_or(1),
        metrics,
        ..usual
    })
}

pub(super) fn at_least(field: &str, value: Option<i32>, otherwise: i32, least: i32) -> Result<i32, String> {
    let value = value.unwrap_or(otherwise);
    if value < least { Err(format!("comparison.{field}: {value} is less than {least}")) } else { Ok(value) }
}

pub(super) fn seconds(field: &str, text: Option<&str>, otherwise: i64) -> Result<i64, String> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(otherwise);
    };
    let read = go_duration(text).and_then(|duration| i64::try_from(duration.as_secs()).ok());
    read.ok_or_else(|| format!("comparison.{field}: \"{text}\" is no duration; give one such as 15s"))
}

/// Length of a window: the interval, in whole seconds.
pub(super) fn window(limits: &Limits) -> Result<i64, String> {
    let interval = limits
        .interval
        .ok_or("interval: a comparison needs the length of its windows; set it, for example to 60s")?;
    if interval.subsec_nanos() != 0 {
        return Err("interval: a comparison needs whole seconds".to_owned());
    }
    if interval.as_secs() > HORIZON / 2 {
        return Err(format!("interval: windows of a comparison are at most {} minutes long", HORIZON / 120));
    }
    Ok(interval.as_secs())
}
