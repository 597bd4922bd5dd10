//! How many AnalysisRuns that have ended are kept, by their kind.

use serde_json::{Value, json};
use serin_api::{AnalysisPhase, label};
use serin_core::world::AnalysisRun;
use serin_testkit::scene::{BEGINNING, Scene, base};

use crate::deleted;

/// Completed runs of stable, the first the oldest.
fn history(phases: &[AnalysisPhase], limits: Value) -> Scene {
    let run = |(index, said): (usize, &AnalysisPhase)| AnalysisRun {
        name: format!("run-{index}"),
        uid: format!("uid-run-{index}"),
        labels: [(label::POD_TEMPLATE_HASH.to_owned(), "v1".to_owned())].into(),
        created: BEGINNING.saturating_add(jiff::SignedDuration::from_secs(index as i64)).unwrap(),
        terminating: false,
        phase: *said,
        message: String::new(),
        served: None,
        gives_up: None,
    };
    let runs: Vec<_> = phases.iter().enumerate().map(run).collect();
    base().spec(json!({"analysis": limits})).edit(|world| world.analysis_runs = runs)
}

#[test]
fn old_runs_are_forgotten_by_their_kind() {
    use AnalysisPhase::{Error, Failed, Inconclusive, Successful};
    let two = || json!({"successfulRunHistoryLimit": 2, "unsuccessfulRunHistoryLimit": 1});
    for (name, scene, expected) in [
        (
            "five of each are kept unless said otherwise",
            history(&[Successful; 7], Value::Null),
            vec!["run-1", "run-0"],
        ),
        ("those that failed, too", history(&[Failed; 6], Value::Null), vec!["run-0"]),
        (
            "limits count by kind, the oldest go",
            history(&[Successful, Failed, Successful, Error, Successful], two()),
            vec!["run-1", "run-0"],
        ),
        ("an undecided one counts as unsuccessful", history(&[Inconclusive, Failed], two()), vec!["run-0"]),
        (
            "none is kept",
            history(
                &[Successful, Failed],
                json!({"successfulRunHistoryLimit": 0, "unsuccessfulRunHistoryLimit": 0}),
            ),
            vec!["run-1", "run-0"],
        ),
        (
            "a run of a revision that is gone goes, too",
            history(&[Successful; 2], Value::Null).edit(|world| {
                world.analysis_runs[1].labels.insert(label::POD_TEMPLATE_HASH.to_owned(), "gone".to_owned());
            }),
            vec!["run-1"],
        ),
    ] {
        assert_eq!(deleted(&scene.plan(), "AnalysisRun"), expected, "{name}");
    }
}
