//! Specs that cannot work: an Error that names the field and the remedy, and begins again when it is mended.

use serde_json::json;
use serin_api::AnalysisPhase;
use serin_testkit::trial::{experiment, template};

use super::{condition, events, phase, stored};

#[test]
fn a_spec_that_cannot_work_says_field_and_remedy() {
    let with = |field: &str, value: serde_json::Value| {
        let mut canary = template("canary", "v2");
        canary[field] = value;
        json!({"templates": [canary]})
    };
    let twice = json!({"templates": [template("a", "v1"), template("a", "v2")]});
    for (spec, field, part) in [
        (json!({"templates": []}), "spec.templates", "at least one template"),
        (
            json!({"templates": [template("", "v1")]}),
            "spec.templates[0].name",
            "has empty template name at index 0",
        ),
        (twice, "spec.templates[1].name", "has repeated template name 'a' in templates"),
        (
            with("selector", json!(null)),
            "spec.templates[0].selector",
            "missing field '.Spec.Templates[0].Selector'",
        ),
        (with("selector", json!({})), "spec.templates[0].selector", "selecting all pods at index 0"),
        (
            with("selector", json!({"matchLabels": {"app": "other"}})),
            "spec.templates[0].template.metadata.labels",
            "does not match",
        ),
        (
            with("minReadySeconds", json!(601)),
            "spec.templates[0].minReadySeconds",
            "cannot be longer than ProgressDeadlineSeconds",
        ),
        (with("replicas", json!(-1)), "spec.templates[0].replicas", "greater than or equal to 0"),
        (json!({"duration": "soon"}), "spec.duration", "such as 30s"),
        (json!({"scaleDownDelaySeconds": -1}), "spec.scaleDownDelaySeconds", "greater than or equal to 0"),
        (json!({"analyses": [{"name": "a"}]}), "spec.analyses[0].templateName", "name an AnalysisTemplate"),
    ] {
        let (trial, plans) = experiment().spec(spec.clone()).settle();
        let status = stored(&trial);
        let text = condition(&status, "InvalidSpec").unwrap_or_default();
        assert!(
            text.starts_with("True|InvalidSpec|The Experiment \"compare\" is invalid: "),
            "{spec}: {text}"
        );
        assert!(text.contains(&format!("{field}: ")) && text.contains(part), "{spec}: {text}");
        assert!(phase(&status).starts_with("Error|The Experiment"), "{spec}: {}", phase(&status));
        assert!(trial.world.replica_sets.is_empty(), "{spec}");
        assert!(events(&plans)[0].starts_with("Warning InvalidSpec: "), "{:?}", events(&plans));
        let mended = trial.edit(|world| world.experiment.spec = experiment().world.experiment.spec).rest();
        assert_eq!(phase(&stored(&mended)), "Running|", "{spec}: it begins when it is mended");
        assert_eq!(condition(&stored(&mended), "InvalidSpec"), None);
    }
}

#[test]
fn a_service_without_ports_is_refused() {
    let mut canary = template("canary", "v2");
    canary["service"] = json!({});
    canary["template"]["spec"]["containers"][0]["ports"] = json!([]);
    let plan = experiment().spec(json!({"templates": [canary]})).plan();
    assert!(plan.status.message.contains("a Service needs ports"), "{}", plan.status.message);
}

#[test]
fn a_spec_that_is_broken_on_the_way_ends_the_experiment() {
    let trial = experiment().analyses(json!([{"name": "a", "templateName": "up"}])).rest();
    let broken = trial.spec(json!({"duration": "soon"})).rest();
    assert_eq!(stored(&broken).phase, AnalysisPhase::Error);
    assert!(broken.world.analysis_runs.iter().all(|run| run.terminating));
    let gone = broken.wait(30).rest();
    assert!(gone.world.replica_sets.iter().all(|set| set.pods.spec == 0));
    let mended = gone.spec(json!({"duration": "1m"})).rest();
    assert_eq!(stored(&mended).phase, AnalysisPhase::Error, "what has ended stays ended");
}
