//! Translates an explanation into lines for a terminal.

use super::{Evidence, Explanation, Fact};
use crate::moment::{coming, passed};
use crate::paint::{Paint, Tone, bar, columns, of_phase};

/// The explanation in sections; sections without content are left out.
pub fn text(explanation: &Explanation, paint: Paint) -> String {
    let mut text = headline(explanation, paint);
    for (title, lines) in [
        ("Why", why(explanation)),
        ("Waits for", gates(explanation)),
        ("Traffic", traffic(explanation, paint)),
        ("Evidence", explanation.evidence.iter().flat_map(|run| evidence(run, paint)).collect()),
        ("Pods not ready", explanation.pods.clone()),
        ("Next", explanation.next.clone()),
        ("You can", actions(explanation, paint)),
        ("Note", explanation.notes.clone()),
    ] {
        if lines.is_empty() {
            continue;
        }
        text.push_str(&format!("\n{}\n", paint.tone(Tone::Strong, title)));
        for line in lines {
            text.push_str(format!("  {line}").trim_end());
            text.push('\n');
        }
    }
    text
}

fn headline(explanation: &Explanation, paint: Paint) -> String {
    let (icon, tone) = of_phase(explanation.status.phase);
    let phase = paint.tone(tone, &format!("{icon} {}", explanation.status.phase));
    let step = explanation.step.as_ref().map(|step| format!(" at {step}")).unwrap_or_default();
    format!("{} in namespace {}: {phase}{step}\n", explanation.name, explanation.namespace)
}

fn why(explanation: &Explanation) -> Vec<String> {
    let mut lines = explanation.why.clone();
    for fact in &explanation.facts {
        lines.extend(fact_lines(fact));
    }
    lines
}

fn fact_lines(fact: &Fact) -> Vec<String> {
    let width = fact.entries.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    let title = (!fact.title.is_empty()).then(|| fact.title.clone());
    let entries = fact.entries.iter().map(|(key, value)| format!("  {key:<width$}  {value}"));
    std::iter::once(String::new()).chain(title).chain(entries).collect()
}

fn gates(explanation: &Explanation) -> Vec<String> {
    let now = explanation.now;
    let mut lines = Vec::new();
    for gate in &explanation.waits_for {
        lines.push(gate.waits_for.clone());
        let since = gate.since.as_ref().map(|since| format!("since {}", passed(since.0, now)));
        let until = gate.until.as_ref().map(|until| format!("until {}", coming(until.0, now)));
        let when: Vec<_> = since.into_iter().chain(until).collect();
        if !when.is_empty() {
            lines.push(format!("  {}", when.join("; ")));
        }
        if !gate.then.is_empty() {
            lines.push(format!("  then: {}", gate.then));
        }
    }
    lines
}

fn traffic(explanation: &Explanation, paint: Paint) -> Vec<String> {
    let Some(weight) = &explanation.weight else { return Vec::new() };
    let Some(observed) = weight.observed else {
        return vec![format!(
            "asked {} of {}, observed: no router has reported a weight yet",
            weight.asked, weight.of
        )];
    };
    let tone = if observed == weight.asked { Tone::Good } else { Tone::Moving };
    let bar = paint.tone(tone, &bar(f64::from(observed), f64::from(weight.of)));
    let line = format!(
        "asked {} of {}, observed {observed}  {bar}  {}",
        weight.asked,
        weight.of,
        weight.source.words()
    );
    vec![line]
}

fn evidence(run: &Evidence, paint: Paint) -> Vec<String> {
    let mut lines = vec![format!("AnalysisRun {} ({}), {}", run.run, run.role, run.state)];
    for metric in &run.metrics {
        lines.push(format!("  {}", metric.state));
        if let Some((have, needed)) = metric.against {
            let bar = paint.tone(Tone::Bad, &bar(have.max(1.0).ln(), needed.max(1.0).ln()));
            lines.push(format!(
                "    evidence against the canary {have} of {needed} that an abort needs  {bar}"
            ));
        }
        lines.extend(metric.course.iter().map(|course| format!("    {}", course.line())));
        lines.extend(metric.lines.iter().map(|line| format!("    {line}")));
    }
    lines
}

fn actions(explanation: &Explanation, paint: Paint) -> Vec<String> {
    let cells: Vec<_> = explanation
        .actions
        .iter()
        .map(|action| vec![(action.command.clone(), Tone::Strong), (action.effect.clone(), Tone::Plain)])
        .collect();
    columns(paint, &cells).lines().map(str::to_owned).collect()
}
