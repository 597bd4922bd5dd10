//! What is seen of one Rollout: the object, its ReplicaSets, their pods and its AnalysisRuns, at one moment.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serin_api::{AnalysisRun, Rollout};
use serin_view::object::{created, hash_of, owned_by, revision as number};

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
}

impl Observed {
    /// Leaves out what belongs to others: label selectors may match more than the Rollout owns.
    pub fn keep_owned(mut self) -> Self {
        let rollout = self.rollout.metadata.uid.clone();
        self.replica_sets.retain(|set| owned_by(set, rollout.as_deref()));
        self.runs.retain(|run| owned_by(run, rollout.as_deref()));
        let sets: Vec<_> = self.replica_sets.iter().map(|set| set.metadata.uid.clone()).collect();
        self.pods.retain(|pod| sets.iter().any(|set| owned_by(pod, set.as_deref())));
        self.pods
            .sort_by_key(|pod| (pod.metadata.creation_timestamp.clone().map(|time| time.0), pod.name_any()));
        self
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
        revisions.sort_by_key(|revision| std::cmp::Reverse(revision.number));
        for revision in &mut revisions {
            revision.runs.sort_by_key(|run| std::cmp::Reverse((created(*run), run.name_any())));
            revision.sets.sort_by_key(|set| std::cmp::Reverse((created(*set), set.name_any())));
        }
        revisions
    }

    fn number_by_hash(&self, run: &AnalysisRun) -> Option<i64> {
        number(self.set_of(hash_of(run)?)?)
    }
}

fn entry<'r, 'o>(revisions: &'r mut Vec<Revision<'o>>, number: Option<i64>) -> &'r mut Revision<'o> {
    let index = revisions.iter().position(|revision| revision.number == number).unwrap_or_else(|| {
        revisions.push(Revision { number, sets: Vec::new(), runs: Vec::new() });
        revisions.len() - 1
    });
    &mut revisions[index]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{observed, pod, replica_set, run, updating};
    use serde_json::json;

    #[test]
    fn objects_of_others_are_left_out() {
        let foreign = |uid: &str| json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "x", "uid": uid}]}});
        let seen = observed(
            updating(2, json!({})),
            vec![
                replica_set("aaa", 2, "shop:v1", 4, json!({})),
                replica_set("ccc", 9, "other:v1", 1, foreign("uid-other")),
            ],
            vec![pod("aaa", "1", json!({})), pod("aaa", "2", foreign("uid-ccc"))],
            vec![run(json!({})), run(foreign("uid-experiment"))],
        );
        let kept = seen.keep_owned();
        assert_eq!(kept.replica_sets.len(), 1);
        assert_eq!(kept.pods.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["shop-aaa-1"]);
        assert_eq!(kept.runs.len(), 1);
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
