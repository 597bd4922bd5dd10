//! Metrics that a Job measures: when it is created, what its end means, and when it goes.

use serde_json::{Value, json};
use serin_analysis::run::{Job, Progress, RunPlan};
use serin_api::AnalysisPhase::{Error, Failed, Inconclusive, Running, Successful};
use serin_core::write::Effect;

use crate::stage::Stage;

fn stage(fields: Value) -> Stage {
    let mut metric = json!({
        "name": "m", "provider": {"job": {
            "metadata": {"labels": {"team": "shop"}, "annotations": {"note": "x"}},
            "spec": {"backoffLimit": 1, "template": {"spec": {
                "restartPolicy": "Never", "containers": [{"name": "c", "image": "check", "args": ["{{args.host}}"]}],
            }}},
        }},
    });
    for (name, value) in fields.as_object().unwrap() {
        metric[name] = value.clone();
    }
    let mut stage = Stage::new(json!({"args": [{"name": "host", "value": "canary"}], "metrics": [metric]}));
    stage.run.metadata.uid = Some("u1".to_owned());
    stage
}

fn look(stage: &mut Stage) -> RunPlan {
    stage.tick(|ask| panic!("{ask:?}: a Job is not asked over HTTP"))
}

fn job(name: &str, progress: Progress) -> Job {
    Job { name: name.to_owned(), uid: format!("uid of {name}"), deleting: false, progress }
}

/// What a plan writes: `+name` for a Job that is created, `-name` for one that is deleted.
fn written(plan: &RunPlan) -> Vec<String> {
    plan.writes
        .iter()
        .map(|write| match &write.effect {
            Effect::Create(_) => format!("+{}", write.object.name),
            Effect::Delete { uid } => {
                assert_eq!(*uid, format!("uid of {}", write.object.name));
                format!("-{}", write.object.name)
            }
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_job_is_created_as_argo_rollouts_creates_it() {
    let mut stage = stage(json!({}));
    let plan = look(&mut stage);
    assert_eq!(written(&plan), ["+u1.m.1"]);
    let Effect::Create(created) = &plan.writes[0].effect else { panic!() };
    assert_eq!(
        *created,
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {
                "name": "u1.m.1", "namespace": "shop",
                "labels": {"team": "shop", "analysisrun.argoproj.io/uid": "u1"},
                "annotations": {"note": "x", "analysisrun.argoproj.io/name": "run", "analysisrun.argoproj.io/metric-name": "m"},
                "ownerReferences": [{
                    "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", "name": "run", "uid": "u1",
                    "controller": true, "blockOwnerDeletion": true,
                }],
            },
            "spec": {"backoffLimit": 1, "template": {"spec": {
                "restartPolicy": "Never", "containers": [{"name": "c", "image": "check", "args": ["canary"]}],
            }}},
        })
    );
    let measurement = &stage.result("m").measurements[0];
    assert_eq!(measurement.phase, Running);
    assert_eq!(measurement.metadata["job-name"], "u1.m.1");
    assert_eq!(measurement.metadata["job-namespace"], "shop");
    assert_eq!(stage.status().phase, Running);
    // The write was lost, or the cache is behind: the same Job again.
    assert_eq!(written(&look(&mut stage)), ["+u1.m.1"]);
}

#[test]
fn the_end_of_the_job_is_the_measurement() {
    let why = "BackoffLimitExceeded: too often";
    let trouble = "ImagePullBackOff: no such image";
    for (progress, phase, message, failure) in [
        (Progress::Complete, Successful, "", None),
        (Progress::Failed(why.to_owned()), Failed, "", Some(why)),
        (Progress::Running(Some(trouble.to_owned())), Inconclusive, trouble, None),
    ] {
        let mut stage = stage(json!({}));
        look(&mut stage);
        stage.jobs = vec![job("u1.m.1", Progress::Running(None))];
        let plan = look(&mut stage);
        assert!(plan.writes.is_empty() && plan.wake.is_some_and(|wake| wake > stage.now), "{plan:?}");
        stage.pass(7);
        stage.jobs = vec![job("u1.m.1", progress.clone())];
        let plan = look(&mut stage);
        let measurement = &stage.result("m").measurements[0];
        assert_eq!((measurement.phase, measurement.message.as_str()), (phase, message));
        assert_eq!(measurement.metadata.get("job-failure").map(String::as_str), failure);
        assert_eq!(measurement.value, "");
        assert!(measurement.finished_at > measurement.started_at, "{measurement:?}");
        assert_eq!(stage.status().phase, phase, "{progress:?}");
        let running = matches!(progress, Progress::Running(_));
        assert_eq!(written(&plan), if running { vec!["-u1.m.1"] } else { vec![] }, "{progress:?}");
    }
}

#[test]
fn a_job_that_vanishes_is_an_error_and_is_not_created_again() {
    let mut stage = stage(json!({}));
    look(&mut stage);
    stage.jobs = vec![job("u1.m.1", Progress::Running(None))];
    look(&mut stage);
    stage.jobs.clear();
    let plan = look(&mut stage);
    assert!(plan.writes.is_empty(), "{plan:?}");
    let measurement = &stage.result("m").measurements[0];
    assert_eq!(measurement.phase, Error);
    assert_eq!(measurement.message, "Job u1.m.1 was deleted before its end was seen");
    stage.pass(10);
    assert_eq!(written(&look(&mut stage)), ["+u1.m.2"]);
}

#[test]
fn jobs_go_when_the_run_ends_or_their_measurement_is_not_kept() {
    let mut ended = stage(json!({}));
    look(&mut ended);
    ended.jobs = vec![job("u1.m.1", Progress::Running(None))];
    ended.run.spec.terminate = true;
    let plan = look(&mut ended);
    assert_eq!(written(&plan), ["-u1.m.1"]);
    let measurement = &ended.result("m").measurements[0];
    assert_eq!((measurement.phase, measurement.message.as_str()), (Inconclusive, "Metric Terminated"));
    assert_eq!(ended.status().phase, Inconclusive);
    // The delete was lost: once more, although the run is over.
    assert_eq!(written(&look(&mut ended)), ["-u1.m.1"]);

    let mut long = stage(json!({"interval": "10s", "count": 3}));
    long.run.spec.measurement_retention =
        serde_json::from_value(json!([{"metricName": "m", "limit": 1}])).unwrap();
    look(&mut long);
    long.jobs = vec![job("u1.m.1", Progress::Complete)];
    look(&mut long);
    assert_eq!(long.result("m").successful, 1);
    long.pass(10);
    let plan = look(&mut long);
    assert_eq!(written(&plan), ["-u1.m.1", "+u1.m.2"]);
}

#[test]
fn names_tell_measurements_apart_however_long_the_metric() {
    let name = format!("Error_Rate-{}", "x".repeat(80));
    let mut stage = stage(json!({"name": name}));
    stage.run.metadata.uid = Some("0b0c1e68-8f5c-4f0c-9f8e-9d5a4f3b2a1c".to_owned());
    let created = written(&look(&mut stage)).remove(0);
    assert_eq!(created.len(), 1 + 63, "{created}");
    assert!(created.starts_with("+0b0c1e68-8f5c-4f0c-9f8e-9d5a4f3b2a1c.error-rate-x"), "{created}");
    assert!(created.ends_with("x.1"), "{created}");
}

#[test]
fn jobs_that_cannot_work_are_refused() {
    for (spec, expected) in [
        (
            json!(null),
            "provider.job.spec: it has no containers; give a JobSpec with template.spec.containers",
        ),
        (
            json!({"template": {"spec": {"containers": [{"name": "c"}]}}}),
            "provider.job.spec: template.spec.restartPolicy is not that of a Job; set it to Never or OnFailure",
        ),
    ] {
        let mut stage = stage(json!({"provider": {"job": {"spec": spec}}}));
        look(&mut stage);
        assert_eq!(stage.status().message, format!("Analysis spec invalid: metrics[0]: {expected}"));
    }
}

#[test]
fn a_job_is_read_as_the_api_server_shows_it() {
    let seen = |status: Value, trouble: Option<&str>| {
        let job = json!({"metadata": {"name": "n", "uid": "u"}, "status": status});
        Job::of(&job, trouble.map(str::to_owned)).progress
    };
    let condition = |kind: &str, status: &str| json!({"conditions": [{"type": kind, "status": status, "reason": "R", "message": "m"}]});
    assert_eq!(seen(json!({}), None), Progress::Running(None));
    assert_eq!(seen(json!({"active": 1}), Some("x")), Progress::Running(Some("x".to_owned())));
    assert_eq!(seen(condition("Complete", "True"), Some("x")), Progress::Complete);
    assert_eq!(seen(condition("Complete", "False"), None), Progress::Running(None));
    assert_eq!(seen(condition("Failed", "True"), None), Progress::Failed("R: m".to_owned()));
    assert_eq!(seen(condition("Suspended", "True"), None), Progress::Running(None));
}
