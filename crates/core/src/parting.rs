//! Decides what is remembered of objects that a Rollout named for its traffic, so that they are handed back after a change
//! of the spec that no controller has seen.
//!
//! It is kept in the status: a routing object does not say whose it is, as a Service does.

use serin_api::{CanaryStrategy, Rollout, RolloutStatus, RolloutStrategy, Routed};

use crate::world::World;

/// Older ones are forgotten: a Rollout that changes its routers more often than they are handed back is out of order.
const MOST: usize = 8;

/// The Rollout as it was when it named other objects for its traffic, as far as its status remembers.
pub fn before(rollout: &Rollout) -> Vec<Rollout> {
    let current = named(rollout);
    let known = rollout.status.iter().flat_map(|status| status.canary.routed.iter().flatten());
    known
        .filter(|routed| current.as_ref() != Some(*routed))
        .filter_map(|routed| as_of(rollout, routed))
        .collect()
}

/// What the Rollout names for its traffic now.
fn named(rollout: &Rollout) -> Option<Routed> {
    let canary = rollout.spec.strategy.as_ref()?.canary.as_ref()?;
    let role = rollout.status.as_ref().map(|status| status.canary.stable_ping_pong.clone());
    Some(Routed {
        canary_service: canary.canary_service.clone(),
        stable_service: canary.stable_service.clone(),
        ping_pong: canary.ping_pong.clone(),
        stable_ping_pong: role.filter(|_| canary.ping_pong.is_some()).unwrap_or_default(),
        traffic_routing: serde_json::to_value(canary.traffic_routing.as_ref()?).ok()?,
    })
}

fn as_of(rollout: &Rollout, routed: &Routed) -> Option<Rollout> {
    let canary = CanaryStrategy {
        canary_service: routed.canary_service.clone(),
        stable_service: routed.stable_service.clone(),
        ping_pong: routed.ping_pong.clone(),
        traffic_routing: Some(serde_json::from_value(routed.traffic_routing.clone()).ok()?),
        ..CanaryStrategy::default()
    };
    let mut before = rollout.clone();
    before.spec.strategy = Some(RolloutStrategy { canary: Some(canary), ..RolloutStrategy::default() });
    before.status.get_or_insert_default().canary.stable_ping_pong.clone_from(&routed.stable_ping_pong);
    Some(before)
}

/// Remembers what is named now, and forgets what has been handed back. A Rollout whose status has nothing else to say is
/// not written to for the sake of this alone: one that is taken over rests untouched.
pub(crate) fn remember(world: &World, status: &mut RolloutStatus) {
    let before = world.rollout.status.clone().unwrap_or_default();
    let known = before.canary.routed.clone();
    status.canary.routed.clone_from(&known);
    if known.is_none() && *status == before {
        return;
    }
    let current = named(&world.rollout);
    let mut routed: Vec<_> = known
        .unwrap_or_default()
        .into_iter()
        .filter(|old| world.leaving && current.as_ref() != Some(old))
        .collect();
    routed.extend(current);
    routed.drain(..routed.len().saturating_sub(MOST));
    status.canary.routed = (!routed.is_empty()).then_some(routed);
}
