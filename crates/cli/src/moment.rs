//! Says moments and spans of time in words: `14:07:12 UTC`, `3m11s`.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// A span in its two largest units: `45s`, `3m11s`, `2h5m`, `3d4h`. Negative spans are read as none.
pub fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (large, small) = match seconds {
        0..60 => return format!("{seconds}s"),
        60..3600 => ((seconds / 60, "m"), (seconds % 60, "s")),
        3600..86400 => ((seconds / 3600, "h"), (seconds % 3600 / 60, "m")),
        _ => ((seconds / 86400, "d"), (seconds % 86400 / 3600, "h")),
    };
    match small.0 {
        0 => format!("{}{}", large.0, large.1),
        rest => format!("{}{}{rest}{}", large.0, large.1, small.1),
    }
}

/// The time since a moment, as [`span`]; `<unknown>` when the moment is not known.
pub fn age(since: Option<&Time>, now: Timestamp) -> String {
    since.map_or_else(|| "<unknown>".to_owned(), |since| span(seconds_between(since.0, now)))
}

/// Whole seconds from one moment to another; negative when the second comes first.
pub fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second() - from.as_second()
}

/// The time of day, with the date when it is another day: `14:07:12 UTC`, `2026-11-23 14:07:12 UTC`.
pub fn clock(moment: Timestamp, now: Timestamp) -> String {
    let day = |moment: Timestamp| moment.strftime("%Y-%m-%d").to_string();
    let format = if day(moment) == day(now) { "%H:%M:%S UTC" } else { "%Y-%m-%d %H:%M:%S UTC" };
    moment.strftime(format).to_string()
}

/// A moment to come, with how long it takes: `14:12:09 UTC, in 3m11s`; one that has passed is `due`.
pub fn coming(moment: Timestamp, now: Timestamp) -> String {
    match seconds_between(now, moment) {
        left if left > 0 => format!("{}, in {}", clock(moment, now), span(left)),
        late => format!("{}, due for {}", clock(moment, now), span(-late)),
    }
}

/// A moment that has passed, with how long ago: `14:07:12 UTC, 1m49s ago`.
pub fn passed(moment: Timestamp, now: Timestamp) -> String {
    format!("{}, {} ago", clock(moment, now), span(seconds_between(moment, now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn spans_have_their_two_largest_units() {
        for (seconds, expected) in [
            (-5, "0s"),
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (191, "3m11s"),
            (3600, "1h"),
            (7500, "2h5m"),
            (86399, "23h59m"),
            (86400, "1d"),
            (273_600, "3d4h"),
        ] {
            assert_eq!(span(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn moments_carry_a_date_only_when_it_is_another_day() {
        let now = at("2026-11-24T14:10:00Z");
        assert_eq!(clock(at("2026-11-24T14:07:12Z"), now), "14:07:12 UTC");
        assert_eq!(clock(at("2026-11-23T23:59:59Z"), now), "2026-11-23 23:59:59 UTC");
        assert_eq!(coming(at("2026-11-24T14:13:11Z"), now), "14:13:11 UTC, in 3m11s");
        assert_eq!(coming(at("2026-11-24T14:09:58Z"), now), "14:09:58 UTC, due for 2s");
        assert_eq!(passed(at("2026-11-24T14:08:11Z"), now), "14:08:11 UTC, 1m49s ago");
    }
}
