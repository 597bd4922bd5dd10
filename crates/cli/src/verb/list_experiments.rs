//! `list experiments`: the Experiments of a namespace or of the cluster, one a line.

use jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;
use serin_api::{AnalysisPhase, Experiment};

use super::listed::Listed;
use crate::moment::{age, span};
use crate::observed::{ObservedExperiment, Parts};
use crate::paint::{Paint, Tone, columns, of_analysis};
use crate::tree::word;

/// One line of the list.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    namespace: String,
    name: String,
    phase: AnalysisPhase,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<String>,
    age: String,
}

impl Listed for Experiment {
    type Row = Row;

    fn row(&self, now: Timestamp) -> Row {
        row(self.clone(), now)
    }

    fn table(rows: &[Row], namespaces: bool, paint: Paint) -> String {
        table(rows, namespaces, paint)
    }

    fn notes(_: &[Self]) -> Vec<String> {
        Vec::new()
    }
}

fn row(experiment: Experiment, now: Timestamp) -> Row {
    let seen = ObservedExperiment::of(experiment, &Parts { now, ..Parts::default() });
    let experiment = &seen.experiment;
    Row {
        namespace: experiment.namespace().unwrap_or_default(),
        name: experiment.name_any(),
        phase: seen.phase(),
        message: experiment.status.as_ref().map(|status| status.message.clone()).unwrap_or_default(),
        duration: experiment.spec.duration.clone().filter(|duration| !duration.is_empty()),
        remaining: seen.remaining().map(span),
        age: age(experiment.metadata.creation_timestamp.as_ref(), now),
    }
}

fn table(rows: &[Row], namespaces: bool, paint: Paint) -> String {
    let heading = ["NAMESPACE", "NAME", "STATUS", "DURATION", "REMAINING", "AGE"];
    let skipped = usize::from(!namespaces);
    let mut lines =
        vec![heading.iter().skip(skipped).map(|title| ((*title).to_owned(), Tone::Strong)).collect()];
    for row in rows {
        let (icon, tone) = of_analysis(row.phase);
        let plain = |text: &str| (text.to_owned(), Tone::Plain);
        let cells = vec![
            plain(&row.namespace),
            plain(&row.name),
            (format!("{icon} {}", word(row.phase)), tone),
            plain(row.duration.as_deref().unwrap_or("-")),
            plain(row.remaining.as_deref().unwrap_or("-")),
            plain(&row.age),
        ];
        lines.push(cells.into_iter().skip(skipped).collect::<Vec<_>>());
    }
    columns(paint, &lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{experiment, now};
    use serde_json::json;

    #[test]
    fn only_a_running_experiment_with_a_duration_has_time_left() {
        let changes = [
            json!({}),
            json!({"metadata": {"name": "ended"}, "status": {"phase": "Failed"}}),
            json!({"metadata": {"name": "starting"}, "status": {"phase": "Pending", "availableAt": null}}),
            json!({"metadata": {"name": "endless", "namespace": "pay"}, "spec": {"duration": null}}),
            json!({"metadata": {"name": "late"}, "spec": {"duration": "5m"}}),
            json!({"metadata": {"name": "new"}, "status": null}),
        ];
        let rows: Vec<_> = changes.into_iter().map(|change| row(experiment(change), now())).collect();
        let expected = "\
NAME      STATUS     DURATION  REMAINING  AGE
trial     ◌ Running  20m       11m        10m
ended     ✖ Failed   20m       -          10m
starting  ◌ Pending  20m       -          10m
endless   ◌ Running  -         -          10m
late      ◌ Running  5m        0s         10m
new       ◌ Pending  20m       -          10m
";
        assert_eq!(table(&rows, false, Paint::PLAIN), expected);
        let everywhere = table(&rows, true, Paint::PLAIN);
        assert!(everywhere.contains("\npay        endless   ◌ Running"), "{everywhere}");
    }
}
