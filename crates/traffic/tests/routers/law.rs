//! What holds for every router and every case: the laws of the `Router` trait.

use std::collections::BTreeSet;

use serde_json::Value;
use serin_core::seen::Seen;
use serin_core::split::{Effective, Split};
use serin_core::write::{Effect, Write};
use serin_traffic::Objects;

use crate::case::{Case, apply, cases, report};

fn usable() -> impl Iterator<Item = Case> {
    cases().into_iter().filter(|case| case.refusals(&case.seen).is_empty())
}

/// Rounds of writes that a case may take: subsets of a DestinationRule come before, or after, the weights on them.
fn rounds(case: &Case) -> usize {
    let subsets = case.seen.keys().any(|key| key.kind == "DestinationRule");
    if subsets { 4 } else { 1 }
}

#[test]
fn render_after_apply_is_empty() {
    for case in usable() {
        let (_, rounds_taken) = case.settle(&case.seen);
        assert!(rounds_taken <= rounds(&case), "{}: {rounds_taken} rounds", case.name);
    }
}

#[test]
fn effective_after_apply_is_the_wish_or_pending() {
    for case in usable() {
        let (mut seen, _) = case.settle(&case.seen);
        let wish = (case.split.canary, case.split.total);
        for effective in case.effective(&seen) {
            let (Effective::Pending(split) | Effective::Applied(split)) = &effective else { continue };
            assert_eq!((split.canary, split.total), wish, "{}: {effective:?}", case.name);
        }
        report(&mut seen);
        let unsaid = [
            "unreported",
            "rejected",
            "status_says_no",
            "controller_says_no",
            "class_that_is_missing",
            "names_are_lost",
            "no_status_yet",
            "ready_by_value_only",
            "not_applied_yet",
        ];
        let unsaid = unsaid.iter().any(|end| case.name.ends_with(end));
        for effective in case.effective(&seen).into_iter().filter(|_| !unsaid) {
            let Effective::Applied(split) = effective else { panic!("{}: {effective:?}", case.name) };
            assert_eq!((split.canary, split.total), wish, "{}", case.name);
            let shares = |split: &Split| {
                split
                    .additional
                    .iter()
                    .map(|other| (other.service.clone(), other.weight))
                    .collect::<BTreeSet<_>>()
            };
            assert_eq!(shares(&split), shares(&case.split), "{}", case.name);
            let names = |given: Vec<&String>| given.into_iter().cloned().collect::<BTreeSet<_>>();
            let session = case.split.affinity.as_ref().map(|_| "serin-session-canary".to_owned());
            let wished = case.split.headers.iter().map(|route| &route.name);
            let wished = names(wished.chain(&session).collect());
            let shown = names(split.headers.iter().map(|route| &route.name).collect());
            assert!(
                wished.is_subset(&shown) && wished.is_empty() == shown.is_empty(),
                "{}: {shown:?}",
                case.name
            );
        }
    }
}

#[test]
fn nothing_but_owned_paths_is_changed() {
    for case in usable() {
        let (after, _) = case.settle(&case.seen);
        assert_eq!(masked(&case, &case.seen), masked(&case, &after), "{}", case.name);
    }
}

#[test]
fn any_subset_of_the_writes_in_any_order_leads_to_the_same_end() {
    for case in usable() {
        let writes = case.render(&case.seen);
        let (end, _) = case.settle(&case.seen);
        for subset in 0_u32..1 << writes.len() {
            let chosen = |index: &usize| subset & (1 << index) != 0;
            for order in [false, true] {
                let mut seen = case.seen.clone();
                let mut indices: Vec<_> = (0..writes.len()).filter(chosen).collect();
                if order {
                    indices.reverse();
                }
                for index in indices {
                    apply(&mut seen, &writes[index]).unwrap();
                }
                assert_eq!(bare(&case.settle(&seen).0), bare(&end), "{}: subset {subset:b}", case.name);
            }
        }
    }
}

#[test]
fn what_is_not_fresh_is_neither_written_nor_read_as_done() {
    for case in usable() {
        for (key, object) in case.seen.iter() {
            let stale = object.fresh().map(|object| Seen::Stale(object.clone()));
            let unknown = [Seen::Absent, Seen::Failed("no answer".to_owned())];
            for unseen in unknown.into_iter().chain(stale) {
                let mut seen = case.seen.clone();
                seen.insert(key.clone(), unseen.clone());
                let new = |write: &Write| unseen == Seen::Absent && matches!(write.effect, Effect::Create(_));
                let rendered = case.render(&seen);
                let written = rendered.iter().any(|write| write.object == *key && !new(write));
                assert!(!written, "{}: {key} {unseen:?}", case.name);
                let released = case.release(&seen).iter().any(|write| write.object == *key);
                assert!(!released, "{}: {key} {unseen:?}", case.name);
                for effective in case.effective(&seen) {
                    // A header route that is an object of its own is not in force when the object is not there.
                    let header = key.kind == "ApisixRoute" && key.name == "staff";
                    let done = match &effective {
                        Effective::Applied(split) if unseen == Seen::Absent && header => {
                            !split.headers.is_empty()
                        }
                        Effective::Applied(split) => unseen != Seen::Absent || split.canary.0 > 0,
                        Effective::Pending(_) | Effective::Unknown(_) => false,
                    };
                    assert!(!done, "{}: {key} {unseen:?} {effective:?}", case.name);
                }
            }
        }
    }
}

/// The objects without the numbers that the API server keeps.
pub(crate) fn bare(seen: &Objects) -> Vec<Value> {
    let objects = seen.values().filter_map(Seen::fresh).cloned();
    objects
        .map(|mut object| {
            let metadata = object["metadata"].as_object_mut().unwrap();
            metadata.remove("resourceVersion");
            metadata.remove("generation");
            object
        })
        .collect()
}

#[test]
fn release_leaves_everything_to_stable_and_nothing_behind() {
    const TRACES: [&str; 11] = [
        "rollouts-pod-template-hash",
        "argo-rollouts.argoproj.io/managed-by-rollouts",
        r#"\"web\":["#,
        "rollouts.argoproj.io/gatewayapi-canary",
        "shop/canary",
        "/conditions.",
        "serin-session-canary",
        "=canary.v",
        "=stable.v",
        r"=stable\\.v",
        OURS,
    ];
    for case in usable().filter(|case| case.target.is_none()) {
        let (seen, _) = case.settle(&case.seen);
        let after = case.settle_released(&seen);
        let of_user = Value::from(masked(&case, &case.seen));
        assert_eq!(of_user, Value::from(masked(&case, &after)), "{}", case.name);
        let (of_user, left) = (of_user.to_string(), Value::from(bare(&after)).to_string());
        // App Mesh allows no two nodes with one selector: that of the canary keeps one that selects nothing.
        let left = left.replace(r#""rollouts-pod-template-hash":"canary-hash""#, "");
        let trace = TRACES.iter().find(|trace| left.contains(**trace) && !of_user.contains(**trace));
        assert_eq!(trace, None, "{}: {left}", case.name);
        for effective in case.effective(&after) {
            let (Effective::Pending(split) | Effective::Applied(split)) = &effective else { continue };
            let all = (split.canary.0, split.headers.len(), split.mirrors.len(), split.additional.len());
            assert_eq!(all, (0, 0, 0, 0), "{}: {effective:?}", case.name);
        }
    }
}

/// The owner of objects that routers make.
const OURS: &str = "uid-of-web";

/// The objects without what routers own: objects that they make, weights of the two destinations, rules of managed
/// routes, hashes of subsets and selectors, the managed-by annotation, the in-progress label.
fn masked(case: &Case, seen: &Objects) -> Vec<Value> {
    let mut objects = bare(seen);
    objects.retain(|object| {
        let owned = object.pointer("/metadata/ownerReferences/0/uid").is_some_and(|uid| uid == OURS);
        // Argo Rollouts gives the Mappings that it makes no owner.
        let taken_over = object["kind"] == "Mapping" && object["metadata"]["name"] == "shop-canary";
        !owned && !taken_over
    });
    for object in &mut objects {
        if object["kind"] == "Extension" {
            object["spec"] = serde_json::json!({});
        }
        without_trials(&mut object["spec"], &case.backends.experiments);
        for (map, key) in [
            ("/metadata/annotations", "argo-rollouts.argoproj.io/managed-by-rollouts"),
            ("/metadata/labels", "rollouts.argoproj.io/gatewayapi-canary"),
            ("/metadata/labels", "shop/canary"),
            ("/spec/selector", "rollouts-pod-template-hash"),
        ] {
            let (parent, field) = map.rsplit_once('/').unwrap();
            let parent = object.pointer_mut(parent).and_then(Value::as_object_mut).unwrap();
            if let Some(entries) = parent.get_mut(field).and_then(Value::as_object_mut) {
                entries.remove(key);
                if entries.is_empty() {
                    parent.remove(field);
                }
            }
        }
        mask_ingress(case, object);
        if ["generic/", "apisix/"].iter().any(|router| case.name.starts_with(router)) {
            mask_everywhere(object);
        }
        if case.name.starts_with("app_mesh/") {
            mask_mesh(object);
        }
        let spec = &mut object["spec"];
        for subset in spec.get_mut("subsets").and_then(Value::as_array_mut).into_iter().flatten() {
            let name = subset["name"].as_str().unwrap().to_owned();
            if matches!(name.as_str(), "canary" | "stable")
                && let Some(labels) = subset.get_mut("labels").and_then(Value::as_object_mut)
            {
                labels.remove("rollouts-pod-template-hash");
                if labels.is_empty() {
                    subset.as_object_mut().unwrap().remove("labels");
                }
            }
        }
        for section in ["http", "tls", "tcp", "rules"] {
            if let Some(rules) = spec.get_mut(section).and_then(Value::as_array_mut) {
                rules.retain(|rule| !is_managed(case, rule));
                rules.iter_mut().for_each(mask_rule);
            }
        }
        if let Some(services) = spec.pointer_mut("/weighted/services").and_then(Value::as_array_mut) {
            services.iter_mut().for_each(mask_entry);
        }
    }
    objects
}

/// Destinations of experiments, wherever an object of any kind has them.
pub(crate) fn without_trials(value: &mut Value, experiments: &[String]) {
    let trial = |entry: &Value| {
        let names = [entry.get("name"), entry.get("serviceName"), entry.pointer("/destination/host")];
        let mut names = names.into_iter().flatten().filter_map(Value::as_str);
        names.any(|name| experiments.iter().any(|known| known == name.split('.').next().unwrap()))
    };
    match value {
        Value::Array(list) => {
            list.retain(|entry| !trial(entry));
            list.iter_mut().for_each(|entry| without_trials(entry, experiments));
        }
        Value::Object(map) => map.values_mut().for_each(|value| without_trials(value, experiments)),
        _ => {}
    }
}

/// Weights of the two VirtualNodes, and the hashes that they select.
fn mask_mesh(object: &mut Value) {
    for route in object.pointer_mut("/spec/routes").and_then(Value::as_array_mut).into_iter().flatten() {
        let kinds = route.as_object_mut().unwrap().values_mut();
        let targets = kinds.filter_map(|kind| kind.pointer_mut("/action/weightedTargets")?.as_array_mut());
        for target in targets.flatten() {
            let node = target["virtualNodeRef"]["name"].as_str().unwrap().to_owned();
            if ["web-canary", "web-stable"].contains(&node.as_str()) {
                target.as_object_mut().unwrap().remove("weight");
            }
        }
    }
    if let Some(labels) = object.pointer_mut("/spec/podSelector/matchLabels").and_then(Value::as_object_mut) {
        labels.remove("rollouts-pod-template-hash");
    }
    let nothing = |path: &str| object.pointer(path).is_some_and(|value| *value == serde_json::json!({}));
    if nothing("/spec/podSelector/matchLabels") {
        object["spec"].as_object_mut().unwrap().remove("podSelector");
    }
}

/// Actions, conditions and their book, and the paths of managed routes.
fn mask_ingress(case: &Case, object: &mut Value) {
    let seen =
        case.seen.values().filter_map(|seen| seen.fresh()?.pointer("/metadata/annotations")?.as_object());
    let conditions =
        seen.flat_map(|annotations| annotations.keys()).filter_map(|key| key.split_once("/conditions."));
    let routes = case.backends.managed_routes.iter().map(String::as_str);
    let names: BTreeSet<_> = conditions.map(|(_, name)| name).chain(routes).collect();
    let managed = |name: &str| names.contains(name);
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| {
            let name = key.rsplit_once("/conditions.").map(|(_, name)| name);
            !key.contains("/actions.")
                && !key.ends_with("/managed-alb-annotations")
                && !name.is_some_and(managed)
        });
    }
    if object
        .pointer("/metadata/annotations")
        .is_some_and(|annotations| *annotations == serde_json::json!({}))
    {
        object["metadata"].as_object_mut().unwrap().remove("annotations");
    }
    for rule in object.pointer_mut("/spec/rules").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(paths) = rule.pointer_mut("/http/paths").and_then(Value::as_array_mut) {
            paths.retain(|path| {
                path.pointer("/backend/service/name").is_none_or(|name| !managed(name.as_str().unwrap()))
            });
        }
    }
}

fn is_managed(case: &Case, rule: &Value) -> bool {
    let name = rule["name"].as_str().unwrap_or_default();
    let base = name
        .rsplit_once('-')
        .filter(|(_, index)| index.parse::<u32>().is_ok())
        .map_or(name, |(base, _)| base);
    [name, base].iter().any(|name| case.backends.managed_routes.iter().any(|managed| managed == name))
}

fn mask_rule(rule: &mut Value) {
    for list in ["route", "backendRefs"] {
        let entries = rule.get_mut(list).and_then(Value::as_array_mut);
        let entries: Vec<_> = entries.into_iter().flatten().collect();
        let both = ["canary", "stable"].iter().all(|role| entries.iter().any(|entry| is(entry, role)));
        if both {
            entries.into_iter().for_each(mask_entry);
        }
    }
}

/// Weights of the two Services, wherever an object of any kind has them.
fn mask_everywhere(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(mask_everywhere),
        Value::Object(map) => {
            let named = |role: &str| {
                let name = map.get("name").or(map.get("serviceName"));
                name.is_some_and(|name| *name == format!("web-{role}"))
            };
            if named("canary") || named("stable") {
                map.retain(|field, _| field != "weight" && field != "percent");
            }
            map.retain(|field, _| field != "canaryWeight" && field != "stableWeight");
            map.values_mut().for_each(mask_everywhere);
        }
        _ => {}
    }
}

fn mask_entry(entry: &mut Value) {
    if is(entry, "canary") || is(entry, "stable") {
        entry.as_object_mut().unwrap().remove("weight");
        mask_cookie(entry);
    }
}

/// The cookie that names a revision, and what is empty without it.
pub(crate) fn mask_cookie(entry: &mut Value) {
    let ours = |value: &Value| {
        let text = value.to_string();
        text.contains("=canary.v") || text.contains("=stable.v")
    };
    let empty = |value: &Value| *value == serde_json::json!([]) || *value == serde_json::json!({});
    match entry {
        Value::Object(map) => {
            map.retain(|name, value| !(name == "set-cookie" && ours(value)));
            let had: Vec<_> = map.iter().filter(|(_, value)| ours(value)).map(|(n, _)| n.clone()).collect();
            map.values_mut().for_each(mask_cookie);
            map.retain(|name, value| !(had.contains(name) && empty(value)));
        }
        Value::Array(list) => {
            list.retain(|filter| filter["type"] != "ResponseHeaderModifier" || !ours(filter));
            list.iter_mut().for_each(mask_cookie);
        }
        _ => {}
    }
}

/// Told apart by the words of the test objects, not by the code under test.
fn is(entry: &Value, role: &str) -> bool {
    let service = format!("web-{role}");
    let host = entry["destination"]["host"].as_str().unwrap_or_default();
    host == service
        || host.starts_with(&format!("{service}.shop"))
        || entry["destination"]["subset"] == role
        || entry["name"] == service.as_str()
}
