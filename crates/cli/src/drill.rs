//! `drill`: practises a rollback with a copy of the stable version. What may be practised, and how far it is, is decided
//! here from the Rollout as it stands.

use k8s_openapi::api::apps::v1::ReplicaSet;
use serde::Serialize;
use serde_json::{Value, json};
use serin_api::{RawTemplate, Rollout, validate};
use serin_view::change::Change;
use serin_view::phase::{Phase, fully_promoted, standing};
use serin_view::step::{self, Source};

/// Annotation of the pod template that makes a copy of the stable version a revision of its own.
pub const DRILL: &str = "serin.dev/drill";

/// How a drill went. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The Rollout.
    pub rollout: String,
    /// Largest share of traffic that the copy was seen to have, in percent.
    pub share: i32,
    /// From the begin until the copy had traffic.
    pub seconds_until_traffic: f64,
    /// From the abort until all traffic was back; absent when it did not come back in time.
    pub seconds_until_back: Option<f64>,
    /// How long that may take.
    pub within: f64,
    /// It came back in time.
    pub passed: bool,
}

/// Why a drill would break something, or prove nothing.
pub fn refusal(rollout: &Rollout, most: i32) -> Option<String> {
    let status = rollout.status.clone().unwrap_or_default();
    let standing = standing(rollout);
    if let Some(problem) = validate(rollout).first() {
        return Some(format!("its spec is invalid: {problem}"));
    }
    if rollout.spec.workload_ref.is_some() {
        return Some(
            "its pods come from another workload, whose template a drill would have to change".to_owned(),
        );
    }
    if rollout.spec.paused {
        return Some("spec.paused is set, so nothing would move; promote it first".to_owned());
    }
    if standing.phase != Phase::Healthy || !fully_promoted(&status) {
        return Some(format!("a drill begins from a settled Rollout, and this one is {standing}"));
    }
    let first = step::steps(rollout).first().and_then(|step| step.set_weight);
    match first.filter(|weight| *weight > 0) {
        None => Some(
            "its first step is no setWeight above 0, so the size of the drill is not known; begin spec.strategy.canary.steps with a small setWeight"
                .to_owned(),
        ),
        Some(weight) if weight > most => Some(format!(
            "its first step gives the copy {weight} % of the traffic, more than --max-weight {most}"
        )),
        Some(_) => None,
    }
}

fn template(rollout: &Rollout) -> Value {
    rollout.spec.template.as_ref().map(RawTemplate::value).cloned().unwrap_or_default()
}

/// Begins: the pod template gets an annotation, and with it a new hash; containers stay as they are.
pub fn begin(rollout: &Rollout, at: &str) -> Change {
    let read = template(rollout);
    let mut marked = read.clone();
    if !marked.pointer("/metadata/annotations").is_some_and(Value::is_object) {
        marked["metadata"]["annotations"] = json!({});
    }
    marked["metadata"]["annotations"][DRILL] = json!(at);
    replace(read, marked)
}

/// Ends: the template as it was, which is the stable one; `None` when somebody has changed it meanwhile, or it is so
/// already.
pub fn end(rollout: &Rollout, before: &Rollout, at: &str) -> Option<Change> {
    let now = template(rollout);
    let ours = now.pointer("/metadata/annotations").and_then(|annotations| annotations.get(DRILL));
    (ours == Some(&json!(at))).then(|| replace(now.clone(), template(before)))
}

fn replace(read: Value, template: Value) -> Change {
    Change::operations(vec![
        json!({"op": "test", "path": "/spec/template", "value": read}),
        json!({"op": "replace", "path": "/spec/template", "value": template}),
    ])
}

/// How far a drill is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The copy has no traffic that is known to be in force.
    Waiting,
    /// The copy has this share.
    Shared(i32),
    /// After the abort: no traffic reaches the copy any more.
    Back,
    /// The template is no more the one of the drill: somebody else began something.
    Overtaken,
}

/// Reads how far the drill that began `at` is. `hash` is that of the stable version.
pub fn progress(rollout: &Rollout, sets: &[ReplicaSet], at: &str, hash: &str) -> Progress {
    let ours = template(rollout);
    let ours = ours.pointer("/metadata/annotations").and_then(|annotations| annotations.get(DRILL));
    if ours != Some(&json!(at)) {
        return Progress::Overtaken;
    }
    let status = rollout.status.clone().unwrap_or_default();
    if !standing(rollout).current || status.current_pod_hash == hash {
        return Progress::Waiting;
    }
    let Some(weight) = step::weight(rollout, sets) else { return Progress::Waiting };
    match (weight.observed, weight.source) {
        (Some(0), source) if status.abort && status.aborted_at.is_some() && source != Source::Pending => {
            Progress::Back
        }
        (Some(share), source) if share > 0 && source != Source::Pending => Progress::Shared(share),
        _ => Progress::Waiting,
    }
}

/// The report for people.
pub fn text(report: &Report) -> String {
    let Report { rollout, share, seconds_until_traffic, seconds_until_back, within, .. } = report;
    let begun = format!(
        "rollout '{rollout}': a copy of the stable version had {share} % of the traffic after {seconds_until_traffic:.1} s"
    );
    match seconds_until_back {
        Some(seconds) if report.passed => {
            format!(
                "{begun}; after the abort routes sent it all back within {seconds:.1} s (at most {within} s)\n"
            )
        }
        Some(seconds) => {
            format!("{begun}; after the abort it took {seconds:.1} s to come back, more than {within} s\n")
        }
        None => format!("{begun}; it was not back {within} s after the abort\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{replica_set, rollout, updating};
    use serin_view::change::{Body, merged};

    const AT: &str = "2026-11-24T14:10:00Z";

    /// The drill in the cluster: an update whose template carries the mark.
    fn drilled(change: Value) -> Rollout {
        let mark = json!({"spec": {"template": {"metadata": {"annotations": {DRILL: AT}}}}});
        updating(0, merged(mark, &change))
    }

    #[test]
    fn a_drill_begins_only_where_it_breaks_nothing() {
        for (change, most, phrase) in [
            (json!({}), 20, None),
            (json!({}), 10, Some("gives the copy 20 % of the traffic, more than --max-weight 10")),
            (json!({"spec": {"paused": true}}), 20, Some("spec.paused is set")),
            (json!({"status": {"phase": "Degraded"}}), 20, Some("and this one is Degraded")),
            (json!({"metadata": {"generation": 8}}), 20, Some("and this one is Progressing")),
            (json!({"spec": {"replicas": -1}}), 20, Some("its spec is invalid: spec.replicas")),
            (
                json!({"spec": {"strategy": {"canary": {"steps": [{"pause": {}}]}}}}),
                20,
                Some("its first step is no setWeight above 0"),
            ),
        ] {
            let why = refusal(&rollout(change), most);
            assert_eq!(why.is_some(), phrase.is_some(), "{why:?}");
            assert!(phrase.is_none_or(|phrase| why.as_ref().unwrap().contains(phrase)), "{why:?}");
        }
        assert!(refusal(&updating(1, json!({})), 100).is_some(), "an update is on its way");
    }

    #[test]
    fn only_an_annotation_of_the_template_changes_and_it_goes_again() {
        let before = rollout(json!({}));
        let Body::Json(operations) = begin(&before, AT).body else { panic!() };
        let mut expected = template(&before);
        expected["metadata"]["annotations"] = json!({DRILL: AT});
        assert_eq!(operations[1]["value"], expected);
        assert_eq!(operations[0]["value"], template(&before));
        let marked = rollout(json!({"spec": {"template": expected}}));
        let Some(Change { body: Body::Json(operations), .. }) = end(&marked, &before, AT) else { panic!() };
        assert_eq!(operations[1]["value"], template(&before));
        assert_eq!(end(&before, &before, AT), None, "it is so already");
        assert_eq!(end(&marked, &before, "another drill"), None);
    }

    #[test]
    fn traffic_counts_only_when_it_is_in_force() {
        let weights = |verified: Option<bool>, weight: i32| json!({"status": {"canary": {"weights": {"verified": verified, "canary": {"weight": weight}}}}});
        let aborted = json!({"status": {"abort": true, "abortedAt": AT}});
        for (case, rollout, expected) in [
            ("confirmed", drilled(weights(Some(true), 20)), Progress::Shared(20)),
            ("not in force yet", drilled(weights(Some(false), 20)), Progress::Waiting),
            ("not seen yet", drilled(json!({"metadata": {"generation": 8}})), Progress::Waiting),
            ("before the abort 0 is not back", drilled(weights(Some(true), 0)), Progress::Waiting),
            ("going back", drilled(merged(aborted.clone(), &weights(Some(false), 0))), Progress::Waiting),
            ("back", drilled(merged(aborted, &weights(Some(true), 0))), Progress::Back),
            ("overtaken", updating(0, json!({})), Progress::Overtaken),
        ] {
            assert_eq!(progress(&rollout, &[], AT, "aaa"), expected, "{case}");
        }
        let by_pods = drilled(json!({"spec": {"strategy": {"canary": {"trafficRouting": null}}}}));
        let sets =
            [replica_set("aaa", 2, "shop:v1", 4, json!({})), replica_set("bbb", 3, "shop:v1", 1, json!({}))];
        assert_eq!(progress(&by_pods, &sets, AT, "aaa"), Progress::Shared(20));
    }
}
