//! Says where a Rollout stands on its way: which step it is at, which weight is asked for, which is observed.

use k8s_openapi::api::apps::v1::ReplicaSet;
use serde::Serialize;
use serin_api::{CanaryStep, CanaryStrategy, Rollout};

use crate::object::hash_of;
use crate::phase::fully_promoted;

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
    let what = steps.get(index).map(describe).unwrap_or_default();
    format!("step {} of {} ({what})", index + 1, steps.len())
}

/// What a step is, in the words of events.
pub fn describe(step: &CanaryStep) -> String {
    serin_core::step::describe(step)
}

/// The weight of the current revision: what is asked for, and what is seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Weight {
    /// What the steps ask for.
    pub asked: i32,
    /// What is seen; `None` when nobody has reported it yet.
    pub observed: Option<i32>,
    /// The whole, 100 unless `maxTrafficWeight` says otherwise.
    pub of: i32,
    /// Where `observed` comes from.
    pub source: Source,
}

/// Who says what the observed weight is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// The router has confirmed it.
    Confirmed,
    /// Routing objects show it; the router cannot confirm.
    RoutingObjects,
    /// The router has not applied it yet.
    Pending,
    /// The share of available pods: there is no router.
    Pods,
    /// There is one revision only.
    OneRevision,
}

impl Source {
    /// For people, behind the number.
    pub fn words(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed by the router",
            Self::RoutingObjects => "as the routing objects say",
            Self::Pending => "not in force yet",
            Self::Pods => "by the number of pods",
            Self::OneRevision => "",
        }
    }
}

/// The weight of the current revision; `None` for other strategies than canary.
pub fn weight<'s>(rollout: &Rollout, sets: impl IntoIterator<Item = &'s ReplicaSet>) -> Option<Weight> {
    let canary = canary(rollout)?;
    let routing = canary.traffic_routing.as_ref();
    let of = routing.and_then(|routing| routing.max_traffic_weight).unwrap_or(100);
    let asked = asked(rollout, of);
    let (observed, source) = observed(rollout, sets, of, routing.is_some());
    Some(Weight { asked, observed, of, source })
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

fn observed<'s>(
    rollout: &Rollout,
    sets: impl IntoIterator<Item = &'s ReplicaSet>,
    of: i32,
    routed: bool,
) -> (Option<i32>, Source) {
    let Some(status) = rollout.status.as_ref() else { return (None, Source::Pending) };
    if fully_promoted(status) {
        return (Some(of), Source::OneRevision);
    }
    if routed {
        let Some(weights) = &status.canary.weights else { return (None, Source::Pending) };
        let source = match weights.verified {
            Some(true) => Source::Confirmed,
            Some(false) => Source::Pending,
            None => Source::RoutingObjects,
        };
        return (Some(weights.canary.weight), source);
    }
    let current = sets.into_iter().find(|set| hash_of(*set) == Some(&status.current_pod_hash));
    let available = current.and_then(|set| set.status.as_ref()?.available_replicas).unwrap_or(0);
    let share = available.saturating_mul(of).checked_div(status.available_replicas).unwrap_or(0);
    (Some(share), Source::Pods)
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
            assert_eq!(weight(&rollout, []).unwrap().asked, expected, "{case}");
        }
        let blue_green =
            json!({"spec": {"strategy": {"canary": null, "blueGreen": {"activeService": "shop"}}}});
        assert_eq!(weight(&rollout(blue_green), []), None);
    }

    #[test]
    fn the_observed_weight_says_where_it_comes_from() {
        let verified =
            |verified| updating(1, json!({"status": {"canary": {"weights": {"verified": verified}}}}));
        let pods = updating(1, json!({"spec": {"strategy": {"canary": {"trafficRouting": null}}}}));
        let sets =
            [replica_set("aaa", 2, "shop:v1", 4, json!({})), replica_set("bbb", 3, "shop:v2", 1, json!({}))];
        for (case, rollout, observed, source) in [
            ("confirmed", verified(Some(true)), Some(20), Source::Confirmed),
            ("pending", verified(Some(false)), Some(20), Source::Pending),
            ("cannot confirm", verified(None), Some(20), Source::RoutingObjects),
            (
                "not reported",
                updating(1, json!({"status": {"canary": {"weights": null}}})),
                None,
                Source::Pending,
            ),
            ("pods", pods, Some(20), Source::Pods),
            ("one revision", rollout(json!({})), Some(100), Source::OneRevision),
        ] {
            let weight = weight(&rollout, &sets).unwrap();
            assert_eq!((weight.observed, weight.source), (observed, source), "{case}");
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
