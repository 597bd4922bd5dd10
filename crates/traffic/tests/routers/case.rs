//! Reads the cases below `tests/golden`, and plays the API server for them.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};
use serin_api::Rollout;
use serin_core::affinity::Affinity;
use serin_core::seen::{ObjectKey, Seen};
use serin_core::split::{
    Backends, Destination, Effective, HeaderRoute, MirrorMatch, MirrorRoute, Split, Weight,
};
use serin_core::strategy::ServiceTarget;
use serin_core::write::{Effect, Write};
use serin_traffic::{ApiVersions, Objects, Router, backends, routers, service};

/// `want.yaml`: what the Rollout says, and what core wishes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Want {
    #[serde(default)]
    traffic_routing: Option<Value>,
    #[serde(default = "canary_service")]
    canary_service: Option<String>,
    #[serde(default = "stable_service")]
    stable_service: Option<String>,
    #[serde(default = "canary_hash")]
    canary_hash: String,
    #[serde(default = "stable_hash")]
    stable_hash: String,
    #[serde(default)]
    canary: u32,
    #[serde(default)]
    headers: Vec<HeaderRoute>,
    #[serde(default)]
    mirrors: Vec<MirrorRoute>,
    #[serde(default)]
    affinity: Option<Affinity>,
    #[serde(default)]
    target: Option<ServiceTarget>,
    /// Wished for beside canary and stable.
    #[serde(default)]
    additional: Vec<Destination>,
    /// Services of experiments that the Rollout has, or had.
    #[serde(default)]
    experiments: Vec<String>,
    /// Canary and stable Service are ping and pong, and this one is stable.
    #[serde(default)]
    stable_ping_pong: Option<String>,
}

fn canary_service() -> Option<String> {
    Some("web-canary".to_owned())
}

fn stable_service() -> Option<String> {
    Some("web-stable".to_owned())
}

fn canary_hash() -> String {
    "v2".to_owned()
}

fn stable_hash() -> String {
    "v1".to_owned()
}

/// One folder below `tests/golden`.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) rollout: Rollout,
    pub(crate) seen: Objects,
    pub(crate) split: Split,
    pub(crate) backends: Backends,
    pub(crate) routers: Vec<Box<dyn Router>>,
    pub(crate) target: Option<ServiceTarget>,
}

impl Case {
    fn read(folder: &Path) -> Self {
        let file = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        // By way of JSON, whose form of an enum is a map.
        let want: Value = serde_yaml::from_str(&file("want.yaml")).unwrap();
        let want: Want = serde_json::from_value(want).unwrap();
        let rollout = rollout(&want);
        let routing =
            rollout.spec.strategy.as_ref().unwrap().canary.as_ref().unwrap().traffic_routing.as_ref();
        let total = routing.and_then(|routing| routing.max_traffic_weight).unwrap_or(100);
        let mut split = Split::new(Weight(u32::try_from(total).unwrap()), Weight(want.canary));
        (split.headers, split.mirrors, split.additional) = (want.headers, want.mirrors, want.additional);
        split.affinity = want.affinity;
        let documents = serde_yaml::Deserializer::from_str(&file("seen.yaml"))
            .map(|document| Value::deserialize(document).unwrap())
            .filter(|document| !document.is_null())
            .collect::<Vec<_>>();
        let name = folder.iter().rev().take(2).collect::<Vec<_>>();
        let routers = routers(&rollout, &ApiVersions::default())
            .unwrap_or_else(|problems| panic!("{}: {problems:?}", folder.display()));
        let needed = routers.iter().flat_map(|router| router.needs());
        let mut seen: Objects = needed.map(|key| (key, Seen::Absent)).collect();
        seen.extend(documents.into_iter().map(|object| (key(&object), Seen::Fresh(object))));
        for _ in 0..3 {
            for key in routers.iter().flat_map(|router| router.further(&seen)).collect::<Vec<_>>() {
                seen.entry(key).or_insert(Seen::Absent);
            }
        }
        Self {
            name: format!("{}/{}", name[1].display(), name[0].display()),
            folder: folder.to_owned(),
            seen,
            backends: Backends {
                experiments: want.experiments,
                ..backends(&rollout, &want.canary_hash, &want.stable_hash).unwrap()
            },
            routers,
            target: want.target,
            rollout,
            split,
        }
    }

    /// The writes of all routers, or that of the Service.
    pub(crate) fn render(&self, seen: &Objects) -> Vec<Write> {
        match &self.target {
            Some(target) => service::render(&self.rollout, target, seen).into_iter().collect(),
            None => self
                .routers
                .iter()
                .flat_map(|router| router.render(&self.backends, &self.split, seen))
                .collect(),
        }
    }

    /// The writes that take back what the routers added.
    pub(crate) fn release(&self, seen: &Objects) -> Vec<Write> {
        self.routers.iter().flat_map(|router| router.release(&self.backends, seen)).collect()
    }

    /// What each router says is in force.
    pub(crate) fn effective(&self, seen: &Objects) -> Vec<Effective> {
        self.routers.iter().map(|router| router.effective(&self.backends, seen)).collect()
    }

    /// What each router refuses.
    pub(crate) fn refusals(&self, seen: &Objects) -> Vec<String> {
        let refusals = self.routers.iter().filter_map(|router| router.refusal(&self.backends, seen));
        refusals.map(|refusal| refusal.to_string()).collect()
    }

    /// Renders and applies until there is nothing left to write; gives the objects and the number of rounds.
    pub(crate) fn settle(&self, seen: &Objects) -> (Objects, usize) {
        self.rest(seen, |seen| self.render(seen))
    }

    /// Releases and applies until there is nothing left to write.
    pub(crate) fn settle_released(&self, seen: &Objects) -> Objects {
        self.rest(seen, |seen| self.release(seen)).0
    }

    fn rest(&self, seen: &Objects, write: impl Fn(&Objects) -> Vec<Write>) -> (Objects, usize) {
        let mut seen = seen.clone();
        for round in 0..6 {
            let writes = write(&seen);
            if writes.is_empty() {
                return (seen, round);
            }
            for write in &writes {
                apply(&mut seen, write).unwrap_or_else(|error| panic!("{}: {error}: {write:#?}", self.name));
            }
        }
        panic!("{}: never at rest: {:#?}", self.name, write(&seen));
    }
}

/// Every case.
pub(crate) fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let folders = |path: &Path| {
        let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        let mut entries: Vec<_> = entries.filter(|path| path.is_dir()).collect();
        entries.sort();
        entries
    };
    folders(&root).iter().flat_map(|router| folders(router)).map(|folder| Case::read(&folder)).collect()
}

/// Applies one write as the API server does: all of it or nothing.
pub(crate) fn apply(seen: &mut Objects, write: &Write) -> Result<(), String> {
    let operations = match &write.effect {
        Effect::JsonPatch(operations) => operations,
        Effect::Create(content) => return create(seen, &write.object, content),
        Effect::Delete { uid } => return delete(seen, &write.object, uid),
        Effect::Apply(_) | Effect::Evict { .. } => return Err(format!("routers do not do this: {write:?}")),
    };
    let Some(Seen::Fresh(object)) = seen.get_mut(&write.object) else {
        return Err(format!("{} not found", write.object));
    };
    let patch: json_patch::Patch = serde_json::from_value(Value::from(operations.clone())).unwrap();
    let mut patched = object.clone();
    json_patch::patch(&mut patched, &patch).map_err(|error| error.to_string())?;
    if patched["spec"] != object["spec"] {
        patched["metadata"]["generation"] = json!(object["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
    }
    patched["metadata"]["resourceVersion"] = json!(format!("{}+", object["metadata"]["resourceVersion"]));
    *object = patched;
    Ok(())
}

fn create(seen: &mut Objects, key: &ObjectKey, content: &Value) -> Result<(), String> {
    if seen.get(key) != Some(&Seen::Absent) {
        return Err(format!("{key} already exists"));
    }
    assert_eq!(self::key(content), *key, "an object is created where it is looked for");
    let mut object = content.clone();
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.insert("uid".to_owned(), json!(format!("uid-of-{}", key.name)));
    metadata.insert("resourceVersion".to_owned(), json!("1"));
    metadata.insert("generation".to_owned(), json!(1));
    seen.insert(key.clone(), Seen::Fresh(object));
    Ok(())
}

fn delete(seen: &mut Objects, key: &ObjectKey, uid: &str) -> Result<(), String> {
    match seen.get(key) {
        Some(Seen::Fresh(object)) if object["metadata"]["uid"] != uid => Err("another uid".to_owned()),
        _ => {
            seen.insert(key.clone(), Seen::Absent);
            Ok(())
        }
    }
}

/// The gateways and proxies report on the current generation of every route.
pub(crate) fn report(seen: &mut Objects) {
    for object in seen.values_mut() {
        let Seen::Fresh(object) = object else { continue };
        let generation = object["metadata"]["generation"].clone();
        if let Some(observed) = object.pointer_mut("/status/observedGeneration") {
            *observed = generation.to_string().into();
        }
        let conditions = object.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
        for condition in conditions.into_iter().flatten() {
            if let Some(observed) = condition.get_mut("observedGeneration") {
                *observed = generation.clone();
            }
        }
        for parent in
            object.pointer_mut("/status/parents").and_then(Value::as_array_mut).into_iter().flatten()
        {
            for condition in parent["conditions"].as_array_mut().unwrap() {
                condition["observedGeneration"] = generation.clone();
            }
        }
    }
}

pub(crate) fn key(object: &Value) -> ObjectKey {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let (group, version) = text("/apiVersion").split_once('/').unwrap_or(("", text("/apiVersion")));
    ObjectKey::new(group, version, text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
}

/// The step that asks for a mirror route.
fn step(route: &MirrorRoute) -> Value {
    let method = |entry: &MirrorMatch| entry.method.as_ref().map(|method| json!({"method": method}));
    let entries = route.matches.iter().map(|entry| method(entry).unwrap_or(json!({})));
    let all = [json!({})].into_iter().filter(|_| route.matches.is_empty());
    let matches: Vec<_> = entries.chain(all).collect();
    json!({"setMirrorRoute": {"name": route.name, "percentage": route.percentage, "match": matches}})
}

fn rollout(want: &Want) -> Rollout {
    let services = match &want.stable_ping_pong {
        Some(_) => {
            json!({"pingPong": {"pingService": want.canary_service, "pongService": want.stable_service}})
        }
        None => json!({"canaryService": want.canary_service, "stableService": want.stable_service}),
    };
    let mut rollout = json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "shop", "uid": "uid-of-web"},
        "status": {"canary": {"stablePingPong": want.stable_ping_pong.clone().unwrap_or_default()}},
        "spec": {"strategy": {"canary": {
            "trafficRouting": want.traffic_routing,
            "steps": want.mirrors.iter().map(step).collect::<Vec<_>>(),
        }}},
    });
    let canary = rollout["spec"]["strategy"]["canary"].as_object_mut().unwrap();
    canary.extend(services.as_object().unwrap().clone());
    serde_json::from_value(rollout).unwrap()
}
