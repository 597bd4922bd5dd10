//! Text that means a quantity: durations and percentage points.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// A duration in the notation of Go: `90s`, `1h30m`, `1.5s`, `100ms`. `None` for anything else, and for negative ones.
pub fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut seconds = 0.0_f64;
    let mut any = false;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let end = rest.find(|character: char| character.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match rest.get(..end)? {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        seconds += number * unit;
        any = true;
        rest = rest.get(end..)?;
    }
    if any { Duration::try_from_secs_f64(seconds).ok() } else { None }
}

/// Seconds of a length of time as steps write it: a number, digits, or the notation of Go.
///
/// # Errors
/// The text, when it is none of these.
pub(crate) fn seconds(length: &IntOrString) -> Result<i64, String> {
    match length {
        IntOrString::Int(seconds) => Ok(i64::from(*seconds)),
        IntOrString::String(text) => match text.parse::<i64>() {
            Ok(seconds) => Ok(seconds),
            Err(_) => go_duration(text)
                .and_then(|duration| i64::try_from(duration.as_secs()).ok())
                .ok_or_else(|| text.clone()),
        },
    }
}

/// A difference of shares: `0.5pp` and `0.005` are the same. `None` for anything else, and outside 0 to 1.
pub fn percentage_points(text: &str) -> Option<f64> {
    let text = text.trim();
    let share = match text.strip_suffix("pp") {
        Some(points) => points.trim().parse::<f64>().ok()? / 100.0,
        None => text.parse().ok()?,
    };
    (0.0..=1.0).contains(&share).then_some(share)
}

/// Reads a relative change: `15%` and `0.15` mean the same. `None` when it is neither, or outside 0 to 10.
pub fn percentage(text: &str) -> Option<f64> {
    let text = text.trim();
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok()? / 100.0,
        None => text.parse().ok()?,
    };
    (0.0..=10.0).contains(&share).then_some(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, expected) in [
            ("30s", Some(30.0)),
            ("1h30m", Some(5400.0)),
            ("1.5s", Some(1.5)),
            ("100ms", Some(0.1)),
            ("0", Some(0.0)),
            ("", None),
            ("10", None),
            ("5 minutes", None),
            ("-5s", None),
        ] {
            assert_eq!(go_duration(text).map(|duration| duration.as_secs_f64()), expected, "{text}");
        }
    }

    #[test]
    fn percentage_points_and_shares_mean_the_same() {
        for (text, expected) in [
            ("0.5pp", Some(0.005)),
            ("0.005", Some(0.005)),
            ("2 pp", Some(0.02)),
            ("5%", None),
            ("200pp", None),
        ] {
            assert_eq!(percentage_points(text), expected, "{text}");
        }
    }

    #[test]
    fn percentages_and_shares_mean_the_same() {
        for (text, expected) in
            [("15%", Some(0.15)), ("0.15", Some(0.15)), ("2 %", Some(0.02)), ("2pp", None), ("-1%", None)]
        {
            assert_eq!(percentage(text), expected, "{text}");
        }
    }
}
