//! Reads the numbers and durations of a metric: how often it is measured, and what it may bear.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serin_api::{Metric, go_duration};

/// Errors in a row that a metric bears, unless it says otherwise.
pub(crate) const ERRORS_BORNE: i32 = 4;

/// How often a metric is measured, and what it may bear.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limits {
    /// Measurements in all; `None` until the run is ended.
    pub(crate) count: Option<i32>,
    pub(crate) interval: Option<SignedDuration>,
    pub(crate) initial_delay: SignedDuration,
    /// Failed measurements borne; -1 any number.
    pub(crate) failure: i32,
    pub(crate) inconclusive: i32,
    /// Errors in a row borne, when the metric says so itself.
    pub(crate) consecutive_error: Option<i32>,
    /// Successful measurements in a row that are enough; 0 when that is not used.
    pub(crate) consecutive_success: i32,
}

impl Limits {
    /// # Errors
    /// The message of Argo Rollouts, where it has one.
    pub(crate) fn of(metric: &Metric) -> Result<Self, String> {
        let count = number("count", metric.count.as_ref())?.unwrap_or(0);
        let interval = duration("invalid interval string", metric.interval.as_deref())?
            .map(|interval| interval.max(SHORTEST));
        let limits = Self {
            count: match (count, interval) {
                (1.., _) => Some(count),
                (_, None) => Some(1),
                (_, Some(_)) => None,
            },
            interval,
            initial_delay: duration("invalid startDelay string", metric.initial_delay.as_deref())?
                .unwrap_or_default(),
            failure: number("failureLimit", metric.failure_limit.as_ref())?.unwrap_or(0),
            inconclusive: number("inconclusiveLimit", metric.inconclusive_limit.as_ref())?.unwrap_or(0),
            consecutive_error: number("consecutiveErrorLimit", metric.consecutive_error_limit.as_ref())?,
            consecutive_success: number(
                "consecutiveSuccessLimit",
                metric.consecutive_success_limit.as_ref(),
            )?
            .unwrap_or(0),
        };
        limits.check(count)?;
        Ok(limits)
    }

    fn check(&self, count: i32) -> Result<(), String> {
        let (failure, success) = (self.failure, self.consecutive_success);
        let wrong = if count > 0 && failure >= 0 && success >= 0 && count < failure.saturating_add(success) {
            format!(
                "count ({count}) must be >= failureLimit + consecutiveSuccessLimit ({failure} + {success}) if both >= 0"
            )
        } else if count > 0 && count < self.inconclusive {
            "count must be >= inconclusiveLimit".to_owned()
        } else if count > 1 && self.interval.is_none() {
            "interval must be specified when count > 1".to_owned()
        } else if failure < -1 {
            "failureLimit must be >= 0, or -1 to be disabled".to_owned()
        } else if failure == -1 && success == 0 {
            "failureLimit and consecutiveSuccessLimit cannot both be disabled".to_owned()
        } else if success < 0 {
            "consecutiveSuccessLimit must be >= 0".to_owned()
        } else if self.inconclusive < 0 {
            "inconclusiveLimit must be >= 0".to_owned()
        } else if self.consecutive_error.is_some_and(|limit| limit < 0) {
            "consecutiveErrorLimit must be >= 0".to_owned()
        } else {
            return Ok(());
        };
        Err(wrong)
    }
}

fn number(field: &str, value: Option<&IntOrString>) -> Result<Option<i32>, String> {
    match value {
        None => Ok(None),
        Some(IntOrString::Int(number)) => Ok(Some(*number)),
        Some(IntOrString::String(text)) if text.trim().is_empty() => Ok(None),
        Some(IntOrString::String(text)) => {
            text.trim().parse().map(Some).map_err(|_| format!("{field}: \"{text}\" is not a whole number"))
        }
    }
}

/// Shorter intervals would ask a provider without pause.
const SHORTEST: SignedDuration = SignedDuration::from_secs(1);

fn duration(refusal: &str, text: Option<&str>) -> Result<Option<SignedDuration>, String> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let wrong = || {
        let digits = text.chars().all(|character| character.is_ascii_digit() || character == '.');
        let what = if digits { "missing unit in duration" } else { "invalid duration" };
        format!("{refusal}: time: {what} \"{text}\"")
    };
    let read = go_duration(text).ok_or_else(wrong)?;
    let read = SignedDuration::try_from(read).map_err(|_| wrong())?;
    Ok(Some(read))
}
