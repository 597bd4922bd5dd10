//! Takes away what the API server adds to a pod template, so that a stored one can be compared with a written one.
//! Source: the defaulting functions of core/v1 for pod templates.

use serde_json::{Map, Value, json};

use super::quantity;
use super::schema::{self, Field, Kind, Omit};

/// The template without nulls, defaults and deprecated copies, with canonical quantities. Fields that this version does
/// not know stay as they are: they can only make templates different, never the same.
pub(super) fn stripped(template: &Value) -> Value {
    object(schema::POD_TEMPLATE, template)
}

fn object(type_name: &str, value: &Value) -> Value {
    let Some(fields) = value.as_object() else {
        return value.clone();
    };
    let known = schema::fields(type_name);
    let mut out = Map::new();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let Some(field) = known.iter().find(|field| field.name == *name) else {
            out.insert(name.clone(), value.clone());
            continue;
        };
        let value = strip(&field.kind, value);
        if !(means_nothing(field, &value) || is_default(type_name, name, &value, fields)) {
            out.insert(name.clone(), value);
        }
    }
    Value::Object(out)
}

fn strip(kind: &Kind, value: &Value) -> Value {
    match (kind, value) {
        (Kind::Object(name), value) => object(name, value),
        (Kind::Pointer(inner), value) => strip(inner, value),
        (Kind::List(inner), Value::Array(items)) => items.iter().map(|item| strip(inner, item)).collect(),
        (Kind::Map(inner), Value::Object(entries)) => {
            entries.iter().map(|(key, value)| (key.clone(), strip(inner, value))).collect()
        }
        (Kind::Quantity, Value::String(text)) => {
            quantity::canonical(text).map_or_else(|| value.clone(), Value::String)
        }
        (Kind::Quantity, Value::Number(number)) => {
            quantity::canonical(&number.to_string()).map_or_else(|| value.clone(), Value::String)
        }
        _ => value.clone(),
    }
}

/// An empty value of a field that Go leaves out; a pointer to an empty value says something.
fn means_nothing(field: &Field, value: &Value) -> bool {
    match field.kind {
        Kind::Pointer(_) => false,
        Kind::List(_) | Kind::Map(_) | Kind::Object(_) => schema::is_empty(value),
        _ => field.omit != Omit::Never && schema::is_empty(value),
    }
}

fn is_default(type_name: &str, name: &str, value: &Value, siblings: &Map<String, Value>) -> bool {
    let default = match (type_name, name) {
        ("PodSpec", "restartPolicy") => json!("Always"),
        ("PodSpec", "dnsPolicy") => json!("ClusterFirst"),
        ("PodSpec", "terminationGracePeriodSeconds") => json!(30),
        ("PodSpec", "schedulerName") => json!("default-scheduler"),
        ("PodSpec", "securityContext") => json!({}),
        ("PodSpec", "enableServiceLinks") => json!(true),
        ("PodSpec", "affinity") => return no_terms(value),
        ("PodSpec", "serviceAccount") => return true,
        ("Container" | "EphemeralContainer", "terminationMessagePath") => json!("/dev/termination-log"),
        ("Container" | "EphemeralContainer", "terminationMessagePolicy") => json!("File"),
        ("Container" | "EphemeralContainer", "imagePullPolicy") => json!(pull_policy(siblings)),
        ("ContainerPort", "protocol") => json!("TCP"),
        ("ContainerPort", "hostPort") => return siblings.get("containerPort") == Some(value),
        ("Probe", "timeoutSeconds" | "successThreshold") => json!(1),
        ("Probe", "periodSeconds") => json!(10),
        ("Probe", "failureThreshold") => json!(3),
        ("HTTPGetAction", "path") => json!("/"),
        ("HTTPGetAction", "scheme") => json!("HTTP"),
        ("GRPCAction", "service") => json!(""),
        (
            "SecretVolumeSource"
            | "ConfigMapVolumeSource"
            | "DownwardAPIVolumeSource"
            | "ProjectedVolumeSource",
            "defaultMode",
        ) => json!(420),
        ("HostPathVolumeSource", "type") => json!(""),
        ("ServiceAccountTokenProjection", "expirationSeconds") => json!(3600),
        ("ObjectFieldSelector", "apiVersion") => json!("v1"),
        ("PersistentVolumeClaimSpec", "volumeMode") => json!("Filesystem"),
        ("ISCSIVolumeSource", "iscsiInterface") => json!("default"),
        ("RBDVolumeSource", "pool") => json!("rbd"),
        ("RBDVolumeSource", "user") => json!("admin"),
        ("RBDVolumeSource", "keyring") => json!("/etc/ceph/keyring"),
        ("AzureDiskVolumeSource", "cachingMode") => json!("ReadWrite"),
        ("AzureDiskVolumeSource", "kind") => json!("Shared"),
        ("AzureDiskVolumeSource", "fsType") => json!("ext4"),
        ("AzureDiskVolumeSource", "readOnly") => json!(false),
        ("ScaleIOVolumeSource", "storageMode") => json!("ThinProvisioned"),
        ("ScaleIOVolumeSource", "fsType") => json!("xfs"),
        _ => return false,
    };
    *value == default
}

/// An affinity out of which the injected terms have been taken, and nothing is left.
fn no_terms(affinity: &Value) -> bool {
    let kinds = affinity.as_object().into_iter().flatten();
    kinds
        .map(|(_, kind)| kind.as_object())
        .all(|kind| kind.is_some_and(|kind| kind.values().all(schema::is_empty)))
}

/// `Always` for the tag `latest` or none, else `IfNotPresent`.
fn pull_policy(container: &Map<String, Value>) -> &'static str {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let name = image.rsplit('/').next().unwrap_or_default();
    let tagged = name.split('@').next().unwrap_or_default().split_once(':').map(|(_, tag)| tag);
    match tagged {
        Some("latest") => "Always",
        None if !image.contains('@') => "Always",
        _ => "IfNotPresent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pull_policy_follows_the_tag() {
        for (image, expected) in [
            ("nginx", "Always"),
            ("nginx:latest", "Always"),
            ("nginx:1.19", "IfNotPresent"),
            ("host:5000/nginx", "Always"),
            ("host:5000/nginx@sha256:abc", "IfNotPresent"),
        ] {
            let container = json!({"image": image});
            assert_eq!(pull_policy(container.as_object().unwrap()), expected, "{image}");
        }
    }
}
