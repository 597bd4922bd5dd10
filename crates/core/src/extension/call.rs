//! Says what an extension is told: the protocol `serin.dev/v1` of docs/extensions.md.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use serin_api::Rollout;

use super::record;
use crate::facts::Facts;
use crate::memory::Memory;
use crate::revision;

/// Version of the protocol, in every request.
pub const PROTOCOL: &str = "serin.dev/v1";

/// What an extension is to do with a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Perform it.
    Run,
    /// End it: the rollout goes on without it.
    Terminate,
    /// Take it back: the rollout is aborted.
    Abort,
}

impl Operation {
    /// As statuses name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Run => "Run",
            Self::Terminate => "Terminate",
            Self::Abort => "Abort",
        }
    }

    /// Last part of the address to ask.
    pub fn path(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Terminate => "terminate",
            Self::Abort => "abort",
        }
    }
}

/// One call of an extension about one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Name of the extension.
    pub extension: String,
    /// What it is to do.
    pub operation: Operation,
    /// Index of the step.
    pub index: usize,
    /// How often it was asked for this before.
    pub executions: i32,
    /// Its configuration in the step.
    pub config: Value,
    /// What it wanted to be told again; null at first.
    pub state: Value,
    /// The Rollout, as [`rollout_told`] tells of it.
    pub rollout: Value,
}

impl Call {
    /// Whether both are the same question, although the Rollout may have changed between them.
    pub fn same(&self, other: &Self) -> bool {
        let question = |call: &Self| (call.operation, call.index, call.executions);
        let revision = |call: &Self| call.rollout.get("podTemplateHash").cloned();
        self.extension == other.extension
            && question(self) == question(other)
            && revision(self) == revision(other)
    }

    /// The body of the request.
    pub fn body(&self) -> Value {
        json!({
            "protocol": PROTOCOL, "name": self.extension, "config": self.config, "state": self.state,
            "step": self.index, "rollout": self.rollout,
        })
    }
}

/// One operation of one step, for people.
pub(super) fn title(index: usize, extension: &str, operation: Operation) -> String {
    format!("Step Plugin {} ({extension}) {}", index.saturating_add(1), operation.word())
}

/// What extensions are told of a Rollout: names, revisions and Services, and nothing of its pods.
pub fn rollout_told(rollout: &Rollout, (canary_hash, stable_hash): (&str, &str)) -> Value {
    let canary = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
    let role = rollout.status.as_ref().map(|status| status.canary.stable_ping_pong.as_str());
    let services = canary.map(|canary| canary.services(role.unwrap_or_default()));
    let weights = rollout.status.as_ref().and_then(|status| status.canary.weights.as_ref());
    let metadata = &rollout.metadata;
    let revision = metadata.annotations.as_ref().and_then(|all| all.get(serin_api::label::REVISION));
    json!({
        "namespace": metadata.namespace, "name": metadata.name, "uid": metadata.uid, "labels": metadata.labels,
        "revision": revision, "podTemplateHash": canary_hash, "stablePodTemplateHash": stable_hash,
        "canaryService": services.as_ref().and_then(|services| services.canary),
        "stableService": services.as_ref().and_then(|services| services.stable),
        "weight": weights.map(|weights| weights.canary.weight),
    })
}

/// The call for one operation of one step; none when the step is no extension's any more.
pub(super) fn of(facts: &Facts, memory: &Memory, operation: Operation, index: usize) -> Option<Call> {
    let step = facts.steps.get(index)?.plugin.as_ref()?;
    let own = record(memory, operation, index);
    let run = record(memory, Operation::Run, index);
    let state = own.or(run).and_then(|record| record.status.clone());
    let mut rollout = rollout_told(facts.rollout, (&facts.current_hash, memory.stable()));
    if let Some(told) = rollout.as_object_mut() {
        told.insert("revision".to_owned(), revision::number(facts).to_string().into());
    }
    Some(Call {
        extension: step.name.clone(),
        operation,
        index,
        executions: own.and_then(|record| record.executions).unwrap_or(0),
        config: step.config.clone().unwrap_or_default(),
        state: state.unwrap_or_default(),
        rollout,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_told_are_those_of_the_two_roles() {
        let pair = json!({"pingPong": {"pingService": "ping", "pongService": "pong"}});
        let named = json!({"canaryService": "c", "stableService": "s"});
        for (name, canary, stable, expected) in [
            ("two Services of fixed roles", &named, "", [json!("c"), json!("s")]),
            ("ping is stable", &pair, "ping", [json!("pong"), json!("ping")]),
            ("pong is stable", &pair, "pong", [json!("ping"), json!("pong")]),
            ("none", &json!({}), "", [Value::Null, Value::Null]),
        ] {
            let rollout = json!({
                "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "shop"},
                "spec": {"strategy": {"canary": canary}}, "status": {"canary": {"stablePingPong": stable}},
            });
            let told = rollout_told(&serde_json::from_value(rollout).unwrap(), ("a", "b"));
            assert_eq!(
                [&told["canaryService"], &told["stableService"]],
                [&expected[0], &expected[1]],
                "{name}"
            );
        }
    }
}
