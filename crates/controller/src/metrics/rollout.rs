//! Says phase and replicas of Rollouts.

use serin_api::{Rollout, RolloutTrafficRouting};

use crate::caches::Caches;
use crate::exposition::{Page, Shape};
use crate::object::Name;

/// The families of Rollouts.
pub(super) fn expose(page: &mut Page, caches: &Caches) {
    let mut rollouts = caches.rollouts.all();
    rollouts.sort_by(|(a, _), (b, _)| a.cmp(b));
    let read = rollouts.iter().filter_map(|(name, kept)| Some((name, &kept.value.as_ref().ok()?.rollout)));
    let rollouts: Vec<_> = read.collect();
    expose_info(page, &rollouts);
    expose_replicas(page, &rollouts);
    expose_phase(page, &rollouts);
}

fn expose_info(page: &mut Page, rollouts: &[(&Name, &Rollout)]) {
    let mut info = page.family("rollout_info", Shape::Gauge, "Information about rollout.");
    for (name, rollout) in rollouts {
        let labels = [
            ("namespace", name.namespace.as_str()),
            ("name", &name.name),
            ("strategy", strategy(rollout)),
            ("traffic_router", router(rollout)),
            ("phase", phase(rollout)),
        ];
        info.sample(&labels, 1.0);
    }
}

fn expose_replicas(page: &mut Page, rollouts: &[(&Name, &Rollout)]) {
    type Count = fn(&Rollout) -> i32;
    let counts: [(&'static str, Count); 4] = [
        ("rollout_info_replicas_available", |rollout| status(rollout).0),
        ("rollout_info_replicas_unavailable", |rollout| status(rollout).1.saturating_sub(status(rollout).0)),
        ("rollout_info_replicas_desired", Rollout::replicas),
        ("rollout_info_replicas_updated", |rollout| status(rollout).2),
    ];
    for (family, count) in counts {
        let mut family = page.family(family, Shape::Gauge, "The number of such replicas per rollout.");
        for (name, rollout) in rollouts {
            family.sample(&[("namespace", &name.namespace), ("name", &name.name)], f64::from(count(rollout)));
        }
    }
}

fn expose_phase(page: &mut Page, rollouts: &[(&Name, &Rollout)]) {
    let mut family = page.family("rollout_phase", Shape::Gauge, "DEPRECATED, use rollout_info.");
    for (name, rollout) in rollouts {
        for known in PHASES {
            let labels = [
                ("namespace", name.namespace.as_str()),
                ("name", &name.name),
                ("strategy", strategy(rollout)),
                ("phase", known),
            ];
            family.sample(&labels, f64::from(u8::from(known == phase(rollout))));
        }
    }
}

/// Available, existing and updated pods.
fn status(rollout: &Rollout) -> (i32, i32, i32) {
    let status = rollout.status.as_ref();
    status.map_or((0, 0, 0), |status| (status.available_replicas, status.replicas, status.updated_replicas))
}

/// Phases of the deprecated family; Argo's has no `InvalidSpec`.
const PHASES: [&str; 6] = ["Completed", "Progressing", "Paused", "Timeout", "Error", "Abort"];

/// The phase of Argo's metrics: from conditions, not `status.phase` (controller/metrics/rollouts.go `calculatePhase`).
fn phase(rollout: &Rollout) -> &'static str {
    let conditions = rollout.status.iter().flat_map(|status| &status.conditions);
    let mut phase = "Progressing";
    for condition in conditions {
        match (condition.type_.as_str(), condition.reason.as_str()) {
            ("InvalidSpec", _) => return "InvalidSpec",
            ("Progressing", "NewReplicaSetAvailable") => phase = "Completed",
            ("Progressing", "RolloutPaused") => phase = "Paused",
            ("Progressing", "ReplicaSetCreateError") => phase = "Error",
            ("Progressing", "ProgressDeadlineExceeded") => phase = "Timeout",
            ("Progressing", "RolloutAborted") => phase = "Abort",
            _ => {}
        }
    }
    phase
}

fn strategy(rollout: &Rollout) -> &'static str {
    match &rollout.spec.strategy {
        Some(strategy) if strategy.blue_green.is_some() => "blueGreen",
        Some(strategy) if strategy.canary.is_some() => "canary",
        _ => "none",
    }
}

fn router(rollout: &Rollout) -> &'static str {
    let strategy = rollout.spec.strategy.as_ref();
    let routing = strategy.and_then(|strategy| strategy.canary.as_ref()?.traffic_routing.as_ref());
    routing.map_or("", router_word)
}

fn router_word(routing: &RolloutTrafficRouting) -> &'static str {
    let words = [
        (routing.ambassador.is_some(), "Ambassador"),
        (routing.alb.is_some(), "ALB"),
        (routing.istio.is_some(), "Istio"),
        (routing.nginx.is_some(), "Nginx"),
        (routing.smi.is_some(), "SMI"),
        (routing.app_mesh.is_some(), "AppMesh"),
        (routing.traefik.is_some(), "Traefik"),
        (routing.apisix.is_some(), "Apisix"),
        (routing.plugins.is_some(), "Plugins"),
    ];
    words.into_iter().find(|(used, _)| *used).map_or("", |(_, word)| word)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rollout(conditions: serde_json::Value) -> Rollout {
        serde_json::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "r"},
            "spec": {"strategy": {"canary": {}}}, "status": {"conditions": conditions},
        }))
        .unwrap()
    }

    fn condition(kind: &str, reason: &str) -> serde_json::Value {
        let time = "2026-01-01T00:00:00Z";
        json!({"type": kind, "status": "True", "reason": reason, "message": "m",
            "lastUpdateTime": time, "lastTransitionTime": time})
    }

    #[test]
    fn the_phase_of_a_rollout_comes_from_its_conditions() {
        for (conditions, expected) in [
            (json!([]), "Progressing"),
            (json!([condition("Progressing", "NewReplicaSetAvailable")]), "Completed"),
            (json!([condition("Progressing", "RolloutPaused")]), "Paused"),
            (json!([condition("Progressing", "RolloutAborted")]), "Abort"),
            (json!([condition("Progressing", "ProgressDeadlineExceeded")]), "Timeout"),
            (json!([condition("Progressing", "ReplicaSetCreateError")]), "Error"),
            (
                json!([condition("Progressing", "RolloutAborted"), condition("InvalidSpec", "x")]),
                "InvalidSpec",
            ),
        ] {
            assert_eq!(phase(&rollout(conditions.clone())), expected, "{conditions}");
        }
    }
}
