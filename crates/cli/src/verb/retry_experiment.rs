//! `retry experiment`: starts an Experiment that is over again, from its beginning (compat 5.1).

use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use serin_api::Experiment;

use crate::cluster::{Cluster, MANAGER};
use crate::failure::Failure;
use crate::flags::Names;
use crate::perform::each;
use crate::print;

/// Performs the verb; one that fails does not keep the others from theirs.
///
/// # Errors
/// One that is not there, is not over yet, or cannot be changed.
pub(crate) async fn run(cluster: &Cluster, names: &Names) -> Result<(), Failure> {
    let names = names.plain_experiments().map_err(Failure::new)?;
    each(&names, |name| async move {
        let experiment: Experiment = cluster.named(name).await?;
        let title = cluster.title_of::<Experiment>(name);
        refusal(&experiment)
            .map_or(Ok(()), |why| Err(Failure::new(format!("cannot retry {title}: {why}"))))?;
        // The version guards against an Experiment that somebody else has started meanwhile.
        let version = &experiment.metadata.resource_version;
        let patch = Patch::Merge(json!({"metadata": {"resourceVersion": version}, "status": null}));
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let answer = cluster.api::<Experiment>().patch(name, &params, &patch).await;
        answer.map_err(|error| cluster.failure("retry", &title, &error))?;
        print::line(&format!("experiment '{}' retried: it starts again", experiment.name_any()))
    })
    .await
}

/// Why an Experiment cannot be started again.
fn refusal(experiment: &Experiment) -> Option<String> {
    let phase = experiment.status.as_ref().map(|status| status.phase).unwrap_or_default();
    if !phase.completed() {
        let phase = if experiment.status.is_none() { "not begun".to_owned() } else { phase.to_string() };
        return Some(format!("it is not over, so there is nothing to start again; it is {phase}"));
    }
    let asked = experiment.spec.terminate;
    asked.then(|| "spec.terminate is true, so it would end at once; set it to false first".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sample::experiment;

    #[test]
    fn only_an_experiment_that_is_over_starts_again() {
        for (case, change, expected) in [
            ("failed", json!({"status": {"phase": "Failed"}}), None),
            ("successful", json!({"status": {"phase": "Successful"}}), None),
            ("running", json!({"status": {"phase": "Running"}}), Some("it is Running")),
            ("new", json!({"status": null}), Some("it is not begun")),
            (
                "terminated",
                json!({"status": {"phase": "Successful"}, "spec": {"terminate": true}}),
                Some("set it to false first"),
            ),
        ] {
            let why = refusal(&experiment(change));
            assert_eq!(why.is_some(), expected.is_some(), "{case}: {why:?}");
            assert!(why.unwrap_or_default().ends_with(expected.unwrap_or_default()), "{case}");
        }
    }
}
