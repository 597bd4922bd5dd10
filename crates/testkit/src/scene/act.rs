//! Does what the plans of a scene ask for, at once: the cluster of a test that is about decisions.

use serin_api::SessionAffinity;
use serin_core::pod::Pod;
use serin_core::replica::Pods;
use serin_core::seen::Seen;
use serin_core::split::{Effective, HeaderRoute, Split};
use serin_core::{Plan, plan};

use super::{BEGINNING, Scene};
use crate::api_server::{self, strings};

impl Scene {
    /// What is decided now.
    pub fn plan(&self) -> Plan {
        plan(&self.world)
    }

    /// Decides once, and the cluster does all of it at once.
    pub fn act(mut self) -> (Self, Plan) {
        let plan = self.plan();
        if self.roles() != plan.status.canary.stable_ping_pong {
            self = self.change_roles();
        }
        self.world.rollout.status = Some(plan.status.clone());
        for target in &plan.services {
            self = self.selects(&target.service, &target.hash);
            if let Some(Seen::Fresh(service)) = self.world.services.get_mut(&target.service) {
                service.managed_by = Some("shop".to_owned());
            }
        }
        if let Some(split) = &plan.split {
            self = self.effective(&Effective::Applied(shown(split)));
        }
        for write in &plan.writes {
            self.number += 1;
            if let Err(refusal) = api_server::perform(&mut self.world, write, self.number) {
                panic!("{} is refused: {refusal:?}", write.object);
            }
        }
        let prompt = self.prompt;
        for set in &mut self.world.replica_sets {
            let available = if prompt { set.pods.spec } else { set.pods.available.min(set.pods.spec) };
            set.pods = Pods { spec: set.pods.spec, current: set.pods.spec, available };
            set.ready = available;
        }
        self.fill_pods();
        (self, plan)
    }

    /// Which of the two Services is stable, as it is stored.
    fn roles(&self) -> String {
        self.world
            .rollout
            .status
            .as_ref()
            .map(|status| status.canary.stable_ping_pong.clone())
            .unwrap_or_default()
    }

    /// What routers show of the one Service is told of the other role.
    fn change_roles(self) -> Self {
        self.edit(|world| {
            for router in &mut world.routers {
                if let Effective::Applied(split) | Effective::Pending(split) = &mut router.effective {
                    split.canary = split.stable();
                }
            }
        })
    }

    /// The pods of every ReplicaSet are listed, and were created at the beginning.
    pub fn listed(mut self) -> Self {
        self.world.pods =
            self.world.replica_sets.iter().map(|set| (set.uid.clone(), Seen::Fresh(vec![]))).collect();
        let now = std::mem::replace(&mut self.world.now, BEGINNING);
        self.fill_pods();
        self.world.now = now;
        self
    }

    /// Listed pods are as many as there should be: new ones come in the place of those that are gone.
    fn fill_pods(&mut self) {
        for (uid, seen) in &mut self.world.pods {
            let Seen::Fresh(pods) = seen else { continue };
            let set = self.world.replica_sets.iter().find(|set| set.uid == *uid);
            let spec = set.map_or(0, |set| usize::try_from(set.pods.spec).unwrap_or(0));
            pods.truncate(spec);
            while pods.len() < spec {
                self.number += 1;
                let name = format!("{uid}-{}", self.number);
                pods.push(Pod {
                    uid: name.clone(),
                    name,
                    created: self.world.now,
                    ready: self.prompt,
                    labels: strings(set.and_then(|set| set.template.pointer("/metadata/labels"))),
                    annotations: strings(set.and_then(|set| set.template.pointer("/metadata/annotations"))),
                    ..Pod::default()
                });
            }
        }
    }

    /// Acts until nothing changes any more; the plans on the way, without the last one, which changes nothing.
    pub fn settle(mut self) -> (Self, Vec<Plan>) {
        let mut plans = Vec::new();
        for _ in 0..60 {
            let before = self.world.clone();
            let (next, plan) = self.act();
            self = next;
            let quiet = before.rollout == self.world.rollout
                && before.replica_sets == self.world.replica_sets
                && before.services == self.world.services
                && before.routers == self.world.routers
                && before.pods == self.world.pods
                && before.analysis_runs == self.world.analysis_runs
                && before.experiments == self.world.experiments;
            if quiet {
                return (self, plans);
            }
            plans.push(plan);
        }
        panic!("the scene does not come to rest: {:#?}", self.world.rollout.status);
    }

    /// As [`Self::settle`], for when the way does not matter.
    pub fn rest(self) -> Self {
        self.settle().0
    }
}

/// A split as routers show it: of managed routes the names, and session affinity as one of them.
fn shown(split: &Split) -> Split {
    let mut shown = split.clone();
    let session = shown.affinity.take().map(|_| SessionAffinity::CANARY_ROUTE.to_owned());
    shown.headers.extend(session.map(|name| HeaderRoute { name, matches: Vec::new() }));
    shown.headers.iter_mut().for_each(|route| route.matches.clear());
    shown.mirrors.iter_mut().for_each(|route| (route.matches, route.percentage) = (Vec::new(), 100));
    shown
}
