//! Holds the page against one that Argo Rollouts 1.9.2 gave for the same objects: `argo/metrics.txt`, recorded of the stock
//! controller on a real cluster without most of the counters' many series, and `argo/objects.json`, what it had stored then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kube::runtime::watcher::Event;
use serde_json::Value;
use serin_core::duration::Ended;
use serin_core::journal::Severity;
use serin_core::seen::ObjectKey;

use super::*;
use crate::caches::tests::listed;
use crate::lease::Leadership;
use crate::object::Name;
use crate::tally::{Subject, Tally};

const RECORDED: &str = include_str!("argo/metrics.txt");

/// What only a program in Go has: its metrics library counts itself, and its process collector the network.
const OF_GO: [&str; 7] = [
    "cardinality_enforcement_unexpected_categorizations_total",
    "disabled_metrics_total",
    "hidden_metrics_total",
    "registered_metrics_total",
    "process_network_receive_bytes_total",
    "process_network_transmit_bytes_total",
    "process_virtual_memory_max_bytes",
];

/// Families whose series say what the objects are, and nothing of the process: they must be equal to the last value.
const OF_OBJECTS: [&str; 13] = [
    "rollout_info",
    "rollout_info_replicas_available",
    "rollout_info_replicas_unavailable",
    "rollout_info_replicas_desired",
    "rollout_info_replicas_updated",
    "rollout_phase",
    "analysis_run_info",
    "analysis_run_phase",
    "analysis_run_metric_type",
    "analysis_run_metric_phase",
    "analysis_template_info",
    "analysis_template_metric_info",
    "experiment_info",
];

type Labels = BTreeMap<String, String>;

/// What a page says: the type of each family, and its series.
struct Said {
    types: BTreeMap<String, String>,
    series: Vec<(String, Labels, f64)>,
}

impl Said {
    fn of(page: &str) -> Self {
        let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let types = types.map(|(name, shape)| (name.to_owned(), shape.to_owned())).collect();
        let series = page.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let (left, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = left.split_once('{').unwrap_or((left, "}"));
            let labels = labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty());
            let labels = labels.map(|label| label.split_once("=\"").unwrap());
            let labels = labels.map(|(key, text)| (key.to_owned(), text.trim_end_matches('"').to_owned()));
            (name.to_owned(), labels.collect(), value.parse().unwrap())
        });
        Self { types, series: series.collect() }
    }

    /// The names of the labels of the series of this name, where there are any.
    fn labels(&self, name: &str) -> Option<BTreeSet<&str>> {
        let (_, labels, _) = self.series.iter().find(|(known, ..)| known == name)?;
        Some(labels.keys().map(String::as_str).collect())
    }

    fn values(&self, family: &str) -> BTreeMap<Vec<(&str, &str)>, f64> {
        let series = self.series.iter().filter(|(name, ..)| name == family);
        series.map(|(_, labels, value)| (pairs(labels), *value)).collect()
    }
}

fn pairs(labels: &Labels) -> Vec<(&str, &str)> {
    labels.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect()
}

/// A process that has seen the recorded objects and done a little of everything.
fn ours() -> Said {
    let caches = listed();
    let objects: Vec<Value> = serde_json::from_str(include_str!("argo/objects.json")).unwrap();
    for object in objects {
        let event = Event::Apply(serde_json::from_value(object.clone()).unwrap());
        match object["kind"].as_str().unwrap() {
            "Rollout" => drop(caches.rollouts.apply(event)),
            "Experiment" => drop(caches.experiments.apply(event)),
            "AnalysisRun" => drop(caches.runs.apply(event)),
            "AnalysisTemplate" => drop(caches.templates.apply(event)),
            "ClusterAnalysisTemplate" => drop(caches.cluster_templates.apply(event)),
            other => panic!("no cache is of {other}"),
        }
    }
    let insight = Insight { caches, tally: worked().into(), leadership: Leadership::always() };
    Said::of(&page(&insight))
}

fn worked() -> Tally {
    let (tally, took, name) = (Tally::default(), Duration::from_millis(20), Name::new("team", "shop"));
    for subject in [Subject::Rollout, Subject::Experiment, Subject::AnalysisRun] {
        tally.reconciled(subject, &name, took, true);
    }
    tally.told(Subject::Rollout, &name, Severity::Normal, "RolloutUpdated");
    tally.notified(&name, Severity::Normal, "RolloutUpdated", took, true);
    tally.notified(&name, Severity::Normal, "RolloutUpdated", took, false);
    tally.ended(&Ended { how: "Promoted".to_owned(), seconds: 5, held_seconds: 1 });
    tally.wrote(&ObjectKey::new("apps", "v1", "ReplicaSet", "team", "shop-1"), "create", None);
    tally.wrote(&ObjectKey::new("networking.k8s.io", "v1", "Ingress", "team", "shop"), "apply", None);
    tally
}

#[test]
fn every_family_of_argo_is_there_with_its_type_and_its_labels() {
    let (argo, ours) = (Said::of(RECORDED), ours());
    for (family, shape) in argo.types.iter().filter(|(family, _)| !OF_GO.contains(&family.as_str())) {
        assert_eq!(ours.types.get(family), Some(shape), "{family}");
        for suffix in if shape == "histogram" { &["_bucket", "_sum", "_count"][..] } else { &[""] } {
            let name = format!("{family}{suffix}");
            assert_eq!(ours.labels(&name), argo.labels(&name), "{name}");
        }
    }
    assert!(argo.types.len() > 30, "the recording was read");
}

/// Argo's counters that had nothing to count in the recording (controller/metrics/prommetrics.go).
#[test]
fn families_that_counted_nothing_then_have_their_labels_too() {
    let ours = ours();
    for (name, labels) in [
        ("analysis_run_reconcile_error", &["namespace", "name"][..]),
        ("experiment_reconcile_error", &["namespace", "name"]),
        ("notification_send_success", &["namespace", "name", "type", "reason"]),
        ("notification_send_error", &["namespace", "name", "type", "reason"]),
        ("rollout_duration_seconds_count", &["status"]),
        ("rollout_progression_duration_seconds_count", &["status"]),
        ("rollout_manual_pause_duration_seconds_count", &["status"]),
    ] {
        assert_eq!(ours.labels(name), Some(labels.iter().copied().collect()), "{name}");
    }
}

#[test]
fn objects_are_told_as_argo_tells_them() {
    let (argo, ours) = (Said::of(RECORDED), ours());
    for family in OF_OBJECTS.into_iter().chain(["experiment_phase"]) {
        assert!(!argo.values(family).is_empty(), "{family} was recorded");
        assert_eq!(ours.values(family), argo.values(family), "{family}");
    }
}

#[test]
fn histograms_and_requests_have_the_words_that_alerts_select() {
    let (argo, ours) = (Said::of(RECORDED), ours());
    for (name, label) in [("rollout_reconcile_bucket", "le"), ("workqueue_depth", "name")] {
        let words = |said: &Said| -> BTreeSet<String> {
            let series = said.series.iter().filter(|(known, ..)| known == name);
            series.map(|(_, labels, _)| labels[label].clone()).collect()
        };
        let missing: Vec<_> = words(&ours).difference(&words(&argo)).cloned().collect();
        assert_eq!(missing, Vec::<String>::new(), "{name}: words that Argo does not have");
    }
    let requests: Vec<_> = ours.values("controller_clientset_k8s_request_total").into_keys().collect();
    let word = |request: &[(&str, &str)], key: &str| {
        request.iter().find(|(known, _)| *known == key).map(|(_, text)| (*text).to_owned()).unwrap()
    };
    let words: Vec<_> = requests
        .iter()
        .map(|request| ["kind", "verb", "status_code"].map(|key| word(request, key)).join(" "))
        .collect();
    assert_eq!(words, ["ingresses Patch 200", "replicasets Create 201"]);
}

/// What the public dashboard of Argo Rollouts selects, by metric and labels; `job` comes from the scrape.
#[test]
fn argos_grafana_dashboard_finds_what_it_draws() {
    let ours = ours();
    let of_phase: Vec<_> = ["Abort", "Error", "InvalidSpec", "Timeout", "Completed", "Paused", "Progressing"]
        .map(|phase| ("phase", phase))
        .into();
    for (name, labels) in [
        ("rollout_info", &["namespace", "name", "strategy"][..]),
        ("rollout_info_replicas_available", &["namespace", "name"]),
        ("rollout_info_replicas_desired", &["namespace", "name"]),
        ("rollout_info_replicas_unavailable", &["namespace", "name"]),
        ("rollout_reconcile_bucket", &["le"]),
        ("rollout_reconcile_count", &[]),
        ("process_start_time_seconds", &[]),
        ("go_memstats_heap_alloc_bytes", &[]),
    ] {
        let known = ours.labels(name).unwrap_or_else(|| panic!("no series of {name}"));
        assert!(labels.iter().all(|label| known.contains(label)), "{name}: {known:?}");
    }
    let found = ours.values("rollout_info").into_keys().flatten().filter(|(key, _)| *key == "phase");
    let found: BTreeSet<_> = found.collect();
    assert!(found.iter().all(|phase| of_phase.contains(phase)), "{found:?}");
}
