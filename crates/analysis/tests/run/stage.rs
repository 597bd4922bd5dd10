//! A stage for runs: a virtual clock, a scripted Prometheus, and the status stored as the API server would store it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use serin_analysis::provider::{Answer, Extensions, Profiles, Response};
use serin_analysis::run::{Ask, Asked, Job, RunPlan, RunWorld, conclude, due};
use serin_analysis::secret::Secrets;
use serin_api::{AnalysisRun, AnalysisRunStatus, MetricResult};

pub(crate) const PROMETHEUS: &str = "http://prometheus:9090";

/// One run with its clock.
pub(crate) struct Stage {
    pub(crate) run: AnalysisRun,
    pub(crate) now: Timestamp,
    pub(crate) secrets: Secrets,
    pub(crate) profiles: Profiles,
    /// Weight of the canary in the Rollout.
    pub(crate) weight: Option<i32>,
    pub(crate) extensions: Extensions,
    pub(crate) jobs: Vec<Job>,
    /// Reasons of all events so far.
    pub(crate) events: Vec<String>,
    /// What those events say.
    pub(crate) told: Vec<String>,
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl Stage {
    pub(crate) fn new(spec: Value) -> Self {
        let run = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun",
            "metadata": {"name": "run", "namespace": "shop"}, "spec": spec,
        });
        Self {
            run: serde_json::from_value(run).unwrap(),
            now: at("2026-03-01T12:00:00Z"),
            secrets: Secrets::new(),
            profiles: Profiles::new(),
            weight: None,
            extensions: Extensions::new(),
            jobs: Vec::new(),
            events: Vec::new(),
            told: Vec::new(),
        }
    }

    /// A run with one metric called `m` that asks Prometheus.
    pub(crate) fn metric(fields: Value) -> Self {
        Self::new(json!({"metrics": [metric("m", fields)]}))
    }

    pub(crate) fn world(&self) -> RunWorld<'_> {
        RunWorld {
            now: self.now,
            run: &self.run,
            secrets: &self.secrets,
            profiles: &self.profiles,
            extensions: Some(&self.extensions),
            jobs: &self.jobs,
            default_prometheus: Some(PROMETHEUS),
            weight: self.weight,
        }
    }

    pub(crate) fn due(&self) -> Vec<Ask> {
        due(&self.world())
    }

    /// One pass of the shell: asks what is due, and stores what comes of it.
    pub(crate) fn tick(&mut self, mut answer: impl FnMut(&Ask) -> Answer) -> RunPlan {
        let asked: Vec<Asked> =
            self.due().into_iter().map(|ask| Asked { answer: answer(&ask), ask }).collect();
        let plan = conclude(&self.world(), &asked);
        self.store(&plan);
        plan
    }

    pub(crate) fn store(&mut self, plan: &RunPlan) {
        let stored: AnalysisRunStatus =
            serde_json::from_value(serde_json::to_value(&plan.status).unwrap()).unwrap();
        self.run.status = Some(stored);
        self.events.extend(plan.events.iter().map(|event| event.reason.clone()));
        self.told.extend(plan.events.iter().map(|event| event.message.clone()));
    }

    /// Ticks at every wake-up until the run is over or `seconds` have passed.
    pub(crate) fn play(
        &mut self,
        seconds: i64,
        mut answer: impl FnMut(Timestamp, &Ask) -> Answer,
    ) -> &mut Self {
        let end = self.now + SignedDuration::from_secs(seconds);
        loop {
            let now = self.now;
            let plan = self.tick(|ask| answer(now, ask));
            let again = conclude(&self.world(), &[]);
            assert_eq!(Some(&again.status), self.run.status.as_ref(), "quiet at {now}");
            match plan.wake {
                Some(wake) if wake <= end && !self.status().phase.completed() => {
                    self.now = wake.max(self.now)
                }
                _ => {
                    self.now = end;
                    return self;
                }
            }
        }
    }

    pub(crate) fn status(&self) -> &AnalysisRunStatus {
        self.run.status.as_ref().unwrap()
    }

    /// Reasons of all events but those that say how a comparison stands while it goes on.
    pub(crate) fn ends(&self) -> Vec<&str> {
        let stands = ["AnalysisCollecting", "AnalysisWithinLimit", "AnalysisSuspicious"];
        self.events.iter().map(String::as_str).filter(|reason| !stands.contains(reason)).collect()
    }

    pub(crate) fn result(&self, name: &str) -> &MetricResult {
        self.status().metric_results.iter().find(|result| result.name == name).unwrap()
    }

    pub(crate) fn pass(&mut self, seconds: i64) -> &mut Self {
        self.now += SignedDuration::from_secs(seconds);
        self
    }
}

pub(crate) fn metric(name: &str, fields: Value) -> Value {
    let mut metric = json!({"name": name, "provider": {"prometheus": {"query": "up"}}});
    for (field, value) in fields.as_object().unwrap() {
        metric[field] = value.clone();
    }
    metric
}

pub(crate) fn success(body: &Value) -> Answer {
    Answer::Response(Response { status: 200, body: body.to_string() })
}

/// A vector with these values.
pub(crate) fn vector(values: &[&str]) -> Answer {
    let result: Vec<Value> =
        values.iter().map(|value| json!({"metric": {}, "value": [1.0, value]})).collect();
    success(&json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
}

pub(crate) fn down() -> Answer {
    Answer::Unreachable("connection refused".to_owned())
}

pub(crate) fn refused() -> Answer {
    let body = json!({"status": "error", "errorType": "bad_data", "error": "parse error"}).to_string();
    Answer::Response(Response { status: 400, body })
}

/// Answers by letter: `s` a good value, `f` a bad one, `i` one between, `e` a refusal, `d` down, `n` nothing, `x` NaN.
/// With `successCondition: result[0] < 1` and `failureCondition: result[0] > 2`.
pub(crate) fn scripted(letter: char) -> Answer {
    match letter {
        's' => vector(&["0.5"]),
        'i' => vector(&["1.5"]),
        'f' => vector(&["3"]),
        'e' => refused(),
        'n' => vector(&[]),
        'x' => vector(&["NaN"]),
        _ => down(),
    }
}

/// Counters of two revisions as a scraper would have seen them.
#[derive(Clone, Default)]
pub(crate) struct Counters {
    /// By revision, pod and code: when it was scraped, and the value.
    pub(crate) series: BTreeMap<(String, String, String), Vec<(i64, f64)>>,
}

impl Counters {
    /// A pod that serves `rate` requests per second, a share `bad` of them with code 500, scraped every 15 s.
    pub(crate) fn pod(
        mut self,
        revision: &str,
        pod: &str,
        (from, to): (i64, i64),
        rate: f64,
        bad: impl Fn(i64) -> f64,
    ) -> Self {
        let (mut good, mut failed) = (0.0, 0.0);
        for second in (from..to).step_by(15) {
            let share = bad(second);
            good += rate * 15.0 * (1.0 - share);
            failed += rate * 15.0 * share;
            // Whole requests, as real counters have.
            for (code, total) in [("200", f64::round(good)), ("500", f64::round(failed))] {
                if total > 0.0 {
                    let key = (revision.to_owned(), pod.to_owned(), code.to_owned());
                    self.series.entry(key).or_default().push((second, total));
                }
            }
        }
        self
    }

    /// The answer of a Prometheus that holds these counters, to the questions of a comparison of error rates.
    pub(crate) fn answer(&self, ask: &Ask) -> Answer {
        let question = Question::of(ask);
        let errors = question.query.contains("code=~");
        let result: Vec<Value> = self
            .series
            .iter()
            .filter(|((revision, _, code), _)| {
                question.query.contains(revision.as_str()) && (!errors || code == "500")
            })
            .filter_map(|((revision, pod, code), samples)| {
                let labels = json!({"__name__": "http_requests_total", "rollouts_pod_template_hash": revision, "pod": pod, "code": code});
                question.matrix(&labels, samples)
            })
            .collect();
        success(&json!({"status": "success", "data": {"resultType": "matrix", "result": result}}))
    }
}

/// A question about counters: the raw samples of a range, or values at every multiple of a step.
pub(crate) struct Question {
    pub(crate) query: String,
    end: f64,
    range: f64,
    step: Option<f64>,
}

impl Question {
    pub(crate) fn of(ask: &Ask) -> Self {
        let query = parameter(&ask.request.url, "query");
        let end: f64 = parameter(&ask.request.url, "time").parse().unwrap();
        let window = query.rsplit_once('[').unwrap().1.trim_end_matches(']').to_owned();
        let (range, step) =
            window.split_once(':').map_or((window.as_str(), None), |(range, step)| (range, Some(step)));
        let seconds = |text: &str| text.trim_end_matches('s').parse::<f64>().unwrap();
        Self { end, range: seconds(range), step: step.map(seconds), query }
    }

    /// One series of the answer; `None` when it has no sample in the range.
    pub(crate) fn matrix(&self, labels: &Value, samples: &[(i64, f64)]) -> Option<Value> {
        let first = self.end - self.range;
        let upto = |second: f64| &samples[..samples.partition_point(|(at, _)| *at as f64 <= second)];
        let at = |second: f64| {
            let newest = upto(second).last()?;
            (second - (newest.0 as f64) < 300.0).then_some(newest.1)
        };
        let values: Vec<Value> = match self.step {
            None => upto(self.end)
                .iter()
                .skip(upto(first).len())
                .map(|(second, value)| json!([*second as f64, value.to_string()]))
                .collect(),
            Some(step) => (1..=(self.range / step) as i64)
                .map(|number| (first / step).floor() * step + number as f64 * step)
                .filter_map(|second| Some(json!([second, at(second)?.to_string()])))
                .collect(),
        };
        (!values.is_empty()).then(|| json!({"metric": labels, "values": values}))
    }
}

/// A parameter of a query string, decoded.
pub(crate) fn parameter(url: &str, name: &str) -> String {
    let form = url.split_once('?').unwrap().1;
    let value = form.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap();
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let code: Vec<u8> = rest.by_ref().take(2).collect();
                u8::from_str_radix(std::str::from_utf8(&code).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}
