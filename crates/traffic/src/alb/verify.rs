//! Compares the weights that the action of an Ingress asks for with those that AWS says its load balancer has.
//!
//! The AWS load balancer controller tags each target group with the Service that it stands for. Weights of stable count as
//! well as those of the canary, and every action that forwards to both must have them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serin_api::{AlbStatus, Rollout};
use serin_core::load_balancer::{Cause, Doubt, LoadBalancers};
use serin_core::seen::{ObjectKey, Seen};
use serin_core::split::Backends;

use super::{Alb, action};
use crate::elb;
use crate::object;
use crate::router::{Objects, Sight};
use crate::routers::ApiVersions;

/// What AWS says of one load balancer; see [`elb::Survey::told`].
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    load_balancer: Option<Value>,
    target_groups: BTreeMap<String, Value>,
    forwards: Vec<BTreeMap<String, u32>>,
}

/// How far AWS agrees with one Ingress.
#[derive(Debug)]
pub(super) enum Checked {
    /// It has not been asked yet.
    Unasked(String),
    /// It was asked before the last change; the answer is on its way.
    Outdated,
    /// It does not.
    Doubted(Doubt),
    /// It does.
    Confirmed(AlbStatus),
}

/// The Ingresses of a Rollout with the host names of their load balancers, where AWS is to be asked.
pub fn load_balancer_hosts(
    rollout: &Rollout,
    versions: &ApiVersions,
    seen: &Objects,
) -> Vec<(ObjectKey, String)> {
    let Some(alb) = asked(rollout, versions) else { return Vec::new() };
    let host = |(key, _): &(ObjectKey, String)| {
        let object = seen.get(key)?.last_known()?;
        Some(host_names(object).map(|host| (key.clone(), host.to_owned())).collect::<Vec<_>>())
    };
    alb.ingresses.iter().filter_map(host).flatten().collect()
}

/// What AWS says of the load balancers of a Rollout; `None` where it is not asked.
pub fn load_balancers(
    rollout: &Rollout,
    versions: &ApiVersions,
    backends: &Backends,
    seen: &Objects,
) -> Option<LoadBalancers> {
    let alb = asked(rollout, versions)?;
    let mut found = LoadBalancers::default();
    for (key, _) in &alb.ingresses {
        let Some(object) = Sight::of(seen, key).object() else { continue };
        match alb.check(key, object, backends, seen) {
            Checked::Unasked(_) | Checked::Outdated => {}
            Checked::Doubted(doubt) => {
                found.doubt.get_or_insert(doubt);
            }
            Checked::Confirmed(status) => found.shown.push(status),
        }
    }
    if found.shown.len() < alb.ingresses.len() {
        found.shown.clear();
    }
    Some(found)
}

fn asked(rollout: &Rollout, versions: &ApiVersions) -> Option<Alb> {
    let canary = rollout.spec.strategy.as_ref()?.canary.as_ref()?;
    let spec = canary.traffic_routing.as_ref()?.alb.as_ref().filter(|_| versions.verify_load_balancers)?;
    let namespace = rollout.metadata.namespace.as_deref().unwrap_or_default();
    Some(Alb::new(spec, namespace).ok()?.verified(true))
}

fn host_names(ingress: &Value) -> impl Iterator<Item = &str> {
    let entries = ingress.pointer("/status/loadBalancer/ingress").and_then(Value::as_array);
    entries.into_iter().flatten().filter_map(|entry| entry.get("hostname")?.as_str())
}

impl Alb {
    /// How far AWS agrees with an Ingress.
    pub(super) fn check(
        &self,
        key: &ObjectKey,
        object: &Value,
        backends: &Backends,
        seen: &Objects,
    ) -> Checked {
        let mut hosts = host_names(object).peekable();
        if hosts.peek().is_none() {
            let waits_for = format!("{key} to have a load balancer (status.loadBalancer.ingress)");
            return Checked::Doubted(Doubt { cause: Cause::NotFound, waits_for });
        }
        let text = object::annotation(object, &self.action_key(self.root(backends)));
        let wanted = text.and_then(action::read).unwrap_or_default();
        let mut confirmed = None;
        for host in hosts {
            match self.check_host(key, host, &wanted, (backends, seen)) {
                Checked::Confirmed(status) => confirmed = confirmed.or(Some(status)),
                other => return other,
            }
        }
        confirmed.map_or(Checked::Outdated, Checked::Confirmed)
    }

    fn check_host(
        &self,
        key: &ObjectKey,
        host: &str,
        wanted: &[(String, u32)],
        (backends, seen): (&Backends, &Objects),
    ) -> Checked {
        let object = match seen.get(&elb::key(host)) {
            None => return Checked::Unasked(format!("AWS has not said yet what {host} does")),
            Some(Seen::Failed(why)) => {
                let waits_for = format!("AWS to say what load balancer {host} of {key} does: {why}");
                return Checked::Doubted(Doubt { cause: Cause::NoAnswer, waits_for });
            }
            Some(Seen::Fresh(object)) => object,
            Some(Seen::Stale(_) | Seen::Absent) => return Checked::Outdated,
        };
        let Some((told, balancer)) = read(object) else {
            let waits_for = format!("AWS to have a load balancer {host}, which {key} names");
            return Checked::Doubted(Doubt { cause: Cause::NotFound, waits_for });
        };
        let resource = |service: &str| format!("{}/{}-{service}:{}", key.namespace, key.name, self.port);
        let name = balancer.get("name").and_then(Value::as_str).unwrap_or(host);
        if let Some(waits_for) = differs(&told, wanted, &backends.stable_service, resource) {
            let waits_for = format!("load balancer {name} of {key}: {waits_for}");
            return Checked::Doubted(Doubt { cause: Cause::Differs, waits_for });
        }
        let group = |service: &str| told.target_groups.get(&resource(service)).cloned();
        Checked::Confirmed(AlbStatus {
            canary_target_group: group(&backends.canary_service),
            stable_target_group: group(&backends.stable_service),
            ingress: Some(key.name.clone()),
            load_balancer: Some(balancer),
        })
    }
}

/// What AWS told, with the load balancer, if there is one.
fn read(object: &Value) -> Option<(Told, Value)> {
    let mut told = Told::deserialize(object).ok()?;
    let balancer = told.load_balancer.take()?;
    Some((told, balancer))
}

/// What the load balancer has to do yet, if anything.
fn differs(
    told: &Told,
    wanted: &[(String, u32)],
    stable: &str,
    resource: impl Fn(&str) -> String,
) -> Option<String> {
    let others = || wanted.iter().filter(|(service, _)| service != stable);
    let has = |forward: &BTreeMap<String, u32>, service: &str| forward.contains_key(&resource(service));
    let mut splits = told.forwards.iter().filter(|forward| {
        has(forward, stable) && (wanted.len() == 1 || others().any(|(service, _)| has(forward, service)))
    });
    let mut forwards = splits.by_ref().peekable();
    if forwards.peek().is_none() {
        let idle = others().all(|(_, weight)| *weight == 0);
        let alone = told.forwards.iter().any(|forward| has(forward, stable));
        let names: Vec<_> =
            wanted.iter().map(|(service, weight)| format!("Service {service} with {weight}")).collect();
        return (!idle || !alone).then(|| format!("a rule that forwards to {}", names.join(" and ")));
    }
    for forward in forwards {
        for (service, asked) in wanted {
            let found = forward.get(&resource(service)).copied().unwrap_or(0);
            if found != *asked && wanted.len() > 1 {
                let group =
                    told.target_groups.get(&resource(service)).and_then(|group| group.get("name")?.as_str());
                let group =
                    group.map_or("its target group".to_owned(), |name| format!("target group {name}"));
                return Some(format!("{group} (Service {service}) to have weight {asked}; it has {found}"));
            }
        }
        let strange = forward.iter().find(|(id, weight)| {
            **weight > 0 && !wanted.iter().any(|(service, _)| resource(service) == **id)
        });
        if let Some((id, weight)) = strange {
            return Some(format!("the target group of {id} to have no weight; it has {weight}"));
        }
    }
    None
}

#[cfg(test)]
mod tests;
