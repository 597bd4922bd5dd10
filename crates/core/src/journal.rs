//! Says what happened, in the words that people and tools read: events of one plan, in their order.

use serde::{Deserialize, Serialize};

/// How loud an event is; Kubernetes knows these two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Severity {
    /// Something went its way.
    Normal,
    /// Somebody should look.
    Warning,
}

/// One event. Sent by the shell after the status is stored, in plan order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Normal or Warning.
    pub severity: Severity,
    /// Reason in CamelCase; clients and dashboards match on it.
    pub reason: String,
    /// One line for people.
    pub message: String,
    /// Index of the write of the plan that it announces: sent only when that write succeeded.
    pub write: Option<usize>,
    /// Name of the Service whose new selector it announces: sent only when that write succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// What goes on, and this is the newest word of: told again, it replaces what was said before, and is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
}

impl Event {
    /// An abort that something other than a person caused: it is told before what it does.
    pub(crate) fn says_cause(&self) -> bool {
        !self.message.starts_with("Rollout aborted") || self.message.contains(": ")
    }

    /// Clients know traffic to move before an update is told to be paused, aborted by a person, or complete.
    fn follows_traffic(&self) -> bool {
        match self.reason.as_str() {
            "RolloutPaused" | "RolloutCompleted" => true,
            "RolloutAborted" => !self.says_cause(),
            _ => false,
        }
    }
}

/// The events of one plan that are told before, and those that are told after, what the writes of routers did.
pub fn around_traffic(events: &[Event]) -> (&[Event], &[Event]) {
    let place = events.iter().position(Event::follows_traffic).unwrap_or(events.len());
    events.split_at_checked(place).unwrap_or((events, &[]))
}

/// The events of one plan, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Journal {
    pub(crate) events: Vec<Event>,
}

impl Journal {
    pub(crate) fn note(&mut self, reason: &str, message: String) {
        self.push(Severity::Normal, reason, message, None);
    }

    pub(crate) fn warn(&mut self, reason: &str, message: String) {
        self.push(Severity::Warning, reason, message, None);
    }

    pub(crate) fn wrote(&mut self, write: usize, reason: &str, message: String) {
        self.push(Severity::Normal, reason, message, Some(write));
    }

    pub(crate) fn switched(&mut self, service: &str, message: String) {
        self.push(Severity::Normal, "SwitchService", message, None);
        if let Some(event) = self.events.last_mut() {
            event.service = Some(service.to_owned());
        }
    }

    fn push(&mut self, severity: Severity, reason: &str, message: String, write: Option<usize>) {
        self.events.push(Event {
            severity,
            reason: reason.to_owned(),
            message,
            write,
            service: None,
            thread: None,
        });
    }
}
