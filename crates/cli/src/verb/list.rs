//! `list`, and of it `list rollouts`: the Rollouts of a namespace or of the cluster, one a line.

use kube::ResourceExt;
use serde::Serialize;
use serin_api::Rollout;
use serin_view::phase::{Standing, standing};
use serin_view::step;

use super::list_experiments;
use crate::cluster::{Cluster, Kind};
use crate::failure::Failure;
use crate::flags::{Format, ListArguments};
use crate::paint::{Paint, Tone, columns, of_phase};
use crate::print;
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
    if arguments.experiments() {
        return list_experiments::all(cluster, arguments.all_namespaces, arguments.output, paint).await;
    }
    all(cluster, arguments.all_namespaces, arguments.output, paint).await
}

/// Lists all Rollouts of the namespace, or of the cluster.
///
/// # Errors
/// When they cannot be listed.
pub(crate) async fn all(
    cluster: &Cluster,
    everywhere: bool,
    format: Option<Format>,
    paint: Paint,
) -> Result<(), Failure> {
    let (rollouts, notes) = cluster.list(everywhere).await?;
    let rows: Vec<_> = rollouts.iter().map(row).collect();
    if format == Some(Format::Json) {
        print::json(&rows)?;
    } else if rows.is_empty() && notes.is_empty() {
        nothing::<Rollout>(cluster, everywhere);
    } else {
        print::text(&table(&rows, everywhere, paint))?;
    }
    notes.iter().chain(&brakes(&rollouts)).for_each(|note| eprintln!("note: {note}"));
    Ok(())
}

/// What holds updates of these Rollouts, each once.
fn brakes(rollouts: &[Rollout]) -> std::collections::BTreeSet<String> {
    let set = rollouts.iter().filter_map(|rollout| {
        let brake = rollout.status.as_ref()?.brake.as_ref()?;
        Some(format!("{}: {}", rollout.namespace().unwrap_or_default(), serin_core::brake::sentence(brake)))
    });
    set.collect()
}

/// Says that there is nothing to list, and where.
pub(super) fn nothing<K: Kind>(cluster: &Cluster, everywhere: bool) {
    let place = if everywhere {
        "in any namespace".to_owned()
    } else {
        format!("in namespace \"{}\"; -A lists all namespaces", cluster.namespace())
    };
    eprintln!("no {} {place}", K::PLURAL);
}

/// The line of a Rollout.
pub(crate) fn row(rollout: &Rollout) -> Row {
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
pub(crate) fn table(rows: &[Row], namespaces: bool, paint: Paint) -> String {
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
