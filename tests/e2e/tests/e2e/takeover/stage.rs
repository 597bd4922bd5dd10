//! Both controllers on one namespace, and what a handover between them changes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use serin_e2e::audit::{Audit, Entry};
use serin_e2e::{Cluster, Controller, Scene};

use super::ROLLOUT;
use crate::clients::{Plugin, stock};

/// How Serin calls itself to the API server.
const SERIN: &str = "serin-controller/";
/// How Argo Rollouts' controller does.
const ARGO: &str = "rollouts-controller/";

/// Which controller has the namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Who {
    Argo,
    Serin,
}

/// A namespace with both controllers, of which one runs.
pub(super) struct Stage<'s> {
    pub(super) scene: &'s mut Scene,
    pub(super) argo: Controller,
    pub(super) plugin: Plugin,
}

impl<'s> Stage<'s> {
    /// Stops the Serin of the scene, which has had nothing to do yet, and starts Argo Rollouts in its place.
    pub(super) async fn begin(scene: &'s mut Scene) -> Result<Self> {
        scene.controller.stop().await?;
        let argo = Controller::start_program(scene.namespace(), stock("rollouts-controller")?).await?;
        let plugin = Plugin::of(scene);
        Ok(Self { scene, argo, plugin })
    }

    pub(super) fn cluster(&self) -> Cluster {
        self.scene.cluster.clone()
    }

    /// Ends the one that runs as the kubelet does, and starts the other one, which soon leads.
    pub(super) async fn hand_over(&mut self, to: Who) -> Result<Handover> {
        let before = Snapshot::take(&self.cluster()).await?;
        let (from, into) = match to {
            Who::Serin => (&mut self.argo, &mut self.scene.controller),
            Who::Argo => (&mut self.scene.controller, &mut self.argo),
        };
        from.stop().await?;
        let audit = Audit::begin()?;
        into.resume().await?;
        until_leads(&self.scene.cluster, &audit, to).await?;
        Ok(Handover { before, audit, to })
    }
}

pub(super) fn agent(who: Who) -> &'static str {
    match who {
        Who::Argo => ARGO,
        Who::Serin => SERIN,
    }
}

pub(super) fn is_lease(entry: &Entry) -> bool {
    entry.what.contains(" leases/")
}

/// Waits until `who` has taken the lease: the old holder's may first have to run out.
pub(super) async fn until_leads(cluster: &Cluster, audit: &Audit, who: Who) -> Result<()> {
    for _ in 0..200 {
        let entries = audit.entries(&cluster.namespace)?;
        if entries
            .iter()
            .any(|entry| is_lease(entry) && entry.agent.starts_with(agent(who)) && entry.status < 300)
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    anyhow::bail!("{who:?} did not take the lease within 40 s")
}

/// What must stay as it is in a takeover.
#[derive(Clone)]
struct Snapshot {
    /// Uid of each pod and how often its container was restarted.
    pods: BTreeMap<String, i64>,
    /// Uid of each ReplicaSet, with its size.
    sets: BTreeMap<String, (String, i64)>,
    rollouts: BTreeMap<String, Value>,
}

impl Snapshot {
    async fn take(cluster: &Cluster) -> Result<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let alive = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
        let pods = cluster.list("v1", "Pod").await?;
        let sets = cluster.list("apps/v1", "ReplicaSet").await?;
        let rollouts = cluster.list(ROLLOUT.0, ROLLOUT.1).await?;
        Ok(Self {
            pods: pods
                .iter()
                .filter(alive)
                .map(|pod| {
                    let restarts = pod["status"]["containerStatuses"][0]["restartCount"].as_i64();
                    (text(&pod["metadata"]["uid"]), restarts.unwrap_or_default())
                })
                .collect(),
            sets: sets
                .iter()
                .map(|set| {
                    let size = set["spec"]["replicas"].as_i64().unwrap_or_default();
                    (text(&set["metadata"]["uid"]), (text(&set["metadata"]["name"]), size))
                })
                .collect(),
            rollouts: rollouts
                .into_iter()
                .map(|rollout| (text(&rollout["metadata"]["name"]), rollout))
                .collect(),
        })
    }
}

/// A takeover under observation.
pub(super) struct Handover {
    before: Snapshot,
    audit: Audit,
    to: Who,
}

impl Handover {
    /// Looks for 20 s: pods, ReplicaSets and what users see stay as they are, and little is written. What is not so.
    pub(super) async fn faults(&self, cluster: &Cluster) -> Result<Vec<String>> {
        tokio::time::sleep(Duration::from_secs(20)).await;
        let after = Snapshot::take(cluster).await?;
        let writes = self.writes(cluster)?;
        self.print(cluster, &writes, &after);
        let mut faults = Vec::new();
        if after.pods != self.before.pods {
            faults.push(format!("pods before {:?}, after {:?}", self.before.pods, after.pods));
        }
        for (uid, set) in after.sets.iter().filter(|(uid, set)| self.before.sets.get(*uid) != Some(set)) {
            faults.push(format!("ReplicaSet {set:?} was {:?}", self.before.sets.get(uid)));
        }
        for (name, rollout) in &after.rollouts {
            let before = self.before.rollouts.get(name).context("a Rollout has appeared")?;
            faults.extend(
                changed_for_users(before, rollout).into_iter().map(|change| format!("{name}: {change}")),
            );
            let path = format!("rollouts/{name}");
            let of_it = |what: &str| {
                what.split(' ').any(|word| word == path || word.starts_with(&format!("{path}/")))
            };
            let times: usize = writes.iter().filter(|(what, _)| of_it(what)).map(|(_, count)| count).sum();
            if times > 1 {
                faults.push(format!("{name}: {:?} wrote it {times} times", self.to));
            }
        }
        Ok(faults.into_iter().map(|fault| format!("to {:?}: {fault}", self.to)).collect())
    }

    pub(super) async fn changes_nothing(&self, cluster: &Cluster) -> Result<()> {
        none(self.faults(cluster).await?)
    }

    /// What a person wants to see of a takeover.
    fn print(&self, cluster: &Cluster, writes: &BTreeMap<String, usize>, after: &Snapshot) {
        println!("{:?} took over {}; its writes in 20 s:", self.to, cluster.namespace);
        for (what, count) in writes {
            println!("  {count} x {what}");
        }
        for (name, rollout) in &after.rollouts {
            for line in differences("", self.before.rollouts.get(name).unwrap_or(&Value::Null), rollout) {
                println!("  {name}{line}");
            }
        }
    }

    /// What the new one wrote, and how often.
    fn writes(&self, cluster: &Cluster) -> Result<BTreeMap<String, usize>> {
        let mut writes = BTreeMap::new();
        for entry in self.audit.entries(&cluster.namespace)? {
            if entry.agent.starts_with(agent(self.to)) && !is_lease(&entry) {
                let event = entry.what.contains(" events/");
                let what =
                    if event { "events".to_owned() } else { format!("{} ({})", entry.what, entry.status) };
                *writes.entry(what).or_default() += 1;
            }
        }
        Ok(writes)
    }
}

pub(super) fn none(faults: Vec<String>) -> Result<()> {
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

/// What clients, health checks and people read, and what has changed of it.
fn changed_for_users(before: &Value, after: &Value) -> Vec<String> {
    let mut changes = differences(".spec", &before["spec"], &after["spec"]);
    for field in [
        "phase",
        "message",
        "currentPodHash",
        "stableRS",
        "currentStepIndex",
        "currentStepHash",
        "abort",
        "abortedAt",
        "pauseConditions",
        "controllerPause",
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "HPAReplicas",
        "selector",
        "observedGeneration",
    ] {
        let (was, is) = (&before["status"][field], &after["status"][field]);
        if !(nothing(was) && nothing(is)) {
            changes.extend(differences(&format!(".status.{field}"), was, is));
        }
    }
    let (was, mut is) = (conditions(before), conditions(after));
    // An abort leaves Argo Rollouts' condition Paused at True; Serin says that nothing is paused.
    if after["status"]["abort"] == true
        && let (Some(was), Some(is)) = (was.get("Paused"), is.get_mut("Paused"))
    {
        is.clone_from(was);
    }
    if was != is {
        changes.push(format!("conditions {was:?} -> {is:?}"));
    }
    changes
}

/// Absent, or what Go leaves out.
fn nothing(value: &Value) -> bool {
    value.is_null() || *value == "" || *value == 0 || *value == false
}

/// Status and reason of each condition.
fn conditions(rollout: &Value) -> BTreeMap<String, (String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = rollout["status"]["conditions"].as_array().into_iter().flatten();
    all.map(|condition| (text(&condition["type"]), (text(&condition["status"]), text(&condition["reason"]))))
        .collect()
}

/// Every value that is not the same, as lines `.path: before -> after`.
fn differences(path: &str, before: &Value, after: &Value) -> Vec<String> {
    if let (Value::Object(old), Value::Object(new)) = (before, after) {
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        return keys
            .into_iter()
            .filter(|key| !["managedFields", "resourceVersion"].contains(&key.as_str()))
            .flat_map(|key| {
                differences(&format!("{path}.{key}"), &before[key.as_str()], &after[key.as_str()])
            })
            .collect();
    }
    if before == after { Vec::new() } else { vec![format!("{path}: {before} -> {after}")] }
}
