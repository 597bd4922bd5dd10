//! What each router says and writes of recorded objects. `SERIN_BLESS=1` writes the files anew, for review in the diff.

use std::collections::BTreeMap;

use serde_json::Value;
use serin_core::split::{Effective, Split};
use serin_core::write::{Effect, Write};

use crate::case::{Case, cases};

/// `expected.yaml`, laid out for people: one operation of a patch on one line.
fn expected(case: &Case) -> String {
    let mut text = String::new();
    for effective in case.effective(&case.seen) {
        let trials = |split: &Split| {
            let others =
                split.additional.iter().map(|other| format!(", {}: {}", other.service, other.weight));
            others.collect::<String>()
        };
        let line = match effective {
            Effective::Unknown(why) => format!("unknown: {}", Value::from(why)),
            Effective::Pending(split) => format!("pending: {}{}", split.canary, trials(&split)),
            Effective::Applied(split) => format!("applied: {}{}", split.canary, trials(&split)),
        };
        text.push_str(&format!("effective: {{{line}}}\n"));
    }
    for refusal in case.refusals(&case.seen) {
        text.push_str(&format!("refusal: {}\n", Value::from(refusal)));
    }
    let writes = case.render(&case.seen);
    text.push_str(if writes.is_empty() { "writes: []\n" } else { "writes:\n" });
    for Write { object, effect } in writes {
        text.push_str(&format!("  - object: {object}\n"));
        match effect {
            Effect::JsonPatch(operations) => {
                text.push_str("    patch:\n");
                operations.iter().for_each(|operation| text.push_str(&format!("      - {operation}\n")));
            }
            Effect::Create(content) => text.push_str(&format!("    create: {content}\n")),
            Effect::Delete { uid } => text.push_str(&format!("    delete: {{uid: {uid}}}\n")),
            Effect::Apply(_) | Effect::Evict { .. } => panic!("{}: routers do not do this", case.name),
        }
    }
    text
}

#[test]
fn every_case_is_read_and_rendered_as_recorded() {
    let mut seen = BTreeMap::new();
    for case in cases() {
        let path = case.folder.join("expected.yaml");
        let actual = expected(&case);
        if std::env::var_os("SERIN_BLESS").is_some() {
            std::fs::write(&path, &actual).unwrap();
        }
        let recorded = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(recorded, actual, "{}", case.name);
        *seen.entry(case.name.split('/').next().unwrap().to_owned()).or_insert(0) += 1;
    }
    let expected = [
        "alb",
        "ambassador",
        "apisix",
        "app_mesh",
        "extension",
        "gateway_api",
        "generic",
        "istio",
        "nginx",
        "service",
        "smi",
        "traefik",
    ];
    assert_eq!(seen.keys().collect::<Vec<_>>(), expected, "every router has cases");
}
