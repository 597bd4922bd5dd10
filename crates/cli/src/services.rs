//! Reads which Services a Rollout has for its two revisions.

use serin_api::{Arms, Rollout};

/// The Services of the two revisions, where traffic is told apart by Services.
pub(crate) fn of(rollout: Option<&Rollout>) -> Arms {
    let canary = rollout.and_then(serin_view::step::canary);
    let ping_pong =
        rollout.and_then(|rollout| rollout.status.as_ref()).map(|status| &status.canary.stable_ping_pong);
    let services = canary.map(|canary| canary.services(ping_pong.map_or("", String::as_str)));
    let pair = services.and_then(|services| services.canary.zip(services.stable));
    let pair = pair.map(|(canary, stable)| (canary.to_owned(), stable.to_owned()));
    let namespace = rollout.filter(|_| pair.is_some()).and_then(|rollout| rollout.metadata.namespace.clone());
    let (canary_service, stable_service) = pair.unzip();
    Arms { canary_service, stable_service, namespace, ..Arms::default() }
}
