//! Says what is wrong with a ConfigMap that holds or aborts updates.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use serde_json::Value;
use serin_api::label;
use serin_core::brake::Brake;

use super::{Finding, schema};

/// What the controller reads of it.
const KNOWN: [&str; 4] = ["selector", "by", "at", "reason"];

/// `None` for a ConfigMap that is no brake.
pub(super) fn check(object: &Value) -> Option<Vec<Finding>> {
    let map: ConfigMap = serde_json::from_value(object.clone()).ok()?;
    let data: BTreeMap<String, String> = map.data.clone().unwrap_or_default();
    let brake = Brake::read(&map.name_any(), map.labels(), &data)?;
    let mut findings = Vec::new();
    let word = map.labels()[label::BRAKE].as_str();
    if !["hold", "abort"].contains(&word) {
        let path = format!("metadata.labels[{}]: Invalid value: \"{word}\"", label::BRAKE);
        findings.push(Finding::warning(format!("{path}: it holds; write hold or abort")));
    }
    if !brake.is_readable() {
        findings.push(Finding::problem(format!(
            "data.selector: Invalid value: \"{}\": it cannot be read, so it holds every Rollout of the namespace; \
             write labels as key=value,other!=value,key,!key,key in (a, b),key notin (a, b)",
            brake.selector
        )));
    }
    if brake.reason.is_empty() {
        let why = "data.reason: it is missing; say why, for those who find their updates held";
        findings.push(Finding::warning(why));
    }
    let unknown = data.keys().filter(|key| !KNOWN.contains(&key.as_str()));
    findings.extend(unknown.map(|key| schema::unknown(&format!("data.{key}"), key, KNOWN)));
    Some(findings)
}
