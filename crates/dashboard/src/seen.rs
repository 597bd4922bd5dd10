//! What is seen of one Rollout: the object, its ReplicaSets, their pods and its AnalysisRuns.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::core::DeserializeGuard;
use serin_api::{AnalysisRun, Rollout};
use serin_view::object::{created, owned_by, revision};

/// One Rollout with its parts.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The Rollout, or what can be read of it.
    pub rollout: Arc<DeserializeGuard<Rollout>>,
    /// The ReplicaSets that it owns.
    pub replica_sets: Vec<Arc<ReplicaSet>>,
    /// The AnalysisRuns that it owns.
    pub runs: Vec<Arc<DeserializeGuard<AnalysisRun>>>,
    /// Pods that have the labels of the Rollout; those of other owners are left out when shown.
    pub pods: Vec<Arc<Pod>>,
    /// What could not be read, and why.
    pub notes: Vec<String>,
}

impl Seen {
    /// The ReplicaSets, newest revision first.
    pub fn sets(&self) -> Vec<&ReplicaSet> {
        let mut sets: Vec<_> = self.replica_sets.iter().map(AsRef::as_ref).collect();
        sets.sort_by_key(|set| std::cmp::Reverse((revision(*set), created(*set))));
        sets
    }

    /// The AnalysisRuns that can be read, newest first.
    pub fn runs(&self) -> Vec<&AnalysisRun> {
        let mut runs: Vec<_> = self.runs.iter().filter_map(|run| run.0.as_ref().ok()).collect();
        runs.sort_by_key(|run| std::cmp::Reverse((revision(*run), created(*run), run.name_any())));
        runs
    }

    /// The pods of one ReplicaSet, oldest first.
    pub fn pods_of(&self, set: &ReplicaSet) -> Vec<&Pod> {
        let mut pods: Vec<_> = self
            .pods
            .iter()
            .map(AsRef::as_ref)
            .filter(|pod| owned_by(*pod, set.metadata.uid.as_deref()))
            .collect();
        pods.sort_by_key(|pod| (created(*pod), pod.name_any()));
        pods
    }

    /// Notes about parts that cannot be shown: those given, and AnalysisRuns that cannot be read.
    pub fn notes(&self) -> Vec<String> {
        let unreadable = self.runs.iter().filter_map(|run| {
            let bad = run.0.as_ref().err()?;
            let name = bad.metadata.name.as_deref().unwrap_or_default();
            Some(format!("AnalysisRun {name} is not shown, it cannot be read: {}", bad.error))
        });
        self.notes.iter().cloned().chain(unreadable).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{pod, replica_set, run, seen, updating};
    use serde_json::json;

    #[test]
    fn parts_come_newest_first_and_pods_with_their_owner() {
        let foreign = json!({"metadata": {"ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "other", "uid": "uid-other"},
        ]}});
        let sets =
            [replica_set("aaa", 9, "shop:v1", 4, json!({})), replica_set("bbb", 10, "shop:v2", 1, json!({}))];
        let later = json!({"metadata": {"name": "later", "creationTimestamp": "2026-11-24T14:09:00Z"}});
        let seen = seen(
            updating(2, json!({})),
            sets.to_vec(),
            vec![pod("bbb", "1", json!({})), pod("bbb", "2", foreign)],
            vec![run(json!({})), run(later)],
        );
        assert_eq!(
            seen.sets().iter().map(|set| set.name_any()).collect::<Vec<_>>(),
            ["shop-bbb", "shop-aaa"]
        );
        assert_eq!(
            seen.runs().iter().map(|run| run.name_any()).collect::<Vec<_>>(),
            ["later", "shop-bbb-3-2"]
        );
        let pods: Vec<_> = seen.pods_of(&sets[1]).iter().map(|pod| pod.name_any()).collect();
        assert_eq!(pods, ["shop-bbb-1"]);
    }

    #[test]
    fn an_analysis_run_that_cannot_be_read_hides_no_other() {
        let bad = json!({"metadata": {"name": "bad", "namespace": "web"}, "spec": {"metrics": "none"}});
        let mut seen = seen(updating(2, json!({})), vec![], vec![], vec![run(json!({}))]);
        seen.runs.push(Arc::new(serde_json::from_value(bad).unwrap()));
        assert_eq!(seen.runs().len(), 1);
        assert!(
            seen.notes()[0].starts_with("AnalysisRun bad is not shown, it cannot be read: "),
            "{:?}",
            seen.notes()
        );
    }
}
