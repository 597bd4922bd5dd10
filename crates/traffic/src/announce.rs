//! Says in events what a write of a router does, in the words that clients of Argo Rollouts know: triggers of
//! notifications are named after the reasons.

use serde_json::Value;
use serin_core::journal::{Event, Severity};
use serin_core::split::{Backends, Effective, Split};
use serin_core::write::{Effect, Write};

/// What to tell once `write`, which a router rendered for `want`, is done; `before` is what was in force. Kinds of routing
/// objects without words of their own are told by the weights that are then seen.
pub fn events(write: &Write, (want, backends): (&Split, &Backends), before: &Effective) -> Vec<Event> {
    let before = match before {
        Effective::Pending(split) | Effective::Applied(split) => Some(split),
        Effective::Unknown(_) => None,
    };
    let name = &write.object.name;
    match (write.object.kind.as_str(), &write.effect) {
        ("VirtualService", _) => {
            let told = changes(want, before, |what| format!("VirtualService `{name}` {what}"));
            note("Updated VirtualService", told)
        }
        ("DestinationRule", _) => {
            let Some((canary, stable)) = subsets(write, backends, before) else { return Vec::new() };
            let told = format!("DestinationRule {name} subset updated (canary: {canary}, stable: {stable})");
            note("UpdatedDestinationRule", vec![told])
        }
        ("Ingress", Effect::Create(_)) => {
            let told = format!("Creating canary ingress `{name}` with weight `{}`", want.canary);
            note("CreatingCanaryIngress", vec![told])
        }
        ("Ingress", Effect::JsonPatch(operations)) => {
            let told =
                changes(want, before, |what| format!("Updating Ingress `{name}` {}", of_ingress(what)));
            let actions = operations
                .iter()
                .any(|operation| operation.to_string().contains("alb.ingress.kubernetes.io~1actions."));
            note(if actions { "PatchingALBIngress" } else { "PatchingCanaryIngress" }, told)
        }
        _ => Vec::new(),
    }
}

fn note(reason: &str, told: Vec<String>) -> Vec<Event> {
    let event = |message| {
        let reason = reason.to_owned();
        Event { severity: Severity::Normal, reason, message, write: None, service: None, thread: None }
    };
    told.into_iter().map(event).collect()
}

/// Managed routes that come or all go, and the weight; the weight also when nothing else can be why there is a write.
fn changes(want: &Split, before: Option<&Split>, say: impl Fn(&str) -> String) -> Vec<String> {
    let known = |name: &str| before.is_some_and(|before| before.routes().any(|known| known == name));
    let headers = want.headers.iter().map(|route| ("headerRoute", &route.name));
    let mirrors = want.mirrors.iter().map(|route| ("mirrorRoute", &route.name));
    let mut told: Vec<String> = headers
        .chain(mirrors)
        .filter(|(_, name)| !known(name))
        .map(|(kind, name)| say(&format!("set {kind} '{name}'")))
        .collect();
    if want.routes().next().is_none() && before.is_some_and(|before| before.routes().next().is_some()) {
        told.push(say("removed all managed routes."));
    }
    if told.is_empty() || before.is_some_and(|before| before.canary != want.canary) {
        told.push(say(&format!("set to desiredWeight '{}'", want.canary)));
    }
    told
}

fn of_ingress(what: &str) -> String {
    match what {
        "removed all managed routes." => "removing managed routes".to_owned(),
        what => what.replacen("set to ", "to ", 1).replacen("set ", "to ", 1),
    }
}

/// The revisions that the subsets of a DestinationRule select after the write: canary and stable. `None` when it changes
/// neither, or while there is no stable revision yet.
fn subsets(write: &Write, backends: &Backends, before: Option<&Split>) -> Option<(String, String)> {
    let Effect::JsonPatch(operations) = &write.effect else { return None };
    let changes = operations.iter().filter(|operation| operation["op"] != "test");
    let values: Vec<String> =
        changes.filter_map(|change| change.get("value")).map(Value::to_string).collect();
    let sets = |hash: &str| values.iter().filter(|value| !hash.is_empty() && value.contains(hash)).count();
    let reached = before.and_then(|before| before.reached.as_ref());
    let (known_canary, known_stable) =
        reached.map_or(("", ""), |reached| (reached.canary.as_str(), reached.stable.as_str()));
    let stable = sets(&backends.stable_hash) > 0 && known_stable != backends.stable_hash;
    let by_stable = usize::from(stable && backends.stable_hash == backends.canary_hash);
    let canary = sets(&backends.canary_hash) > by_stable && known_canary != backends.canary_hash;
    let after = |changed: bool, wanted: &str, known: &str| (if changed { wanted } else { known }).to_owned();
    let first = backends.stable_hash.is_empty();
    (!first && (canary || stable)).then(|| {
        (
            after(canary, &backends.canary_hash, known_canary),
            after(stable, &backends.stable_hash, known_stable),
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use serin_core::seen::ObjectKey;
    use serin_core::split::{HeaderRoute, MirrorRoute, Reached, Weight};

    use super::*;

    fn split(canary: u32, headers: &[&str], mirrors: &[&str]) -> Split {
        let mut split = Split::new(Weight(100), Weight(canary));
        let header = |name: &&str| HeaderRoute { name: (*name).to_owned(), matches: Vec::new() };
        let mirror =
            |name: &&str| MirrorRoute { name: (*name).to_owned(), percentage: 20, matches: Vec::new() };
        split.headers = headers.iter().map(header).collect();
        split.mirrors = mirrors.iter().map(mirror).collect();
        split
    }

    fn told(kind: &str, effect: Effect, want: &Split, before: &Effective) -> Vec<(String, String)> {
        let write = Write { object: ObjectKey::new("", "v1", kind, "n", "shop"), effect };
        let backends = json!({"namespace": "n", "rollout": "shop", "canaryService": "c", "stableService": "s",
            "canaryHash": "new", "stableHash": "old", "managedRoutes": []});
        let backends = serde_json::from_value(backends).unwrap();
        let events = events(&write, (want, &backends), before);
        events.into_iter().map(|event| (event.reason, event.message)).collect()
    }

    fn patch(path: &str, value: Value) -> Effect {
        let test = json!({"op": "test", "path": path, "value": "old"});
        Effect::JsonPatch(vec![test, json!({"op": "replace", "path": path, "value": value})])
    }

    #[test]
    fn each_write_is_told_in_the_words_of_argo_rollouts() {
        let none = || split(0, &[], &[]);
        let weight = || patch("/spec/http/0/route/1/weight", json!(25));
        let annotation =
            || patch("/metadata/annotations/nginx.ingress.kubernetes.io~1canary-weight", json!("25"));
        let action = || patch("/metadata/annotations/alb.ingress.kubernetes.io~1actions.shop", json!("{}"));
        let vs = "Updated VirtualService";
        for (name, kind, effect, want, before, expected) in [
            (
                "a weight",
                "VirtualService",
                weight(),
                split(25, &[], &[]),
                none(),
                vec![(vs, "VirtualService `shop` set to desiredWeight '25'")],
            ),
            (
                "a header route",
                "VirtualService",
                weight(),
                split(0, &["hdr"], &[]),
                none(),
                vec![(vs, "VirtualService `shop` set headerRoute 'hdr'")],
            ),
            (
                "a mirror route beside a header route",
                "VirtualService",
                weight(),
                split(0, &["hdr"], &["mir"]),
                split(0, &["hdr"], &[]),
                vec![(vs, "VirtualService `shop` set mirrorRoute 'mir'")],
            ),
            (
                "all routes go, and the weight",
                "VirtualService",
                weight(),
                none(),
                split(50, &["hdr"], &[]),
                vec![
                    (vs, "VirtualService `shop` removed all managed routes."),
                    (vs, "VirtualService `shop` set to desiredWeight '0'"),
                ],
            ),
            (
                "nginx",
                "Ingress",
                annotation(),
                split(25, &[], &[]),
                none(),
                vec![("PatchingCanaryIngress", "Updating Ingress `shop` to desiredWeight '25'")],
            ),
            (
                "nginx, at first",
                "Ingress",
                Effect::Create(json!({})),
                none(),
                none(),
                vec![("CreatingCanaryIngress", "Creating canary ingress `shop` with weight `0`")],
            ),
            (
                "ALB",
                "Ingress",
                action(),
                split(25, &[], &[]),
                none(),
                vec![("PatchingALBIngress", "Updating Ingress `shop` to desiredWeight '25'")],
            ),
            (
                "ALB, routes",
                "Ingress",
                action(),
                none(),
                split(0, &["hdr"], &[]),
                vec![("PatchingALBIngress", "Updating Ingress `shop` removing managed routes")],
            ),
            ("a kind without words", "HTTPRoute", weight(), split(25, &[], &[]), none(), vec![]),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|(reason, text)| (reason.to_owned(), text.to_owned())).collect();
            assert_eq!(told(kind, effect, &want, &Effective::Applied(before)), expected, "{name}");
        }
        let unknown = Effective::Unknown("not read".to_owned());
        let expected = (vs.to_owned(), "VirtualService `shop` set to desiredWeight '25'".to_owned());
        assert_eq!(told("VirtualService", weight(), &split(25, &[], &[]), &unknown), [expected]);
    }

    #[test]
    fn a_destination_rule_is_told_by_the_revisions_that_its_subsets_select_then() {
        for (name, value, reached, expected) in [
            ("the canary", json!("new"), ("old", "old"), Some("canary: new, stable: old")),
            (
                "stable",
                json!({"app": "shop", "hash": "old"}),
                ("new", "older"),
                Some("canary: new, stable: old"),
            ),
            ("an annotation", json!("shop"), ("new", "old"), None),
        ] {
            let mut before = split(0, &[], &[]);
            before.reached = Some(Reached { canary: reached.0.to_owned(), stable: reached.1.to_owned() });
            let effect = patch("/spec/subsets/0/labels/hash", value);
            let told = told("DestinationRule", effect, &before.clone(), &Effective::Applied(before));
            let expected = expected.map(|words| {
                (
                    "UpdatedDestinationRule".to_owned(),
                    format!("DestinationRule shop subset updated ({words})"),
                )
            });
            assert_eq!(told, Vec::from_iter(expected), "{name}");
        }
    }
}
