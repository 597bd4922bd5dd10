//! `undo`: puts the pod template of an earlier revision back into the spec.

use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::ResourceExt;
use serde_json::{Value, json};
use serin_api::{RawTemplate, Rollout, label, validate};
use serin_view::change::{Body, Change, Target, refusal_of};
use serin_view::object::{hash_of, revision as number};
use serin_view::phase::{fully_promoted, generation_observed};
use serin_view::template::as_written;

use crate::change::Decision;

/// Decides an undo (compat 5.1) from the ReplicaSets that the Rollout owns.
///
/// Without a number an update on its way, or aborted, goes back to stable, and a finished one to the revision before.
/// Only what the user wrote is put back: see [`as_written`].
pub fn decide(rollout: &Rollout, sets: &[ReplicaSet], to: Option<i64>) -> Decision {
    let name = rollout.name_any();
    if let Some(reference) = &rollout.spec.workload_ref {
        let kind = reference.kind.as_deref().unwrap_or("Deployment").to_lowercase();
        let workload = reference.name.as_deref().unwrap_or_default();
        return Decision::Refuse(format!(
            "its pods come from {kind} \"{workload}\"; `kubectl rollout undo {kind}/{workload}` changes them"
        ));
    }
    let (set, revision) = match target(rollout, sets, to) {
        Ok(found) => found,
        Err(why) => return Decision::Refuse(why),
    };
    let current = rollout.status.as_ref().map(|status| status.current_pod_hash.as_str());
    if hash_of(set) == current && generation_observed(rollout) {
        return Decision::Already(format!(
            "skipped rollback (current template already matches revision {revision})"
        ));
    }
    let template =
        serde_json::to_value(set.spec.as_ref().and_then(|spec| spec.template.clone())).unwrap_or_default();
    let injected = set.annotations().get(label::EPHEMERAL_METADATA).map(String::as_str);
    let template = as_written(&template, injected);
    if let Some(problem) = problem_with(rollout, &template) {
        return Decision::Refuse(format!(
            "its controller would refuse the template of revision {revision}: {problem}"
        ));
    }
    let images = serin_view::template::images(&template).join(", ");
    Decision::Act {
        changes: vec![replace(rollout, template)],
        said: format!("rollout '{name}' undo: back to the template of revision {revision} ({images})"),
    }
}

/// Tests what was read first: a template that somebody changed meanwhile is not overwritten.
fn replace(rollout: &Rollout, template: Value) -> Change {
    let read = rollout.spec.template.as_ref().map(RawTemplate::value);
    Change {
        target: Target::Object,
        body: Body::Json(json!([
            {"op": "test", "path": "/spec/template", "value": read},
            {"op": "replace", "path": "/spec/template", "value": template},
        ])),
    }
}

fn problem_with(rollout: &Rollout, template: &Value) -> Option<String> {
    let mut changed = rollout.clone();
    changed.spec.template = Some(RawTemplate::new(template.clone()));
    refusal_of(rollout, &changed)
}

fn target<'s>(
    rollout: &Rollout,
    sets: &'s [ReplicaSet],
    to: Option<i64>,
) -> Result<(&'s ReplicaSet, i64), String> {
    let mut known: Vec<_> = sets.iter().filter_map(|set| Some((set, number(set)?))).collect();
    known.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    let numbers = known.iter().map(|(_, number)| number.to_string()).collect::<Vec<_>>().join(", ");
    if let Some(to) = to.filter(|to| *to != 0) {
        let found = known.into_iter().find(|(_, number)| *number == to);
        return found
            .ok_or_else(|| format!("unable to find specified revision {to} in history; there is {numbers}"));
    }
    if !validate(rollout).is_empty() {
        return Err(format!(
            "its spec is invalid, so it is not known which revision is the one before; correct it, or give --to-revision ({numbers})"
        ));
    }
    if !generation_observed(rollout) {
        return Err("the controller has not looked at its latest spec yet, so it is not known which revision is the one before; try again in a moment, or give --to-revision".to_owned());
    }
    let status = rollout.status.clone().unwrap_or_default();
    let back_to_stable = !fully_promoted(&status) && status.stable_rs.is_some();
    let previous = known.into_iter().find(|(set, _)| match hash_of(*set) {
        hash if back_to_stable => hash == status.stable_rs.as_deref(),
        hash => hash != Some(status.current_pod_hash.as_str()),
    });
    previous.ok_or_else(|| format!("no revision found for rollout \"{}\" to go back to", rollout.name_any()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{replica_set, rollout, updating};

    fn sets() -> Vec<ReplicaSet> {
        vec![
            replica_set(
                "zzz",
                1,
                "shop:v0",
                0,
                json!({"metadata": {"annotations": {
                "rollout.argoproj.io/ephemeral-metadata": "{\"labels\": {\"role\": \"canary\"}}",
            }}, "spec": {"template": {"metadata": {"labels": {"role": "canary"}}}}}),
            ),
            replica_set("aaa", 2, "shop:v1", 4, json!({})),
        ]
    }

    fn with_update() -> Vec<ReplicaSet> {
        let mut sets = sets();
        sets.push(replica_set("ccc", 3, "shop:bad", 0, json!({})));
        sets.push(replica_set("bbb", 4, "shop:v2", 1, json!({})));
        sets
    }

    fn template(image: &str) -> Value {
        json!({
            "metadata": {"labels": {"app": "shop"}},
            "spec": {"containers": [{"name": "shop", "image": image}]},
        })
    }

    #[test]
    fn the_template_of_the_wanted_revision_is_put_back_as_it_was_written() {
        for (case, rollout, sets, to, image, revision) in [
            ("promoted: the one before", rollout(json!({})), sets(), None, "shop:v0", 1),
            (
                "an update: stable, not the one before",
                updating(2, json!({})),
                with_update(),
                None,
                "shop:v1",
                2,
            ),
            ("by number", updating(2, json!({})), with_update(), Some(1), "shop:v0", 1),
            ("0 is none", rollout(json!({})), sets(), Some(0), "shop:v0", 1),
        ] {
            let read = rollout.spec.template.as_ref().unwrap().value();
            let expected = Decision::Act {
                changes: vec![Change {
                    target: Target::Object,
                    body: Body::Json(json!([
                        {"op": "test", "path": "/spec/template", "value": read},
                        {"op": "replace", "path": "/spec/template", "value": template(image)},
                    ])),
                }],
                said: format!("rollout 'shop' undo: back to the template of revision {revision} ({image})"),
            };
            assert_eq!(decide(&rollout, &sets, to), expected, "{case}");
        }
    }

    #[test]
    fn what_cannot_be_undone_says_why() {
        let other_labels = json!({"spec": {"template": {"metadata": {"labels": {"app": "other"}}}}});
        for (rollout, sets, to, expected) in [
            (
                rollout(json!({})),
                sets(),
                Some(2),
                Decision::Already("skipped rollback (current template already matches revision 2)".to_owned()),
            ),
            (
                rollout(json!({})),
                sets(),
                Some(9),
                Decision::Refuse("unable to find specified revision 9 in history; there is 2, 1".to_owned()),
            ),
            (
                rollout(json!({"spec": {"replicas": -1}})),
                sets(),
                None,
                Decision::Refuse("its spec is invalid, so it is not known which revision is the one before; correct it, or give --to-revision (2, 1)".to_owned()),
            ),
            (
                rollout(json!({})),
                vec![replica_set("aaa", 2, "shop:v1", 4, json!({}))],
                None,
                Decision::Refuse("no revision found for rollout \"shop\" to go back to".to_owned()),
            ),
            (
                rollout(json!({"metadata": {"generation": 8}})),
                sets(),
                None,
                Decision::Refuse("the controller has not looked at its latest spec yet, so it is not known which revision is the one before; try again in a moment, or give --to-revision".to_owned()),
            ),
            (
                rollout(json!({})),
                vec![replica_set("zzz", 1, "shop:v0", 0, other_labels)],
                None,
                Decision::Refuse("its controller would refuse the template of revision 1: spec.template.metadata.labels: Invalid value: {\"app\":\"other\"}: `selector` does not match template `labels`".to_owned()),
            ),
        ] {
            assert_eq!(decide(&rollout, &sets, to), expected);
        }
    }
}
