//! Says what this process has done so far: counts and durations, bounded by the objects that live.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serin_core::duration::Ended;
use serin_core::journal::Severity;
use serin_core::seen::ObjectKey;

use crate::exposition::{Family, Histogram, Page, Shape, count_value};
use crate::failure::Failure;
use crate::object::{Kind, Name};
use crate::perform::status_word;

/// Buckets of Argo's reconcile histograms.
const RECONCILE: &[f64] = &[0.01, 0.15, 0.25, 0.5, 1.0];
const PLAN: &[f64] = &[0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.02];

/// The kinds of objects that are reconciled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Rollouts.
    Rollout,
    /// AnalysisRuns.
    AnalysisRun,
    /// Experiments.
    Experiment,
}

/// Buckets of how long updates take, as Argo's: from half a minute to eight hours, moving for at most one hour.
const UPDATE: &[f64] = &[30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0];
const MOVING: &[f64] = &[30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1200.0, 1800.0, 3600.0];
const HELD: &[f64] = &[0.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0];
/// Buckets of how long one notification takes.
const SEND: &[f64] = &[0.01, 0.15, 0.25, 0.5, 1.0];

#[derive(Debug)]
struct Score {
    reconcile: Histogram,
    errors: u64,
    events: BTreeMap<(&'static str, String), u64>,
    send: Histogram,
    sent: BTreeMap<(&'static str, String), u64>,
    unsent: BTreeMap<(&'static str, String), u64>,
}

/// Seconds of updates that ended in one way: in all, moving, and held by people.
#[derive(Debug)]
struct Updates([Histogram; 3]);

impl Default for Updates {
    fn default() -> Self {
        Self([UPDATE, MOVING, HELD].map(Histogram::new))
    }
}

#[derive(Debug)]
struct Counts {
    scores: BTreeMap<(Subject, Name), Score>,
    retries: BTreeMap<Subject, u64>,
    writes: BTreeMap<(String, &'static str, &'static str), u64>,
    requests: BTreeMap<(String, String, &'static str, String), u64>,
    updates: BTreeMap<String, Updates>,
    plan: Histogram,
    conflicts: u64,
    behind: u64,
}

/// The counters of this process. Series of an object end with the object.
#[derive(Debug)]
pub struct Tally(Mutex<Counts>);

impl Default for Tally {
    fn default() -> Self {
        Self(Mutex::new(Counts {
            scores: BTreeMap::new(),
            retries: BTreeMap::new(),
            writes: BTreeMap::new(),
            requests: BTreeMap::new(),
            updates: BTreeMap::new(),
            plan: Histogram::new(PLAN),
            conflicts: 0,
            behind: 0,
        }))
    }
}

impl Tally {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn score<R>(&self, subject: Subject, name: &Name, work: impl FnOnce(&mut Score) -> R) -> R {
        let mut counts = self.counts();
        let score = counts.scores.entry((subject, name.clone())).or_insert_with(|| Score {
            reconcile: Histogram::new(RECONCILE),
            errors: 0,
            events: BTreeMap::new(),
            send: Histogram::new(SEND),
            sent: BTreeMap::new(),
            unsent: BTreeMap::new(),
        });
        work(score)
    }

    /// One reconcile has ended.
    pub fn reconciled(&self, subject: Subject, name: &Name, took: Duration, failed: bool) {
        self.score(subject, name, |score| {
            score.reconcile.observe(took.as_secs_f64());
            score.errors += u64::from(failed);
        });
        *self.counts().retries.entry(subject).or_default() += u64::from(failed);
    }

    /// How many reconciles of all objects of this kind ended with an error, and so are done again.
    pub fn retries(&self, subject: Subject) -> u64 {
        self.counts().retries.get(&subject).copied().unwrap_or_default()
    }

    /// One event has been told.
    pub fn told(&self, subject: Subject, name: &Name, severity: Severity, reason: &str) {
        let key = (severity_word(severity), reason.to_owned());
        self.score(subject, name, |score| *score.events.entry(key).or_default() += 1);
    }

    /// One notification of a Rollout's event was taken, or given up.
    pub fn notified(&self, name: &Name, severity: Severity, reason: &str, took: Duration, taken: bool) {
        let key = (severity_word(severity), reason.to_owned());
        self.score(Subject::Rollout, name, |score| {
            score.send.observe(took.as_secs_f64());
            let counts = if taken { &mut score.sent } else { &mut score.unsent };
            *counts.entry(key).or_default() += 1;
        });
    }

    /// One update of a Rollout is over, as the stored status says.
    pub fn ended(&self, ended: &Ended) {
        let seconds = |seconds: i64| Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).as_secs_f64();
        let moving = ended.seconds.saturating_sub(ended.held_seconds);
        let times = [ended.seconds, moving, ended.held_seconds].map(seconds);
        let mut counts = self.counts();
        let Updates(histograms) = counts.updates.entry(ended.how.clone()).or_default();
        histograms.iter_mut().zip(times).for_each(|(histogram, time)| histogram.observe(time));
    }

    /// One decision has been made.
    pub fn planned(&self, took: Duration) {
        self.counts().plan.observe(took.as_secs_f64());
    }

    /// Somebody else wrote the status between our look and our write.
    pub fn conflicted(&self) {
        self.counts().conflicts += 1;
    }

    /// A decision was put off because a cache was older than our last write.
    pub fn fell_behind(&self) {
        self.counts().behind += 1;
    }

    /// One write was tried.
    pub fn wrote(&self, object: &ObjectKey, effect: &'static str, failure: Option<&Failure>) {
        let outcome = failure.map_or("done", |failure| failure.class().word());
        let mut counts = self.counts();
        *counts.writes.entry((object.kind.clone(), effect, outcome)).or_default() += 1;
        let verb = match effect {
            "create" | "delete" => effect_verb(effect),
            _ => "Patch",
        };
        let code = match failure {
            None if verb == "Create" => "201".to_owned(),
            _ => status_word(failure),
        };
        let plural = Kind::of_key(object).resource().plural;
        let request = (plural, object.namespace.clone(), verb, code);
        *counts.requests.entry(request).or_default() += 1;
    }

    /// The object is gone, and its series with it.
    pub fn forget(&self, subject: Subject, name: &Name) {
        self.counts().scores.remove(&(subject, name.clone()));
    }

    /// Writes everything to a page.
    pub fn expose(&self, page: &mut Page) {
        let counts = self.counts();
        expose_scores(&counts, page, Subject::Rollout, ["rollout_reconcile", "rollout_reconcile_error"]);
        expose_scores(
            &counts,
            page,
            Subject::AnalysisRun,
            ["analysis_run_reconcile", "analysis_run_reconcile_error"],
        );
        expose_scores(
            &counts,
            page,
            Subject::Experiment,
            ["experiment_reconcile", "experiment_reconcile_error"],
        );
        expose_events(&counts, page);
        expose_notifications(&counts, page);
        expose_updates(&counts, page);
        expose_writes(&counts, page);
        page.family("serin_plan_seconds", Shape::Histogram, "Seconds that one decision took.")
            .histogram(&[], &counts.plan);
        let conflicts = count_value(counts.conflicts);
        page.single(
            "serin_status_conflicts_total",
            Shape::Counter,
            "Status writes that somebody else was faster than.",
            conflicts,
        );
        let behind = count_value(counts.behind);
        page.single(
            "serin_decisions_delayed_total",
            Shape::Counter,
            "Decisions put off because a cache was older than our last write.",
            behind,
        );
    }
}

fn effect_verb(effect: &str) -> &'static str {
    if effect == "create" { "Create" } else { "Delete" }
}

/// The word of Kubernetes for how loud an event is.
pub fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Normal => "Normal",
        Severity::Warning => "Warning",
    }
}

fn expose_scores(counts: &Counts, page: &mut Page, subject: Subject, [seconds, errors]: [&'static str; 2]) {
    let of_subject = || counts.scores.iter().filter(|((known, _), _)| *known == subject);
    let mut family = page.family(seconds, Shape::Histogram, "Seconds that one reconcile took.");
    for ((_, name), score) in of_subject() {
        family.histogram(&[("namespace", &name.namespace), ("name", &name.name)], &score.reconcile);
    }
    let mut family = page.family(errors, Shape::Counter, "Reconciles that ended with an error.");
    for ((_, name), score) in of_subject() {
        family.sample(&[("namespace", &name.namespace), ("name", &name.name)], count_value(score.errors));
    }
}

fn expose_events(counts: &Counts, page: &mut Page) {
    let family = page.family("rollout_events_total", Shape::Counter, "Events of rollouts.");
    expose_reasons(counts, family, |score| &score.events);
}

/// How often what, by type and reason of events of Rollouts.
fn expose_reasons(
    counts: &Counts,
    mut family: Family,
    of: impl Fn(&Score) -> &BTreeMap<(&'static str, String), u64>,
) {
    let rollouts = counts.scores.iter().filter(|((subject, _), _)| *subject == Subject::Rollout);
    for ((_, name), score) in rollouts {
        for ((severity, reason), count) in of(score) {
            let labels = [
                ("namespace", name.namespace.as_str()),
                ("name", &name.name),
                ("type", severity),
                ("reason", reason),
            ];
            family.sample(&labels, count_value(*count));
        }
    }
}

fn expose_notifications(counts: &Counts, page: &mut Page) {
    let family = page.family("notification_send_success", Shape::Counter, "Notifications that were taken.");
    expose_reasons(counts, family, |score| &score.sent);
    let family = page.family("notification_send_error", Shape::Counter, "Notifications that were given up.");
    expose_reasons(counts, family, |score| &score.unsent);
    let told = |score: &Score| !(score.sent.is_empty() && score.unsent.is_empty());
    let mut family =
        page.family("notification_send", Shape::Histogram, "Seconds that one notification took.");
    for ((_, name), score) in counts.scores.iter().filter(|(_, score)| told(score)) {
        family.histogram(&[("namespace", &name.namespace), ("name", &name.name)], &score.send);
    }
}

fn expose_updates(counts: &Counts, page: &mut Page) {
    let families = [
        ("rollout_duration_seconds", "Seconds that updates took."),
        (
            "rollout_progression_duration_seconds",
            "Seconds that updates took without those that people held them.",
        ),
        ("rollout_manual_pause_duration_seconds", "Seconds that people held updates."),
    ];
    for (index, (name, help)) in families.into_iter().enumerate() {
        let mut family = page.family(name, Shape::Histogram, help);
        for (how, Updates(histograms)) in &counts.updates {
            family.histogram(&[("status", how)], &histograms[index]);
        }
    }
}

fn expose_writes(counts: &Counts, page: &mut Page) {
    let mut family = page.family("serin_writes_total", Shape::Counter, "Writes to the API server.");
    for ((kind, effect, outcome), count) in &counts.writes {
        family.sample(&[("kind", kind), ("effect", effect), ("outcome", outcome)], count_value(*count));
    }
    let mut family = page.family(
        "controller_clientset_k8s_request_total",
        Shape::Counter,
        "Writes to the API server by verb and status code; of all names together, to bound the number of series.",
    );
    for ((kind, namespace, verb, code), count) in &counts.requests {
        let labels = [
            ("kind", kind.as_str()),
            ("namespace", namespace),
            ("name", "N/A"),
            ("verb", verb),
            ("status_code", code),
        ];
        family.sample(&labels, count_value(*count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(tally: &Tally) -> String {
        let mut page = Page::default();
        tally.expose(&mut page);
        page.text()
    }

    #[test]
    fn the_time_of_updates_is_told_apart_by_how_they_ended() {
        let tally = Tally::default();
        tally.ended(&Ended { how: "Promoted".to_owned(), seconds: 500, held_seconds: 100 });
        tally.ended(&Ended { how: "Aborted".to_owned(), seconds: 20, held_seconds: 0 });
        let text = text(&tally);
        for line in [
            "rollout_duration_seconds_sum{status=\"Promoted\"} 500",
            "rollout_progression_duration_seconds_sum{status=\"Promoted\"} 400",
            "rollout_manual_pause_duration_seconds_sum{status=\"Promoted\"} 100",
            "rollout_duration_seconds_bucket{status=\"Promoted\",le=\"300\"} 0",
            "rollout_duration_seconds_bucket{status=\"Promoted\",le=\"600\"} 1",
            "rollout_manual_pause_duration_seconds_bucket{status=\"Aborted\",le=\"0\"} 1",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn notifications_are_counted_as_taken_or_given_up() {
        let (tally, name) = (Tally::default(), Name::new("n", "shop"));
        let took = Duration::from_millis(200);
        tally.notified(&name, Severity::Warning, "RolloutAborted", took, true);
        tally.notified(&name, Severity::Warning, "RolloutAborted", took, false);
        let text = text(&tally);
        for line in [
            "notification_send_success{namespace=\"n\",name=\"shop\",type=\"Warning\",reason=\"RolloutAborted\"} 1",
            "notification_send_error{namespace=\"n\",name=\"shop\",type=\"Warning\",reason=\"RolloutAborted\"} 1",
            "notification_send_count{namespace=\"n\",name=\"shop\"} 2",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn the_series_of_an_object_end_with_it() {
        let tally = Tally::default();
        let lines = |tally: &Tally| {
            let mut page = Page::default();
            tally.expose(&mut page);
            page.text().lines().count()
        };
        let before = lines(&tally);
        for number in 0..100 {
            let name = Name::new("n", &number.to_string());
            tally.reconciled(Subject::Rollout, &name, Duration::from_millis(3), false);
            tally.told(Subject::Rollout, &name, Severity::Normal, "RolloutUpdated");
        }
        assert!(lines(&tally) > before + 500);
        for number in 0..100 {
            tally.forget(Subject::Rollout, &Name::new("n", &number.to_string()));
        }
        assert_eq!(lines(&tally), before);
    }
}
