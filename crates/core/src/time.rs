//! Translates between the clock of a World and the times of the API, which have whole seconds.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// A moment as the API stores it: cut to whole seconds.
pub(crate) fn api_time(moment: Timestamp) -> Time {
    Time(Timestamp::from_second(moment.as_second()).unwrap_or(moment))
}

/// `moment` plus `seconds`, at most the end of time.
pub(crate) fn after(moment: Timestamp, seconds: i64) -> Timestamp {
    moment.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// What is waited for, in words for people, and until when, if that is known.
pub(crate) type Until = (String, Option<Timestamp>);
