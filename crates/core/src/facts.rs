//! Says which observed object plays which role: new, stable and other revisions, services, routers.

use std::sync::LazyLock;

use serin_api::{BlueGreenStrategy, CanaryStep, CanaryStrategy, RoleServices, Rollout, RolloutStatus};

use crate::replica::{Limits, Pods};
use crate::seen::Seen;
use crate::split::{Effective, PERCENT, Split, Weight};
use crate::world::{ReplicaSet, Service, World};
use crate::{collision, template};

/// The smallest and the largest weight of the canary over all routers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) least: Weight,
    pub(crate) most: Weight,
}

/// What has to reach the data plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A weight, which some routers confirm.
    Weight,
    /// Weights or the selectors of Services.
    Any,
}

/// Stands where a canary strategy is asked for and there is another one: no steps, no routers, no Services.
static NO_CANARY: LazyLock<CanaryStrategy> = LazyLock::new(CanaryStrategy::default);

/// The roles in one World. Borrowed from it; nothing here is a second copy of the truth.
pub(crate) struct Facts<'w> {
    pub(crate) world: &'w World,
    pub(crate) rollout: &'w Rollout,
    /// Without any field when the strategy is blue-green.
    pub(crate) canary: &'w CanaryStrategy,
    pub(crate) blue_green: Option<&'w BlueGreenStrategy>,
    /// The Services of canary and stable; with `pingPong` as they are in the stored status.
    pub(crate) services: RoleServices<'w>,
    pub(crate) steps: &'w [CanaryStep],
    pub(crate) limits: Limits,
    pub(crate) total: Weight,
    /// Hash of the current template: of the ReplicaSet that runs it, or of the one to be created.
    pub(crate) current_hash: String,
    /// How often a name was taken already, for `status.collisionCount`.
    pub(crate) collisions: Option<i32>,
    pub(crate) new: Option<&'w ReplicaSet>,
    pub(crate) stable: Option<&'w ReplicaSet>,
    /// All others, newest revision first.
    pub(crate) others: Vec<&'w ReplicaSet>,
    /// The template goes back to one of the last revisions, as `rollbackWindow` allows without steps and analyses.
    pub(crate) within_window: bool,
    /// Blue-green: the template goes back to a revision whose pods are still there.
    pub(crate) fast_rollback: bool,
}

impl<'w> Facts<'w> {
    /// `None` when the Rollout has no strategy or no template; validation has said so before.
    pub(crate) fn gather(world: &'w World) -> Option<Self> {
        let rollout = &world.rollout;
        let strategy = rollout.spec.strategy.as_ref()?;
        let (canary, blue_green) = match (&strategy.canary, &strategy.blue_green) {
            (Some(canary), _) => (canary, None),
            (None, Some(blue_green)) => (&*NO_CANARY, Some(blue_green)),
            (None, None) => return None,
        };
        let template = rollout.spec.template.as_ref()?.value();
        let status = rollout.status.as_ref();
        let (hash, collisions) = collision::free_hash(world, template);
        let new = find_new(world, template, &hash);
        let current_hash = new.map_or(hash, |set| set.hash.clone());
        let stable_hash = status.and_then(|status| status.stable_rs.as_deref()).unwrap_or_default();
        let stable = world.replica_sets.iter().find(|set| !stable_hash.is_empty() && set.hash == stable_hash);
        let is_role = |set: &&ReplicaSet| {
            set.deleting || [new, stable].iter().flatten().any(|role| role.uid == set.uid)
        };
        let mut others: Vec<_> = world.replica_sets.iter().filter(|set| !is_role(set)).collect();
        others.sort_by_key(|set| (std::cmp::Reverse(set.revision()), set.name.clone()));
        let unavailable =
            blue_green.map_or(&canary.max_unavailable, |blue_green| &blue_green.max_unavailable).as_ref();
        let limits = Limits::resolve(rollout.replicas(), canary.max_surge.as_ref(), unavailable);
        let total = canary
            .traffic_routing
            .as_ref()
            .and_then(|routing| routing.max_traffic_weight)
            .and_then(|weight| u32::try_from(weight).ok())
            .map_or(PERCENT, Weight);
        let within_window = within_window(world, new, stable);
        let ping_pong = status.map(|status| status.canary.stable_ping_pong.as_str()).unwrap_or_default();
        let fast_rollback = blue_green.is_some() && fast_rollback(world, new, stable);
        Some(Self {
            world,
            rollout,
            canary,
            blue_green,
            services: canary.services(ping_pong),
            steps: canary.steps.as_deref().unwrap_or_default(),
            limits,
            total,
            current_hash,
            collisions,
            new,
            stable,
            others,
            within_window,
            fast_rollback,
        })
    }

    /// The revision was good before, and goes back without pauses and analyses.
    pub(crate) fn skips_checks(&self) -> bool {
        self.within_window || self.fast_rollback
    }

    /// Pods are split by a router and not by their number.
    pub(crate) fn routed(&self) -> bool {
        self.canary.traffic_routing.is_some()
    }

    pub(crate) fn status(&self) -> RolloutStatus {
        self.rollout.status.clone().unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &str {
        self.rollout.metadata.name.as_deref().unwrap_or_default()
    }

    pub(crate) fn namespace(&self) -> &str {
        self.rollout.metadata.namespace.as_deref().unwrap_or_default()
    }

    pub(crate) fn new_pods(&self) -> Pods {
        self.new.map_or_else(Pods::default, |set| set.pods)
    }

    pub(crate) fn stable_pods(&self) -> Pods {
        self.stable.map_or_else(Pods::default, |set| set.pods)
    }

    /// Every live ReplicaSet once: stable, the new one, older ones. Clients know the events of scaling in this order.
    pub(crate) fn replica_sets(&self) -> impl Iterator<Item = &'w ReplicaSet> + '_ {
        let stable = self.stable.filter(|stable| self.new.is_none_or(|new| new.uid != stable.uid));
        stable.into_iter().chain(self.new).chain(self.others.iter().copied())
    }

    pub(crate) fn service(&self, name: &str) -> Option<&'w Seen<Service>> {
        self.world.services.get(name)
    }

    /// The ReplicaSet with this hash.
    pub(crate) fn by_hash(&self, hash: &str) -> Option<&'w ReplicaSet> {
        self.replica_sets().find(|set| set.hash == hash)
    }

    /// The two Services change roles at the end of an update, and not their selectors.
    pub(crate) fn ping_pong(&self) -> bool {
        self.canary.ping_pong.is_some()
    }

    /// Routers tell revisions apart by the labels of subsets, and not by Services.
    pub(crate) fn by_subsets(&self) -> bool {
        let routing = self.canary.traffic_routing.as_ref();
        routing
            .and_then(|routing| routing.istio.as_ref())
            .is_some_and(|istio| istio.destination_rule.is_some())
    }

    /// The split in force over all routers: `Applied` only when all of them agree; of different ones the split with the
    /// larger canary, which needs the more pods.
    pub(crate) fn effective(&self) -> Option<Effective> {
        let mut shown: Option<&Split> = None;
        let mut agreed = true;
        for report in &self.world.routers {
            let split = match &report.effective {
                Effective::Unknown(why) => {
                    return Some(Effective::Unknown(format!("{}: {why}", report.name)));
                }
                Effective::Pending(split) => {
                    agreed = false;
                    split
                }
                Effective::Applied(split) => split,
            };
            agreed &= shown.is_none_or(|known| known.same_weights(split));
            shown = Some(shown.filter(|known| known.canary >= split.canary).unwrap_or(split));
        }
        let mut split = shown?.clone();
        for shown in self.splits_shown() {
            let (headers, mirrors) = (&mut split.headers, &mut split.mirrors);
            headers.extend(
                shown.headers.iter().filter(|new| !headers.contains(new)).cloned().collect::<Vec<_>>(),
            );
            mirrors.extend(
                shown.mirrors.iter().filter(|new| !mirrors.contains(new)).cloned().collect::<Vec<_>>(),
            );
        }
        Some(if agreed { Effective::Applied(split) } else { Effective::Pending(split) })
    }

    /// Weights of the canary that routing objects show, confirmed or not; `None` when no router can be read.
    pub(crate) fn shown(&self) -> Option<Shown> {
        let weights = self.splits_shown().map(|split| split.canary);
        weights.fold(None, |shown: Option<Shown>, weight| {
            let known = shown.unwrap_or(Shown { least: weight, most: weight });
            Some(Shown { least: known.least.min(weight), most: known.most.max(weight) })
        })
    }

    fn splits_shown(&self) -> impl Iterator<Item = &'w Split> {
        self.world.routers.iter().filter_map(|report| match &report.effective {
            Effective::Applied(split) | Effective::Pending(split) => Some(split),
            Effective::Unknown(_) => None,
        })
    }

    /// Names of managed routes that some router shows.
    pub(crate) fn routes_shown(&self) -> impl Iterator<Item = &'w str> {
        self.splits_shown().flat_map(Split::routes)
    }

    /// Every router that can be read shows the routes of `wish` that it can have, and no others.
    pub(crate) fn shows_routes(&self, wish: &Split) -> bool {
        self.world.routers.iter().all(|report| match &report.effective {
            Effective::Applied(shown) | Effective::Pending(shown) => {
                let has = |name: &str| shown.routes().any(|shown| shown == name);
                let can = |name: &str| report.managed.iter().any(|managed| managed == name);
                wish.routes().all(|name| has(name) || !can(name))
                    && shown.routes().all(|shown| wish.routes().any(|name| name == shown))
            }
            Effective::Unknown(_) => true,
        })
    }

    /// Longest time that a change of this kind may take to reach the data plane, in seconds.
    pub(crate) fn propagation_seconds(&self, change: Change) -> i64 {
        let routers = self.world.routers.iter();
        // A gateway that confirms a weight says nothing of the endpoints behind a Service.
        let unconfirmed = routers.filter(|router| change == Change::Any || !router.confirms);
        unconfirmed.map(|router| router.propagation_seconds).max().unwrap_or(0)
    }

    /// Hash that a Service selects; `None` when it selects none or is not known. After a write of ours the last known
    /// one counts until the new one is seen.
    pub(crate) fn selected(&self, service: Option<&str>) -> Option<&'w str> {
        self.service(service?)?.last_known()?.hash.as_deref()
    }
}

/// The new revision is older than stable, with fewer revisions between them than the window has.
fn within_window(world: &World, new: Option<&ReplicaSet>, stable: Option<&ReplicaSet>) -> bool {
    let window = world.rollout.spec.rollback_window.as_ref().and_then(|window| window.revisions);
    let (Some(revisions), Some(new), Some(stable)) = (window, new, stable) else {
        return false;
    };
    let between = |set: &&ReplicaSet| new.created < set.created && set.created < stable.created;
    let count = world.replica_sets.iter().filter(between).count();
    new.created < stable.created && i32::try_from(count).is_ok_and(|count| count < revisions)
}

/// The new revision is older than stable and still waits for its scale-down, or has all its pods in spite of it.
fn fast_rollback(world: &World, new: Option<&ReplicaSet>, stable: Option<&ReplicaSet>) -> bool {
    let (Some(new), Some(stable)) = (new, stable) else {
        return false;
    };
    let waits = new
        .scale_down_deadline()
        .is_some_and(|deadline| deadline > world.now || new.pods.serving() >= world.rollout.replicas());
    new.created < stable.created && waits && new.pods.spec > 0
}

/// The ReplicaSet of the current template: by hash label, else by semantic equality, which is what lets Serin take over
/// ReplicaSets whose hash another controller (or another version of it) computed.
pub(crate) fn find_new<'w>(
    world: &'w World,
    template: &serde_json::Value,
    hash: &str,
) -> Option<&'w ReplicaSet> {
    let mut live: Vec<_> = world.replica_sets.iter().filter(|set| !set.deleting).collect();
    live.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
    live.iter()
        .find(|set| set.hash == hash)
        .or_else(|| {
            live.iter().find(|set| {
                template::same(
                    template,
                    &set.template,
                    set.annotations.get(serin_api::label::EPHEMERAL_METADATA).map(String::as_str),
                )
            })
        })
        .copied()
}
