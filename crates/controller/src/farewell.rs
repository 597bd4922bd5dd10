//! Says what is taken back from objects that a Rollout named and does not name any more, or that it leaves behind.

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

/// The writes that take back what was added for `old` to objects that `new` does not name; `None` as `new` is a Rollout
/// that is gone; `splits` stand for the splits of extensions that `old` names. To be asked for again until there are none.
pub fn writes(
    caches: &Caches,
    (old, splits): (&ReadRollout, Objects),
    new: Option<&ReadRollout>,
    behind: &Behind,
) -> Vec<Write> {
    let mut objects = look(caches, old, behind);
    objects.extend(splits);
    let (routers, _) = routers(caches, &old.rollout);
    look_further(caches, &routers, &mut objects, behind);
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
    writes
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
    use kube::runtime::watcher::Event;
    use serde_json::{Value, json};

    use super::*;
    use crate::caches::tests::{listed, raw, rollout};

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
            writes(&caches, (&old, Objects::new()), new, &Behind::default())
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
    fn a_service_of_another_rollout_is_left_alone() {
        let caches = listed();
        caches.services.apply(Event::Apply(raw(service("web-canary", "other"))));
        let old = read(&caches, rollout());
        assert!(writes(&caches, (&old, Objects::new()), None, &Behind::default()).is_empty());
    }
}
