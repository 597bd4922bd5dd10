//! Compares the error rate of canary and stable window by window: what to ask Prometheus, and what its answers count.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serin_api::{Arms, Comparison, ErrorRateComparison, Metric, Sensitivity, go_duration, percentage_points};

use crate::judge::error_rate::Settings;
use crate::limit::Limits;

mod count;
mod evidence;
mod replay;
mod selector;

pub(crate) use count::{Counted, Span, count};
pub(crate) use evidence::Evidence;
pub use replay::{Replay, Unreplayable, replay};
pub(crate) use replay::{WINDOW, window_of};

use count::Labels;
use selector::{Selector, plain_label};

/// Windows judged in one look at most; the next look comes at once.
pub(crate) const REPLAYED: usize = 10;

/// Seconds back that missed windows are still judged, or three windows when those are longer.
const HORIZON: i64 = 3600;

/// Seconds before a window in which the sample before it is looked for: as long as Prometheus itself looks back.
const LOOKBACK: i64 = 300;

/// The error-rate comparison of one metric, ready to be asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ErrorRate {
    requests: Selector,
    errors: Selector,
    pub(crate) labels: Labels,
    /// Length of a window in seconds.
    seconds: i64,
    /// Seconds after its end at which a window is asked for.
    delay: i64,
    warmup: i64,
    /// Seconds without data that are borne; `None` any number.
    pub(crate) patience: Option<i64>,
    pub(crate) settings: Settings,
    /// Everything by which evidence is comparable.
    pub(crate) fingerprint: String,
}

impl ErrorRate {
    /// `metrics` is the number of comparisons in the run: they share one alpha.
    ///
    /// # Errors
    /// A sentence with the field and the remedy.
    pub(crate) fn of(
        metric: &Metric,
        comparison: &Comparison,
        limits: &Limits,
        arms: Option<&Arms>,
        metrics: u32,
    ) -> Result<Self, String> {
        only_its_own_fields(metric)?;
        let error_rate = comparison.error_rate.as_ref();
        let error_rate =
            error_rate.ok_or("comparison: it names nothing to compare; set comparison.errorRate")?;
        let labels = labels(error_rate, arms)?;
        let (requests, errors) = counters(error_rate)?;
        let one_of = [labels.canary.as_str(), labels.stable.as_str()];
        let mut made = Self {
            requests: requests.with_one_of(&labels.revision, &one_of),
            errors: errors.with_one_of(&labels.revision, &one_of),
            labels,
            seconds: window(limits)?,
            delay: seconds("ingestionDelay", comparison.ingestion_delay.as_deref(), 15)?,
            warmup: i64::from(at_least("warmup", comparison.warmup, 0, 0)?),
            patience: Some(seconds("noDataTimeout", comparison.no_data_timeout.as_deref(), 3600)?)
                .filter(|patience| *patience > 0),
            settings: settings(comparison, error_rate, metrics)?,
            fingerprint: String::new(),
        };
        if made.delay > HORIZON / 2 {
            return Err(format!("comparison.ingestionDelay: longer than {} minutes", HORIZON / 120));
        }
        let Settings { limit, kappa, alpha, consecutive, metrics, .. } = made.settings;
        made.fingerprint = format!(
            "{} {} {}s limit={limit} kappa={kappa} alpha={alpha} consecutive={consecutive} metrics={metrics}",
            made.requests, made.errors, made.seconds
        );
        Ok(made)
    }

    /// The two ends of window number `id`.
    pub(crate) fn span(&self, id: i64) -> Span {
        let start = id.saturating_mul(self.seconds);
        Span { start, end: start.saturating_add(self.seconds) }
    }

    /// The first window that lies wholly behind `begun`, after the warm-up.
    pub(crate) fn first(&self, begun: i64) -> i64 {
        self.at_or_after(begun).saturating_add(self.warmup)
    }

    /// Number of the first window that begins at `second` or later.
    pub(crate) fn at_or_after(&self, second: i64) -> i64 {
        second.saturating_add(self.seconds - 1).div_euclid(self.seconds)
    }

    /// The windows from number `next` on that can be judged now, oldest first; what is too long ago is left out.
    pub(crate) fn pending(&self, next: i64, now: i64) -> impl Iterator<Item = i64> + use<> {
        let horizon = HORIZON.max(self.delay.saturating_add(self.seconds.saturating_mul(3)));
        let oldest = self.at_or_after(now.saturating_sub(horizon));
        let newest = now.saturating_sub(self.delay).div_euclid(self.seconds).saturating_sub(1);
        (next.max(oldest)..=newest).take(REPLAYED)
    }

    /// When window number `id` can be judged.
    pub(crate) fn ready(&self, id: i64) -> Timestamp {
        let at = self.span(id).end.saturating_add(self.delay);
        Timestamp::from_second(at).unwrap_or(Timestamp::MAX)
    }

    /// The queries for requests and for errors of window number `id`, and the moment at which to ask them.
    pub(crate) fn queries(&self, id: i64) -> (String, String, Timestamp) {
        let range = self.seconds.saturating_add(LOOKBACK.max(self.seconds.saturating_mul(2)));
        let end = Timestamp::from_second(self.span(id).end).unwrap_or(Timestamp::MAX);
        (self.requests.over(range), self.errors.over(range), end)
    }

    /// What the status shows of the questions.
    pub(crate) fn shown(&self) -> BTreeMap<String, String> {
        let mut shown = BTreeMap::from([
            ("requests".to_owned(), self.requests.to_string()),
            ("errors".to_owned(), self.errors.to_string()),
        ]);
        if self.warmup > 0 {
            shown.insert("warmup".to_owned(), format!("the first {} windows are left out", self.warmup));
        }
        shown
    }

    /// What to tell people when there are no data.
    pub(crate) fn complaint(&self, counted: &Counted) -> String {
        let Labels { revision, canary, stable, .. } = &self.labels;
        let requests = &self.requests;
        match counted {
            Counted::NoCanary => format!(
                "the canary ({revision}=\"{canary}\") has no series of {requests}, stable has: it receives no traffic or is \
                 not scraped"
            ),
            Counted::NoStable => format!(
                "stable ({revision}=\"{stable}\") has no series of {requests}, the canary has: there is nothing to compare with"
            ),
            Counted::Neither => format!(
                "no series of {requests} in the window: nothing was scraped then, or the name is wrong, or scraping does \
                 not copy the pod's label rollouts-pod-template-hash to {revision}"
            ),
            Counted::Odd(message) => message.clone(),
            Counted::Both(_) => String::new(),
        }
    }
}

fn only_its_own_fields(metric: &Metric) -> Result<(), String> {
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

fn labels(error_rate: &ErrorRateComparison, arms: Option<&Arms>) -> Result<Labels, String> {
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
    let label = |field: &str, set: Option<&String>, otherwise: &str| {
        let label = set.map_or(otherwise, String::as_str);
        if plain_label(label) {
            Ok(label.to_owned())
        } else {
            Err(format!(
                "comparison.errorRate.{field}: \"{label}\" is no label name of Prometheus; use letters, digits and _"
            ))
        }
    };
    Ok(Labels {
        revision: label("revisionLabel", error_rate.revision_label.as_ref(), "rollouts_pod_template_hash")?,
        pod: label("podLabel", error_rate.pod_label.as_ref(), "pod")?,
        canary: arms.canary.clone(),
        stable: arms.stable.clone(),
    })
}

/// The selectors of requests and of errors.
fn counters(error_rate: &ErrorRateComparison) -> Result<(Selector, Selector), String> {
    let requests = Selector::parse(&error_rate.requests)
        .map_err(|why| format!("comparison.errorRate.requests: {why}"))?;
    let matchers = error_rate.errors.as_deref().unwrap_or("code=~\"5..\"");
    if matchers.trim().is_empty() {
        return Err(
            "comparison.errorRate.errors: it is empty, so that every request would be an error".to_owned()
        );
    }
    let errors = requests.narrowed(matchers).map_err(|why| format!("comparison.errorRate.errors: {why}"))?;
    Ok((requests, errors))
}

fn settings(
    comparison: &Comparison,
    error_rate: &ErrorRateComparison,
    metrics: u32,
) -> Result<Settings, String> {
    let usual = Settings::default();
    let limit = match error_rate.limit.as_deref() {
        None => usual.limit,
        Some(text) => percentage_points(text).filter(|limit| *limit > 0.0 && *limit < 1.0).ok_or_else(|| {
            format!("comparison.errorRate.limit: \"{text}\" is no difference of shares; give one such as 0.5pp or 0.005")
        })?,
    };
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

fn at_least(field: &str, value: Option<i32>, otherwise: i32, least: i32) -> Result<i32, String> {
    let value = value.unwrap_or(otherwise);
    if value < least { Err(format!("comparison.{field}: {value} is less than {least}")) } else { Ok(value) }
}

fn seconds(field: &str, text: Option<&str>, otherwise: i64) -> Result<i64, String> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(otherwise);
    };
    let read = go_duration(text).and_then(|duration| i64::try_from(duration.as_secs()).ok());
    read.ok_or_else(|| format!("comparison.{field}: \"{text}\" is no duration; give one such as 15s"))
}

/// Length of a window: the interval, in whole seconds.
fn window(limits: &Limits) -> Result<i64, String> {
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
