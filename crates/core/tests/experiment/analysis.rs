//! AnalysisRuns of experiments: when they start, what is in them, and what their phases mean.

use serde_json::json;
use serin_api::AnalysisPhase::{self, Error, Failed, Inconclusive, Pending, Running, Successful};
use serin_core::seen::Seen;
use serin_testkit::trial::{Trial, experiment};

use super::{created, events, phase, stored, waits};

fn one(required: bool) -> Trial {
    let analysis = json!([{"name": "errors", "templateName": "up", "requiredForCompletion": required}]);
    experiment().analyses(analysis)
}

/// The run says this.
fn says(trial: Trial, phase: AnalysisPhase, message: &str) -> Trial {
    trial.run("compare-errors", phase, message)
}

fn recorded(trial: &Trial) -> AnalysisPhase {
    stored(trial).analysis("errors").map(|known| known.phase).unwrap_or_default()
}

#[test]
fn a_run_starts_when_all_pods_are_available_and_is_followed() {
    let waiting = one(false).slow().rest().available("baseline", 1).rest();
    assert!(waiting.world.analysis_runs.is_empty(), "one template has no pods yet");
    let (begun, plans) = waiting.available("canary", 1).settle();
    assert_eq!(recorded(&begun), Pending);
    let pending = "Normal AnalysisRunPending: AnalysisRun 'errors' transitioned from  -> Pending";
    assert!(events(&plans).contains(&pending.to_owned()), "{:?}", events(&plans));
    let (running, plans) = says(begun, Running, "").settle();
    assert_eq!(recorded(&running), Running);
    let (told, owner) = (events(&plans), &plans[0].owner_events);
    assert_eq!(
        told,
        ["Normal AnalysisRunRunning: AnalysisRun 'errors' transitioned from Pending -> Running"]
    );
    assert_eq!(owner[0].reason, "AnalysisRunRunning", "the Rollout is told too");
    assert_eq!(phase(&stored(&running)), "Running|");
}

#[test]
fn phases_of_runs_end_the_experiment_or_do_not() {
    for (required, said, message, expected) in [
        (false, Failed, "no good", "Failed|no good"),
        (false, Error, "no answer", "Error|no answer"),
        (false, Inconclusive, "who knows", "Inconclusive|who knows"),
        (false, Successful, "", "Running|"),
        (true, Successful, "", "Successful|"),
        (true, Failed, "no good", "Failed|no good"),
    ] {
        let trial = says(one(required).rest(), said, message).rest();
        assert_eq!(phase(&stored(&trial)), expected, "{said:?}, required: {required}");
        let pods = trial.wait(30).rest().world.replica_sets[0].pods.spec;
        assert_eq!(pods == 0, !expected.starts_with("Running"), "{said:?}, required: {required}");
    }
}

#[test]
fn the_end_of_the_time_is_the_end_of_what_is_not_required() {
    let running = |required: bool| says(one(required).rest(), Running, "").rest().wait(60).rest();
    let plain = running(false);
    assert_eq!(phase(&stored(&plain)), "Successful|");
    assert!(plain.world.analysis_runs[0].terminating);
    assert_eq!(recorded(&plain), Running, "as it was seen last");
    let required = running(true);
    assert_eq!(phase(&stored(&required)), "Running|", "it waits for the analysis");
    assert!(!required.world.analysis_runs[0].terminating);
    assert!(
        waits(&required.plan()).contains("the required analyses 'errors'"),
        "{}",
        waits(&required.plan())
    );
    assert_eq!(phase(&stored(&says(required, Successful, "").rest())), "Successful|");
}

#[test]
fn required_analyses_end_others_with_the_experiment() {
    let analyses = json!([
        {"name": "errors", "templateName": "up", "requiredForCompletion": true},
        {"name": "latency", "templateName": "up"},
    ]);
    let trial = says(experiment().analyses(analyses).rest(), Successful, "");
    let (trial, plans) = trial.run("compare-latency", Running, "").settle();
    assert_eq!(phase(&stored(&trial)), "Successful|Required AnalysisRuns completed");
    let told = events(&plans);
    let ending = "Normal AnalysisRunTerminating: Terminating latency (compare-latency)";
    assert!(told.contains(&ending.to_owned()), "{told:?}");
}

#[test]
fn what_was_never_measured_is_no_success() {
    let never = one(false).rest().wait(60).rest();
    assert_eq!(phase(&stored(&never)), "Running|", "the run has not begun");
    assert!(waits(&never.plan()).contains("analysis 'errors': it has not begun"), "{}", waits(&never.plan()));
    let held = says(one(false).rest(), Running, "Prometheus is unreachable").rest().wait(9_999).rest();
    assert_eq!(phase(&stored(&held)), "Running|", "an outage is neither good nor bad");
    assert_eq!(held.world.replica_sets[0].pods.spec, 1, "and the pods are still there to be measured");
    assert!(waits(&held.plan()).contains("Prometheus is unreachable"), "{}", waits(&held.plan()));
    assert_eq!(phase(&stored(&says(held, Running, "").rest())), "Successful|", "it ends by itself");
    let cut_short = says(one(true).rest(), Running, "").rest().terminate().rest();
    let expected = "Inconclusive|it was terminated before its required analyses were completed";
    assert_eq!(phase(&stored(&cut_short)), expected);
}

#[test]
fn a_run_has_what_its_template_and_the_experiment_say() {
    let args = json!([
        {"name": "hash", "value": "{{templates.canary.podTemplateHash}}"},
        {"name": "set", "value": "{{ templates.baseline.replicaset.name }}"},
        {"name": "from", "value": "{{experiment.availableAt}} to {{experiment.finishedAt}}"},
        {"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "undeclared", "value": "x"},
    ]);
    let declared = ["hash", "set", "from", "token"].map(|name| json!({"name": name}));
    let trial = experiment().analyses(json!([{"name": "errors", "templateName": "up", "args": args}]));
    let trial = trial
        .spec(json!({
            "dryRun": [{"metricName": "up"}],
            "measurementRetention": [{"metricName": "up", "limit": 3}],
            "analysisRunMetadata": {"labels": {"team": "a"}, "annotations": {"why": "b"}},
        }))
        .edit(|world| {
            let mut spec = world.templates[0].spec.fresh().unwrap().clone();
            spec.args = serde_json::from_value(json!(declared)).unwrap();
            world.templates[0].spec = Seen::Fresh(spec);
        });
    let ready = trial.act().0.act().0.act().0;
    let made = created(&ready.plan(), "AnalysisRun");
    let run = &made[0];
    assert_eq!(run["metadata"]["name"], "compare-errors");
    assert_eq!(run["metadata"]["labels"], json!({"team": "a"}));
    assert_eq!(run["metadata"]["annotations"], json!({"why": "b"}));
    assert_eq!(run["metadata"]["ownerReferences"][0]["kind"], "Experiment");
    assert_eq!(run["spec"]["dryRun"], json!([{"metricName": "up"}]));
    assert_eq!(run["spec"]["measurementRetention"], json!([{"metricName": "up", "limit": 3}]));
    let hash = |index: usize| ready.world.replica_sets[index].hash.clone();
    let expected = json!([
        {"name": "hash", "value": hash(1)},
        {"name": "set", "value": "compare-baseline"},
        {"name": "from", "value": "2026-01-01T00:00:00Z to 2026-01-01T00:01:00Z"},
        {"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]);
    assert_eq!(run["spec"]["args"], expected);
    assert_eq!(run["spec"]["arms"], json!({"canary": hash(1), "stable": hash(0)}), "for comparisons");
}

#[test]
fn what_cannot_be_measured_is_an_error_that_says_it() {
    let missing = experiment().spec(json!({"analyses": [{"name": "errors", "templateName": "gone"}]}));
    let waiting = missing.clone().rest();
    assert_eq!(phase(&stored(&waiting)), "Running|", "a template applied with it may come into sight later");
    let early = missing.clone().plan();
    assert!(waits(&early).contains("AnalysisTemplate 'gone'") && early.wake.is_some(), "{}", waits(&early));
    let gates = early.status.gates.clone().unwrap_or_default();
    let gate = gates.iter().find(|gate| gate.waits_for == "AnalysisTemplate 'gone'").unwrap();
    assert_eq!(gate.until.as_ref().map(|until| until.0), early.wake, "it says until when");
    let verification = "AnalysisTemplate verification failed for analysis 'errors': analysistemplates.argoproj.io \"gone\" not found";
    let missing = missing.slow().wait(5).rest();
    assert_eq!(phase(&stored(&missing)), format!("Error|{verification}"));

    let unfilled =
        json!([{"name": "errors", "templateName": "up", "args": [{"name": "x", "value": "{{nothing}}"}]}]);
    let creation = "Failed to create AnalysisRun for analysis 'errors': failed to resolve {{nothing}}";
    assert_eq!(phase(&stored(&experiment().analyses(unfilled).rest())), format!("Error|{creation}"));

    let refused =
        one(false).act().0.act().0.act().0.refused("AnalysisRun", "compare-errors", "forbidden", false);
    let expected = "Error|Failed to create AnalysisRun for analysis 'errors': forbidden";
    assert_eq!(phase(&refused.plan().status), expected);

    let deleted =
        says(one(false).rest(), Running, "").rest().edit(|world| world.analysis_runs.clear()).rest();
    let expected = "Error|analysisruns.argoproj.io \"compare-errors\" not found";
    assert_eq!(phase(&stored(&deleted)), expected);
}

#[test]
fn a_run_that_was_never_made_is_made_again_under_its_name() {
    let lost = one(false).rest().edit(|world| world.analysis_runs.clear());
    let made = created(&lost.plan(), "AnalysisRun");
    assert_eq!(made[0]["metadata"]["name"], "compare-errors");
    let taken = lost.refused("AnalysisRun", "compare-errors", "already exists", true);
    let made = created(&taken.plan(), "AnalysisRun");
    assert_eq!(made[0]["metadata"]["name"], "compare-errors.1", "unless somebody else has it");
}

#[test]
fn a_retried_experiment_measures_anew() {
    let failed = says(one(false).rest(), Failed, "no good").rest().wait(30).rest();
    let again = failed.edit(|world| world.experiment.status = None).rest();
    let names: Vec<_> = again.world.analysis_runs.iter().map(|run| run.name.as_str()).collect();
    assert_eq!(names, ["compare-errors", "compare-errors.1"]);
    assert_eq!(phase(&stored(&again)), "Running|");
}
