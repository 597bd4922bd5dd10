//! Two objects that must agree, written in any order and any part: a subset gets weight only while it selects its
//! revision, and changes its revision only while nothing is sent to it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use serin_api::IstioTrafficRouting;
use serin_core::seen::{ObjectKey, Seen};
use serin_core::split::{Backends, Effective, HeaderMatch, HeaderRoute, Reached, Split, StringMatch, Weight};
use serin_traffic::{Istio, Objects, Router};

use crate::case::{apply, key};

const HASH: &str = "rollouts-pod-template-hash";

fn istio() -> Istio {
    let spec: IstioTrafficRouting = serde_json::from_value(json!({
        "virtualService": {"name": "web"},
        "destinationRule": {"name": "web", "canarySubsetName": "canary", "stableSubsetName": "stable"},
    }))
    .unwrap();
    Istio::new(&spec, "shop", "v1").unwrap()
}

fn backends(canary: &str, stable: &str) -> Backends {
    Backends {
        namespace: "shop".to_owned(),
        rollout: "web".to_owned(),
        canary_service: String::new(),
        stable_service: String::new(),
        canary_hash: canary.to_owned(),
        stable_hash: stable.to_owned(),
        ping_pong: false,
        experiments: Vec::new(),
        managed_routes: vec!["staff".to_owned()],
        owner: None,
    }
}

fn seen(canary: u32, (canary_label, stable_label): (&str, &str), header: bool) -> Objects {
    let destination = |subset: &str, weight: u32| json!({"destination": {"host": "web", "subset": subset}, "weight": weight});
    let mut http = vec![
        json!({"name": "main", "route": [destination("stable", 100 - canary), destination("canary", canary)]}),
    ];
    if header {
        http.insert(0, json!({"name": "staff", "route": [destination("canary", 100)]}));
    }
    let subset = |name: &str, hash: &str| match hash {
        "" => json!({"name": name}),
        hash => json!({"name": name, "labels": {HASH: hash}}),
    };
    let objects = [
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "1"},
            "spec": {"http": http},
        }),
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
            "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "1"},
            "spec": {"host": "web", "subsets": [subset("stable", stable_label), subset("canary", canary_label)]},
        }),
    ];
    objects.into_iter().map(|object| (key(&object), Seen::Fresh(object))).collect()
}

/// What a proxy would do now, read without the code under test.
#[derive(Clone, Debug, PartialEq)]
struct Facts {
    weights: BTreeMap<String, u64>,
    labels: BTreeMap<String, String>,
    header: bool,
}

fn facts(seen: &Objects) -> Facts {
    let object = |kind: &str| seen.iter().find(|(key, _)| key.kind == kind).unwrap().1.fresh().unwrap();
    let routes = object("VirtualService")["spec"]["http"].as_array().unwrap();
    let main = routes.iter().find(|route| route["name"] == "main").unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let weight = |entry: &Value| (text(&entry["destination"]["subset"]), entry["weight"].as_u64().unwrap());
    let label = |subset: &Value| (text(&subset["name"]), text(&subset["labels"][HASH]));
    Facts {
        weights: main["route"].as_array().unwrap().iter().map(weight).collect(),
        labels: object("DestinationRule")["spec"]["subsets"].as_array().unwrap().iter().map(label).collect(),
        header: routes.len() > 1,
    }
}

fn step(before: &Facts, after: &Facts, backends: &Backends) -> Result<(), TestCaseError> {
    for (subset, wanted) in [("canary", &backends.canary_hash), ("stable", &backends.stable_hash)] {
        if after.weights[subset] > before.weights[subset] {
            prop_assert_eq!(&after.labels[subset], wanted, "{} gets weight before it follows", subset);
        }
    }
    if after.labels["canary"] != before.labels["canary"] {
        prop_assert_eq!(after.weights["canary"], 0, "the canary subset changes its revision under traffic");
        prop_assert!(!after.header, "the canary subset changes its revision under a header route");
    }
    if after.header && !before.header {
        prop_assert_eq!(&after.labels["canary"], &backends.canary_hash, "a header route leads elsewhere");
    }
    Ok(())
}

fn want(canary: u32, header: bool) -> Split {
    let mut want = Split::new(Weight(100), Weight(canary));
    if header {
        let value = StringMatch::Exact("yes".to_owned());
        let matches = vec![HeaderMatch { name: "x-staff".to_owned(), value }];
        want.headers = vec![HeaderRoute { name: "staff".to_owned(), matches }];
    }
    want
}

fn hash(empty: bool) -> impl Strategy<Value = &'static str> {
    let hashes = if empty { vec!["", "v1", "v2", "v3"] } else { vec!["v1", "v2", "v3"] };
    prop::sample::select(hashes)
}

fn weight() -> impl Strategy<Value = u32> {
    prop::sample::select(vec![0_u32, 20, 100])
}

proptest! {
    #[test]
    fn subsets_and_weights_agree_in_every_part_of_every_plan(
        (canary, header) in (weight(), any::<bool>()),
        labels in (hash(true), hash(true)),
        (canary_hash, stable_hash) in (hash(true), hash(false)),
        (wish, wish_header) in (weight(), any::<bool>()),
        choices in prop::collection::vec(any::<u8>(), 24),
    ) {
        let (router, backends) = (istio(), backends(canary_hash, stable_hash));
        // The plan gives the canary nothing while it has no pod that is ready.
        let want = if canary_hash.is_empty() { want(0, false) } else { want(wish, wish_header) };
        let mut seen = seen(canary, labels, header);
        for choice in choices {
            let mut writes = router.render(&backends, &want, &seen);
            if choice & 1 == 1 {
                writes.reverse();
            }
            for (index, write) in writes.iter().enumerate() {
                if choice & (2 << index) != 0 {
                    let before = facts(&seen);
                    prop_assert!(apply(&mut seen, write).is_ok());
                    step(&before, &facts(&seen), &backends)?;
                }
            }
        }
        for _ in 0..4 {
            for write in router.render(&backends, &want, &seen) {
                prop_assert!(apply(&mut seen, &write).is_ok());
            }
        }
        prop_assert_eq!(router.render(&backends, &want, &seen), vec![]);
        let end = facts(&seen);
        prop_assert_eq!(end.weights["canary"], u64::from(want.canary.0));
        prop_assert_eq!(end.header, !want.headers.is_empty());
        prop_assert_eq!(&end.labels["stable"], stable_hash);
        if !canary_hash.is_empty() {
            prop_assert_eq!(&end.labels["canary"], canary_hash);
        }
        prop_assert!(matches!(router.effective(&backends, &seen), Effective::Applied(_)));
    }

    #[test]
    fn weight_on_a_subset_of_another_revision_is_never_read_as_done(
        canary in weight(),
        labels in (hash(true), hash(true)),
        (canary_hash, stable_hash) in (hash(false), hash(false)),
    ) {
        let effective = istio().effective(&backends(canary_hash, stable_hash), &seen(canary, labels, false));
        let astray = (canary > 0 && labels.0 != canary_hash) || (canary < 100 && labels.1 != stable_hash);
        let mut expected = Split::new(Weight(100), Weight(canary));
        expected.reached = Some(Reached { canary: labels.0.to_owned(), stable: labels.1.to_owned() });
        let expected = if astray { Effective::Pending(expected) } else { Effective::Applied(expected) };
        prop_assert_eq!(effective, expected);
    }
}

#[test]
fn the_way_back_to_stable_needs_no_news_of_the_destination_rule() {
    let (router, backends) = (istio(), backends("v2", "v1"));
    let rule = ObjectKey::new("networking.istio.io", "v1", "DestinationRule", "shop", "web");
    for (shown, unseen) in [(20, Seen::Absent), (20, Seen::Failed("no answer".to_owned())), (0, Seen::Absent)]
    {
        let mut seen = seen(shown, ("v2", "v1"), true);
        seen.insert(rule.clone(), unseen);
        assert_eq!(router.render(&backends, &want(50, false), &seen), vec![], "forward waits");
        let back = router.render(&backends, &want(0, false), &seen);
        assert_eq!(back.len(), 1, "back does not");
        apply(&mut seen, &back[0]).unwrap();
        assert_eq!(router.render(&backends, &want(0, false), &seen), vec![]);
    }
}
