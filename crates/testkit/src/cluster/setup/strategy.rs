//! Decides what the strategy of a simulated Rollout is.

use serde_json::{Value, json};

use super::super::traffic::STAFF;
use super::Traffic;
use crate::scene::{ACTIVE_SERVICE, CANARY_SERVICE, PREVIEW_SERVICE, STABLE_SERVICE};
use crate::seed::Seed;

pub(super) fn steps(chance: &mut Seed, routed: bool) -> Value {
    let count = chance.between(0, 5);
    let kinds = if routed { 9 } else { 6 };
    let mut weight = 0;
    let steps = (0..count).map(|_| match chance.between(0, kinds) {
        0..=2 => {
            weight = (weight + chance.between(-10, 50)).clamp(0, 100);
            json!({"setWeight": weight})
        }
        3 => json!({"pause": {}}),
        4 => json!({"pause": {"duration": chance.between(0, 40)}}),
        5 => json!({"pause": {"duration": format!("{}s", chance.between(1, 20))}}),
        6 => json!({"analysis": {"templates": [{"templateName": "errors"}]}}),
        7 => json!({"setCanaryScale": {"replicas": chance.between(0, 4)}}),
        8 => match chance.chance(80) {
            true => json!({"setHeaderRoute": {"name": STAFF, "match": [{"headerName": "x", "headerValue": {"exact": "y"}}]}}),
            false => json!({"setHeaderRoute": {"name": STAFF}}),
        },
        _ => match chance.chance(50) {
            true => json!({"setCanaryScale": {"matchTrafficWeight": true}}),
            false => json!({"setCanaryScale": {"weight": chance.between(0, 100)}}),
        },
    });
    steps.collect()
}

pub(super) fn strategy(chance: &mut Seed, traffic: Traffic) -> Value {
    match traffic {
        Traffic::BlueGreen => return blue_green(chance, [ACTIVE_SERVICE, PREVIEW_SERVICE]),
        Traffic::Recreated(served) => return recreated(served),
        _ => {}
    }
    let routed = matches!(traffic, Traffic::Routes(_) | Traffic::PingPong(_) | Traffic::Subsets);
    let mut canary = json!({"steps": steps(chance, routed)});
    if matches!(traffic, Traffic::PingPong(_)) {
        canary["pingPong"] = json!({"pingService": CANARY_SERVICE, "pongService": STABLE_SERVICE});
    } else if traffic != Traffic::Pods && traffic != Traffic::Subsets {
        canary["canaryService"] = json!(CANARY_SERVICE);
        canary["stableService"] = json!(STABLE_SERVICE);
    }
    if chance.chance(60) {
        let surge = chance.pick(&[json!(0), json!(1), json!(3), json!("25%"), json!("100%")]);
        let unavailable = chance.pick(&[json!(1), json!("50%")]);
        let unavailable = if surge == 0 || chance.chance(50) { unavailable } else { json!(0) };
        (canary["maxSurge"], canary["maxUnavailable"]) = (surge, unavailable);
    }
    if chance.chance(30) {
        let start =
            json!({"templates": [{"templateName": "errors"}], "args": [{"name": "unused", "value": "x"}]});
        canary["analysis"] = start;
    }
    if routed {
        routing(chance, traffic, &mut canary);
    }
    if chance.chance(25) {
        canary["canaryMetadata"] = json!({"labels": {"role": "canary"}});
        canary["stableMetadata"] = chance.pick(&[json!({"labels": {"role": "stable"}}), json!(null)]);
    }
    if chance.chance(15) {
        let threshold = json!({"type": "Percent", "value": chance.pick(&[0, 50, 90])});
        canary["replicaProgressThreshold"] = chance.pick(&[threshold, json!({"type": "Pods", "value": 1})]);
    }
    canary
}

fn routing(chance: &mut Seed, traffic: Traffic, canary: &mut Value) {
    canary["trafficRouting"] = match traffic {
        Traffic::Subsets => json!({"istio": {
            "virtualService": {"name": "shop"},
            "destinationRule": {"name": "shop", "canarySubsetName": "canary", "stableSubsetName": "stable"},
        }}),
        _ => json!({"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "shop"}}}),
    };
    canary["trafficRouting"]["managedRoutes"] = json!([{"name": STAFF}]);
    // Nothing is drawn for this, so that the seeds of old findings keep their worlds.
    if canary["steps"].as_array().is_some_and(|steps| steps.len() % 2 == 1) {
        canary["trafficRouting"]["sessionAffinity"] = json!({});
    }
    for field in ["scaleDownDelaySeconds", "abortScaleDownDelaySeconds"] {
        if let Some(seconds) = chance.pick(&[None, Some(0), Some(5)]) {
            canary[field] = json!(seconds);
        }
    }
    if canary["scaleDownDelaySeconds"].is_null() && chance.chance(50) {
        canary["dynamicStableScale"] = json!(true);
    }
    if canary["dynamicStableScale"].is_null() && chance.chance(20) {
        let duration = chance.pick(&[None, Some(1), Some(20)]);
        canary["postPromotionAnalysis"] =
            json!({"templates": [{"templateName": "errors"}], "duration": duration});
    }
    if chance.chance(20) {
        canary["minPodsPerReplicaSet"] = json!(chance.between(1, 3));
    }
    if chance.chance(20) {
        canary["scaleDownDelayRevisionLimit"] = json!(chance.between(0, 2));
    }
}

/// A step that runs one pod of stable beside one of the canary.
pub(super) fn experiment() -> Value {
    let templates =
        json!([{"name": "baseline", "specRef": "stable"}, {"name": "canary", "specRef": "canary"}]);
    json!({"experiment": {"duration": "20s", "templates": templates}})
}

/// All old pods go before new ones come; with or without Services of its own.
fn recreated(served: bool) -> Value {
    match served {
        true => {
            json!({"updateType": "Recreate", "canaryService": CANARY_SERVICE, "stableService": STABLE_SERVICE})
        }
        false => json!({"updateType": "Recreate"}),
    }
}

/// The whole strategy of a Rollout whose user turns to the other one, with the same two Services.
pub(super) fn other(chance: &mut Seed, is_blue_green: bool) -> Value {
    if is_blue_green {
        return json!({"blueGreen": null, "canary": strategy(chance, Traffic::PodsAndServices)});
    }
    json!({"canary": null, "blueGreen": blue_green(chance, [STABLE_SERVICE, CANARY_SERVICE])})
}

fn blue_green(chance: &mut Seed, [active, preview]: [&str; 2]) -> Value {
    let mut strategy = json!({"activeService": active});
    if chance.chance(70) {
        strategy["previewService"] = json!(preview);
    }
    for (field, choices) in [
        ("previewReplicaCount", [None, None, Some(1), Some(2)]),
        ("autoPromotionSeconds", [None, None, Some(0), Some(20)]),
        ("scaleDownDelaySeconds", [None, Some(0), Some(3), Some(10)]),
        ("abortScaleDownDelaySeconds", [None, Some(0), Some(1), Some(5)]),
        ("scaleDownDelayRevisionLimit", [None, None, Some(0), Some(1)]),
    ] {
        if let Some(value) = chance.pick(&choices) {
            strategy[field] = json!(value);
        }
    }
    if chance.chance(40) {
        strategy["autoPromotionEnabled"] = json!(false);
    }
    for field in ["prePromotionAnalysis", "postPromotionAnalysis"] {
        if chance.chance(40) {
            strategy[field] = json!({"templates": [{"templateName": "errors"}]});
        }
    }
    strategy
}
