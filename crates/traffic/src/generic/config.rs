//! Reads the configuration of the generic router, and refuses paths that it must not write.

use serde_json::Value;
use serin_api::{GENERIC_ROUTER, GenericReadiness, GenericRoute, Problem};
use serin_core::seen::ObjectKey;
use serin_core::split::Weight;

use super::path::Path;

/// Seconds until a data plane of which nothing is known follows a change.
const PROPAGATION_SECONDS: u32 = 10;

/// One object, and where its weights are.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) key: ObjectKey,
    /// The entry of the configuration that says so.
    pub(super) path: String,
    pub(super) canary: Path,
    pub(super) stable: Path,
    pub(super) ready: Ready,
    /// What both weights sum to.
    pub(super) total: Weight,
    pub(super) propagation_seconds: i64,
}

/// How the object says that its data plane follows.
#[derive(Clone, Debug, Default)]
pub(super) struct Ready {
    pub(super) value: Option<(Path, Value)>,
    pub(super) generation: Option<Path>,
}

/// Reads the configuration of a Rollout in `namespace` whose weights sum to `total`.
///
/// # Errors
/// The first thing that cannot be read or done, with its field.
pub(super) fn read(config: &Value, namespace: &str, total: Weight) -> Result<Vec<Target>, Problem> {
    let at = format!("spec.strategy.canary.trafficRouting.plugins[\"{GENERIC_ROUTER}\"]");
    let entries = config.as_array().filter(|entries| !entries.is_empty());
    let Some(entries) = entries else {
        let message =
            "must be a list of {apiVersion, kind, name, canaryWeight, stableWeight}, one for each object";
        return Err(invalid(&at, config, message));
    };
    let entries = entries.iter().enumerate();
    entries.map(|(index, entry)| target(entry, &format!("{at}[{index}]"), namespace, total)).collect()
}

fn target(entry: &Value, at: &str, namespace: &str, most: Weight) -> Result<Target, Problem> {
    let route: GenericRoute =
        serde_json::from_value(entry.clone()).map_err(|error| invalid(at, entry, &error.to_string()))?;
    for (field, text) in [("apiVersion", &route.api_version), ("kind", &route.kind), ("name", &route.name)] {
        if text.is_empty() {
            return Err(invalid(&format!("{at}.{field}"), &Value::from(""), "name the object"));
        }
    }
    let total = route.total.unwrap_or(most.0);
    if total.checked_rem(most.0) != Some(0) || total == 0 {
        let message =
            format!("must be a multiple of {most}, which is what the weights of the Rollout sum to");
        return Err(invalid(&format!("{at}.total"), &Value::from(total), &message));
    }
    let (group, version) = route.api_version.split_once('/').unwrap_or(("", &route.api_version));
    let given = route.namespace.as_deref().filter(|namespace| !namespace.is_empty());
    let canary = weight(&route.canary_weight, &format!("{at}.canaryWeight"))?;
    let stable = weight(&route.stable_weight, &format!("{at}.stableWeight"))?;
    if canary == stable {
        let path = Value::from(route.stable_weight.as_str());
        return Err(invalid(&format!("{at}.stableWeight"), &path, "is the path of the canary's weight, too"));
    }
    Ok(Target {
        key: ObjectKey::new(group, version, &route.kind, given.unwrap_or(namespace), &route.name),
        path: at.to_owned(),
        canary,
        stable,
        ready: route.ready.as_ref().map_or(Ok(Ready::default()), |ready| readiness(ready, at))?,
        total: Weight(total),
        propagation_seconds: route.propagation_seconds.unwrap_or(PROPAGATION_SECONDS).into(),
    })
}

fn weight(text: &str, at: &str) -> Result<Path, Problem> {
    let path = path(text, at)?;
    if ["apiVersion", "kind", "metadata", "status"].contains(&path.part()) {
        let message =
            format!("is in {}, which is not the router's to write; weights are in the spec", path.part());
        return Err(invalid(at, &Value::from(text), &message));
    }
    Ok(path)
}

fn path(text: &str, at: &str) -> Result<Path, Problem> {
    Path::read(text).map_err(|why| invalid(at, &Value::from(text), &why))
}

fn readiness(ready: &GenericReadiness, at: &str) -> Result<Ready, Problem> {
    let GenericReadiness { path: value, equals, observed_generation } = ready;
    let at = format!("{at}.ready");
    let value = match (value, equals) {
        (Some(text), Some(equals)) => Some((path(text, &format!("{at}.path"))?, equals.clone())),
        (None, None) => None,
        _ => {
            let found = serde_json::to_value(ready).unwrap_or_default();
            return Err(invalid(&at, &found, "path and equals go together"));
        }
    };
    let generation = observed_generation.as_ref();
    let generation = generation.map(|text| path(text, &format!("{at}.observedGeneration"))).transpose()?;
    if value.is_none() && generation.is_none() {
        let message = "says nothing; give path and equals, observedGeneration, or both";
        return Err(invalid(&at, &Value::Null, message));
    }
    Ok(Ready { value, generation })
}

fn invalid(path: &str, value: &Value, message: &str) -> Problem {
    Problem::Invalid { path: path.to_owned(), value: value.to_string(), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(more: Value) -> Value {
        let mut entry = json!({
            "apiVersion": "example.com/v1", "kind": "Route", "name": "web",
            "canaryWeight": "/spec/canary", "stableWeight": "/spec/stable",
        });
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([entry])
    }

    #[test]
    fn what_cannot_be_read_or_done_is_refused_with_the_field_and_the_reason() {
        const AT: &str = "spec.strategy.canary.trafficRouting.plugins[\"serin.dev/generic\"]";
        for (config, field, words) in [
            (json!({}), "", "must be a list"),
            (json!([]), "", "must be a list"),
            (json!([{"kind": "Route"}]), "[0]", "missing field `apiVersion`"),
            (with(json!({"weight": 1})), "[0]", "unknown field `weight`"),
            (with(json!({"name": ""})), "[0].name", "name the object"),
            (with(json!({"total": 150})), "[0].total", "multiple of 100"),
            (with(json!({"total": 0})), "[0].total", "multiple of 100"),
            (with(json!({"canaryWeight": "spec"})), "[0].canaryWeight", "must begin with /"),
            (with(json!({"canaryWeight": "/status/weight"})), "[0].canaryWeight", "is in status"),
            (with(json!({"stableWeight": "/metadata/labels/w"})), "[0].stableWeight", "is in metadata"),
            (with(json!({"stableWeight": "/spec/canary"})), "[0].stableWeight", "canary's weight, too"),
            (with(json!({"ready": {}})), "[0].ready", "says nothing"),
            (with(json!({"ready": {"path": "/status/a"}})), "[0].ready", "go together"),
            (with(json!({"ready": {"path": "x", "equals": 1}})), "[0].ready.path", "must begin with /"),
        ] {
            let problem = read(&config, "shop", Weight(100)).unwrap_err();
            assert_eq!(problem.path(), format!("{AT}{field}"), "{config}");
            assert!(problem.to_string().contains(words), "{problem}");
        }
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let target = &read(&with(json!({})), "shop", Weight(1000)).unwrap()[0];
        assert_eq!(target.key, ObjectKey::new("example.com", "v1", "Route", "shop", "web"));
        assert_eq!((target.total, target.propagation_seconds), (Weight(1000), 10));
        let given = json!({"apiVersion": "v1", "namespace": "edge", "total": 2000, "propagationSeconds": 3});
        let target = &read(&with(given), "shop", Weight(1000)).unwrap()[0];
        assert_eq!(target.key, ObjectKey::new("", "v1", "Route", "edge", "web"));
        assert_eq!((target.total, target.propagation_seconds), (Weight(2000), 3));
    }
}
