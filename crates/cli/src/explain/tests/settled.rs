//! What is said when nothing is on its way, and as JSON.

use super::*;

#[test]
fn as_json_facts_are_objects() {
    let said = "The Rollout \"shop\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0";
    let invalid =
        merged(json!({"spec": {"replicas": -1}}), &status(condition("InvalidSpec", "InvalidSpec", said)));
    let json =
        serde_json::to_value(explain(&seen(updating(0, invalid), vec![]), &Invocation::default())).unwrap();
    let fact =
        json!({"field": "spec.replicas", "value": "-1", "problem": "must be greater than or equal to 0"});
    assert_eq!(json["facts"], json!([{"entries": fact}]));
    assert_eq!(json["actions"][0]["effect"], json!("correct the spec"));
}

#[test]
fn a_healthy_rollout_has_nothing_to_wait_for() {
    let expected = "\
shop in namespace web: ✔ Healthy

Why
  Revision 2 (aaa) is stable and has all traffic; 4 of 4 pods are available.

Next
  nothing; a change of spec.template begins the next update

You can
  kubectl serin undo shop -n web  go back to the revision before
";
    check("healthy", &seen(rollout(json!({})), vec![]), expected);
}

#[test]
fn what_the_controller_has_not_seen_is_not_explained_from_old_facts() {
    for (change, expected) in [
        (json!({"status": null}), "No controller has looked at this Rollout yet."),
        (
            json!({"metadata": {"generation": 8}}),
            "The spec has changed (generation 8), and the controller has last looked at generation 7.",
        ),
        (
            json!({"status": {"abortedAt": "2026-11-24T14:08:11Z", "phase": "Degraded"}}),
            "Somebody took the abort back; the controller has yet to start the update again.",
        ),
        (
            json!({"status": {"controllerPause": true, "phase": "Paused"}}),
            "Somebody ended the pause; the controller has yet to go on.",
        ),
        (
            json!({"spec": {"paused": true}}),
            "spec.paused is true: no step, no scaling and no promotion until it is false again.",
        ),
        (
            json!({"status": {"phase": "Progressing", "message": "updated replicas are still becoming available"}}),
            "Revision 2 is stable, and not everything is as it should be: updated replicas are still becoming available.",
        ),
    ] {
        assert_eq!(explain(&seen(rollout(change), vec![]), &Invocation::default()).why, [expected]);
    }
}
