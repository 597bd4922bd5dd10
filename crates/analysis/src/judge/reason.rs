//! Says in one line why a look came out as it did (judge 1.11), for people on call and for `explain`.

use super::combine::ROUNDING;
use super::latency::Tail;
use super::look::{Look, Verdict};
use super::margin::PROMOTE_Z;
use super::mean::Worse;
use super::residual::Source;
use super::tally::Tally;
use super::window::Settings;

/// The words in which questions differ.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Words {
    /// Name, both arms, the difference with its interval, the limit.
    pub(super) facts: String,
    /// The limit as the user wrote it: `+0.5pp`, `+15%`.
    pub(super) limit: String,
    /// The diagnostic test: `chi2`.
    pub(super) test: &'static str,
    /// What is compared in a window: `requests`.
    pub(super) subject: &'static str,
    /// Why windows say nothing although both revisions served requests.
    pub(super) obstacle: Option<String>,
}

/// The words for an error rate: `canary 1.62 % (29/1790) stable 0.51 % (82/16110) delta +1.11pp [95% +0.4,+2.1]`.
pub(super) fn error_rate(name: &str, settings: &Settings, look: &Look) -> Words {
    let limit = format!("+{}pp", trimmed_points(settings.limit));
    let (canary, stable) = (share(look.canary), share(look.stable));
    let facts = format!("{name} canary {canary} stable {stable} delta {} limit {limit}", points(look));
    Words { facts, limit, test: "chi2", subject: "requests", obstacle: None }
}

/// The words for a tail: `p99 canary 3.10 % (55/1790) over 0.5s stable 1.02 % (164/16110), slowed by 15 % 1.90 %`.
pub(super) fn tail(
    name: &str,
    tail: &Tail,
    settings: &Settings,
    look: &Look,
    (at_limit, about, has_bound): (Tally, Option<f64>, bool),
) -> Words {
    let limit = slowdown(settings);
    let slowed = at_limit.rate().map_or("unknown".into(), |rate| percent(rate, 2) + " %");
    let quantile = trimmed_points(tail.quantile);
    let bound = if tail.bound.is_finite() {
        format!("{}{}", significant(tail.bound), tail.baseline.unit)
    } else {
        "an unknown bound".into()
    };
    let facts = format!(
        "{name} p{quantile} canary {} over {bound} stable {}, {} slower {slowed} delta {}{} limit {limit}",
        share(look.canary),
        share(look.stable),
        trimmed_points(settings.limit) + " %",
        points(look),
        times(about),
    );
    let obstacle = if !tail.bound.is_finite() {
        Some(format!(
            "stable has no bucket bound near its p{quantile}: add one, or leave p{quantile} out of quantiles"
        ))
    } else {
        (!has_bound)
            .then(|| format!("{bound} is no bucket bound of both revisions any more: the ladders differ"))
    };
    Words { facts, limit, test: "chi2", subject: "requests", obstacle }
}

/// The words for a shift: `canary slower in 54.1 % of pairs [95% 53.2,55.0] about x1.12`.
pub(super) fn shift(
    name: &str,
    settings: &Settings,
    look: &Look,
    (at_limit, about, blind): (Option<f64>, Option<f64>, bool),
) -> Words {
    let limit = slowdown(settings);
    let pairs = look.delta.map_or("unknown".into(), |pairs| percent(pairs, 1) + " %");
    let interval = look
        .interval
        .map_or(String::new(), |ends| format!(" [95% {},{}]", percent(ends.low, 1), percent(ends.high, 1)));
    let at_limit = at_limit.map_or(String::new(), |pairs| format!(" ({} %)", percent(pairs, 1)));
    let facts = format!(
        "{name} canary slower in {pairs} of pairs{interval} ({} v {} requests){} limit {limit}{at_limit}",
        count(look.canary.trials),
        count(look.stable.trials),
        times(about),
    );
    let obstacle = blind.then(|| {
        "nearly all requests of both revisions are in one bucket, which tells nothing: use finer buckets"
            .into()
    });
    Words { facts, limit, test: "rank", subject: "requests", obstacle }
}

/// The words for a business rate: `canary 2.91 % (52/1790) stable 3.02 % (487/16110) change -3.6%`.
pub(super) fn business(name: &str, settings: &Settings, look: &Look) -> Words {
    let limit = format!("-{}%", trimmed_points(settings.limit));
    let converted = |lost: Tally| share(Tally::new(lost.trials - lost.events, lost.trials));
    let (canary, stable) = (converted(look.canary), converted(look.stable));
    let facts = format!("{name} canary {canary} stable {stable} change {} limit {limit}", change(look));
    Words { facts, limit, test: "chi2", subject: "attempts", obstacle: None }
}

/// The words for a mean: `canary 41.2 (1790) stable 42 (16110) change -1.9%`.
pub(super) fn mean(name: &str, settings: &Settings, worse: Worse, known: bool, look: &Look) -> Words {
    let sign = if worse == Worse::Lower { '-' } else { '+' };
    let limit = format!("{sign}{}%", trimmed_points(settings.limit));
    let mean = |arm: Tally| {
        let mean = arm.rate().map_or("none".into(), |mean| format!("{}", (mean * 1e4).round() / 1e4));
        format!("{mean} (of {})", count(arm.trials))
    };
    let (canary, stable) = (mean(look.canary), mean(look.stable));
    let facts = format!("{name} canary {canary} stable {stable} change {} limit {limit}", change(look));
    let obstacle = (!known).then(|| {
        "the spread of the value is not known: stable has too little history, at least 3 pods or 10 windows".into()
    });
    Words { facts, limit, test: "z", subject: "values", obstacle }
}

/// Four significant digits at most: `0.3252`, `250`.
fn significant(value: f64) -> String {
    let digits = (3.0 - value.abs().log10().floor()).clamp(0.0, 12.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn slowdown(settings: &Settings) -> String {
    format!("+{}%", trimmed_points(settings.limit))
}

fn times(about: Option<f64>) -> String {
    about.map_or(String::new(), |factor| format!(" about x{factor:.2}"))
}

/// A relative change with its interval: `-3.6% [95% -9.1,+2.0]`.
fn change(look: &Look) -> String {
    let change = look.delta.map_or("unknown".into(), |change| signed_points(change, 1) + "%");
    let interval = look.interval.map_or(String::new(), |ends| {
        format!(" [95% {},{}]", signed_points(ends.low, 1), signed_points(ends.high, 1))
    });
    change + &interval
}

/// The estimate in percentage points with its interval.
pub(super) fn points(look: &Look) -> String {
    let delta = look.delta.map_or("unknown".into(), |delta| signed_points(delta, 2) + "pp");
    let interval = look.interval.map_or(String::new(), |ends| {
        format!(" [95% {},{}]", signed_points(ends.low, 1), signed_points(ends.high, 1))
    });
    delta + &interval
}

/// The whole line; `log_mean` = logarithm of the mean evidence over all questions.
pub(super) fn line(
    words: &Words,
    settings: &Settings,
    (start, end): (i64, i64),
    look: &Look,
    log_mean: f64,
) -> String {
    format!(
        "{} | window {}-{} breach {}/{} | {} p{} phi {:.1}{} | evidence {} of {} needed (mean {} of {}) -> {}",
        words.facts,
        clock(start),
        clock(end),
        look.breach,
        settings.consecutive,
        words.test,
        look.chi2_p.map_or(" unknown".into(), |p| format!("={}", small(p))),
        look.phi,
        origin(settings, look.noise),
        amount(look.log_e),
        amount(look.needed.ln()),
        amount(log_mean),
        amount(look.mean_needed.ln()),
        outcome(words, settings, look),
    )
}

/// Where the noise comes from, unless it was measured on the pods of stable before the rollout.
fn origin(settings: &Settings, noise: Source) -> String {
    match noise {
        Source::Windows(windows) => format!(" (from {windows} windows of this rollout)"),
        Source::Assumed => " (assumed)".into(),
        Source::History if settings.rho.is_none() => " (assumed)".into(),
        Source::History => String::new(),
    }
}

/// The verdict, and when it is not FAIL what decided or is missing.
fn outcome(words: &Words, settings: &Settings, look: &Look) -> String {
    match look.verdict {
        Verdict::Fail => "FAIL".into(),
        Verdict::Pass => format!("PASS: shown to stay below {} ({})", words.limit, z(look)),
        Verdict::Undecided => format!("UNDECIDED: {}", missing(words, settings, look)),
    }
}

fn missing(words: &Words, settings: &Settings, look: &Look) -> String {
    let enough = look.log_e >= look.needed.ln() - ROUNDING;
    let waiting = settings.consecutive.saturating_sub(look.breach);
    let (subject, limit) = (words.subject, &words.limit);
    if let Some(obstacle) = &words.obstacle {
        obstacle.clone()
    } else if look.canary.is_empty() && look.stable.is_empty() {
        format!("no {subject} in either revision yet, nothing can be said")
    } else if look.excess.is_none() {
        format!("no {subject} to compare in this window, nothing moves")
    } else if enough && waiting > 0 {
        format!("evidence is enough, but not {} windows in a row beyond the limit", settings.consecutive)
    } else if let (true, Some(p), Some(level)) = (enough, look.doubt, settings.level()) {
        format!(
            "evidence is enough for the noise that is assumed, but the windows differ too much to tell (p={}, {} needed)",
            small(p),
            small(level)
        )
    } else if enough {
        "evidence is enough, but over all windows the difference is within the limit".into()
    } else if waiting == 0 {
        "beyond the limit, but the evidence is not enough yet".into()
    } else {
        format!("not shown yet to stay below {limit} ({})", z(look))
    }
}

fn z(look: &Look) -> String {
    look.z.map_or("z unknown".into(), |z| format!("z {z:.2}, {PROMOTE_Z} needed"))
}

/// `1.62 % (29/1790)`.
pub(super) fn share(tally: Tally) -> String {
    let rate = tally.rate().map_or("none".into(), |rate| format!("{} %", percent(rate, 2)));
    format!("{rate} ({}/{})", count(tally.events), count(tally.trials))
}

pub(super) fn count(count: f64) -> String {
    if (count.round() - count).abs() < 0.05 { format!("{count:.0}") } else { format!("{count:.1}") }
}

/// Percentage points with a sign, `+1.11`.
pub(super) fn signed_points(delta: f64, decimals: usize) -> String {
    let points = percent(delta, decimals);
    if points.starts_with('-') { points } else { format!("+{points}") }
}

/// A share in percent as the user wrote it: six significant digits at most.
pub(super) fn trimmed_points(share: f64) -> String {
    let points = format!("{:.6}", share * 100.0);
    points.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A rate in percent with so many decimals, two significant digits when that would show only zeros, 0 below 1e-6 %.
pub(super) fn percent(rate: f64, decimals: usize) -> String {
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
