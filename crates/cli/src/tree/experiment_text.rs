//! Translates the picture of an Experiment into lines for a terminal.

use super::experiment::{ExperimentTree, Template};
use super::text::{Node, notes, rooted, run, set, word};
use crate::moment::clock;
use crate::paint::{Paint, Tone, of_analysis};

/// The header and the tree.
pub fn experiment_text(tree: &ExperimentTree, paint: Paint) -> String {
    // The header has the message already.
    let root = Node { remarks: Vec::new(), ..node(tree) };
    format!("{}\n{}{}", header(tree, paint), rooted(&root, paint), notes(&tree.notes, paint))
}

fn header(tree: &ExperimentTree, paint: Paint) -> String {
    let (icon, tone) = of_analysis(tree.phase);
    let mut text = String::new();
    let mut line = |key: &str, value: &str| text.push_str(&format!("{key:<17}{value}\n"));
    line("Name:", &tree.name);
    line("Namespace:", &tree.namespace);
    line("Status:", &paint.tone(tone, &format!("{icon} {}", word(tree.phase))));
    if !tree.message.is_empty() {
        line("Message:", &tree.message);
    }
    if let Some(duration) = &tree.duration {
        line("Duration:", duration);
    }
    if let Some(remaining) = &tree.remaining {
        line("Remaining:", remaining);
    }
    for (index, gate) in tree.gates.iter().enumerate() {
        let then = if gate.then.is_empty() { String::new() } else { format!("; {}", gate.then) };
        let until = gate.until.as_ref().map(|until| format!(", until {}", clock(until.0, until.0)));
        let until = until.unwrap_or_default();
        line(if index == 0 { "Waits for:" } else { "" }, &format!("{}{until}{then}", gate.waits_for));
    }
    for (index, template) in tree.templates.iter().enumerate() {
        let service = template.service.as_ref().map(|name| format!(", service {name}")).unwrap_or_default();
        let counted = format!("{}/{} available", template.available, template.desired);
        let line_of = format!("{}: {}, {counted}{service}", template.name, template.status);
        line(if index == 0 { "Templates:" } else { "" }, &line_of);
    }
    text
}

/// The Experiment with what hangs below it.
pub(super) fn node(tree: &ExperimentTree) -> Node {
    let (icon, tone) = of_analysis(tree.phase);
    let left = tree.remaining.as_ref().map(|remaining| format!("{remaining} left"));
    let sets = tree.templates.iter().map(template).chain(tree.left_over.iter().map(set));
    Node {
        name: format!("Σ {}", tree.name),
        kind: "Experiment",
        status: (format!("{icon} {}", word(tree.phase)), tone),
        age: tree.age.clone(),
        info: left.unwrap_or_default(),
        remarks: Some(&tree.message).filter(|message| !message.is_empty()).cloned().into_iter().collect(),
        children: sets.chain(tree.analysis_runs.iter().map(run)).collect(),
    }
}

/// The ReplicaSet of a template, or the template alone as long as it has none.
fn template(template: &Template) -> Node {
    let remarks =
        Some(&template.message).filter(|message| !message.is_empty()).cloned().into_iter().collect();
    let Some(replica_set) = &template.replica_set else {
        let (icon, tone) = match template.status.as_str() {
            "Successful" => ("✔", Tone::Good),
            "Failed" | "Error" => ("✖", Tone::Bad),
            _ => ("◌", Tone::Moving),
        };
        return Node {
            name: format!("⧉ {}", template.name),
            kind: "Template",
            status: (format!("{icon} {}", template.status), tone),
            age: String::new(),
            info: "no ReplicaSet".to_owned(),
            remarks,
            children: Vec::new(),
        };
    };
    let node = set(replica_set);
    let named = format!("template {}: {}", template.name, template.status);
    let info = if node.info.is_empty() { named } else { format!("{named}, {}", node.info) };
    Node { info, remarks, ..node }
}
