//! Decides how many pods each revision should have: the formulas behind steps, surge and availability.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::{Deserialize, Serialize};

use crate::split::Weight;

/// What a rollout may have too much and too little of while pods are exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `spec.replicas`.
    pub replicas: i32,
    /// Pods allowed beyond `replicas`.
    pub max_surge: i32,
    /// Pods that may be unavailable.
    pub max_unavailable: i32,
}

impl Limits {
    /// Resolves `maxSurge` (rounded up) and `maxUnavailable` (rounded down) against `replicas`; the default of both is
    /// 25 %. When both come out as zero, one pod may be unavailable, or nothing could ever move.
    pub fn resolve(
        replicas: i32,
        max_surge: Option<&IntOrString>,
        max_unavailable: Option<&IntOrString>,
    ) -> Self {
        let replicas = replicas.max(0);
        let surge = share_of(replicas, max_surge, Rounding::Up);
        let unavailable = share_of(replicas, max_unavailable, Rounding::Down).min(replicas);
        let unavailable = if surge == 0 && unavailable == 0 { 1.min(replicas) } else { unavailable };
        Self { replicas, max_surge: surge, max_unavailable: unavailable }
    }

    /// Most pods there may be at once.
    pub fn most(&self) -> i32 {
        self.replicas.saturating_add(self.max_surge)
    }

    /// Fewest pods that must be available.
    pub fn fewest(&self) -> i32 {
        self.replicas.saturating_sub(self.max_unavailable)
    }
}

#[derive(Clone, Copy)]
enum Rounding {
    Up,
    Down,
}

/// A number is a count of pods; a string is a percentage with or without its sign, as in Argo Rollouts.
fn share_of(replicas: i32, value: Option<&IntOrString>, rounding: Rounding) -> i32 {
    let percent = match value {
        Some(IntOrString::Int(count)) => return (*count).max(0),
        Some(IntOrString::String(text)) => text.trim_end_matches('%').trim().parse::<i64>().unwrap_or(25),
        None => 25,
    };
    let product = i64::from(replicas).saturating_mul(percent.max(0));
    let rounded = match rounding {
        Rounding::Up => div_ceil(product, 100),
        Rounding::Down => product.checked_div(100).unwrap_or(0),
    };
    to_i32(rounded)
}

/// `a / b` rounded up, for non-negative `a`; 0 when `b` is not positive.
pub fn div_ceil(a: i64, b: i64) -> i64 {
    if b <= 0 {
        return 0;
    }
    a.saturating_add(b.saturating_sub(1)).checked_div(b).unwrap_or(0)
}

/// Saturating conversion.
pub fn to_i32(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(if value < 0 { i32::MIN } else { i32::MAX })
}

/// Pods needed to serve `weight` of `total` when `replicas` serve all: rounded up.
pub fn carrying(replicas: i32, weight: Weight, total: Weight) -> i32 {
    to_i32(div_ceil(i64::from(replicas.max(0)).saturating_mul(i64::from(weight.0)), i64::from(total.0)))
}

/// Size and readiness of one ReplicaSet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pods {
    /// Pods asked for (`spec.replicas`).
    pub spec: i32,
    /// Pods that exist (`status.replicas`).
    pub current: i32,
    /// Pods available for at least `minReadySeconds`.
    pub available: i32,
}

impl Pods {
    /// Pods that are available and stay: those beyond `spec` are on their way out, whatever the status still counts.
    pub fn serving(&self) -> i32 {
        self.available.min(self.spec).max(0)
    }

    fn for_scale_down(&self, whole: bool) -> i32 {
        if whole || self.spec < self.available { self.spec } else { self.available }
    }
}

/// A wish for canary and stable pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Pods of the canary revision.
    pub canary: i32,
    /// Pods of the stable revision.
    pub stable: i32,
}

/// The pods of older revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Others {
    /// How many there are.
    pub pods: i32,
    /// How many of them serve.
    pub serving: i32,
    /// They can go, so the others wait for them.
    pub leave: bool,
}

/// The whole numbers of pods that come nearest to `weight` of `total`, with one extra pod when a surge allows it.
///
/// Options are compared by their distance from the asked weight; of equal ones the smaller total wins, then the larger
/// canary. A canary of zero pods, or of all, is offered only when the weight is zero or all, or one pod cannot be split.
pub fn nearest(limits: &Limits, weight: Weight, total: Weight) -> Counts {
    let (wanted, parts) = (i64::from(weight.0.min(total.0)), i64::from(total.0.max(1)));
    if limits.replicas == 0 {
        return Counts { canary: 0, stable: 0 };
    }
    let distance = |&(canary, of): &(i64, i64)| -> f64 {
        let share = (parts as f64) * (canary as f64) / (of as f64);
        (share - wanted as f64).abs()
    };
    let mut best: Option<(i64, i64)> = None;
    for option in options(limits, wanted, parts) {
        if best.is_none_or(|known| distance(&option) < distance(&known)) {
            best = Some(option);
        }
    }
    // Half of a pod more than all but one: stable keeps that one.
    let replicas = i64::from(limits.replicas);
    let (canary, of) = best.unwrap_or((replicas.saturating_sub(1), replicas));
    Counts { canary: to_i32(canary), stable: to_i32(of.saturating_sub(canary)) }
}

/// Pods of the canary, and of canary and stable together, that come near to `wanted` of `parts`; preferred ones first.
fn options(limits: &Limits, wanted: i64, parts: i64) -> Vec<(i64, i64)> {
    let replicas = i64::from(limits.replicas);
    let product = replicas.saturating_mul(wanted);
    let ceil = div_ceil(product, parts);
    let floor = product.checked_div(parts).unwrap_or(0);
    let zero_allowed = wanted == parts || wanted == 0 || (replicas == 1 && limits.max_surge == 0);
    let tied = |pods: i64| {
        let doubled = pods.saturating_mul(wanted).saturating_mul(2);
        doubled.checked_rem(parts.saturating_mul(2)) == Some(parts)
    };
    let larger = replicas.saturating_add(1);
    let mut options = Vec::with_capacity(4);
    if ceil < replicas || zero_allowed {
        options.push((ceil, replicas));
    }
    if !tied(replicas) && (floor != 0 || zero_allowed) {
        options.push((floor, replicas));
    }
    if limits.max_surge > 0 {
        options.push((ceil, larger));
        if !tied(larger) && (floor != 0 || zero_allowed) {
            options.push((floor, larger));
        }
    }
    options
}

/// The next sizes of canary and stable on the way to `wish`, when traffic follows pods: never more than
/// [`Limits::most`] pods, never fewer than [`Limits::fewest`] available ones. Pods of older revisions leave first.
pub fn next_counts(
    limits: &Limits,
    wish: Counts,
    canary: Option<Pods>,
    stable: Option<Pods>,
    others: Others,
) -> Counts {
    let next = raised(limits, wish, (canary, stable), others.pods);
    if others.leave {
        // Pods that serve nobody make room at once: waiting for older revisions could last for ever.
        let without_idle = |next: i32, wish: i32, pods: Option<Pods>| match pods {
            Some(pods) if pods.spec > wish => next.min(pods.serving().max(wish)),
            _ => next,
        };
        return Counts {
            canary: without_idle(next.canary, wish.canary, canary),
            stable: without_idle(next.stable, wish.stable, stable),
        };
    }
    lowered(limits, wish, (canary, stable), others.serving, next)
}

/// Stable, then the canary, grow into the room that is left.
fn raised(
    limits: &Limits,
    wish: Counts,
    (canary, stable): (Option<Pods>, Option<Pods>),
    others: i32,
) -> Counts {
    let spec = |pods: Option<Pods>| pods.map_or(0, |pods| pods.spec);
    let mut next = Counts { canary: spec(canary), stable: spec(stable) };
    let existing = others.saturating_add(next.canary).saturating_add(next.stable);
    let mut room = limits.most().saturating_sub(existing).max(0);
    if stable.is_some() && next.stable < wish.stable {
        let step = room.min(wish.stable.saturating_sub(next.stable));
        next.stable = next.stable.saturating_add(step);
        room = room.saturating_sub(step);
    }
    if canary.is_some() && next.canary < wish.canary {
        next.canary = next.canary.saturating_add(room.min(wish.canary.saturating_sub(next.canary)));
    }
    next
}

/// The side that is to have fewer pods shrinks by as many as availability allows.
fn lowered(
    limits: &Limits,
    wish: Counts,
    (canary, stable): (Option<Pods>, Option<Pods>),
    serving: i32,
    next: Counts,
) -> Counts {
    let increasing = canary.is_none_or(|pods| wish.canary >= pods.spec);
    let removable = canary
        .map_or(0, |pods| pods.for_scale_down(!increasing))
        .saturating_add(stable.map_or(0, |pods| pods.for_scale_down(increasing)))
        .saturating_add(serving);
    let budget = removable.saturating_sub(limits.fewest());
    let shrinks = if increasing { stable } else { canary };
    let (from, to, other) = match increasing {
        true => (next.stable, wish.stable, next.canary),
        false => (next.canary, wish.canary, next.stable),
    };
    if budget <= 0 {
        return next;
    }
    let down = match shrinks {
        Some(pods) if pods.spec > to => pods.spec.saturating_sub(budget).max(to),
        _ => from,
    };
    let (drained, adjusted) = within_limits(limits, down, shrinks.map_or(0, |pods| pods.available), other);
    match increasing {
        true => Counts { canary: adjusted, stable: drained },
        false => Counts { canary: drained, stable: adjusted },
    }
}

/// Cuts `adjusted`, then `drained`, until both fit under [`Limits::most`], keeping [`Limits::fewest`] available.
fn within_limits(limits: &Limits, drained: i32, drained_available: i32, adjusted: i32) -> (i32, i32) {
    let over = drained.saturating_add(adjusted).saturating_sub(limits.most());
    if over <= 0 {
        return (drained, adjusted);
    }
    let needed = limits.fewest().saturating_sub(drained_available.min(drained)).max(0);
    let cut = over.min(adjusted.saturating_sub(needed).max(0));
    (drained.saturating_sub(over.saturating_sub(cut)).max(0), adjusted.saturating_sub(cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(replicas: i32, surge: i32, unavailable: i32) -> Limits {
        Limits { replicas, max_surge: surge, max_unavailable: unavailable }
    }

    #[test]
    fn surge_rounds_up_and_unavailability_down() {
        let percent = |text: &str| IntOrString::String(text.into());
        for (name, replicas, surge, unavailable, expected) in [
            ("both default to 25 %", 10, None, None, limits(10, 3, 2)),
            ("numbers are pods", 10, Some(IntOrString::Int(4)), Some(IntOrString::Int(0)), limits(10, 4, 0)),
            ("a bare string is a percentage", 10, Some(percent("50")), Some(percent("0")), limits(10, 5, 0)),
            ("both zero lets one pod go", 10, Some(percent("0%")), Some(percent("0%")), limits(10, 0, 1)),
            ("small rollouts round unavailability to none", 1, None, None, limits(1, 1, 0)),
            ("no replicas, no unavailability", 0, Some(IntOrString::Int(0)), None, limits(0, 0, 0)),
        ] {
            assert_eq!(Limits::resolve(replicas, surge.as_ref(), unavailable.as_ref()), expected, "{name}");
        }
    }

    #[test]
    fn weights_become_the_nearest_whole_pods() {
        for (name, replicas, surge, weight, expected) in [
            ("exact shares need no surge", 10, 1, 20, (2, 8)),
            ("one pod cannot be split without surge", 1, 0, 50, (1, 0)),
            ("one pod is split with surge", 1, 1, 50, (1, 1)),
            ("zero means zero", 5, 1, 0, (0, 5)),
            ("all means all", 5, 1, 100, (5, 0)),
            ("a small weight still gets one pod", 10, 0, 1, (1, 9)),
            ("surge is used when it comes nearer", 2, 1, 33, (1, 2)),
            ("one pod more may come nearer", 10, 1, 25, (3, 8)),
            ("without surge the upper of a tie is taken", 10, 0, 25, (3, 7)),
            ("a tie with all pods leaves one to stable", 2, 0, 75, (1, 1)),
        ] {
            let counts = nearest(&limits(replicas, surge, 0), Weight(weight), Weight(100));
            assert_eq!((counts.canary, counts.stable), expected, "{name}");
        }
    }

    #[test]
    fn pods_are_exchanged_within_the_limits() {
        let pods = |spec, available| Some(Pods { spec, current: spec, available });
        for (name, l, wish, canary, stable, others, expected) in [
            (
                "the canary starts within the surge",
                limits(10, 1, 0),
                (1, 9),
                pods(0, 0),
                pods(10, 10),
                0,
                (1, 10),
            ),
            (
                "stable shrinks once the canary is up",
                limits(10, 1, 0),
                (1, 9),
                pods(1, 1),
                pods(10, 10),
                0,
                (1, 9),
            ),
            ("stable waits for the canary", limits(10, 1, 0), (1, 9), pods(1, 0), pods(10, 10), 0, (1, 10)),
            (
                "unavailability allows to shrink first",
                limits(10, 0, 1),
                (1, 9),
                pods(0, 0),
                pods(10, 10),
                0,
                (0, 9),
            ),
            (
                "older pods leave before stable shrinks",
                limits(10, 1, 0),
                (5, 5),
                pods(5, 5),
                pods(5, 5),
                1,
                (5, 5),
            ),
            (
                "aborting gives stable the budget first",
                limits(10, 1, 0),
                (0, 10),
                pods(5, 5),
                pods(5, 5),
                0,
                (5, 6),
            ),
            ("a broken canary goes at once", limits(4, 1, 1), (0, 4), pods(2, 0), pods(3, 3), 0, (0, 3)),
        ] {
            let wish = Counts { canary: wish.0, stable: wish.1 };
            let next = next_counts(
                &l,
                wish,
                canary,
                stable,
                Others { pods: others, serving: others, leave: others > 0 },
            );
            assert_eq!((next.canary, next.stable), expected, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn exchange_never_exceeds_limits_nor_panics(
            replicas in 0..60i32, surge in 0..20i32, unavailable in 0..20i32, weight in 0..=100u32,
            canary in 0..60i32, stable in 0..60i32, ready in 0..=100i32,
        ) {
            let l = limits(replicas, surge, unavailable.min(replicas));
            let wish = nearest(&l, Weight(weight), Weight(100));
            let pods = |spec: i32| Pods { spec, current: spec, available: spec * ready / 100 };
            let none = Others { pods: 0, serving: 0, leave: false };
            let next = next_counts(&l, wish, Some(pods(canary)), Some(pods(stable)), none);
            proptest::prop_assert!(next.canary >= 0 && next.stable >= 0);
            proptest::prop_assert!(next.canary + next.stable <= l.most().max(canary + stable));
        }
    }
}
