//! The condition of a spec that cannot work has the words that clients of Argo Rollouts know, and the event the remedy.

use serde_json::{Value, json};
use serin_testkit::scene::base;

use crate::{condition, told};

/// Rows that the API and `lint` are tested by, too: a name, a change of the spec, what is said of it.
fn rows() -> Vec<(String, Value, String)> {
    let one = include_str!("../../../api/tests/invalid_spec.json");
    let two = include_str!("../../../api/tests/first_of_two.json");
    [one, two].into_iter().flat_map(|file| serde_json::from_str::<Vec<_>>(file).unwrap()).collect()
}

#[test]
fn each_row_is_a_condition_and_a_warning() {
    for (name, change, said) in rows() {
        let scene = base().edit(|world| {
            let mut rollout = serde_json::to_value(&world.rollout).unwrap();
            json_patch(&mut rollout["spec"], &json!({"strategy": {"canary": null, "blueGreen": null}}));
            json_patch(&mut rollout["spec"], &json!({"strategy": {"canary": {}}}));
            json_patch(&mut rollout["spec"], &change);
            world.rollout = serde_json::from_value(rollout).unwrap();
        });
        let plan = scene.plan();
        let expected = format!("The Rollout \"shop\" is invalid: {said}");
        assert_eq!(
            condition(&plan.status, "InvalidSpec"),
            Some(format!("True|InvalidSpec|{expected}")),
            "{name}"
        );
        assert!(
            told(&plan, "InvalidSpec").is_some_and(|told| told.starts_with("The Rollout \"shop\"")),
            "{name}"
        );
        assert!(plan.writes.is_empty() && plan.split.is_none(), "{name}: the workload stays");
    }
}

/// A merge patch (RFC 7386).
fn json_patch(base: &mut Value, change: &Value) {
    let Value::Object(change) = change else {
        *base = change.clone();
        return;
    };
    if !base.is_object() {
        *base = json!({});
    }
    for (key, value) in change {
        if value.is_null() {
            base.as_object_mut().unwrap().remove(key);
        } else {
            json_patch(&mut base[key], value);
        }
    }
}
