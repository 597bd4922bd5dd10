//! Counters and histograms of two revisions as a scraper would have seen them, and the runs that compare them.

use serde_json::{Value, json};
use serin_analysis::provider::Answer;
use serin_analysis::run::Ask;

use crate::stage::{Question, Stage, success};

pub(crate) const CANARY: &str = "6d5f7c9b8";
pub(crate) const STABLE: &str = "7cd4b9f6d";
pub(crate) const NOON: i64 = 1_772_366_400;

pub(crate) fn run(metrics: Value) -> Stage {
    let services = json!({"canary": CANARY, "stable": STABLE, "canaryService": "shop-canary", "stableService": "shop", "namespace": "prod"});
    Stage::new(json!({"metrics": metrics, "arms": services}))
}

pub(crate) fn metric(name: &str, fields: Value, comparison: Value) -> Value {
    let mut metric =
        json!({"name": name, "interval": "60s", "provider": {"prometheus": {}}, "comparison": comparison});
    for (field, value) in fields.as_object().unwrap() {
        metric[field] = value.clone();
    }
    metric
}

/// Series by labels, scraped every 15 s from an hour before noon until two hours after.
#[derive(Clone, Default)]
pub(crate) struct Scraped(Vec<(Value, Vec<(i64, f64)>)>);

impl Scraped {
    /// A counter that grows by `per_second`, which may change with time.
    pub(crate) fn counter(mut self, labels: Value, from: i64, per_second: impl Fn(i64) -> f64) -> Self {
        let (mut value, mut samples) = (0.0, Vec::new());
        for second in (from..NOON + 7200).step_by(15) {
            samples.push((second, value));
            value += 15.0 * per_second(second);
        }
        self.0.push((labels, samples));
        self
    }

    /// A classic histogram of lognormal latencies with this median.
    pub(crate) fn histogram(
        self,
        pod: (&str, &str),
        from: i64,
        rps: f64,
        median: impl Fn(i64) -> f64,
    ) -> Self {
        self.buckets(&BOUNDS, pod, from, rps, median)
    }

    /// The same with other bounds, the last one `+Inf`.
    pub(crate) fn buckets(
        mut self,
        bounds: &[f64],
        (revision, pod): (&str, &str),
        from: i64,
        rps: f64,
        median: impl Fn(i64) -> f64,
    ) -> Self {
        for bound in bounds.iter().copied() {
            let share = |second| below(bound, median(second));
            let le = if bound.is_infinite() { "+Inf".to_owned() } else { bound.to_string() };
            let labels = json!({"__name__": "http_request_duration_seconds_bucket", "rollouts_pod_template_hash": revision, "pod": pod, "le": le});
            self = self.counter(labels, from, |second| rps * share(second));
        }
        self
    }

    /// Answers with the series whose revision and metric the query names.
    pub(crate) fn answer(&self, ask: &Ask) -> Answer {
        let question = Question::of(ask);
        let asked = |labels: &Value| {
            let revision = labels["rollouts_pod_template_hash"].as_str().unwrap();
            let name = labels["__name__"].as_str().unwrap().trim_end_matches("_bucket");
            let code = !question.query.contains("code=~")
                || labels.get("code").is_none_or(|code| code.as_str() == Some("500"));
            question.query.contains(revision) && question.query.contains(name) && code
        };
        let found: Vec<Value> = self
            .0
            .iter()
            .filter(|(labels, _)| asked(labels))
            .filter_map(|(labels, samples)| question.matrix(labels, samples))
            .collect();
        success(&json!({"status": "success", "data": {"resultType": "matrix", "result": found}}))
    }
}

const BOUNDS: [f64; 14] =
    [0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.14, 0.2, 0.28, 0.4, 0.56, 0.8, 1.6, f64::INFINITY];

/// Share of lognormal latencies (sigma 0.6) below a bound; a logistic stands for the normal.
fn below(bound: f64, median: f64) -> f64 {
    if bound.is_infinite() { 1.0 } else { 1.0 / (1.0 + (-(bound / median).ln() / 0.6 * 1.702).exp()) }
}
