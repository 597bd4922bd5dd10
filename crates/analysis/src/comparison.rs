//! Compares canary and stable window by window: what to ask Prometheus, and what its answers count.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serin_api::{Arms, Comparison, Metric};

use crate::judge::error_rate::Settings;
use crate::limit::Limits;
use crate::provider::Reply;
use crate::provider::Response;
use crate::provider::prometheus::answer::{Histograms, Series, histograms, series};

mod arm;
mod coarsen;
mod count;
mod evidence;
mod ladder;
mod native;
mod packed;
mod past;
mod preset;
mod question;
mod replay;
mod selector;
mod spec;
mod survey;
mod window;

pub(crate) use count::{Counted, Span};
pub(crate) use evidence::{Evidence, MOST_BYTES, Seen};
pub(crate) use past::Past;
pub(crate) use question::Asking;
pub use replay::{Relook, Replay, Unreplayable, replay};
pub use spec::questions;
pub(crate) use spec::room;
pub use survey::{Quantile, Survey, Surveyed};
pub use window::Window;
pub(crate) use window::{WINDOW, window_of};

use arm::Labels;
use selector::Selector;

/// Windows judged in one look at most; the next look comes at once.
pub(crate) const REPLAYED: usize = 10;

/// Seconds back that missed windows are still judged, or three windows when those are longer.
const HORIZON: i64 = 3600;

/// Seconds back that windows are judged which are so many seconds long and are asked for so many after their end.
pub fn horizon(length: i64, delay: i64) -> i64 {
    HORIZON.max(delay.saturating_add(length.saturating_mul(3)))
}

/// Seconds before a window in which the sample before it is looked for: as long as Prometheus itself looks back.
const LOOKBACK: i64 = 300;

/// Windows of history that are measured, unless the user says otherwise.
const HISTORY: i32 = 40;

/// Canary requests before success, unless the user says otherwise.
pub(crate) const LEAST: i32 = 100;

/// The comparison of one metric, ready to be asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    source: Source,
    labels: Labels,
    pub(crate) asking: Vec<Asking>,
    /// The unit of latencies, for people.
    pub(crate) unit: &'static str,
    /// Length of a window in seconds.
    seconds: i64,
    /// Seconds after its end at which a window is asked for.
    delay: i64,
    warmup: i64,
    /// Windows of history to be measured.
    history: i64,
    /// Canary requests before success.
    pub(crate) least: f64,
    /// Seconds without data that are borne; `None` any number.
    pub(crate) patience: Option<i64>,
    /// Share of stable's requests that fail above which nothing is judged.
    unhealthy_above: Option<f64>,
    /// Before the noise of each question is known.
    pub(crate) settings: Settings,
    /// Everything by which evidence is comparable.
    pub(crate) fingerprint: String,
}

/// What is read.
#[derive(Clone, Debug, PartialEq)]
enum Source {
    /// Two counters: how many, and how many of them.
    Rates { trials: Selector, events: Selector },
    /// A histogram.
    Buckets(Selector),
    /// Two counters: how many, and their sum.
    Means { trials: Selector, sums: Selector },
}

/// Which of the counters of a comparison a question asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Of {
    /// Requests, attempts, values; or the buckets of a histogram.
    Trials,
    /// Errors or successes among them, or the sum of the values.
    Events,
}

/// An answer, read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answered {
    Series(Vec<Series>),
    Histograms(Histograms),
}

impl Plan {
    /// `metrics` is the number of questions in the run: they share one alpha.
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
        spec::only_its_own_fields(metric)?;
        let spec::Measure { source, asking, labels, limit, unit } = spec::measure(comparison, arms)?;
        let mut made = Self {
            source,
            labels,
            asking,
            unit,
            seconds: spec::window(limits)?,
            delay: spec::seconds("ingestionDelay", comparison.ingestion_delay.as_deref(), 15)?,
            warmup: i64::from(spec::at_least("warmup", comparison.warmup, 0, 0)?),
            history: i64::from(spec::at_least("history", comparison.history, HISTORY, 0)?),
            least: f64::from(spec::at_least("minRequests", comparison.min_requests, LEAST, 0)?),
            patience: Some(spec::seconds("noDataTimeout", comparison.no_data_timeout.as_deref(), 3600)?)
                .filter(|patience| *patience > 0),
            unhealthy_above: spec::unhealthy_above(comparison)?,
            settings: spec::settings(comparison, limit, metrics)?,
            fingerprint: String::new(),
        };
        if made.delay > HORIZON / 2 {
            return Err(format!("comparison.ingestionDelay: longer than {} minutes", HORIZON / 120));
        }
        let Settings { limit, kappa, alpha, consecutive, metrics, .. } = made.settings;
        let asked: Vec<String> = made.shown().into_values().collect();
        made.fingerprint = format!(
            "{} {} {:?} {}s limit={limit} kappa={kappa} alpha={alpha} consecutive={consecutive} metrics={metrics}",
            asked.join(" "),
            made.labels.both(),
            made.asking,
            made.seconds
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
        let oldest = self.at_or_after(now.saturating_sub(horizon(self.seconds, self.delay)));
        let newest = now.saturating_sub(self.delay).div_euclid(self.seconds).saturating_sub(1);
        (next.max(oldest)..=newest).take(REPLAYED)
    }

    /// When window number `id` can be judged.
    pub(crate) fn ready(&self, id: i64) -> Timestamp {
        let at = self.span(id).end.saturating_add(self.delay);
        Timestamp::from_second(at).unwrap_or(Timestamp::MAX)
    }

    /// The counters that are asked for.
    fn selectors(&self) -> Vec<(Of, &Selector)> {
        match &self.source {
            Source::Rates { trials, events } => vec![(Of::Trials, trials), (Of::Events, events)],
            Source::Buckets(buckets) => vec![(Of::Trials, buckets)],
            Source::Means { trials, sums } => vec![(Of::Trials, trials), (Of::Events, sums)],
        }
    }

    /// The queries of window number `id`, and the moment at which to ask them.
    pub(crate) fn queries(&self, id: i64) -> (Vec<(Of, String)>, Timestamp) {
        let before = LOOKBACK.max(self.seconds.saturating_mul(self.warmup.saturating_add(1).max(2)));
        let range = self.seconds.saturating_add(before);
        let end = Timestamp::from_second(self.span(id).end).unwrap_or(Timestamp::MAX);
        let both = self.labels.both();
        let ask = |(of, selector): (Of, &Selector)| (of, selector.with(&both).over(range));
        (self.selectors().into_iter().map(ask).collect(), end)
    }

    /// The queries of the history before window number `id`; none when no history is wanted.
    pub(crate) fn history(&self, id: i64) -> (Vec<(Of, String)>, Timestamp) {
        let start = Timestamp::from_second(self.span(id).start).unwrap_or(Timestamp::MAX);
        if self.history == 0 {
            return (Vec::new(), start);
        }
        let range = self.seconds.saturating_mul(self.history);
        let stable = self.labels.stable_alone();
        let ask = |(of, selector): (Of, &Selector)| (of, selector.with(&stable).steps(range, self.seconds));
        (self.selectors().into_iter().map(ask).collect(), start)
    }

    /// Reads one answer.
    ///
    /// # Errors
    /// The [`Reply`] that says what came instead.
    pub(crate) fn read(&self, response: &Response) -> Result<(Answered, BTreeMap<String, String>), Reply> {
        match self.source {
            Source::Buckets(_) => {
                histograms(response).map(|(found, notes)| (Answered::Histograms(found), notes))
            }
            Source::Rates { .. } | Source::Means { .. } => {
                series(response).map(|(found, notes)| (Answered::Series(found), notes))
            }
        }
    }

    /// How many answers a window needs.
    pub(crate) fn answers(&self) -> usize {
        self.selectors().len()
    }

    /// What the answers of one window count; in the order of [`queries`](Self::queries).
    pub(crate) fn count(&self, answers: &[Answered], span: Span, past: &Past) -> Counted {
        let warmup = self.warmup.saturating_mul(self.seconds);
        match (&self.source, answers) {
            (Source::Rates { .. }, [Answered::Series(trials), Answered::Series(events)]) => {
                count::rates(trials, events, &self.labels, span, warmup)
                    .unless_unhealthy(self.unhealthy_above)
            }
            (Source::Means { .. }, [Answered::Series(trials), Answered::Series(sums)]) => {
                count::means(trials, sums, &self.labels, span, warmup)
            }
            (Source::Buckets(_), [Answered::Histograms(found)]) => {
                let onto = past.histogram().map(|history| history.bounds());
                ladder::buckets(found, &self.labels, onto, (span, warmup))
            }
            _ => Counted::Odd("the answers do not belong to the questions".to_owned()),
        }
    }

    /// What the answers say of the time before; nothing when they cannot be read.
    pub(crate) fn past(&self, answers: &[Answered]) -> Past {
        match answers {
            [Answered::Series(trials), Answered::Series(events)] => {
                let asking = self.asking.first().copied().unwrap_or(Asking::ErrorRate);
                past::of_counters(trials, events, &self.labels, asking, self.seconds)
            }
            [Answered::Histograms(found)] => {
                past::of_histograms(found, &self.labels, &self.asking, self.seconds).unwrap_or_default()
            }
            _ => Past::default(),
        }
    }

    /// What the status shows of the questions.
    pub(crate) fn shown(&self) -> BTreeMap<String, String> {
        let named = match &self.source {
            Source::Rates { trials, events } if self.asking.contains(&Asking::BusinessRate) => {
                vec![("attempts", trials), ("successes", events)]
            }
            Source::Rates { trials, events } => vec![("requests", trials), ("errors", events)],
            Source::Buckets(buckets) => vec![("buckets", buckets)],
            Source::Means { trials, sums } => vec![("count", trials), ("sum", sums)],
        };
        let both = self.labels.both();
        let show = |(name, selector): (&str, &Selector)| (name.to_owned(), selector.with(&both).to_string());
        let mut shown: BTreeMap<String, String> = named.into_iter().map(show).collect();
        if self.warmup > 0 {
            shown.insert(
                "warmup".to_owned(),
                format!("the first {} windows, and those of each new pod, are left out", self.warmup),
            );
        }
        shown
    }

    /// What to tell people when there are no data.
    pub(crate) fn complaint(&self, counted: &Counted) -> String {
        let Labels { canary, stable, .. } = &self.labels;
        let series = self.selectors().first().map_or(String::new(), |(_, trials)| trials.to_string());
        match counted {
            Counted::NoCanary => format!(
                "the canary ({canary}) has no series of {series}, stable has: it receives no traffic, is not scraped, or \
                 exposes the metric under another name or with other labels"
            ),
            Counted::NoStable => format!(
                "stable ({stable}) has no series of {series}, the canary has: there is nothing to compare with"
            ),
            Counted::Neither => format!(
                "no series of {series} in the window: nothing was scraped then, or the name is wrong, or scraping does \
                 not copy the pod's label rollouts-pod-template-hash to the label of the series ({canary})"
            ),
            Counted::Unhealthy { failed, served, most } => format!(
                "the environment is unhealthy: {} of stable's requests failed ({failed} of {served}), more than unhealthyAbove \
                 ({}) allows; the canary is judged again when stable has recovered",
                percent(failed / served),
                percent(*most)
            ),
            Counted::Odd(message) => message.clone(),
            Counted::Both(_) | Counted::Warming => String::new(),
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}
