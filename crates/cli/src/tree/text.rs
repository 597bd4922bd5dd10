//! Translates the picture of a Rollout into lines for a terminal.

use serin_api::AnalysisPhase;

use super::{Branch, Leaf, Run, Set, Tree, experiment_text};
use crate::paint::{Paint, Tone, bar, columns, of_analysis, of_phase};

/// The header and the tree.
pub fn text(tree: &Tree, paint: Paint) -> String {
    let mut text = header(tree, paint);
    text.push('\n');
    text.push_str(&branches(tree, paint));
    text.push_str(&notes(&tree.notes, paint));
    text
}

/// What could not be read, below the tree.
pub(super) fn notes(notes: &[String], paint: Paint) -> String {
    notes.iter().map(|note| format!("\n{} {note}\n", paint.tone(Tone::Waiting, "note:"))).collect()
}

fn header(tree: &Tree, paint: Paint) -> String {
    let (icon, tone) = of_phase(tree.status.phase);
    let mut text = String::new();
    let mut line = |key: &str, value: &str| text.push_str(&format!("{key:<17}{value}\n"));
    line("Name:", &tree.name);
    line("Namespace:", &tree.namespace);
    line("Status:", &paint.tone(tone, &format!("{icon} {}", tree.status.phase)));
    if !tree.status.message.is_empty() {
        line("Message:", &tree.status.message);
    }
    line("Strategy:", tree.strategy);
    if let Some(step) = &tree.step {
        let now = step.current.as_ref().map(|current| format!(" done, now: {current}")).unwrap_or_default();
        line("  Step:", &format!("{}/{}{now}", step.done, step.of));
    }
    if let Some(weight) = &tree.weight {
        line("  Set weight:", &weight.asked.to_string());
        line("  Actual weight:", &actual(weight, paint));
    }
    for (index, image) in tree.images.iter().enumerate() {
        let roles =
            if image.roles.is_empty() { String::new() } else { format!(" ({})", image.roles.join(", ")) };
        line(if index == 0 { "Images:" } else { "" }, &format!("{}{roles}", image.image));
    }
    let replicas = &tree.replicas;
    text.push_str("Replicas:\n");
    for (key, count) in [
        ("  Desired:", replicas.desired),
        ("  Current:", replicas.current),
        ("  Updated:", replicas.updated),
        ("  Ready:", replicas.ready),
        ("  Available:", replicas.available),
    ] {
        text.push_str(&format!("{key:<17}{count}\n"));
    }
    text
}

fn actual(weight: &serin_view::step::Weight, paint: Paint) -> String {
    let Some(observed) = weight.observed else {
        return "unknown: no router has reported a weight yet".to_owned();
    };
    let tone = if observed == weight.asked { Tone::Good } else { Tone::Moving };
    let bar = paint.tone(tone, &bar(f64::from(observed), f64::from(weight.of)));
    let number = observed.to_string();
    format!("{number:<3}  {bar}  {}", weight.source.words()).trim_end().to_owned()
}

/// One line of the tree with what hangs below it.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) status: (String, Tone),
    pub(super) age: String,
    pub(super) info: String,
    pub(super) remarks: Vec<String>,
    pub(super) children: Vec<Node>,
}

fn branches(tree: &Tree, paint: Paint) -> String {
    let (icon, tone) = of_phase(tree.status.phase);
    let root = Node {
        name: format!("⟳ {}", tree.name),
        kind: "Rollout",
        status: (format!("{icon} {}", tree.status.phase), tone),
        age: tree.age.clone(),
        info: String::new(),
        remarks: Vec::new(),
        children: tree.revisions.iter().map(revision).collect(),
    };
    rooted(&root, paint)
}

/// A tree in columns, with a heading.
pub(super) fn rooted(root: &Node, paint: Paint) -> String {
    let heading = ["NAME", "KIND", "STATUS", "AGE", "INFO"];
    let mut lines = vec![heading.map(|title| (title.to_owned(), Tone::Strong)).to_vec()];
    draw(root, ("", ""), &mut lines);
    columns(paint, &lines)
}

fn draw(node: &Node, (first, rest): (&str, &str), lines: &mut Vec<Vec<(String, Tone)>>) {
    let plain = |text: &str| (text.to_owned(), Tone::Plain);
    let name = plain(&format!("{first}{}", node.name));
    if node.kind.is_empty() {
        lines.push(vec![name]);
    } else {
        lines.push(vec![name, plain(node.kind), node.status.clone(), plain(&node.age), plain(&node.info)]);
    }
    for remark in &node.remarks {
        let stem = if node.children.is_empty() { "  " } else { "│ " };
        lines.push(vec![(format!("{rest}{stem}  {remark}"), Tone::Quiet)]);
    }
    for (index, child) in node.children.iter().enumerate() {
        let last = index + 1 == node.children.len();
        let (branch, stem) = if last { ("└──", "   ") } else { ("├──", "│  ") };
        draw(child, (&format!("{rest}{branch}"), &format!("{rest}{stem}")), lines);
    }
}

fn revision(branch: &Branch) -> Node {
    let sets = branch.replica_sets.iter().map(set);
    let experiments = branch.experiments.iter().map(experiment_text::node);
    let number = branch.revision.map_or_else(|| "?".to_owned(), |number| number.to_string());
    Node {
        name: format!("# revision:{number}"),
        kind: "",
        status: (String::new(), Tone::Plain),
        age: String::new(),
        info: String::new(),
        remarks: Vec::new(),
        children: sets.chain(experiments).chain(branch.analysis_runs.iter().map(run)).collect(),
    }
}

pub(super) fn set(set: &Set) -> Node {
    let (icon, tone) = match set.status {
        "Healthy" => ("✔", Tone::Good),
        "ScaledDown" => ("•", Tone::Quiet),
        "ReplicaFailure" => ("✖", Tone::Bad),
        _ => ("◌", Tone::Moving),
    };
    let info: Vec<_> =
        set.roles.iter().map(|role| (*role).to_owned()).chain(set.scale_down.clone()).collect();
    Node {
        name: format!("⧉ {}", set.name),
        kind: "ReplicaSet",
        status: (format!("{icon} {}", set.status), tone),
        age: set.age.clone(),
        info: info.join(", "),
        remarks: Vec::new(),
        children: set.pods.iter().map(leaf).collect(),
    }
}

fn leaf(pod: &Leaf) -> Node {
    let all_ready = pod.ready >= pod.containers;
    let (icon, tone) = match pod.status.as_str() {
        "Running" if all_ready => ("✔", Tone::Good),
        "Completed" => ("✔", Tone::Good),
        "Running" | "Pending" | "ContainerCreating" | "PodInitializing" | "Terminating" => {
            ("◌", Tone::Moving)
        }
        init if init.starts_with("Init:") && init.contains('/') => ("◌", Tone::Moving),
        _ => ("✖", Tone::Bad),
    };
    let restarts = if pod.restarts > 0 { format!(", restarts {}", pod.restarts) } else { String::new() };
    Node {
        name: format!("□ {}", pod.name),
        kind: "Pod",
        status: (format!("{icon} {}", pod.status), tone),
        age: pod.age.clone(),
        info: format!("ready {}/{}{restarts}", pod.ready, pod.containers),
        remarks: Vec::new(),
        children: Vec::new(),
    }
}

/// A phase in a word; nothing has been done before the first one.
pub(crate) fn word(phase: AnalysisPhase) -> String {
    match phase {
        AnalysisPhase::Unset => "Pending".to_owned(),
        phase => phase.to_string(),
    }
}

pub(super) fn run(run: &Run) -> Node {
    let (icon, tone) = of_analysis(run.phase);
    let word = word(run.phase);
    let counts = [
        ("✔", run.counts.successful),
        ("✖", run.counts.failed),
        ("?", run.counts.inconclusive),
        ("⚠", run.counts.error),
    ];
    let counted =
        counts.iter().filter(|(_, count)| *count > 0).map(|(icon, count)| format!("{icon} {count}"));
    let role = Some(&run.role).filter(|role| !role.is_empty()).cloned();
    let info: Vec<_> = role.into_iter().chain(counted).collect();
    let told =
        (!run.message.is_empty() && run.phase != AnalysisPhase::Successful).then(|| run.message.clone());
    // What a running analysis says of itself is about its last measurement too.
    let lines = if told.is_some() && !run.phase.completed() { Vec::new() } else { run.lines.clone() };
    Node {
        name: format!("α {}", run.name),
        kind: "AnalysisRun",
        status: (format!("{icon} {word}"), tone),
        age: run.age.clone(),
        info: info.join(", "),
        remarks: told.into_iter().chain(lines).collect(),
        children: Vec::new(),
    }
}
