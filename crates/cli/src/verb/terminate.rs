//! `terminate`: ends an AnalysisRun or an Experiment before its time (compat 5.1).

use kube::api::{Patch, PatchParams};
use serde_json::json;
use serin_api::{AnalysisPhase, AnalysisRun, Experiment};

use crate::cluster::{Cluster, MANAGER};
use crate::failure::Failure;
use crate::flags::{TerminateVerb, Terminated};
use crate::print;

/// Performs the verb; one that fails does not keep the others from their end.
///
/// # Errors
/// One that is not there or cannot be changed.
pub(crate) async fn run(cluster: &Cluster, verb: &TerminateVerb) -> Result<(), Failure> {
    let (kind, Terminated { names }) = match verb {
        TerminateVerb::Analysisrun(names) => ("analysisrun", names),
        TerminateVerb::Experiment(names) => ("experiment", names),
    };
    crate::perform::each(&names.iter().map(String::as_str).collect::<Vec<_>>(), |name| async move {
        let title = format!("{kind} \"{name}\" in namespace \"{}\"", cluster.namespace());
        let failed = |verb: &str, error: &kube::Error| cluster.failure(verb, &title, error);
        let (phase, asked) = if kind == "analysisrun" {
            let run = cluster.api::<AnalysisRun>().get(name).await.map_err(|error| failed("read", &error))?;
            (run.status.map(|status| status.phase).unwrap_or_default(), run.spec.terminate)
        } else {
            let found =
                cluster.api::<Experiment>().get(name).await.map_err(|error| failed("read", &error))?;
            (found.status.map(|status| status.phase).unwrap_or_default(), found.spec.terminate)
        };
        if let Some(line) = already(kind, name, phase, asked) {
            return print::line(&line);
        }
        let patch = Patch::Merge(json!({"spec": {"terminate": true}}));
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let answer = if kind == "analysisrun" {
            cluster.api::<AnalysisRun>().patch(name, &params, &patch).await.map(drop)
        } else {
            cluster.api::<Experiment>().patch(name, &params, &patch).await.map(drop)
        };
        answer.map_err(|error| failed("terminate", &error))?;
        print::line(&format!("{kind} '{name}' terminated"))
    })
    .await
}

fn already(kind: &str, name: &str, phase: AnalysisPhase, asked: bool) -> Option<String> {
    match (phase.completed(), asked) {
        (true, _) => Some(format!("{kind} '{name}' is over already: {phase}")),
        (false, true) => Some(format!("{kind} '{name}' is being terminated already")),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_goes_on_is_terminated() {
        for (phase, asked, expected) in [
            (AnalysisPhase::Running, false, None),
            (AnalysisPhase::Unset, false, None),
            (AnalysisPhase::Running, true, Some("analysisrun 'r' is being terminated already")),
            (AnalysisPhase::Failed, false, Some("analysisrun 'r' is over already: Failed")),
            (AnalysisPhase::Successful, true, Some("analysisrun 'r' is over already: Successful")),
        ] {
            assert_eq!(already("analysisrun", "r", phase, asked).as_deref(), expected);
        }
    }
}
