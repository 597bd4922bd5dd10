//! Decides what is told of the load balancers that AWS was asked about: the status of the ALB router, its events and its gate.

use serde::{Deserialize, Serialize};
use serin_api::AlbStatus;

use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::Memory;

/// What AWS says of the load balancers of the Ingresses that the ALB router writes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancers {
    /// One for each Ingress in the order of the spec; empty while AWS has not told of all of them.
    #[serde(default)]
    pub shown: Vec<AlbStatus>,
    /// Why the weights are not taken for verified; also `None` while an answer is on its way.
    pub doubt: Option<Doubt>,
}

/// Why weights are not verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Doubt {
    /// Of what kind it is.
    pub cause: Cause,
    /// What is waited for, with load balancer, target group, the weight asked for and the one seen.
    pub waits_for: String,
}

/// The kinds of doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// There is no such load balancer.
    NotFound,
    /// AWS did not answer, or refused to.
    NoAnswer,
    /// It has other weights.
    Differs,
}

impl Cause {
    /// The reason of the event, as Argo Rollouts calls it.
    fn reason(self) -> &'static str {
        match self {
            Self::NotFound => "LoadBalancerNotFound",
            Self::NoAnswer => "TargetGroupVerifyError",
            Self::Differs => "TargetGroupUnverified",
        }
    }
}

/// What AWS does not confirm, if it is asked.
pub(crate) fn doubt<'w>(facts: &Facts<'w>) -> Option<&'w Doubt> {
    facts.world.load_balancers.as_ref()?.doubt.as_ref()
}

/// Nobody knows what the load balancers do: that is nobody's fault in the new version.
pub(crate) fn silent(facts: &Facts) -> bool {
    doubt(facts).is_some_and(|doubt| doubt.cause == Cause::NoAnswer)
}

/// Stores which load balancers there are, waits for those in doubt, and tells each doubt once, and its end.
pub(crate) fn tell(facts: &Facts, memory: &mut Memory, gates: &mut Gates) {
    let Some(asked) = facts.world.load_balancers.as_ref().filter(|_| facts.routed()) else {
        (memory.status.alb, memory.status.albs) = (None, None);
        return;
    };
    if !asked.shown.is_empty() {
        memory.status.alb = asked.shown.first().cloned();
        memory.status.albs = Some(asked.shown.clone());
    }
    let before = facts.rollout.status.as_ref();
    let verified = |status: &serin_api::RolloutStatus| {
        status.canary.weights.as_ref().is_some_and(|weights| weights.verified == Some(true))
    };
    if let Some(doubt) = &asked.doubt {
        let mut known = before.iter().flat_map(|status| status.gates.iter().flatten());
        if !known.any(|gate| gate.waits_for == doubt.waits_for) {
            memory.journal.warn(doubt.cause.reason(), format!("Waiting for {}", doubt.waits_for));
        }
        gates.wait_in_time(&doubt.waits_for, "the weights count as verified");
    } else if verified(&memory.status) && !before.is_some_and(verified) {
        let weights = memory.status.canary.weights.as_ref();
        let weight = weights.map_or(0, |weights| weights.canary.weight);
        let names: Vec<_> =
            asked.shown.iter().filter_map(|shown| name(shown.load_balancer.as_ref()?)).collect();
        let message = format!("Verified weight {weight} of the canary at load balancer {}", names.join(", "));
        memory.journal.note("TargetGroupVerified", message);
    }
}

fn name(load_balancer: &serde_json::Value) -> Option<&str> {
    load_balancer.get("name")?.as_str()
}
