//! Translates a Split to and from the VirtualRouter of an App Mesh VirtualService, and the VirtualNodes of its targets.
//!
//! The conditions of the router are heard where its controller writes them; its proxies follow within
//! [`PROPAGATION_SECONDS`] of that. AWS ends App Mesh on 2026-09-30.

use serde_json::Value;
use serin_api::{AppMeshTrafficRouting, AppMeshVirtualNodeReference, Problem};
use serin_core::seen::ObjectKey;
use serin_core::split::{Backends, Effective, PERCENT, Split};
use serin_core::write::Write;

use self::virtual_node::VirtualNode;
use crate::capability::{Capabilities, Headers, Mirrors};
use crate::fork::{Fork, Odd, Slot};
use crate::object;
use crate::patch::Patch;
use crate::reading::{Found, Reading};
use crate::refusal::{Cause, Refusal, Role};
use crate::router::{Objects, Router, Sight};

mod virtual_node;

/// App Mesh gives no bound for its proxies, which usually follow within seconds.
const PROPAGATION_SECONDS: i64 = 15;

const PATH: &str = "spec.strategy.canary.trafficRouting.appMesh";
const GROUP: &str = "appmesh.k8s.aws";
const VERSION: &str = "v1beta2";
const ROUTES: [&str; 4] = ["httpRoute", "http2Route", "grpcRoute", "tcpRoute"];

/// A VirtualService, whose VirtualRouter is split, and the VirtualNodes of canary and stable.
#[derive(Clone, Debug)]
pub struct AppMesh {
    service: ObjectKey,
    routes: Vec<String>,
    nodes: [VirtualNode; 2],
}

impl AppMesh {
    /// The router of `spec.strategy.canary.trafficRouting.appMesh` of a Rollout in `namespace`.
    ///
    /// # Errors
    /// The VirtualService or a VirtualNode is not named.
    pub fn new(spec: &AppMeshTrafficRouting, namespace: &str) -> Result<Self, Problem> {
        let key = |kind: &str, name: &str| ObjectKey::new(GROUP, VERSION, kind, namespace, name);
        let missing = |field: &str, what: &str| Problem::Missing {
            path: format!("{PATH}.{field}.name"),
            message: format!("name the {what}"),
        };
        let service = spec.virtual_service.as_ref().filter(|service| !service.name.is_empty());
        let said = "spec.strategy.canary.trafficRouting.appmesh.virtualService: Invalid value: null: must provide \
                    virtual-service";
        let service = service
            .ok_or_else(|| missing("virtualService", "VirtualService that clients use").said_as(said))?;
        let group = spec.virtual_node_group.clone().unwrap_or_default();
        let node = |role, field: &str, reference: Option<AppMeshVirtualNodeReference>| {
            let field = format!("virtualNodeGroup.{field}");
            let name = reference.map(|reference| reference.name).filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| missing(&field, "VirtualNode"))?;
            Ok(VirtualNode { key: key("VirtualNode", &name), role, path: format!("{PATH}.{field}.name") })
        };
        Ok(Self {
            service: key("VirtualService", &service.name),
            routes: service.routes.clone().unwrap_or_default(),
            nodes: [
                node(Role::Stable, "stableVirtualNodeRef", group.stable_virtual_node_ref)?,
                node(Role::Canary, "canaryVirtualNodeRef", group.canary_virtual_node_ref)?,
            ],
        })
    }

    /// The VirtualRouter that the VirtualService names, when that has been seen.
    fn router(&self, seen: &Objects) -> Option<ObjectKey> {
        let service = Sight::of(seen, &self.service).object()?;
        let reference = service.pointer("/spec/provider/virtualRouter/virtualRouterRef")?;
        let name = object::text(reference, "name").filter(|name| !name.is_empty())?;
        let namespace = object::text(reference, "namespace").unwrap_or(&self.service.namespace);
        Some(ObjectKey::new(GROUP, VERSION, "VirtualRouter", namespace, name))
    }

    fn role(&self, target: &Value, namespace: &str) -> Option<Role> {
        let reference = target.get("virtualNodeRef")?;
        let name = object::text(reference, "name")?;
        let namespace = object::text(reference, "namespace").unwrap_or(namespace);
        let node = self.nodes.iter().find(|node| node.key.name == name && node.key.namespace == namespace);
        node.map(|node| node.role)
    }

    fn find(&self, key: &ObjectKey, object: &Value) -> Found {
        let mut found = Found::default();
        let routes = object::list(object, "/spec/routes");
        for name in &self.routes {
            if !routes.iter().any(|route| object::text(route, "name") == Some(name)) {
                let (object, rule) = (key.clone(), name.clone());
                let (list, field) = ("spec.routes", "appMesh.virtualService.routes");
                found.complain(Cause::NamedMissing { object, rule, list, field });
            }
        }
        for (index, route) in routes.iter().enumerate() {
            let name = object::text(route, "name").unwrap_or_default();
            let named = self.routes.iter().any(|listed| listed == name);
            if !self.routes.is_empty() && !named {
                continue;
            }
            for kind in ROUTES {
                let targets = route.pointer(&format!("/{kind}/action/weightedTargets"));
                let Some(targets) = targets.and_then(Value::as_array) else { continue };
                let pointer = format!("/spec/routes/{index}/{kind}/action/weightedTargets");
                let guard =
                    route.get("name").map(|name| (format!("/spec/routes/{index}/name"), name.clone()));
                match self.fork(key, (pointer.clone(), targets), guard) {
                    Ok(fork) => found.forks.push(fork),
                    Err(Odd::Missing(_)) if !named => {}
                    Err(odd) => found.complain(self.odd(odd, key, pointer)),
                }
            }
        }
        if found.forks.is_empty() {
            found.complain(Cause::Empty { object: key.clone(), wanted: "route with both virtual nodes" });
        }
        hear(key, object, &mut found);
        found
    }

    fn fork(
        &self,
        key: &ObjectKey,
        (pointer, targets): (String, &[Value]),
        guard: Option<(String, Value)>,
    ) -> Result<Fork, Odd> {
        let entries = targets.iter().enumerate().map(|(index, target)| {
            let node = target.get("virtualNodeRef").cloned().unwrap_or_default();
            let slot = Slot {
                path: format!("{pointer}/{index}"),
                leaf: "weight".to_owned(),
                identity: vec![("virtualNodeRef", node)],
                written: target.get("weight").cloned(),
                otherwise: 0,
            };
            (self.role(target, &key.namespace).into(), slot)
        });
        Fork::sort(pointer.clone(), guard.into_iter().collect(), entries)
    }

    fn odd(&self, odd: Odd, key: &ObjectKey, path: String) -> Cause {
        let (Odd::Missing(role) | Odd::Twice(role)) = odd;
        let node = self.nodes.iter().find(|node| node.role == role);
        let name = node.map(|node| node.key.name.clone()).unwrap_or_default();
        let (object, what) = (key.clone(), "VirtualNode");
        match odd {
            Odd::Missing(_) => Cause::DestinationMissing { object, path, role, what, name },
            Odd::Twice(_) => Cause::DestinationTwice { object, path, role, what, name },
        }
    }

    fn wrong(&self, seen: &Objects) -> Option<Cause> {
        match Sight::of(seen, &self.service) {
            Sight::Absent => return Some(Cause::Missing { object: self.service.clone() }),
            Sight::Unknown(_) => return None,
            Sight::Fresh(_) | Sight::Stale(_) => {}
        }
        let Some(router) = self.router(seen) else {
            let wanted = "virtual router in spec.provider";
            return Some(Cause::Empty { object: self.service.clone(), wanted });
        };
        match Sight::of(seen, &router) {
            Sight::Absent => Some(Cause::Missing { object: router }),
            sight => sight.object().and_then(|object| self.find(&router, object).wrong),
        }
    }

    fn split(&self, want: &Split, seen: &Objects) -> Option<Write> {
        let router = self.router(seen)?;
        let Sight::Fresh(object) = Sight::of(seen, &router) else { return None };
        let mut patch = Patch::default();
        for fork in &self.find(&router, object).forks {
            fork.render(&mut patch, want.total, want.canary);
        }
        patch.into_write(&router)
    }
}

/// What the controller says of the router.
fn hear(key: &ObjectKey, object: &Value, found: &mut Found) {
    let observed = object.pointer("/status/observedGeneration").and_then(Value::as_i64);
    if observed.is_some_and(|observed| observed < object::generation(object)) {
        found.lags = true;
        return;
    }
    let mut conditions = object::list(object, "/status/conditions").iter();
    let active = conditions.find(|condition| object::text(condition, "type") == Some("VirtualRouterActive"));
    let Some(active) = active.filter(|active| object::text(active, "status") != Some("True")) else { return };
    let say = |field| object::text(active, field).unwrap_or_default();
    found.unclear = Some(format!("{key} is not active: {} {}", say("reason"), say("message")));
}

impl Router for AppMesh {
    fn name(&self) -> String {
        self.service.to_string()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            headers: Headers::No,
            mirrors: Mirrors::No,
            max_weight: false,
            additional: false,
            affinity: false,
            role_change: false,
            confirms: false,
            propagation_seconds: PROPAGATION_SECONDS,
        }
    }

    fn needs(&self) -> Vec<ObjectKey> {
        let nodes = self.nodes.iter().map(|node| node.key.clone());
        [self.service.clone()].into_iter().chain(nodes).collect()
    }

    fn further(&self, seen: &Objects) -> Vec<ObjectKey> {
        self.router(seen).into_iter().collect()
    }

    fn refusal(&self, backends: &Backends, seen: &Objects) -> Option<Refusal> {
        if let Some(cause) = self.wrong(seen) {
            let path = format!("{PATH}.virtualService.name");
            return Some(Refusal { path, value: self.service.name.clone(), cause });
        }
        self.nodes.iter().find_map(|node| {
            let cause = node.refusal(&Sight::of(seen, &node.key), backends)?;
            Some(Refusal { path: node.path.clone(), value: node.key.name.clone(), cause })
        })
    }

    fn effective(&self, backends: &Backends, seen: &Objects) -> Effective {
        let mut reading = Reading::of(PERCENT);
        reading.heed(&Sight::of(seen, &self.service));
        if let Some(refusal) = self.refusal(backends, seen) {
            reading.doubt(refusal.cause.to_string());
        }
        if let Some(router) = self.router(seen) {
            reading.look(&router, &Sight::of(seen, &router), |object| self.find(&router, object));
        }
        for node in &self.nodes {
            let sight = Sight::of(seen, &node.key);
            reading.heed(&sight);
            if sight.object().is_some_and(|object| !node.follows(object, backends)) {
                reading.wait();
            }
        }
        reading.effective()
    }

    fn render(&self, backends: &Backends, want: &Split, seen: &Objects) -> Vec<Write> {
        let nodes = self.nodes.iter().filter_map(|node| match Sight::of(seen, &node.key) {
            Sight::Fresh(object) => node.render(object, backends),
            Sight::Stale(_) | Sight::Absent | Sight::Unknown(_) => None,
        });
        nodes.chain(self.split(want, seen)).collect()
    }

    /// The selectors go when the router is seen to send everything to stable.
    fn release(&self, backends: &Backends, seen: &Objects) -> Vec<Write> {
        let back = self.split(&Split::all_stable(PERCENT), seen);
        if back.is_some() {
            return back.into_iter().collect();
        }
        let nodes = self.nodes.iter().filter_map(|node| match Sight::of(seen, &node.key) {
            Sight::Fresh(object) => node.release(object, backends),
            Sight::Stale(_) | Sight::Absent | Sight::Unknown(_) => None,
        });
        nodes.collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_service_and_both_nodes_must_be_named() {
        let nodes = json!({"canaryVirtualNodeRef": {"name": "c"}});
        for (spec, field) in [
            (json!({}), "virtualService.name"),
            (json!({"virtualService": {"name": "s"}}), "virtualNodeGroup.stableVirtualNodeRef.name"),
            (
                json!({"virtualService": {"name": "s"}, "virtualNodeGroup": nodes}),
                "virtualNodeGroup.stableVirtualNodeRef.name",
            ),
        ] {
            let problem = AppMesh::new(&serde_json::from_value(spec).unwrap(), "shop").unwrap_err();
            assert_eq!(problem.path(), format!("{PATH}.{field}"));
        }
    }
}
