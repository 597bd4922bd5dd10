//! Translates between the clock of a run and the times of the API, which have whole seconds.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// A moment as the API stores it: cut to whole seconds.
pub(super) fn api_time(moment: Timestamp) -> Time {
    Time(Timestamp::from_second(moment.as_second()).unwrap_or(moment))
}

/// A moment for people: `2026-03-01T12:00:00Z`.
pub(super) fn shown(moment: Timestamp) -> String {
    api_time(moment).0.to_string()
}
