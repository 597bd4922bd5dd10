//! Undo: puts the pod template of an earlier revision back into the spec (compat 5.1).

use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::ResourceExt;
use serde_json::{Value, json};
use serin_api::{RawTemplate, Rollout, label};
use serin_view::change::{Change, refusal_of};
use serin_view::object::{hash_of, revision};
use serin_view::phase::{fully_promoted, generation_observed};
use serin_view::template::{as_written, containers};

use crate::change::Decision;

/// Without a number (0) an update on its way, or aborted, goes back to stable, and a finished one to the revision before.
/// Only what the user wrote is put back: see [`as_written`].
pub(super) fn decide(rollout: &Rollout, sets: &[&ReplicaSet], to: i64) -> Decision {
    if let Some(why) = elsewhere(rollout, "undo") {
        return Decision::Refuse(why);
    }
    let (set, revision) = match target(rollout, sets, to) {
        Ok(found) => found,
        Err(why) => return Decision::Refuse(why),
    };
    let current = rollout.status.as_ref().map(|status| status.current_pod_hash.as_str());
    if hash_of(set) == current && generation_observed(rollout) {
        return Decision::Already(format!("the current template is that of revision {revision} already"));
    }
    let template =
        serde_json::to_value(set.spec.as_ref().and_then(|spec| spec.template.clone())).unwrap_or_default();
    let template =
        as_written(&template, set.annotations().get(label::EPHEMERAL_METADATA).map(String::as_str));
    let mut changed = rollout.clone();
    changed.spec.template = Some(RawTemplate::new(template.clone()));
    if let Some(problem) = refusal_of(rollout, &changed) {
        return Decision::Refuse(format!(
            "the template of revision {revision} does not fit any more: its controller would refuse the spec: {problem}"
        ));
    }
    let effect = effect(rollout, set, revision, &template);
    Decision::act(replace(rollout, template), effect)
}

fn effect(rollout: &Rollout, set: &ReplicaSet, revision: i64, template: &Value) -> String {
    let images: Vec<_> =
        containers(template).iter().map(|container| container.text("image").to_owned()).collect();
    let stable = rollout.status.as_ref().and_then(|status| status.stable_rs.as_deref());
    let then = if hash_of(set).is_some() && hash_of(set) == stable {
        "it is stable, so the update is given up and traffic goes back to it"
    } else {
        "this begins a rollout of it with all its steps"
    };
    format!(
        "the pod template of revision {revision} ({}) is put back into the spec; {then}",
        images.join(", ")
    )
}

/// Tests what was read first: a template that somebody changed meanwhile is not overwritten.
fn replace(rollout: &Rollout, template: Value) -> Change {
    let read = rollout.spec.template.as_ref().map(RawTemplate::value);
    Change::operations(vec![
        json!({"op": "test", "path": "/spec/template", "value": read}),
        json!({"op": "replace", "path": "/spec/template", "value": template}),
    ])
}

fn target<'s>(rollout: &Rollout, sets: &[&'s ReplicaSet], to: i64) -> Result<(&'s ReplicaSet, i64), String> {
    let mut known: Vec<_> = sets.iter().filter_map(|set| Some((*set, revision(*set)?))).collect();
    known.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    if to != 0 {
        let numbers: Vec<_> = known.iter().map(|(_, number)| number.to_string()).collect();
        let found = known.into_iter().find(|(_, number)| *number == to);
        return found.ok_or_else(|| {
            format!("unable to find specified revision {to} in history; there is {}", numbers.join(", "))
        });
    }
    if !generation_observed(rollout) {
        return Err("the controller has not looked at its latest spec yet, so it is not known which revision is the one before; give its number".to_owned());
    }
    let status = rollout.status.clone().unwrap_or_default();
    let back_to_stable = !fully_promoted(&status) && status.stable_rs.is_some();
    let previous = known.into_iter().find(|(set, _)| match hash_of(*set) {
        hash if back_to_stable => hash == status.stable_rs.as_deref(),
        hash => hash != Some(status.current_pod_hash.as_str()),
    });
    previous.ok_or_else(|| "no revision found to go back to".to_owned())
}

/// Why a template cannot be changed here: it belongs to another workload.
pub(super) fn elsewhere(rollout: &Rollout, verb: &str) -> Option<String> {
    let reference = rollout.spec.workload_ref.as_ref()?;
    let kind = reference.kind.as_deref().unwrap_or("Deployment").to_lowercase();
    let name = reference.name.as_deref().unwrap_or_default();
    Some(format!("its pods come from {kind} \"{name}\"; {verb} there instead"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{replica_set, rollout, updating};

    fn sets() -> Vec<ReplicaSet> {
        let injected = json!({
            "metadata": {"annotations": {"rollout.argoproj.io/ephemeral-metadata": "{\"labels\": {\"role\": \"canary\"}}"}},
            "spec": {"template": {"metadata": {"labels": {"role": "canary"}}}},
        });
        vec![
            replica_set("zzz", 1, "shop:v0", 0, injected),
            replica_set("aaa", 2, "shop:v1", 4, json!({})),
            replica_set("ccc", 3, "shop:bad", 0, json!({})),
            replica_set("bbb", 4, "shop:v2", 1, json!({})),
        ]
    }

    fn decided(rollout: &Rollout, sets: &[ReplicaSet], to: i64) -> Decision {
        decide(rollout, &sets.iter().collect::<Vec<_>>(), to)
    }

    #[test]
    fn the_template_of_the_wanted_revision_is_put_back_as_it_was_written() {
        let given_up = "it is stable, so the update is given up and traffic goes back to it";
        let begins = "this begins a rollout of it with all its steps";
        let promoted = &sets()[..2];
        for (case, rollout, sets, to, image, revision, then) in [
            ("promoted: the one before", rollout(json!({})), promoted, 0, "shop:v0", 1, begins),
            (
                "an update: stable, not the one before",
                updating(2, json!({})),
                &sets(),
                0,
                "shop:v1",
                2,
                given_up,
            ),
            ("by number", updating(2, json!({})), &sets(), 1, "shop:v0", 1, begins),
        ] {
            let template = json!({
                "metadata": {"labels": {"app": "shop"}},
                "spec": {"containers": [{"name": "shop", "image": image}]},
            });
            let change = Change::operations(vec![
                json!({"op": "test", "path": "/spec/template", "value": rollout.spec.template}),
                json!({"op": "replace", "path": "/spec/template", "value": template}),
            ]);
            let effect = format!(
                "the pod template of revision {revision} ({image}) is put back into the spec; {then}"
            );
            assert_eq!(decided(&rollout, sets, to), Decision::act(change, effect), "{case}");
        }
    }

    #[test]
    fn what_cannot_be_undone_says_why() {
        let other = json!({"spec": {"template": {"metadata": {"labels": {"app": "other"}}}}});
        let refuse = |text: &str| Decision::Refuse(text.to_owned());
        let alone = [replica_set("aaa", 2, "shop:v1", 4, json!({}))];
        let misfit = [replica_set("zzz", 1, "shop:v0", 0, other)];
        for (rollout, sets, to, expected) in [
            (
                rollout(json!({})),
                &alone,
                2,
                Decision::Already("the current template is that of revision 2 already".to_owned()),
            ),
            (
                rollout(json!({})),
                &alone,
                9,
                refuse("unable to find specified revision 9 in history; there is 2"),
            ),
            (rollout(json!({})), &alone, 0, refuse("no revision found to go back to")),
            (
                rollout(json!({"metadata": {"generation": 8}})),
                &alone,
                0,
                refuse(
                    "the controller has not looked at its latest spec yet, so it is not known which revision is the one before; give its number",
                ),
            ),
            (
                rollout(json!({})),
                &misfit,
                1,
                refuse(
                    "the template of revision 1 does not fit any more: its controller would refuse the spec: spec.template.metadata.labels: Invalid value: {\"app\":\"other\"}: `selector` does not match template `labels`",
                ),
            ),
        ] {
            assert_eq!(decided(&rollout, sets, to), expected);
        }
    }
}
