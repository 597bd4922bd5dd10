//! What stands in the way: specs, objects, pods, and a cluster that refuses.

use super::*;

#[test]
fn an_invalid_spec_names_every_field_and_its_remedy() {
    let said = "The Rollout \"shop\" is invalid: spec.strategy.canary.steps[0].setWeight: Invalid value: 120: SetWeight needs to be between 0 and 100";
    let invalid = merged(
        condition("InvalidSpec", "InvalidSpec", said),
        &json!({"phase": "Degraded", "message": format!("InvalidSpec: {said}")}),
    );
    let steps = json!({"spec": {"strategy": {"canary": {"steps": [{"setWeight": 120}, {"pause": {"duration": "soon"}}]}}}});
    let expected = "\
shop in namespace web: ✖ Degraded

Why
  The spec cannot work; pods and traffic stay as they are.

    field    spec.strategy.canary.steps[0].setWeight
    value    120
    problem  SetWeight needs to be between 0 and 100
    remedy   choose one between these

    field    spec.strategy.canary.steps[1].pause.duration
    value    \"soon\"
    problem  Duration needs to be greater than 0
    remedy   write seconds, or text such as 30s or 5m

Next
  it goes on by itself as soon as that is mended

You can
  kubectl edit rollout shop -n web  correct the spec
";
    check("invalid", &seen(updating(0, merged(steps, &status(invalid))), vec![]), expected);
}

#[test]
fn a_missing_service_says_which_one_and_that_it_recovers() {
    let said = "spec.strategy.canary.canaryService: Invalid value: \"shop-canary\": service \"shop-canary\" not found in namespace \"web\"; create it, the rollout goes on by itself";
    let missing = merged(
        merged(
            condition("InvalidSpec", "InvalidSpec", &format!("The Rollout \"shop\" is invalid: {said}")),
            &gate(said, "the rollout goes on by itself"),
        ),
        &json!({"phase": "Degraded", "message": "InvalidSpec"}),
    );
    let expected = "\
shop in namespace web: ✖ Degraded

Why
  The spec names something that is not there or cannot be used; pods and traffic stay as they are.

    field    spec.strategy.canary.canaryService
    value    \"shop-canary\"
    problem  service \"shop-canary\" not found in namespace \"web\"
    remedy   create it, the rollout goes on by itself

Traffic
  asked 20 of 100, observed 20  ████░░░░░░░░░░░░░░░░  confirmed by the router

Next
  it goes on by itself as soon as that is mended

You can
  kubectl edit rollout shop -n web  correct the spec
";
    check("missing service", &seen(updating(0, status(missing)), vec![]), expected);
}

#[test]
fn a_passed_deadline_shows_the_pods_in_trouble() {
    let message = "ReplicaSet \"shop-bbb\" has timed out progressing.";
    let stuck = merged(
        merged(
            condition("Progressing", "ProgressDeadlineExceeded", message),
            &gate("1 canary pods to be available", "the step is done"),
        ),
        &json!({"phase": "Degraded", "message": format!("ProgressDeadlineExceeded: {message}")}),
    );
    let back_off = json!([{
        "name": "shop", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"shop:v2\""}},
    }]);
    let seen = sample::observed(
        updating(0, status(stuck)),
        vec![replica_set("bbb", 3, "shop:v2", 1, json!({"status": {"availableReplicas": 0}}))],
        vec![
            pod("aaa", "x1", json!({})),
            pod("bbb", "y1", json!({"status": {"phase": "Pending", "containerStatuses": back_off}})),
        ],
        vec![],
    );
    let expected = "\
shop in namespace web: ✖ Degraded at step 1 of 4 (setWeight: 20)

Why
  Nothing has progressed for longer than spec.progressDeadlineSeconds (10m), noticed at 14:08:00 UTC, 2m ago:
  ReplicaSet \"shop-bbb\" has timed out progressing.

Waits for
  1 canary pods to be available
    since 14:07:00 UTC, 3m ago
    then: the step is done

Traffic
  asked 20 of 100, observed 20  ████░░░░░░░░░░░░░░░░  confirmed by the router

Pods not ready
  shop-bbb-y1 ImagePullBackOff: Back-off pulling image \"shop:v2\"

Next
  it goes on by itself when the pods become available

You can
  kubectl serin get rollout shop -n web  see every pod
  kubectl serin abort shop -n web        take the update back: all traffic to stable
  kubectl edit rollout shop -n web       correct the spec
";
    check("deadline", &seen, expected);
}

#[test]
fn what_the_cluster_refuses_is_said_in_its_words() {
    let quota = json!({"conditions": [{
        "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: pods",
        "lastUpdateTime": "2026-11-24T14:08:00Z", "lastTransitionTime": "2026-11-24T14:08:00Z",
    }]});
    let create = condition(
        "Progressing",
        "ReplicaSetCreateError",
        "Failed to create new replica set \"shop-bbb\": no",
    );
    for (change, expected) in [
        (quota, "The cluster refuses its pods since 14:08:00 UTC, 2m ago: exceeded quota: pods"),
        (
            create,
            "The cluster refuses its ReplicaSet since 14:08:00 UTC, 2m ago: Failed to create new replica set \"shop-bbb\": no",
        ),
    ] {
        let why = explain(&seen(updating(0, status(change)), vec![]), &Invocation::default()).why;
        assert_eq!(why, ["The update to revision 3 works on step 1 of 4 (setWeight: 20).", expected]);
    }
}
