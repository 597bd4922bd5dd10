//! Objects as the API server has them, and the JSON that a dashboard must get, both written by hand.

use serde_json::{Value, json};
use serin_view::change::merged;
use std::sync::Arc;

use super::{Extent, of};
use crate::sample::{paused, pod, replica_set, rollout, run, seen, updating};

fn at_pause() -> Value {
    let gates = json!({"status": {"gates": [{
        "waitsFor": "the pause step", "since": "2026-11-24T14:07:00Z", "until": "2026-11-24T14:12:00Z",
        "then": "the next step begins",
    }]}});
    merged(paused("CanaryPauseStep"), &gates)
}

#[test]
fn a_row_has_what_a_list_shows() {
    let sets = vec![replica_set("bbb", 3, "shop:v2", 1, json!({}))];
    let info = of(
        &seen(updating(1, at_pause()), sets, vec![pod("bbb", "x", json!({}))], vec![run(json!({}))]),
        Extent::Row,
    );
    let mut told = serde_json::to_value(info).unwrap();
    let sets = told.as_object_mut().unwrap().remove("replicaSets").unwrap();
    assert_eq!(sets[0]["canary"], true);
    assert_eq!(
        told,
        json!({
            "objectMeta": {
                "name": "shop", "namespace": "web", "uid": "uid-shop", "resourceVersion": "100",
                "creationTimestamp": "2026-11-24T10:00:00Z", "annotations": {"rollout.argoproj.io/revision": "3"},
            },
            "status": "Paused", "message": "CanaryPauseStep", "icon": "॥",
            "strategy": "Canary", "step": "1/4", "setWeight": "20", "actualWeight": "20",
            "ready": 5, "current": 5, "desired": 4, "updated": 1, "available": 5,
            "generation": "7",
            "containers": [{"name": "shop", "image": "shop:v2"}],
            "steps": [
                {"setWeight": 20}, {"pause": {"duration": "5m"}},
                {"analysis": {"templates": [{"templateName": "errors"}]}}, {"setWeight": 50},
            ],
            "serin": {
                "revision": 3,
                "gates": [{
                    "waitsFor": "the pause step", "since": "2026-11-24T14:07:00Z", "until": "2026-11-24T14:12:00Z",
                    "then": "the next step begins",
                }],
                "weight": {"asked": 20, "observed": 20, "of": 100, "source": "confirmed by the router"},
            },
        })
    );
}

#[test]
fn a_replica_set_has_its_role_its_pods_and_its_end() {
    let leaving = json!({"metadata": {"annotations": {"scale-down-deadline": "2026-11-24T14:11:00Z"}}});
    let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}});
    let container = json!([{"name": "shop", "image": "", "imageID": "", "ready": false, "restartCount": 2, "state": waiting}]);
    let sets = vec![
        replica_set("aaa", 2, "shop:v1", 4, leaving),
        replica_set("bbb", 3, "shop:v2", 1, json!({"status": {"availableReplicas": 0}})),
        replica_set("zzz", 1, "shop:v0", 0, json!({})),
    ];
    let bad = pod("bbb", "x", json!({"status": {"phase": "Pending", "containerStatuses": container}}));
    let info = of(&seen(updating(1, json!({})), sets, vec![bad], vec![]), Extent::Whole);
    let told = serde_json::to_value(&info.replica_sets).unwrap();
    let facts = |set: &Value| {
        let text = |field: &str| set[field].as_str().unwrap_or_default().to_owned();
        let roles = ["stable", "canary"]
            .iter()
            .filter(|role| set[**role] == true)
            .copied()
            .collect::<Vec<_>>()
            .join(" ");
        (text("template"), text("status"), text("icon"), roles, text("scaleDownDeadline"))
    };
    let expected = [
        ("bbb", "Progressing", "◌", "canary", ""),
        ("aaa", "Healthy", "✔", "stable", "2026-11-24T14:11:00Z"),
        ("zzz", "ScaledDown", "•", "", ""),
    ];
    for (set, (template, status, icon, roles, deadline)) in told.as_array().unwrap().iter().zip(expected) {
        let all = [template, status, icon, roles, deadline].map(str::to_owned);
        let [template, status, icon, roles, deadline] = all;
        assert_eq!(facts(set), (template, status, icon, roles, deadline));
    }
    assert_eq!(
        told[0]["pods"],
        json!([{
            "objectMeta": {
                "name": "shop-bbb-x", "namespace": "web", "uid": "uid-bbb-x", "creationTimestamp": "2026-11-24T14:05:10Z",
            },
            "status": "ImagePullBackOff", "icon": "✖", "ready": "0/1", "restarts": 2, "trouble": "Back-off pulling image",
        }])
    );
}

#[test]
fn blue_green_has_its_own_roles_and_no_weights() {
    let change = json!({
        "spec": {"strategy": {"canary": null, "blueGreen": {"activeService": "shop"}}},
        "status": {"canary": null, "currentPodHash": "bbb", "blueGreen": {"activeSelector": "aaa", "previewSelector": "bbb"}},
    });
    let sets =
        vec![replica_set("aaa", 2, "shop:v1", 4, json!({})), replica_set("bbb", 3, "shop:v2", 4, json!({}))];
    let told = serde_json::to_value(of(&seen(rollout(change), sets, vec![], vec![]), Extent::Whole)).unwrap();
    assert_eq!(told["strategy"], "BlueGreen");
    for field in ["setWeight", "actualWeight", "step"] {
        assert!(told.get(field).is_none(), "{field}");
    }
    let roles = |index: usize| {
        ["stable", "active", "preview", "canary"].map(|role| told["replicaSets"][index][role] == true)
    };
    assert_eq!(roles(0), [false, false, true, false]);
    assert_eq!(roles(1), [true, true, false, false]);
}

#[test]
fn an_analysis_run_has_counts_measurements_and_the_whole_of_it() {
    let measurements = json!([
        {"phase": "Successful", "value": "[0.002]", "startedAt": "2026-11-24T14:07:00Z"},
        {"phase": "Failed", "startedAt": "2026-11-24T14:07:30Z", "metadata": {"job-name": "a-job", "job-namespace": "web"}},
    ]);
    let result = json!([{"name": "errors", "phase": "Failed", "successful": 1, "failed": 1, "measurements": measurements}]);
    let change = json!({"spec": {"metrics": [{
        "name": "errors", "count": 5, "failureLimit": "2", "successCondition": "result[0] < 0.01", "provider": {},
    }]}, "status": {"phase": "Failed", "metricResults": result}});
    let info = of(&seen(updating(2, json!({})), vec![], vec![], vec![run(change)]), Extent::Whole);
    let mut told = serde_json::to_value(&info.analysis_runs[0]).unwrap();
    let whole = told.as_object_mut().unwrap().remove("specAndStatus").unwrap();
    assert_eq!(whole["status"]["metricResults"][0]["measurements"], measurements);
    told.as_object_mut().unwrap().remove("objectMeta");
    assert_eq!(
        told,
        json!({
            "icon": "✖", "revision": 3, "status": "Failed", "successful": 1, "failed": 1, "inconclusive": 0, "error": 0,
            "nonJobInfo": [{
                "value": "[0.002]", "status": "Successful", "startedAt": "2026-11-24T14:07:00Z", "metricName": "errors",
            }],
            "jobs": [{
                "objectMeta": {"name": "a-job", "creationTimestamp": "2026-11-24T14:07:30Z"},
                "status": "Failed", "icon": "✖", "startedAt": "2026-11-24T14:07:30Z", "metricName": "errors",
            }],
            "metrics": [{
                "name": "errors", "successCondition": "result[0] < 0.01", "count": 5, "inconclusiveLimit": 0, "failureLimit": 2,
            }],
        })
    );
}

#[test]
fn a_weight_that_nobody_has_reported_is_not_zero() {
    let unknown = updating(1, json!({"status": {"canary": {"weights": null}}}));
    let told = serde_json::to_value(of(&seen(unknown, vec![], vec![], vec![]), Extent::Row)).unwrap();
    assert_eq!(told["setWeight"], "20");
    assert!(told.get("actualWeight").is_none());
    assert_eq!(
        told["serin"]["weight"],
        json!({"asked": 20, "of": 100, "source": "no router has reported a weight yet"})
    );
}

#[test]
fn a_rollout_that_cannot_be_read_is_shown_as_one() {
    let mut seen = seen(rollout(json!({})), vec![], vec![], vec![]);
    let bad = json!({"metadata": {"name": "bad", "namespace": "web"}, "spec": {"replicas": "many"}});
    seen.rollout = Arc::new(serde_json::from_value(bad).unwrap());
    let told = serde_json::to_value(of(&seen, Extent::Row)).unwrap();
    assert_eq!((&told["objectMeta"]["name"], &told["status"]), (&json!("bad"), &json!("Unknown")));
    assert!(told["message"].as_str().unwrap().starts_with("it cannot be read: "), "{told}");
}
