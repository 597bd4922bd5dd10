//! Decides what a brake does: a ConfigMap that holds or aborts every update of its namespace, or of what a selector says.
//!
//! Updates are held, not pods: a Rollout without an update on its way follows its replicas as ever.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serin_api::{BrakeStatus, label};

use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::Memory;

/// What a brake does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Updates are taken back; a first revision, which cannot be, is held.
    Abort,
    /// Nothing goes forward.
    Hold,
}

/// One brake of the namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Brake {
    /// Name of the ConfigMap.
    pub name: String,
    /// What it does.
    pub action: Action,
    /// Labels of the Rollouts that it is for; empty for all.
    pub selector: String,
    /// Who set it.
    pub by: String,
    /// When.
    pub at: String,
    /// Why.
    pub reason: String,
}

impl Brake {
    /// Reads a ConfigMap; `None` without the label. A word that is not known holds: a slip of the pen must not let go.
    pub fn read(
        name: &str,
        labels: &BTreeMap<String, String>,
        data: &BTreeMap<String, String>,
    ) -> Option<Self> {
        let action = match labels.get(label::BRAKE)?.as_str() {
            "abort" => Action::Abort,
            _ => Action::Hold,
        };
        let text = |key: &str| data.get(key).map(|text| text.trim().to_owned()).unwrap_or_default();
        let (selector, by, at, reason) = (text("selector"), text("by"), text("at"), text("reason"));
        Some(Self { name: name.to_owned(), action, selector, by, at, reason })
    }

    /// It is for a Rollout with these labels. A selector that cannot be read selects all.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let holds: Option<Vec<bool>> = terms(&self.selector).map(|term| holds(term, labels)).collect();
        holds.is_none_or(|holds| holds.into_iter().all(|holds| holds))
    }

    /// Its selector can be read.
    pub fn is_readable(&self) -> bool {
        let none = BTreeMap::new();
        terms(&self.selector).all(|term| holds(term, &none).is_some())
    }

    /// What it does: for want of knowing whom it means, it holds all rather than take back what it was not meant for.
    fn acts(&self) -> Action {
        if self.is_readable() { self.action } else { Action::Hold }
    }

    fn status(&self) -> BrakeStatus {
        let unreadable = match self.is_readable() {
            true => String::new(),
            false => format!("its selector '{}' cannot be read, so it holds all; ", self.selector),
        };
        BrakeStatus {
            name: self.name.clone(),
            action: if self.acts() == Action::Abort { "abort" } else { "hold" }.to_owned(),
            by: self.by.clone(),
            at: self.at.clone(),
            reason: format!("{unreadable}{}", self.reason),
        }
    }
}

/// The terms of a selector: what stands between its commas, those in parentheses left out.
fn terms(selector: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    let terms = selector.split(move |letter| {
        inside = if inside { letter != ')' } else { letter == '(' };
        letter == ',' && !inside
    });
    terms.map(str::trim).filter(|term| !term.is_empty())
}

/// Whether one term of a selector holds, as Kubernetes reads it: `key=value`, `key!=value`, `key`, `!key`, `key in (a, b)`,
/// `key notin (a, b)`; `None` when it is none of these.
fn holds(term: &str, labels: &BTreeMap<String, String>) -> Option<bool> {
    let plain = |text: &str| {
        let known = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
        text.chars().all(known).then(|| text.to_owned())
    };
    if let Some((before, values)) = term.strip_suffix(')').and_then(|term| term.split_once('(')) {
        let (key, operator) = before.trim().split_once(char::is_whitespace)?;
        let (key, values) = (plain(key)?, values.split(',').map(|value| plain(value.trim())));
        let values = values.collect::<Option<Vec<String>>>()?;
        let found = labels.get(&key).is_some_and(|value| values.contains(value));
        return match operator.trim() {
            "in" => Some(found),
            "notin" => Some(!found),
            _ => None,
        };
    }
    if let Some((key, value)) = term.split_once("!=") {
        let (key, value) = (plain(key.trim())?, plain(value.trim())?);
        return Some(labels.get(&key) != Some(&value));
    }
    if let Some((key, value)) = term.split_once('=') {
        let (key, value) = (plain(key.trim())?, plain(value.trim_start_matches('=').trim())?);
        return Some(labels.get(&key) == Some(&value));
    }
    match term.strip_prefix('!') {
        Some(key) => Some(!labels.contains_key(&plain(key.trim())?)),
        None => Some(labels.contains_key(&plain(term)?)),
    }
}

/// A sentence about a brake: what it does, who set it, when and why.
pub fn sentence(brake: &BrakeStatus) -> String {
    let verb = if brake.action == "abort" { "aborts" } else { "holds" };
    let said =
        |before: &str, text: &str| if text.is_empty() { String::new() } else { format!("{before}{text}") };
    let (by, at, why) = (said(", set by ", &brake.by), said(" at ", &brake.at), said(": ", &brake.reason));
    format!("ConfigMap {} {verb} updates{by}{at}{why}", brake.name)
}

/// The brake that counts: an abort before a hold.
fn strongest<'w>(facts: &Facts<'w>) -> Option<&'w Brake> {
    let none = BTreeMap::new();
    let labels = facts.rollout.metadata.labels.as_ref().unwrap_or(&none);
    let mut brakes: Vec<_> = facts.world.brakes.iter().filter(|brake| brake.selects(labels)).collect();
    brakes.sort_by_key(|brake| (brake.acts(), &brake.name));
    brakes.first().copied()
}

/// Notes the brake in the status, tells when one comes or goes, and takes back what one aborts.
pub(crate) fn heed(facts: &Facts, memory: &mut Memory) {
    let brake = strongest(facts);
    let status = brake.map(Brake::status);
    if status != memory.status.brake {
        match (&status, &memory.status.brake) {
            (Some(new), _) => memory.journal.warn("BrakeSet", sentence(new)),
            (None, Some(old)) => {
                memory
                    .journal
                    .note("BrakeReleased", format!("ConfigMap {} does not hold updates any more", old.name));
            }
            (None, None) => {}
        }
        memory.status.brake.clone_from(&status);
    }
    let aborts = brake.is_some_and(|brake| brake.acts() == Action::Abort);
    if let Some(status) = status.filter(|_| aborts && underway(memory) && !memory.stable().is_empty()) {
        memory.abort(sentence(&status));
    }
}

fn underway(memory: &Memory) -> bool {
    !(memory.fully_promoted() || memory.aborted())
}

/// A brake holds this Rollout, or a person does by its spec.
pub(crate) fn paused(facts: &Facts, memory: &Memory) -> bool {
    facts.rollout.spec.paused || holds_update(memory)
}

/// A brake holds an update that is on its way, or the first revision.
pub(crate) fn holds_update(memory: &Memory) -> bool {
    memory.status.brake.is_some() && underway(memory)
}

/// What is waited for.
pub(crate) fn gate(memory: &Memory, gates: &mut Gates) {
    if let Some(brake) = &memory.status.brake {
        let waits_for = format!("the end of a brake: {}", sentence(brake));
        gates.hold(
            &waits_for,
            &format!("the rollout goes on; `kubectl serin release {}` ends it", brake.name),
        );
    }
}
