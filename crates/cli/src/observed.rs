//! What is seen of one Rollout: the object, its ReplicaSets, their pods, its AnalysisRuns and its Experiments, at one
//! moment.

mod experiment;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serin_api::{AnalysisRun, Experiment, Rollout};
use serin_view::object::{created, hash_of, owned_by, revision as number};

pub use experiment::ObservedExperiment;

/// What may belong to the object that is looked at: selectors match objects of others too.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// ReplicaSets.
    pub replica_sets: Vec<ReplicaSet>,
    /// Pods.
    pub pods: Vec<Pod>,
    /// AnalysisRuns.
    pub runs: Vec<AnalysisRun>,
    /// Experiments.
    pub experiments: Vec<Experiment>,
    /// What could not be read, and why.
    pub notes: Vec<String>,
    /// When they were seen.
    pub now: Timestamp,
}

impl Parts {
    /// The parts that the object with this UID owns, with the pods of its ReplicaSets, oldest first.
    fn owned(&self, uid: Option<&str>) -> Self {
        let replica_sets: Vec<_> =
            self.replica_sets.iter().filter(|set| owned_by(*set, uid)).cloned().collect();
        let of_one = |pod: &&Pod| replica_sets.iter().any(|set| owned_by(*pod, set.metadata.uid.as_deref()));
        let mut pods: Vec<_> = self.pods.iter().filter(of_one).cloned().collect();
        pods.sort_by_key(|pod| (created(pod), pod.name_any()));
        let runs = self.runs.iter().filter(|run| owned_by(*run, uid)).cloned().collect();
        Self { replica_sets, pods, runs, experiments: Vec::new(), notes: Vec::new(), now: self.now }
    }
}

/// One Rollout with its parts.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The Rollout.
    pub rollout: Rollout,
    /// The ReplicaSets that it owns.
    pub replica_sets: Vec<ReplicaSet>,
    /// The pods that those own.
    pub pods: Vec<Pod>,
    /// The AnalysisRuns that it owns.
    pub runs: Vec<AnalysisRun>,
    /// The Experiments that it owns, with their own parts.
    pub experiments: Vec<ObservedExperiment>,
    /// What could not be read, and why.
    pub notes: Vec<String>,
    /// When it was seen.
    pub now: Timestamp,
}

/// The parts of one revision, newest first where there are several.
#[derive(Debug)]
pub struct Revision<'o> {
    /// Its number; `None` when no object carries one.
    pub number: Option<i64>,
    /// Its ReplicaSets.
    pub sets: Vec<&'o ReplicaSet>,
    /// Its AnalysisRuns.
    pub runs: Vec<&'o AnalysisRun>,
    /// Its Experiments.
    pub experiments: Vec<&'o ObservedExperiment>,
}

impl Observed {
    /// Gives a Rollout what it owns, and its Experiments what they own; the rest belongs to others.
    pub fn of(rollout: Rollout, mut parts: Parts) -> Self {
        let uid = rollout.metadata.uid.clone();
        let experiments = std::mem::take(&mut parts.experiments).into_iter();
        let experiments = experiments
            .filter(|experiment| owned_by(experiment, uid.as_deref()))
            .map(|experiment| ObservedExperiment::of(experiment, &parts))
            .collect();
        let Parts { replica_sets, pods, runs, .. } = parts.owned(uid.as_deref());
        Self { rollout, replica_sets, pods, runs, experiments, notes: parts.notes, now: parts.now }
    }

    /// The name of the Rollout.
    pub fn name(&self) -> &str {
        self.rollout.metadata.name.as_deref().unwrap_or_default()
    }

    /// The namespace of the Rollout.
    pub fn namespace(&self) -> &str {
        self.rollout.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// The pods of one ReplicaSet, oldest first.
    pub fn pods_of<'o>(&'o self, set: &'o ReplicaSet) -> impl Iterator<Item = &'o Pod> {
        self.pods.iter().filter(|pod| owned_by(*pod, set.metadata.uid.as_deref()))
    }

    /// The ReplicaSet of a hash.
    pub fn set_of(&self, hash: &str) -> Option<&ReplicaSet> {
        self.replica_sets.iter().find(|set| hash_of(*set) == Some(hash))
    }

    /// The number of the current revision.
    pub fn revision(&self) -> Option<i64> {
        number(&self.rollout)
    }

    /// All revisions, newest first.
    pub fn revisions(&self) -> Vec<Revision<'_>> {
        let mut revisions: Vec<Revision<'_>> = Vec::new();
        for set in &self.replica_sets {
            entry(&mut revisions, number(set)).sets.push(set);
        }
        for run in &self.runs {
            entry(&mut revisions, number(run).or_else(|| self.number_by_hash(run))).runs.push(run);
        }
        for seen in &self.experiments {
            entry(&mut revisions, number(&seen.experiment).or_else(|| self.number_by_hash(&seen.experiment)))
                .experiments
                .push(seen);
        }
        revisions.sort_by_key(|revision| std::cmp::Reverse(revision.number));
        for revision in &mut revisions {
            revision.runs.sort_by_key(|run| std::cmp::Reverse((created(*run), run.name_any())));
            revision.sets.sort_by_key(|set| std::cmp::Reverse((created(*set), set.name_any())));
            revision
                .experiments
                .sort_by_key(|seen| std::cmp::Reverse((created(&seen.experiment), seen.name())));
        }
        revisions
    }

    fn number_by_hash<K: ResourceExt>(&self, part: &K) -> Option<i64> {
        number(self.set_of(hash_of(part)?)?)
    }
}

fn entry<'r, 'o>(revisions: &'r mut Vec<Revision<'o>>, number: Option<i64>) -> &'r mut Revision<'o> {
    let index = revisions.iter().position(|revision| revision.number == number).unwrap_or_else(|| {
        revisions.push(Revision { number, sets: Vec::new(), runs: Vec::new(), experiments: Vec::new() });
        revisions.len() - 1
    });
    &mut revisions[index]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{experiment, observed, pod, replica_set, run, updating};
    use serde_json::json;

    #[test]
    fn objects_of_others_are_left_out() {
        let foreign = |uid: &str| json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "x", "uid": uid}]}});
        let kept = Observed::of(
            updating(2, json!({})),
            Parts {
                replica_sets: vec![
                    replica_set("aaa", 2, "shop:v1", 4, json!({})),
                    replica_set("ccc", 9, "other:v1", 1, foreign("uid-other")),
                    replica_set("ddd", 3, "shop:v2", 1, foreign("uid-experiment")),
                ],
                pods: vec![
                    pod("aaa", "1", json!({})),
                    pod("aaa", "2", foreign("uid-ccc")),
                    pod("ddd", "3", json!({})),
                ],
                runs: vec![run(json!({})), run(foreign("uid-experiment")), run(foreign("uid-other"))],
                experiments: vec![experiment(json!({})), experiment(foreign("uid-other"))],
                ..Parts::default()
            },
        );
        assert_eq!(kept.replica_sets.len(), 1);
        assert_eq!(kept.pods.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["shop-aaa-1"]);
        assert_eq!(kept.runs.len(), 1);
        let [trial] = kept.experiments.as_slice() else { panic!("{:?}", kept.experiments) };
        assert_eq!(trial.replica_sets.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["shop-ddd"]);
        assert_eq!(trial.pods.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["shop-ddd-3"]);
        assert_eq!(trial.runs.len(), 1);
    }

    #[test]
    fn revisions_come_newest_first_and_runs_join_theirs() {
        let unnumbered = json!({"metadata": {"annotations": null, "name": "by-hand"}});
        let seen = observed(
            updating(2, json!({})),
            vec![
                replica_set("aaa", 9, "shop:v1", 4, json!({})),
                replica_set("bbb", 10, "shop:v2", 1, json!({})),
            ],
            vec![],
            vec![
                run(unnumbered),
                run(json!({"metadata": {"annotations": {"rollout.argoproj.io/revision": "9"}}})),
            ],
        );
        let found: Vec<_> = seen
            .revisions()
            .iter()
            .map(|revision| (revision.number, revision.sets.len(), revision.runs.len()))
            .collect();
        assert_eq!(found, [(Some(10), 1, 1), (Some(9), 1, 1)]);
    }
}
