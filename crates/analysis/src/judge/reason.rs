//! Says in one line why a look came out as it did (judge 1.11), for people on call and for `explain`.

use super::combine::ROUNDING;
use super::error_rate::{Look, Verdict};
use super::margin::PROMOTE_Z;
use super::tally::Tally;
use super::window::{Settings, Window};

/// The whole line; `log_mean` = logarithm of the mean evidence over all metrics.
pub(super) fn line(name: &str, settings: &Settings, window: &Window, look: &Look, log_mean: f64) -> String {
    let delta = look.delta.map_or("unknown".into(), |delta| signed_points(delta, 2) + "pp");
    let interval = look.interval.map_or(String::new(), |ends| {
        format!(" [95% {},{}]", signed_points(ends.low, 1), signed_points(ends.high, 1))
    });
    format!(
        "{name} canary {} stable {} delta {delta}{interval} limit {}pp | window {}-{} breach {}/{} | chi2 p{} phi {:.1}{} \
         | evidence {} of {} needed (mean {} of {}) -> {}",
        share(look.canary),
        share(look.stable),
        limit(settings),
        clock(window.start),
        clock(window.end),
        look.breach,
        settings.consecutive,
        look.chi2_p.map_or(" unknown".into(), |p| format!("={}", small(p))),
        look.phi,
        if settings.rho.is_none() { " (assumed)" } else { "" },
        amount(look.log_e),
        amount(look.needed.ln()),
        amount(log_mean),
        amount(look.mean_needed.ln()),
        outcome(settings, look),
    )
}

/// The verdict, and when it is not FAIL what decided or is missing.
fn outcome(settings: &Settings, look: &Look) -> String {
    let limit = limit(settings);
    match look.verdict {
        Verdict::Fail => "FAIL".into(),
        Verdict::Pass => format!("PASS: shown to stay below {limit}pp ({})", z(look)),
        Verdict::Undecided => format!("UNDECIDED: {}", missing(settings, look, &limit)),
    }
}

fn missing(settings: &Settings, look: &Look, limit: &str) -> String {
    let enough = look.log_e >= look.needed.ln() - ROUNDING;
    let waiting = settings.consecutive.saturating_sub(look.breach);
    if look.canary.is_empty() && look.stable.is_empty() {
        "no requests in either revision yet, nothing can be said".into()
    } else if look.window_delta.is_none() {
        "no requests to compare in this window, nothing moves".into()
    } else if enough && waiting > 0 {
        format!("evidence is enough, but not {} windows in a row beyond the limit", settings.consecutive)
    } else if enough {
        "evidence is enough, but over all windows the difference is within the limit".into()
    } else if waiting == 0 {
        "beyond the limit, but the evidence is not enough yet".into()
    } else {
        format!("not shown yet to stay below {limit}pp ({})", z(look))
    }
}

fn z(look: &Look) -> String {
    look.z.map_or("z unknown".into(), |z| format!("z {z:.2}, {PROMOTE_Z} needed"))
}

/// `1.62 % (29/1790)`.
fn share(tally: Tally) -> String {
    let rate = tally.rate().map_or("none".into(), |rate| format!("{} %", percent(rate, 2)));
    format!("{rate} ({}/{})", count(tally.events), count(tally.trials))
}

fn count(count: f64) -> String {
    if count.trunc() == count { format!("{count:.0}") } else { format!("{count:.1}") }
}

/// Percentage points with a sign, `+1.11`.
fn signed_points(delta: f64, decimals: usize) -> String {
    let points = percent(delta, decimals);
    if points.starts_with('-') { points } else { format!("+{points}") }
}

/// The limit as the user wrote it, `+0.5`: six significant digits at most.
fn limit(settings: &Settings) -> String {
    let points = format!("{:.6}", settings.limit * 100.0);
    format!("+{}", points.trim_end_matches('0').trim_end_matches('.'))
}

/// A rate in percent with so many decimals, two significant digits when that would show only zeros, 0 below 1e-6 %.
fn percent(rate: f64, decimals: usize) -> String {
    let percent = rate * 100.0;
    let digits = -percent.abs().log10().floor();
    let decimals = if digits > decimals as f64 && digits <= 6.0 { digits as usize + 1 } else { decimals };
    let text = format!("{percent:.decimals$}");
    if text.trim_matches(['-', '0', '.']).is_empty() { format!("{:.decimals$}", 0.0) } else { text }
}

/// A p: two digits, or a power of ten below 0.001.
fn small(p: f64) -> String {
    match p {
        p if p < 1e-300 => "<1e-300".into(),
        p if p < 1e-3 => format!("{p:.0e}"),
        p => format!("{p:.2}"),
    }
}

/// An evidence, given as its logarithm so that it cannot overflow: `0.63`, `24.6`, `96`, `1.2e9`.
fn amount(log: f64) -> String {
    let tens = log / std::f64::consts::LN_10;
    if tens >= 5.0 || tens < -2.0 && tens.is_finite() {
        let whole = tens.floor();
        return format!("{:.1}e{whole:.0}", 10f64.powf(tens - whole));
    }
    match log.exp() {
        e if e < 9.995 => trimmed(&format!("{e:.2}")),
        e if e < 94.95 => trimmed(&format!("{e:.1}")),
        e => format!("{e:.0}"),
    }
}

fn trimmed(number: &str) -> String {
    number.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `14:07` in UTC, with seconds when they are not zero.
fn clock(second: i64) -> String {
    let day = second.rem_euclid(86_400);
    let (hour, minute, rest) = (day / 3600, day / 60 % 60, day % 60);
    if rest == 0 { format!("{hour:02}:{minute:02}") } else { format!("{hour:02}:{minute:02}:{rest:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well_at_every_size() {
        assert_eq!(percent(29.0 / 1790.0, 2), "1.62");
        assert_eq!(percent(0.000_052, 2), "0.0052");
        assert_eq!(percent(-0.0, 2), "0.00");
        assert_eq!(signed_points(-1e-13, 1), "+0.0");
        assert_eq!(signed_points(-0.000_15, 2), "-0.01");
        assert_eq!(signed_points(0.000_042, 2), "+0.0042");
        assert_eq!(signed_points(0.0042, 1), "+0.4");
        assert_eq!(
            [0.63f64, 24.6, 96.4, 80.0, 20.0, 1.0].map(|e| amount(e.ln())),
            ["0.63", "24.6", "96", "80", "20", "1"]
        );
        assert_eq!(amount(1e4), "8.8e4342");
        assert_eq!(amount(f64::NEG_INFINITY), "0");
        assert_eq!((small(2e-8), small(0.134), small(0.0)), ("2e-8".into(), "0.13".into(), "<1e-300".into()));
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(clock(1_763_993_220), "14:07");
        assert_eq!(clock(1_763_993_250), "14:07:30");
        assert_eq!(clock(-60), "23:59");
    }
}
