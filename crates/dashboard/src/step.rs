//! Says where a Rollout stands on its way: which step it is at, which weight is asked for, which is observed.

use k8s_openapi::api::apps::v1::ReplicaSet;
use serde::Serialize;
use serin_api::{CanaryStep, CanaryStrategy, Rollout};

use crate::phase::fully_promoted;
use crate::seen::hash_of;

/// The canary strategy, when that is the one.
pub fn canary(rollout: &Rollout) -> Option<&CanaryStrategy> {
    rollout.spec.strategy.as_ref()?.canary.as_ref()
}

/// The steps; none for other strategies.
pub fn steps(rollout: &Rollout) -> &[CanaryStep] {
    canary(rollout).and_then(|canary| canary.steps.as_deref()).unwrap_or_default()
}

/// How many steps are done; `None` without steps, and before a controller has looked.
pub fn done(rollout: &Rollout) -> Option<usize> {
    let steps = steps(rollout).len();
    let index = rollout.status.as_ref()?.current_step_index?;
    (steps > 0).then(|| usize::try_from(index).unwrap_or(0).min(steps))
}

/// The step that is being worked on, with its index from 0; `None` when all are done.
pub fn current(rollout: &Rollout) -> Option<(usize, &CanaryStep)> {
    let index = done(rollout)?;
    Some((index, steps(rollout).get(index)?))
}

/// A step for people: `step 2 of 4 (pause: 5m)`.
pub fn named(rollout: &Rollout, index: usize) -> String {
    let steps = steps(rollout);
    let what = steps.get(index).map(serin_core::step::describe).unwrap_or_default();
    format!("step {} of {} ({what})", index + 1, steps.len())
}

/// The weight of the current revision: what is asked for, and what is seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Weight {
    /// What the steps ask for.
    pub asked: i32,
    /// What is seen; absent when nobody has reported it yet, which is not the same as 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<i32>,
    /// The whole, 100 unless `maxTrafficWeight` says otherwise.
    pub of: i32,
    /// Who says what is observed, for people; empty when there is one revision only.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub source: &'static str,
}

/// The weight of the current revision; `None` for other strategies than canary, and before a controller has looked.
pub fn weight(rollout: &Rollout, sets: &[&ReplicaSet]) -> Option<Weight> {
    let canary = canary(rollout)?;
    // Before a controller has seen a template there is nothing that could get traffic.
    rollout.status.as_ref().filter(|status| !status.current_pod_hash.is_empty())?;
    let routing = canary.traffic_routing.as_ref();
    let of = routing.and_then(|routing| routing.max_traffic_weight).unwrap_or(100);
    let (observed, source) = observed(rollout, sets, of, routing.is_some());
    Some(Weight { asked: asked(rollout, of), observed, of, source })
}

/// The nearest `setWeight` at or before the current step (compat 2.5); 0 when aborted, all when nothing is left to do.
fn asked(rollout: &Rollout, of: i32) -> i32 {
    let Some(status) = rollout.status.as_ref() else { return 0 };
    if status.abort {
        return 0;
    }
    if status.promote_full || fully_promoted(status) {
        return of;
    }
    match current(rollout) {
        None => of,
        Some((index, _)) => {
            let reached = steps(rollout).get(..=index).unwrap_or_default();
            reached.iter().rev().find_map(|step| step.set_weight).unwrap_or(0)
        }
    }
}

fn observed(rollout: &Rollout, sets: &[&ReplicaSet], of: i32, routed: bool) -> (Option<i32>, &'static str) {
    let unreported = (None, "no router has reported a weight yet");
    let Some(status) = rollout.status.as_ref() else { return unreported };
    if fully_promoted(status) {
        return (Some(of), "");
    }
    if routed {
        let Some(weights) = &status.canary.weights else { return unreported };
        let source = match weights.verified {
            Some(true) => "confirmed by the router",
            Some(false) => "not in force yet",
            None => "as the routing objects say",
        };
        return (Some(weights.canary.weight), source);
    }
    let current = sets.iter().find(|set| hash_of(**set) == Some(&status.current_pod_hash));
    let available = current.and_then(|set| set.status.as_ref()?.available_replicas).unwrap_or(0);
    let share = available.saturating_mul(of).checked_div(status.available_replicas).unwrap_or(0);
    (Some(share), "by the number of pods")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{replica_set, rollout, updating};
    use serde_json::json;

    #[test]
    fn the_asked_weight_is_the_nearest_one_looking_back() {
        for (case, rollout, expected) in [
            ("at the step itself", updating(0, json!({})), 20),
            ("steps after it keep it", updating(2, json!({})), 20),
            ("the next one", updating(3, json!({})), 50),
            ("all steps done", updating(4, json!({})), 100),
            ("aborted", updating(2, json!({"status": {"abort": true}})), 0),
            ("full promotion", updating(1, json!({"status": {"promoteFull": true}})), 100),
            ("promoted", rollout(json!({})), 100),
        ] {
            assert_eq!(weight(&rollout, &[]).unwrap().asked, expected, "{case}");
        }
        let blue_green =
            json!({"spec": {"strategy": {"canary": null, "blueGreen": {"activeService": "shop"}}}});
        assert_eq!(weight(&rollout(blue_green), &[]), None);
        assert_eq!(weight(&rollout(json!({"status": null})), &[]), None);
        assert_eq!(weight(&rollout(json!({"status": {"currentPodHash": null}})), &[]), None);
    }

    #[test]
    fn the_observed_weight_says_who_says_so() {
        let verified =
            |verified| updating(1, json!({"status": {"canary": {"weights": {"verified": verified}}}}));
        let pods = updating(1, json!({"spec": {"strategy": {"canary": {"trafficRouting": null}}}}));
        let sets =
            [replica_set("aaa", 2, "shop:v1", 4, json!({})), replica_set("bbb", 3, "shop:v2", 1, json!({}))];
        for (rollout, observed, source) in [
            (verified(Some(true)), Some(20), "confirmed by the router"),
            (verified(Some(false)), Some(20), "not in force yet"),
            (verified(None), Some(20), "as the routing objects say"),
            (
                updating(1, json!({"status": {"canary": {"weights": null}}})),
                None,
                "no router has reported a weight yet",
            ),
            (pods, Some(20), "by the number of pods"),
            (rollout(json!({})), Some(100), ""),
        ] {
            let weight = weight(&rollout, &sets.iter().collect::<Vec<_>>()).unwrap();
            assert_eq!((weight.observed, weight.source), (observed, source));
        }
    }

    #[test]
    fn a_step_is_named_with_its_number_and_content() {
        let rollout = updating(1, json!({}));
        assert_eq!(named(&rollout, 1), "step 2 of 4 (pause: 5m)");
        assert_eq!(current(&rollout).unwrap().0, 1);
        assert_eq!(current(&updating(9, json!({}))), None);
    }
}
