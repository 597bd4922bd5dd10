//! Decides the identity of a revision: the hash of its pod template, and which ReplicaSet runs it already.

mod defaults;
mod go_json;
mod quantity;
mod schema;

use serde_json::Value;
use serin_api::label;

/// Alphabet of hashes in names: no vowels and nothing that looks alike (Kubernetes `SafeEncodeString`).
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Hash of a pod template: FNV-1a over its JSON as Go writes it, so that names are the ones users' tools expect.
///
/// A template that Go's types cannot express is hashed by its own JSON; adoption by [`same`] stays the safety net.
pub(crate) fn hash(template: &Value, collisions: Option<i32>) -> String {
    let json = go_json::pod_template(template).unwrap_or_else(|| template.to_string());
    let mut hash = fnv1a(OFFSET_BASIS, json.as_bytes());
    if let Some(collisions) = collisions {
        let mut suffix = [0_u8; 8];
        for (byte, of) in suffix.iter_mut().zip(collisions.to_le_bytes()) {
            *byte = of;
        }
        hash = fnv1a(hash, &suffix);
    }
    encode(hash)
}

/// Hash of a list of canary steps: FNV-1a over its JSON as Go writes it, so that a takeover does not restart the steps.
pub(crate) fn hash_of_steps(steps: &[Value]) -> String {
    let json = go_json::steps(steps).unwrap_or_else(|| Value::from(steps).to_string());
    encode(fnv1a(OFFSET_BASIS, json.as_bytes()))
}

const OFFSET_BASIS: u32 = 0x811c_9dc5;
const PRIME: u32 = 0x0100_0193;

fn fnv1a(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(PRIME))
}

fn encode(hash: u32) -> String {
    let letter = |digit: u8| {
        let index = usize::from(digit).checked_rem(ALPHABET.len());
        index.and_then(|index| ALPHABET.get(index)).copied().map_or('b', char::from)
    };
    hash.to_string().bytes().map(letter).collect()
}

/// Whether a ReplicaSet runs this template: equal once the defaults of the API server, and what controllers inject, are
/// taken away on both sides. `injected` is the ephemeral metadata recorded on the ReplicaSet.
pub(crate) fn same(wanted: &Value, found: &Value, injected: Option<&str>) -> bool {
    let mut found = found.clone();
    remove_label(&mut found, label::POD_TEMPLATE_HASH);
    let mut wanted = wanted.clone();
    if let Some(injected) = injected.and_then(|text| serde_json::from_str::<Value>(text).ok()) {
        // An injected value may cover one of the template: then neither says anything.
        remove_injected(&mut found, &injected);
        remove_injected(&mut wanted, &injected);
    }
    remove_label(&mut wanted, label::POD_TEMPLATE_HASH);
    for template in [&mut wanted, &mut found] {
        remove_anti_affinity(template);
        rename_service_account(template);
    }
    defaults::stripped(&wanted) == defaults::stripped(&found)
}

/// The API server stores the deprecated `serviceAccount` under its new name, too.
fn rename_service_account(template: &mut Value) {
    let Some(spec) = template.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    let named = spec.get("serviceAccountName").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    if let Some(account) = spec.get("serviceAccount").filter(|_| !named).cloned() {
        spec.insert("serviceAccountName".to_owned(), account);
    }
}

fn remove_label(template: &mut Value, key: &str) {
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(key);
    }
}

fn remove_injected(template: &mut Value, injected: &Value) {
    for part in ["labels", "annotations"] {
        let keys = injected.get(part).and_then(Value::as_object).into_iter().flatten();
        let pointer = format!("/metadata/{part}");
        let Some(target) = template.pointer_mut(&pointer).and_then(Value::as_object_mut) else { continue };
        for (key, _) in keys {
            target.remove(key);
        }
    }
}

/// Anti-affinity between revisions is injected with the hash of stable, which is not part of what the user wrote.
pub(crate) fn remove_anti_affinity(template: &mut Value) {
    let names_hash = |term: &Value| {
        let expressions = term.pointer("/labelSelector/matchExpressions").and_then(Value::as_array);
        expressions
            .into_iter()
            .flatten()
            .any(|expression| expression.get("key").and_then(Value::as_str) == Some(label::POD_TEMPLATE_HASH))
    };
    let base = "/spec/affinity/podAntiAffinity";
    let required = format!("{base}/requiredDuringSchedulingIgnoredDuringExecution");
    if let Some(terms) = template.pointer_mut(&required).and_then(Value::as_array_mut) {
        terms.retain(|term| !names_hash(term));
    }
    let preferred = format!("{base}/preferredDuringSchedulingIgnoredDuringExecution");
    if let Some(terms) = template.pointer_mut(&preferred).and_then(Value::as_array_mut) {
        terms.retain(|term| !term.get("podAffinityTerm").is_some_and(names_hash));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hashes_are_those_of_argo_rollouts() {
        let canary = json!({
            "metadata": {"labels": {"app": "canary-scaledowndelay"}},
            "spec": {"containers": [{
                "name": "canary-scaledowndelay", "image": "nginx:1.19-alpine",
                "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
                "resources": {"requests": {"memory": "16Mi", "cpu": "5m"}},
            }]},
        });
        let dynamic = json!({
            "metadata": {"labels": {"app": "dynamic-stable-scale"}},
            "spec": {
                "readinessGates": [{"conditionType": "argoproj.io/e2e-readiness"}],
                "containers": [{
                    "ports": [{"containerPort": 80, "name": "http"}],
                    "resources": {"requests": {"memory": "16Mi", "cpu": "5m"}},
                    "name": "dynamic-stable-scale", "image": "nginx:1.19-alpine",
                }],
            },
        });
        assert_eq!(hash(&canary, None), "674d8cf959");
        assert_eq!(hash(&dynamic, None), "6b56c8cdb4", "the protocol of a port is defaulted before hashing");
        assert_ne!(hash(&canary, Some(1)), "674d8cf959");
    }

    fn wanted() -> Value {
        json!({
            "metadata": {"labels": {"app": "shop"}},
            "spec": {
                "containers": [{
                    "name": "shop", "image": "shop:1", "ports": [{"containerPort": 8080}],
                    "resources": {"requests": {"cpu": "0.5", "memory": "1024Mi"}},
                    "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}},
                }],
                "volumes": [{"name": "config", "configMap": {"name": "shop"}}, {"name": "tmp", "emptyDir": {}}],
            },
        })
    }

    fn stored() -> Value {
        json!({
            "metadata": {"creationTimestamp": null, "labels": {"app": "shop", "rollouts-pod-template-hash": "abc"}},
            "spec": {
                "containers": [{
                    "name": "shop", "image": "shop:1", "imagePullPolicy": "IfNotPresent",
                    "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                    "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
                    "readinessProbe": {
                        "httpGet": {"path": "/readyz", "port": 8080, "scheme": "HTTP"},
                        "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
                    },
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                }],
                "volumes": [
                    {"name": "config", "configMap": {"name": "shop", "defaultMode": 420}},
                    {"name": "tmp", "emptyDir": {}},
                ],
                "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
                "securityContext": {}, "terminationGracePeriodSeconds": 30,
            },
        })
    }

    #[test]
    fn a_stored_template_is_the_same_as_the_one_written() {
        assert!(same(&wanted(), &stored(), None));
    }

    #[test]
    fn the_old_name_of_the_service_account_is_the_same_as_the_new_one() {
        let (mut written, mut found) = (wanted(), stored());
        written["spec"]["serviceAccount"] = json!("shop");
        found["spec"]["serviceAccount"] = json!("shop");
        found["spec"]["serviceAccountName"] = json!("shop");
        assert!(same(&written, &found, None));
        found["spec"]["serviceAccountName"] = json!("other");
        assert!(!same(&written, &found, None));
    }

    #[test]
    fn injected_metadata_and_anti_affinity_make_no_difference() {
        let mut found = stored();
        found["metadata"]["labels"]["role"] = json!("canary");
        found["spec"]["affinity"] = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{
            "labelSelector": {"matchExpressions": [
                {"key": "rollouts-pod-template-hash", "operator": "In", "values": ["abc"]},
            ]},
            "namespaces": ["shop"], "topologyKey": "kubernetes.io/hostname",
        }]}});
        assert!(!same(&wanted(), &found, None));
        assert!(same(&wanted(), &found, Some(r#"{"labels": {"role": "canary"}}"#)));
    }

    #[test]
    fn every_change_that_a_pod_would_notice_is_a_difference() {
        for (path, value) in [
            ("/spec/containers/0/image", json!("shop:2")),
            ("/spec/containers/0/imagePullPolicy", json!("Always")),
            ("/spec/containers/0/resources/requests/cpu", json!("501m")),
            ("/spec/containers/0/readinessProbe/periodSeconds", json!(5)),
            ("/spec/terminationGracePeriodSeconds", json!(60)),
            ("/metadata/labels/app", json!("other")),
            ("/spec/volumes/1", json!({"name": "tmp"})),
        ] {
            let mut found = stored();
            *found.pointer_mut(path).unwrap() = value;
            assert!(!same(&wanted(), &found, None), "{path}");
        }
        let mut newer = stored();
        newer["spec"]["fieldOfANewerKubernetes"] = json!(true);
        assert!(!same(&wanted(), &newer, None));
    }
}
