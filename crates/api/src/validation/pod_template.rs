//! What is wrong with a pod template, of what is known without asking the API server: the commonest of its own rules.

use serde_json::Value;

use super::Problem;

/// Of the template at `path`. What else the API server refuses, it says when the ReplicaSet is made.
pub(super) fn rule(path: &str, template: &Value, problems: &mut Vec<Problem>) {
    let spec = format!("{path}.spec");
    let list = |field: &str| template.pointer(&format!("/spec/{field}")).and_then(Value::as_array);
    let main = list("containers").map_or(&[][..], Vec::as_slice);
    let first = list("initContainers").map_or(&[][..], Vec::as_slice);
    if main.is_empty() {
        problems.push(required(&format!("{spec}.containers"), "a pod needs at least one container"));
    }
    let mut names = Vec::new();
    containers(&format!("{spec}.containers"), main, &mut names, problems);
    containers(&format!("{spec}.initContainers"), first, &mut names, problems);
    let all = ["Always", "OnFailure", "Never"];
    let restart = template.pointer("/spec/restartPolicy").and_then(Value::as_str).unwrap_or("Always");
    if restart != "Always" {
        let known = if all.contains(&restart) { &all[..1] } else { &all[..] };
        let remedy = "pods of a Rollout are always restarted: leave it out";
        problems.push(unsupported(&format!("{spec}.restartPolicy"), restart, known, remedy));
    }
    if let Some(seconds) = template.pointer("/spec/activeDeadlineSeconds").filter(|value| !value.is_null()) {
        let field = format!("{spec}.activeDeadlineSeconds");
        let words = "activeDeadlineSeconds in ReplicaSet is not Supported";
        let said = format!("{field}: Forbidden: {words}");
        problems.push(Problem::invalid(field, seconds, format!("{words}; leave it out")).said_as(said));
    }
}

fn containers<'t>(path: &str, list: &'t [Value], names: &mut Vec<&'t str>, problems: &mut Vec<Problem>) {
    for (index, container) in list.iter().enumerate() {
        let at = |field: &str| format!("{path}[{index}].{field}");
        let text = |field: &str| container.get(field).and_then(Value::as_str).unwrap_or_default();
        let name = text("name");
        if name.is_empty() {
            problems.push(required(&at("name"), "a container needs a name"));
        } else if !is_dns_label(name) {
            let message = format!("{DNS_LABEL}; give it such a name");
            problems.push(Problem::invalid(at("name"), name, message));
        } else if names.contains(&name) {
            let said = format!("{}: Duplicate value: \"{name}\"", at("name"));
            let message = "two containers have this name; rename one of them";
            problems.push(Problem::invalid(at("name"), name, message).said_as(said));
        }
        names.push(name);
        if text("image").is_empty() {
            problems.push(required(&at("image"), "name the image that it runs"));
        }
        let known = ["Always", "IfNotPresent", "Never"];
        let pull = text("imagePullPolicy");
        if !pull.is_empty() && !known.contains(&pull) {
            problems.push(unsupported(&at("imagePullPolicy"), pull, &known, "choose one of them"));
        }
    }
}

/// RFC 1123, in the words by which Kubernetes refuses a name.
const DNS_LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
                         start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for \
                         validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

fn is_dns_label(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| plain(*byte));
    let bytes = name.as_bytes();
    name.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| plain(*byte) || *byte == b'-')
}

/// Kubernetes says of such a field only that it is required.
fn required(path: &str, remedy: &str) -> Problem {
    Problem::missing(path, remedy).said_as(format!("{path}: Required value"))
}

fn unsupported(path: &str, value: &str, known: &[&str], remedy: &str) -> Problem {
    let known = known.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
    let words = format!("supported values: {known}");
    let said = format!("{path}: Unsupported value: \"{value}\": {words}");
    Problem::invalid(path, value, format!("{words}; {remedy}")).said_as(said)
}
