//! Blue-green: what is asked for and told at every step, forward and back.

use serde_json::{Value, json};
use serin_core::Plan;
use serin_testkit::scene::{ACTIVE_SERVICE, PREVIEW_SERVICE, Scene, base};

mod back;
mod check;
mod forward;
mod from_canary;
mod size;
mod switch;

/// `v1` at rest for a minute with both Services, and these fields of the strategy.
fn at_rest(fields: Value) -> Scene {
    base().blue_green(json!({"previewService": PREVIEW_SERVICE})).blue_green(fields).rest().wait(60)
}

/// `v2` waits for a person: pods are there, nothing is switched.
fn waiting(fields: Value) -> Scene {
    at_rest(json!({"autoPromotionEnabled": false})).blue_green(fields).rest().update("v2").rest()
}

/// The version that a Service selects.
fn behind(scene: &Scene, service: &str) -> String {
    let seen = scene.world.services.get(service).and_then(|seen| seen.last_known());
    let hash = seen.and_then(|service| service.hash.clone()).unwrap_or_default();
    let set = scene.world.replica_sets.iter().find(|set| set.hash == hash);
    let image = set.and_then(|set| set.template["spec"]["containers"][0]["image"].as_str());
    image.map_or(hash, |image| image.trim_start_matches("shop:").to_owned())
}

/// What active and preview Service select.
fn selected(scene: &Scene) -> (String, String) {
    (behind(scene, ACTIVE_SERVICE), behind(scene, PREVIEW_SERVICE))
}

/// As [`selected`], for an expectation.
fn both(active: &str, preview: &str) -> (String, String) {
    (active.to_owned(), preview.to_owned())
}

/// Events of several plans in order: reason and message.
fn told(plans: &[Plan]) -> Vec<String> {
    let events = plans.iter().flat_map(|plan| &plan.events);
    events.map(|event| format!("{}: {}", event.reason, event.message)).collect()
}

/// The reason of the pause, if there is one.
fn pause(scene: &Scene) -> Option<String> {
    let pauses = crate::stored(scene).pause_conditions?;
    pauses.first().map(|pause| pause.reason.clone())
}

/// Whether stable is this version.
fn is_stable(scene: &Scene, version: &str) -> bool {
    crate::stored(scene).stable_rs.as_deref() == Some(&crate::running(scene, version).hash)
}
