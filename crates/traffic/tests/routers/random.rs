//! Whatever weights, order and company of backends a user wrote: one write, at rest, the sum as asked.

use proptest::prelude::*;
use serde_json::{Value, json};
use serin_core::seen::Seen;
use serin_core::split::{Backends, Effective, Split, Weight};
use serin_traffic::{ApiVersions, GatewayApi, Objects, Router};

use crate::case::{apply, key};

fn backends() -> Backends {
    let text = str::to_owned;
    Backends {
        namespace: text("shop"),
        rollout: text("web"),
        canary_service: text("canary"),
        stable_service: text("stable"),
        canary_hash: text("v2"),
        stable_hash: text("v1"),
        ping_pong: false,
        experiments: Vec::new(),
        managed_routes: Vec::new(),
        owner: None,
    }
}

/// One rule: any of the Services in any order, with or without weights.
fn rule() -> impl Strategy<Value = Value> {
    let entry = |name: &'static str| {
        (any::<bool>(), prop::option::of(0_u32..200)).prop_map(move |(there, weight)| {
            let entry = match weight {
                Some(weight) => json!({"name": name, "port": 80, "weight": weight}),
                None => json!({"name": name, "port": 80}),
            };
            there.then_some(entry)
        })
    };
    let all = (entry("stable"), entry("canary"), entry("other"));
    let listed = all.prop_map(|(a, b, c)| [a, b, c].into_iter().flatten().collect::<Vec<_>>());
    listed.prop_shuffle().prop_map(|entries| json!({"backendRefs": entries}))
}

fn route(rules: &[Value]) -> Objects {
    let conditions = json!([
        {"type": "Accepted", "status": "True", "observedGeneration": 9},
        {"type": "ResolvedRefs", "status": "True", "observedGeneration": 9},
    ]);
    let object = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "1", "generation": 1},
        "spec": {"parentRefs": [{"name": "edge"}], "rules": rules},
        "status": {"parents": [{"parentRef": {"name": "edge"}, "conditions": conditions}]},
    });
    Objects::from([(key(&object), Seen::Fresh(object))])
}

fn weight(entry: &Value) -> u64 {
    entry.get("weight").map_or(1, |weight| weight.as_u64().unwrap())
}

proptest! {
    #[test]
    fn every_rule_with_both_services_gets_the_split_and_no_other_is_touched(
        rules in prop::collection::vec(rule(), 1..5),
        (total, canary) in (1_u32..2000).prop_flat_map(|total| (Just(total), 0..=total)),
    ) {
        let config = json!({"httpRoute": "web", "disableInProgressLabel": true});
        let router = GatewayApi::new(&config, "shop", Weight(total), &ApiVersions::default()).unwrap();
        let want = Split::new(Weight(total), Weight(canary));
        let mut seen = route(&rules);
        let writes = router.render(&backends(), &want, &seen);
        prop_assert!(writes.len() <= 1);
        for write in &writes {
            prop_assert!(apply(&mut seen, write).is_ok());
        }
        prop_assert_eq!(router.render(&backends(), &want, &seen), vec![]);
        let after = seen.values().next().unwrap().fresh().unwrap()["spec"]["rules"].as_array().unwrap().clone();
        let mut forks = 0;
        for (before, after) in rules.iter().zip(&after) {
            let [before, after] = [before, after].map(|rule| rule["backendRefs"].as_array().unwrap());
            let named = |name: &str| after.iter().find(|entry| entry["name"] == name).map(weight);
            let (Some(c), Some(s)) = (named("canary"), named("stable")) else {
                prop_assert_eq!(before, after);
                continue;
            };
            forks += 1;
            let others = named("other").unwrap_or(0);
            prop_assert_eq!(c, u64::from(canary));
            prop_assert_eq!(s, u64::from(total - canary).saturating_sub(others));
        }
        let effective = router.effective(&backends(), &seen);
        match forks {
            0 => prop_assert!(matches!(effective, Effective::Unknown(_))),
            _ => prop_assert_eq!(effective, Effective::Applied(want)),
        }
    }
}
