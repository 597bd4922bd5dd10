//! `list`, and of it `list rollouts`: the Rollouts of a namespace or of the cluster, one a line.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;
use serin_api::{Experiment, Rollout};
use serin_view::phase::{Standing, standing};
use serin_view::step;

use super::listed::{self, Listed, Listing};
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::flags::ListArguments;
use crate::paint::{Paint, Tone, columns, of_phase};
use crate::tree::strategy;

/// One line of the list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    namespace: String,
    name: String,
    strategy: &'static str,
    status: Standing,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_weight: Option<i32>,
    ready: i32,
    current: i32,
    desired: i32,
    up_to_date: i32,
    available: i32,
}

/// Performs the verb.
///
/// # Errors
/// When they cannot be listed.
pub(crate) async fn run(cluster: &Cluster, arguments: &ListArguments, paint: Paint) -> Result<(), Failure> {
    let listing = Listing {
        everywhere: arguments.all_namespaces,
        watch: arguments.watch,
        timeout: Duration::from_secs(arguments.timeout_seconds),
        format: arguments.output,
    };
    if arguments.experiments() {
        return listed::run::<Experiment>(cluster, listing, paint).await;
    }
    listed::run::<Rollout>(cluster, listing, paint).await
}

impl Listed for Rollout {
    type Row = Row;

    fn row(&self, _: Timestamp) -> Row {
        row(self)
    }

    fn table(rows: &[Row], namespaces: bool, paint: Paint) -> String {
        table(rows, namespaces, paint)
    }

    fn notes(rollouts: &[Self]) -> Vec<String> {
        brakes(rollouts).into_iter().collect()
    }
}

/// What holds updates of these Rollouts, each once.
fn brakes(rollouts: &[Rollout]) -> std::collections::BTreeSet<String> {
    let set = rollouts.iter().filter_map(|rollout| {
        let brake = rollout.status.as_ref()?.brake.as_ref()?;
        Some(format!("{}: {}", rollout.namespace().unwrap_or_default(), serin_core::brake::sentence(brake)))
    });
    set.collect()
}

/// The line of a Rollout.
fn row(rollout: &Rollout) -> Row {
    let status = rollout.status.clone().unwrap_or_default();
    Row {
        namespace: rollout.namespace().unwrap_or_default(),
        name: rollout.name_any(),
        strategy: strategy(rollout),
        status: standing(rollout),
        step: step::done(rollout).map(|done| format!("{done}/{}", step::steps(rollout).len())),
        set_weight: step::weight(rollout, &[]).map(|weight| weight.asked),
        ready: status.ready_replicas,
        current: status.replicas,
        desired: rollout.replicas(),
        up_to_date: status.updated_replicas,
        available: status.available_replicas,
    }
}

/// The lines in columns, with a heading.
fn table(rows: &[Row], namespaces: bool, paint: Paint) -> String {
    let heading = [
        "NAMESPACE",
        "NAME",
        "STRATEGY",
        "STATUS",
        "STEP",
        "SET-WEIGHT",
        "READY",
        "DESIRED",
        "UP-TO-DATE",
        "AVAILABLE",
    ];
    let skipped = usize::from(!namespaces);
    let mut lines =
        vec![heading.iter().skip(skipped).map(|title| ((*title).to_owned(), Tone::Strong)).collect()];
    for row in rows {
        let (icon, tone) = of_phase(row.status.phase);
        let plain = |text: String| (text, Tone::Plain);
        let cells = vec![
            plain(row.namespace.clone()),
            plain(row.name.clone()),
            plain(row.strategy.to_owned()),
            (format!("{icon} {}", row.status.phase), tone),
            plain(row.step.clone().unwrap_or_else(|| "-".to_owned())),
            plain(row.set_weight.map_or_else(|| "-".to_owned(), |weight| weight.to_string())),
            plain(format!("{}/{}", row.ready, row.current)),
            plain(row.desired.to_string()),
            plain(row.up_to_date.to_string()),
            plain(row.available.to_string()),
        ];
        lines.push(cells.into_iter().skip(skipped).collect::<Vec<_>>());
    }
    columns(paint, &lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{rollout, updating};
    use serde_json::json;

    #[test]
    fn a_list_has_the_columns_that_argo_users_know() {
        let plain = json!({"metadata": {"name": "cart", "namespace": "pay"}, "spec": {"strategy": {"canary": {"steps": null}}}});
        let rows = [row(&updating(1, json!({}))), row(&rollout(plain))];
        let expected = "\
NAME  STRATEGY  STATUS         STEP  SET-WEIGHT  READY  DESIRED  UP-TO-DATE  AVAILABLE
shop  Canary    ◌ Progressing  1/4   20          5/5    4        1           5
cart  Canary    ✔ Healthy      -     100         4/4    4        4           4
";
        assert_eq!(table(&rows, false, Paint::PLAIN), expected);
        let everywhere = table(&rows, true, Paint::PLAIN);
        assert!(everywhere.starts_with("NAMESPACE  NAME  "), "{everywhere}");
        assert!(everywhere.contains("\npay        cart  "), "{everywhere}");
    }
}
