//! Decides on the finalizer that keeps a deleted Rollout until its routes are handed back: for Rollouts that ask for it, and
//! never for longer than they say, so that nothing of a namespace waits for a data plane that is gone.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};
use serin_api::{Rollout, go_duration, label};

use crate::seen::ObjectKey;
use crate::time::after;
use crate::write::{Effect, Write};

/// Name of the finalizer.
pub const FINALIZER: &str = "serin.dev/hand-back";
/// The longest wait that a Rollout gets which does not say one.
const USUAL: Duration = Duration::from_secs(30);
/// The longest wait that it may ask for.
const LONGEST: Duration = Duration::from_secs(300);

/// A deleted Rollout that waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    /// Lets it go.
    pub release: Write,
    /// When it is let go whatever has been handed back.
    pub until: Timestamp,
    /// The time that was given for it, in seconds.
    pub seconds: i64,
}

/// How a deleted Rollout waits; `None` when it is alive, or does not.
pub fn hold(meta: &ObjectMeta) -> Option<Hold> {
    let deleted = meta.deletion_timestamp.as_ref()?.0;
    let release = release(meta)?;
    // Who takes the request back meanwhile does not want to wait.
    let seconds = asked(meta).map_or(0, |wait| i64::try_from(wait.as_secs()).unwrap_or(0));
    Some(Hold { release, until: after(deleted, seconds), seconds })
}

/// The write that gives a living Rollout the finalizer, or takes it away, as its annotation asks.
pub(crate) fn follow(rollout: &Rollout) -> Option<Write> {
    let meta = &rollout.metadata;
    match (asked(meta), release(meta)) {
        (Some(_), None) => Some(keep(meta)),
        (None, release) => release,
        (Some(_), Some(_)) => None,
    }
}

/// How long the deletion of a Rollout may wait; `None` when it does not. A time that cannot be read is the usual one, and one
/// out of bounds the nearest: a slip of the pen must neither lose the wish nor hold a deletion.
fn asked(meta: &ObjectMeta) -> Option<Duration> {
    let text = meta.annotations.as_ref()?.get(label::HAND_BACK)?;
    let on = !text.is_empty() && text != "false";
    let wait = go_duration(text).unwrap_or(USUAL);
    on.then(|| wait.clamp(Duration::from_secs(1), LONGEST))
}

fn keep(meta: &ObjectMeta) -> Write {
    let path = "/metadata/finalizers";
    let add = match meta.finalizers.as_ref() {
        // An absent field and null are the same to the API server.
        None => [
            json!({"op": "test", "path": path, "value": null}),
            json!({"op": "add", "path": path, "value": [FINALIZER]}),
        ],
        Some(known) => [
            json!({"op": "test", "path": path, "value": known}),
            json!({"op": "add", "path": format!("{path}/-"), "value": FINALIZER}),
        ],
    };
    patch(meta, add)
}

/// Takes the finalizer out of the list only where it stands, as the patch itself makes sure.
fn release(meta: &ObjectMeta) -> Option<Write> {
    let index = meta.finalizers.as_ref()?.iter().position(|name| name == FINALIZER)?;
    let path = format!("/metadata/finalizers/{index}");
    Some(patch(
        meta,
        [json!({"op": "test", "path": path, "value": FINALIZER}), json!({"op": "remove", "path": path})],
    ))
}

fn patch(meta: &ObjectMeta, operations: [Value; 2]) -> Write {
    let uid = json!({"op": "test", "path": "/metadata/uid", "value": meta.uid});
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let object =
        ObjectKey::new("argoproj.io", "v1alpha1", "Rollout", &text(&meta.namespace), &text(&meta.name));
    Write { object, effect: Effect::JsonPatch(std::iter::once(uid).chain(operations).collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(annotation: &str, finalizers: Value) -> ObjectMeta {
        serde_json::from_value(json!({
            "name": "shop", "namespace": "default", "uid": "u",
            "annotations": {label::HAND_BACK: annotation}, "finalizers": finalizers,
        }))
        .unwrap()
    }

    fn operations(write: Option<Write>) -> Vec<Value> {
        match write.map(|write| write.effect) {
            Some(Effect::JsonPatch(patch)) => patch[1..].to_vec(),
            _ => Vec::new(),
        }
    }

    fn followed(annotation: &str, finalizers: Value) -> Vec<Value> {
        let rollout: Rollout =
            serde_json::from_value(json!({"metadata": meta(annotation, finalizers), "spec": {}})).unwrap();
        operations(follow(&rollout))
    }

    #[test]
    fn a_living_rollout_has_the_finalizer_when_it_asks_and_only_then() {
        let (path, ours) = ("/metadata/finalizers", FINALIZER);
        let taken = |index: usize| {
            let path = format!("{path}/{index}");
            vec![json!({"op": "test", "path": path, "value": ours}), json!({"op": "remove", "path": path})]
        };
        for (case, annotation, finalizers, expected) in [
            (
                "no list",
                "30s",
                Value::Null,
                vec![
                    json!({"op": "test", "path": path, "value": null}),
                    json!({"op": "add", "path": path, "value": [ours]}),
                ],
            ),
            (
                "beside that of somebody else",
                "true",
                json!(["a"]),
                vec![
                    json!({"op": "test", "path": path, "value": ["a"]}),
                    json!({"op": "add", "path": "/metadata/finalizers/-", "value": ours}),
                ],
            ),
            ("there already", "30s", json!(["a", ours]), Vec::new()),
            ("never asked", "", json!(["a"]), Vec::new()),
            ("taken back", "false", json!(["a", ours]), taken(1)),
            ("taken back, alone", "", json!([ours]), taken(0)),
        ] {
            assert_eq!(followed(annotation, finalizers), expected, "{case}");
        }
    }

    #[test]
    fn a_deletion_waits_for_a_bounded_time() {
        let deleted: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (annotation, seconds) in [
            ("45s", 45),
            ("true", 30),
            ("soon", 30),
            ("24h", 300),
            ("0", 1),
            ("1ms", 1),
            ("false", 0),
            ("", 0),
        ] {
            let mut meta = meta(annotation, json!([FINALIZER]));
            assert_eq!(hold(&meta), None, "alive");
            meta.deletion_timestamp = Some(crate::time::api_time(deleted));
            let hold = hold(&meta).unwrap();
            assert_eq!((hold.until, hold.seconds), (after(deleted, seconds), seconds), "{annotation}");
            assert_eq!(operations(Some(hold.release)).len(), 2);
            meta.finalizers = Some(vec!["a".to_owned()]);
            assert_eq!(super::hold(&meta), None, "that of somebody else is none of ours");
        }
    }
}
