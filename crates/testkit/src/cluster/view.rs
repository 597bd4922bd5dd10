//! Says what the process sees: a World put together from its caches, each as old as its watch left it.

use std::collections::BTreeMap;

use serin_core::seen::Seen;
use serin_core::world::{ReplicaSet, Template, World};

use super::Cluster;
use super::truth::{Key, Kind, Object, Rule};

impl Cluster {
    /// The World as the process sees it; `None` while it may not act.
    pub(super) fn view(&self) -> Option<World> {
        let waits = |key: &Key| matches!(key.kind, Kind::Rollout | Kind::Set | Kind::Run | Kind::Experiment);
        if self.process.marks.keys().any(waits) {
            return None;
        }
        let mut world = World {
            now: self.moment(),
            rollout: self.cached_rollout()?.clone(),
            replica_sets: Vec::new(),
            services: BTreeMap::new(),
            routers: Vec::new(),
            templates: Vec::new(),
            analysis_runs: Vec::new(),
            experiments: Vec::new(),
            refusals: self.process.refusals.clone(),
            pods: BTreeMap::new(),
            brakes: Vec::new(),
            workload: None,
            extensions: Default::default(),
            orphans: Vec::new(),
            load_balancers: None,
            leaving: false,
        };
        for (key, (_, object)) in &self.process.cache {
            self.show(&mut world, key, object.as_ref());
        }
        Some(world)
    }

    fn show(&self, world: &mut World, key: &Key, object: &Object) {
        match object {
            Object::Set(set) => world.replica_sets.push(ReplicaSet::clone(set)),
            Object::Run(run) => world.analysis_runs.push(run.clone()),
            Object::Experiment(experiment) => world.experiments.push(experiment.clone()),
            Object::Route(route) => {
                let index = key.name.parse().unwrap_or(0);
                world.routers.push(self.report(index, route, self.stale(key), self.rule_seen()));
            }
            Object::Service(service) => {
                let service = service.clone();
                let seen = if self.stale(key) { Seen::Stale(service) } else { Seen::Fresh(service) };
                world.services.insert(key.name.clone(), seen);
            }
            Object::Template(spec) => world.templates.push(Template {
                name: key.name.clone(),
                cluster_scope: false,
                spec: Seen::Fresh(spec.clone()),
            }),
            Object::Rollout(_) | Object::Rule(_) => {}
        }
    }

    /// The DestinationRule in the cache, and whether it is older than the last write.
    fn rule_seen(&self) -> Option<(&Rule, bool)> {
        let key = Key::new(Kind::Rule, "");
        match self.process.cache.get(&key).map(|(_, object)| object.as_ref()) {
            Some(Object::Rule(rule)) => Some((rule, self.stale(&key))),
            _ => None,
        }
    }
}
