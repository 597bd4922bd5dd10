//! Finds the comparisons of latencies in an object, so that the layout of their buckets can be looked at.

use serde_json::Value;
use serin_analysis::argument::Arguments;
use serin_api::{
    AnalysisRun, AnalysisRunSpec, AnalysisTemplate, AnalysisTemplateSpec, Argument, ClusterAnalysisTemplate,
    Metric,
};

use super::{Templates, metric, together};

/// A comparison of latencies.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Where it stands.
    pub path: String,
    /// With the arguments that have a value.
    pub metric: Metric,
    /// The argument that has no value yet: nobody can be asked.
    pub open: Option<String>,
}

/// The comparisons of latencies of an object; of a Rollout, those of the templates in the same files.
pub fn latencies(object: &Value, templates: &Templates) -> Vec<Compared> {
    let of_template = |spec: &AnalysisTemplateSpec| of_metrics(&spec.metrics, &spec.args);
    match object.get("kind").and_then(Value::as_str) {
        Some("AnalysisTemplate") => decoded(object, |found: AnalysisTemplate| of_template(&found.spec)),
        Some("ClusterAnalysisTemplate") => {
            decoded(object, |found: ClusterAnalysisTemplate| of_template(&found.spec.template))
        }
        Some("AnalysisRun") => {
            decoded(object, |run: AnalysisRun| of_metrics(&run.spec.metrics, &run.spec.args))
        }
        _ => {
            let of_run = |(path, run): (String, AnalysisRunSpec)| {
                let named = move |found: Compared| Compared {
                    path: format!("{path}: {}", found.metric.name),
                    ..found
                };
                of_metrics(&run.metrics, &run.args).into_iter().map(named)
            };
            together::runs(object, templates).into_iter().flat_map(of_run).collect()
        }
    }
}

fn decoded<K: serde::de::DeserializeOwned>(object: &Value, of: impl Fn(K) -> Vec<Compared>) -> Vec<Compared> {
    serde_json::from_value::<K>(object.clone()).map(of).unwrap_or_default()
}

fn of_metrics(metrics: &Option<Vec<Metric>>, arguments: &Option<Vec<Argument>>) -> Vec<Compared> {
    let arguments = arguments.as_deref().unwrap_or_default();
    let open = metric::open(arguments);
    let Ok(known) = Arguments::of(&metric::filled(arguments)) else { return Vec::new() };
    let one = |(index, metric): (usize, &Metric)| {
        metric.comparison.as_ref()?.latency.as_ref()?;
        let fields = serde_json::to_value(metric).ok()?;
        let used = open.iter().find(|name| metric::uses(&fields, &[name])).map(|name| (*name).to_owned());
        let metric = known.fill(metric, |_, _| String::new()).ok()?;
        Some(Compared { path: format!("spec.metrics[{index}]"), metric, open: used })
    };
    metrics.iter().flatten().enumerate().filter_map(one).collect()
}
