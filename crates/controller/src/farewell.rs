//! Says what is taken back from objects that a Rollout named and does not name any more, or that it leaves behind.

use serin_core::seen::{ObjectKey, Seen};
use serin_core::write::Write;
use serin_traffic::{Objects, service};

use crate::caches::Caches;
use crate::mark::Behind;
use crate::object::Name;
use crate::observe::{backends, look, look_further, routers, see};
use crate::sight::{ReadRollout, written_by};

/// Whether `new` leaves an object alone that `old` named.
pub fn leaves(old: &ReadRollout, new: &ReadRollout) -> bool {
    old.services.iter().any(|key| !new.services.contains(key))
        || old.routes.iter().any(|key| !new.routes.contains(key))
        || old.extensions.iter().any(|key| !new.extensions.contains(key))
}

/// What is still to be done to part from objects, all from one look at them.
#[derive(Debug)]
pub struct Parting {
    /// The writes that take back what was added.
    pub writes: Vec<Write>,
    /// A routing object that cannot be seen as it is now, or not yet: there may be more to do.
    pub unseen: Option<ObjectKey>,
}

/// What takes back what was added for `old` to objects that `new` does not name; `None` as `new` is a Rollout that is gone;
/// `splits` stand for the splits of extensions that `old` names. To be asked for again until nothing is left.
pub fn parting(
    caches: &Caches,
    (old, splits): (&ReadRollout, Objects),
    new: Option<&ReadRollout>,
    behind: &Behind,
) -> Parting {
    let mut objects = look(caches, old, behind);
    objects.extend(splits);
    let (routers, _) = routers(caches, &old.rollout);
    let further = look_further(caches, &routers, &mut objects, behind);
    let seen = |key: &ObjectKey| matches!(objects.get(key), Some(Seen::Fresh(_) | Seen::Absent));
    let unseen = old.routes.iter().chain(&further).find(|key| !seen(key)).cloned();
    let rollout = old.rollout.metadata.name.as_deref().unwrap_or_default();
    let services = old.services.iter().filter_map(|key| {
        let object = objects.get(key)?.fresh()?;
        service::release(key, rollout, object)
    });
    let mut writes: Vec<_> = services.collect();
    if let Some(backends) = backends(&old.rollout) {
        writes.extend(routers.iter().flat_map(|router| router.release(&backends, &objects)));
    }
    let named = |write: &Write| {
        let names = |new: &ReadRollout| {
            [&new.services, &new.routes, &new.extensions].map(|keys| keys.contains(&write.object))
        };
        new.is_some_and(|new| names(new).contains(&true))
    };
    writes.retain(|write| !named(write));
    Parting { writes, unseen }
}

/// The objects that `old` names for its traffic, and what these name in turn.
pub fn reached(caches: &Caches, old: &ReadRollout, behind: &Behind) -> Vec<ObjectKey> {
    let mut objects = look(caches, old, behind);
    let (routers, _) = routers(caches, &old.rollout);
    let further = look_further(caches, &routers, &mut objects, behind);
    old.routes.iter().cloned().chain(further).collect()
}

/// The writes that take the hash off Services which say that this Rollout writes them, and which it does not name. The mark
/// is on the Service, so that this holds after a restart, too.
pub fn strays(caches: &Caches, name: &Name, rollout: &ReadRollout, behind: &Behind) -> Vec<Write> {
    let marked = caches.services.by(&written_by(&name.name)).into_iter().map(|(service, _)| service);
    let here = marked.filter(|service| service.namespace == name.namespace);
    let keys = here.map(|service| service::key(&service.namespace, &service.name));
    let strange = keys.filter(|key| !rollout.services.contains(key));
    let writes = strange.filter_map(|key| {
        let (key, seen) = see(&caches.services, &key, behind)?;
        service::release(&key, &name.name, seen.fresh()?)
    });
    writes.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kube::runtime::watcher::Event;
    use serde_json::{Value, json};
    use serin_core::parting::before;

    use super::*;
    use crate::cache::Cache;
    use crate::caches::tests::{listed, raw, rollout};
    use crate::object::Kind;
    use crate::sight;

    fn read(caches: &Caches, rollout: Value) -> ReadRollout {
        caches.rollouts.apply(Event::Apply(raw(rollout)));
        caches.rollouts.get(&Name::new("shop", "web")).unwrap().value.clone().unwrap()
    }

    fn service(name: &str, owner: &str) -> Value {
        json!({
            "metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "3",
                "annotations": {"argo-rollouts.argoproj.io/managed-by-rollouts": owner}},
            "spec": {"selector": {"app": "web", "rollouts-pod-template-hash": "abc"}},
        })
    }

    #[test]
    fn a_service_that_is_not_named_any_more_selects_all_pods_again() {
        let caches = listed();
        for (name, owner) in [("web-canary", "web"), ("web-stable", "web")] {
            caches.services.apply(Event::Apply(raw(service(name, owner))));
        }
        let old = read(&caches, rollout());
        let mut changed = rollout();
        changed["spec"]["strategy"]["canary"]["canaryService"] = json!("web-next");
        let new = read(&caches, changed);
        assert!(leaves(&old, &new) && !leaves(&old, &old));
        let names = |new: Option<&ReadRollout>| -> Vec<_> {
            parting(&caches, (&old, Objects::new()), new, &Behind::default())
                .writes
                .into_iter()
                .map(|write| write.object.name)
                .collect()
        };
        assert_eq!(names(Some(&new)), ["web-canary"]);
        assert_eq!(names(None), ["web-canary", "web-stable"]);
    }

    #[test]
    fn a_service_that_was_named_before_a_restart_is_known_by_its_mark() {
        let caches = listed();
        for (name, owner) in [("web-canary", "web"), ("web-before", "web"), ("other", "other"), ("own", "")] {
            caches.services.apply(Event::Apply(raw(service(name, owner))));
        }
        let mut elsewhere = service("web-before", "web");
        elsewhere["metadata"]["namespace"] = json!("another");
        caches.services.apply(Event::Apply(raw(elsewhere)));
        let read = read(&caches, rollout());
        let name = Name::new("shop", "web");
        let writes = strays(&caches, &name, &read, &Behind::default());
        let keys: Vec<_> = writes.iter().map(|write| write.object.to_string()).collect();
        assert_eq!(keys, ["Service shop/web-before"]);
        let mut behind = Behind::default();
        behind.objects.insert(writes[0].object.clone());
        assert!(strays(&caches, &name, &read, &behind).is_empty(), "not twice before it is seen");
    }

    #[test]
    fn a_route_that_only_the_status_remembers_goes_back_to_stable_once_it_is_seen() {
        let caches = listed();
        let mut changed = rollout();
        let routing = changed["spec"]["strategy"]["canary"]["trafficRouting"].take();
        changed["spec"]["strategy"]["canary"]["trafficRouting"] = json!({"nginx": {"stableIngress": "shop"}});
        changed["status"] = json!({"canary": {"routed": [
            {"canaryService": "web-canary", "stableService": "web-stable", "trafficRouting": routing},
        ]}});
        let new = read(&caches, changed);
        let mut known = before(&new.rollout);
        let old = ReadRollout::of(known.remove(0), &Default::default());
        assert!(leaves(&old, &new));
        let kind = Kind::new("gateway.networking.k8s.io", "v1", "HTTPRoute");
        let key = kind.key(&Name::new("shop", "web"));
        let asked = |behind: &Behind| parting(&caches, (&old, Objects::new()), Some(&new), behind);
        assert_eq!(reached(&caches, &old, &Behind::default()), std::slice::from_ref(&key));
        assert_eq!(asked(&Behind::default()).unseen, Some(key.clone()), "its kind is not watched yet");
        let backend = |name: &str, weight: i32| json!({"name": name, "port": 80, "weight": weight});
        let route = json!({
            "metadata": {"name": "web", "namespace": "shop", "uid": "r", "resourceVersion": "7"},
            "spec": {"rules": [{"backendRefs": [backend("web-canary", 20), backend("web-stable", 80)]}]},
        });
        let cache = Arc::new(Cache::new(sight::routes()));
        let listed = [Event::Init, Event::InitApply(raw(route)), Event::InitDone];
        listed.into_iter().for_each(|event| drop(cache.apply(event)));
        caches.routes.lock().unwrap().insert(kind, cache);
        let Parting { writes, unseen } = asked(&Behind::default());
        assert_eq!((writes.len(), &writes[0].object, unseen), (1, &key, None));
        let text = format!("{:?}", writes[0].effect);
        assert!(text.contains("Number(100)") && text.contains("Number(0)"), "{text}");
        let mut behind = Behind::default();
        behind.objects.insert(key.clone());
        assert_eq!(asked(&behind).unseen, Some(key), "not seen since it was written");
    }

    #[test]
    fn a_service_of_another_rollout_is_left_alone() {
        let caches = listed();
        caches.services.apply(Event::Apply(raw(service("web-canary", "other"))));
        let old = read(&caches, rollout());
        assert!(parting(&caches, (&old, Objects::new()), None, &Behind::default()).writes.is_empty());
    }
}
