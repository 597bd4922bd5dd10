//! Reads what gateways report of a route.

use serde_json::Value;

use crate::object;

/// What the gateways of a route say of its current generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// All that reported accept it, with all references resolved.
    Accepted,
    /// Some have not reported on this generation yet.
    Waiting,
    /// Nothing can be said of the data plane, and why.
    Doubtful(String),
}

/// The standing of a route object.
///
/// A gateway that never reported does not hold the others: it has never had older weights to send traffic by. A report
/// of a gateway that the route names no more is left out.
pub(super) fn standing(route: &Value) -> Standing {
    let parents: Vec<_> =
        object::list(route, "/status/parents").iter().filter(|parent| is_named(route, parent)).collect();
    if parents.is_empty() {
        let why = "no gateway has reported on it in status.parents; check spec.parentRefs, and that the controller of \
                   the gateway runs and writes status";
        return Standing::Doubtful(why.to_owned());
    }
    let mut all = Standing::Accepted;
    for parent in parents {
        match of_parent(parent, object::generation(route)) {
            Standing::Accepted => {}
            Standing::Waiting => all = Standing::Waiting,
            doubt @ Standing::Doubtful(_) => return doubt,
        }
    }
    all
}

fn of_parent(parent: &Value, generation: i64) -> Standing {
    let gateway = parent.get("parentRef").and_then(|parent| object::text(parent, "name")).unwrap_or_default();
    let conditions = object::list(parent, "/conditions");
    let mut all = Standing::Accepted;
    for wanted in ["Accepted", "ResolvedRefs"] {
        let Some(condition) = conditions.iter().find(|c| object::text(c, "type") == Some(wanted)) else {
            return Standing::Doubtful(format!("gateway {gateway} reports no condition {wanted}"));
        };
        match condition.get("observedGeneration").and_then(Value::as_i64) {
            None => {
                return Standing::Doubtful(format!("gateway {gateway} reports {wanted} of no generation"));
            }
            Some(observed) if observed < generation => all = Standing::Waiting,
            Some(_) if object::text(condition, "status") == Some("True") => {}
            Some(_) => {
                let say = |field| object::text(condition, field).unwrap_or_default();
                let (status, reason, message) = (say("status"), say("reason"), say("message"));
                return Standing::Doubtful(format!(
                    "gateway {gateway} says {wanted} is {status}: {reason}: {message}"
                ));
            }
        }
    }
    all
}

/// The report is of a gateway in `spec.parentRefs`.
fn is_named(route: &Value, parent: &Value) -> bool {
    let namespace = route.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
    let same = |a: &Value, b: &Value| {
        let field = |of: &Value, name: &str, default: &str| {
            of.get(name)
                .map_or(default.to_owned(), |value| value.as_str().map_or(value.to_string(), str::to_owned))
        };
        [
            ("group", "gateway.networking.k8s.io"),
            ("kind", "Gateway"),
            ("namespace", namespace),
            ("name", ""),
            ("sectionName", ""),
            ("port", ""),
        ]
        .iter()
        .all(|(name, default)| field(a, name, default) == field(b, name, default))
    };
    let reference = parent.get("parentRef").unwrap_or(&Value::Null);
    object::list(route, "/spec/parentRefs").iter().any(|named| same(named, reference))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(gateway: &str, accepted: (&str, i64), resolved: (&str, i64)) -> Value {
        let condition = |name: &str, (status, generation): (&str, i64)| json!({"type": name, "status": status, "observedGeneration": generation, "reason": "R", "message": "m"});
        json!({
            "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": gateway},
            "conditions": [condition("Accepted", accepted), condition("ResolvedRefs", resolved)],
        })
    }

    fn route(parents: Vec<Value>) -> Value {
        json!({
            "metadata": {"namespace": "shop", "generation": 4},
            "spec": {"parentRefs": [{"name": "edge"}, {"name": "inner", "namespace": "shop"}]},
            "status": {"parents": parents},
        })
    }

    #[test]
    fn unknown_is_never_read_as_accepted() {
        let yes = ("True", 4);
        for (case, parents, expected) in [
            ("accepted", vec![report("edge", yes, yes)], "accepted"),
            ("accepted by both", vec![report("edge", yes, yes), report("inner", yes, yes)], "accepted"),
            (
                "one lags",
                vec![report("edge", yes, yes), report("inner", ("True", 3), ("True", 3))],
                "waiting",
            ),
            ("old news that was bad", vec![report("edge", ("False", 3), yes)], "waiting"),
            ("not accepted", vec![report("edge", ("False", 4), yes)], "Accepted is False: R: m"),
            ("unresolved", vec![report("edge", yes, ("False", 4))], "ResolvedRefs is False: R: m"),
            ("nobody", vec![], "no gateway has reported"),
            ("a gateway that is not named", vec![report("old", yes, yes)], "no gateway has reported"),
            ("no conditions", vec![json!({"parentRef": {"name": "edge"}})], "reports no condition Accepted"),
        ] {
            let text = match standing(&route(parents)) {
                Standing::Accepted => "accepted".to_owned(),
                Standing::Waiting => "waiting".to_owned(),
                Standing::Doubtful(why) => why,
            };
            assert!(text.contains(expected), "{case}: {text}");
        }
    }
}
