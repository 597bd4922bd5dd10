//! Says which fields of a pod template this version of Kubernetes does not know.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::Value;

use super::Finding;

/// Decodes the template as Kubernetes does, and looks for what got lost. A field of a newer Kubernetes is only a warning:
/// Serin passes it on as it is.
pub(super) fn check(template: &Value, path: &str) -> Vec<Finding> {
    let kept = serde_json::from_value::<PodTemplateSpec>(template.clone());
    match kept.map(serde_json::to_value) {
        Ok(Ok(kept)) => {
            let mut findings = Vec::new();
            lost(template, &kept, path, &mut findings);
            findings
        }
        Ok(Err(why)) | Err(why) => vec![Finding::problem(format!("{path}: {why}"))],
    }
}

fn lost(written: &Value, kept: &Value, path: &str, findings: &mut Vec<Finding>) {
    match (written, kept) {
        (Value::Object(written), Value::Object(kept)) => {
            for (name, value) in written.iter().filter(|(_, value)| !value.is_null()) {
                let path = format!("{path}.{name}");
                match kept.get(name) {
                    Some(kept) => lost(value, kept, &path, findings),
                    None => findings.push(Finding::warning(format!(
                        "{path}: unknown field; Kubernetes ignores it unless it is newer than this command"
                    ))),
                }
            }
        }
        (Value::Array(written), Value::Array(kept)) => {
            for (index, (written, kept)) in written.iter().zip(kept).enumerate() {
                lost(written, kept, &format!("{path}[{index}]"), findings);
            }
        }
        _ => {}
    }
}
