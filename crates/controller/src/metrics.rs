//! Translates what is known of the cluster and of this process into the metrics that Argo's dashboards and alerts read.
//! Series of objects are made from the caches when they are asked for, so they end with the object.

use std::sync::LazyLock;

use jiff::Timestamp;
use serin_api::{AnalysisPhase, AnalysisRun, Metric, Rollout, RolloutTrafficRouting};

use crate::exposition::{Page, Shape, count_value};
use crate::object::Name;
use crate::serve::Insight;

static STARTED: LazyLock<Timestamp> = LazyLock::new(Timestamp::now);

/// Notes when the process began. Call it first.
pub fn started() {
    LazyLock::force(&STARTED);
}

/// The whole page.
pub fn page(insight: &Insight) -> String {
    let mut page = Page::default();
    let mut rollouts = insight.caches.rollouts.all();
    rollouts.sort_by(|(a, _), (b, _)| a.cmp(b));
    let read = rollouts.iter().filter_map(|(name, kept)| Some((name, &kept.value.as_ref().ok()?.rollout)));
    expose_rollouts(&mut page, &read.collect::<Vec<_>>());
    let mut runs = insight.caches.runs.all();
    runs.sort_by(|(a, _), (b, _)| a.cmp(b));
    let read = runs.iter().filter_map(|(name, kept)| Some((name, kept.value.as_ref().ok()?)));
    expose_runs(&mut page, &read.collect::<Vec<_>>());
    expose_experiments(&mut page, insight);
    expose_templates(&mut page, insight);
    insight.tally.expose(&mut page);
    expose_process(&mut page, insight);
    page.text()
}

fn expose_rollouts(page: &mut Page, rollouts: &[(&Name, &Rollout)]) {
    let mut info = page.family("rollout_info", Shape::Gauge, "Information about rollout.");
    for (name, rollout) in rollouts {
        let labels = [
            ("namespace", name.namespace.as_str()),
            ("name", &name.name),
            ("strategy", strategy(rollout)),
            ("traffic_router", router(rollout)),
            ("phase", phase(rollout)),
        ];
        info.sample(&labels, 1.0);
    }
    type Count = fn(&Rollout) -> i32;
    let counts: [(&'static str, Count); 4] = [
        ("rollout_info_replicas_available", |rollout| status(rollout).0),
        ("rollout_info_replicas_unavailable", |rollout| status(rollout).1.saturating_sub(status(rollout).0)),
        ("rollout_info_replicas_desired", Rollout::replicas),
        ("rollout_info_replicas_updated", |rollout| status(rollout).2),
    ];
    for (family, count) in counts {
        let mut family = page.family(family, Shape::Gauge, "The number of such replicas per rollout.");
        for (name, rollout) in rollouts {
            family.sample(&[("namespace", &name.namespace), ("name", &name.name)], f64::from(count(rollout)));
        }
    }
    let mut family = page.family("rollout_phase", Shape::Gauge, "DEPRECATED, use rollout_info.");
    for (name, rollout) in rollouts {
        for known in PHASES {
            let labels = [
                ("namespace", name.namespace.as_str()),
                ("name", &name.name),
                ("strategy", strategy(rollout)),
                ("phase", known),
            ];
            family.sample(&labels, f64::from(u8::from(known == phase(rollout))));
        }
    }
}

/// Available, existing and updated pods.
fn status(rollout: &Rollout) -> (i32, i32, i32) {
    let status = rollout.status.as_ref();
    status.map_or((0, 0, 0), |status| (status.available_replicas, status.replicas, status.updated_replicas))
}

const PHASES: [&str; 7] = ["InvalidSpec", "Completed", "Progressing", "Paused", "Timeout", "Error", "Abort"];

/// The phase of Argo's metrics: from conditions, not `status.phase` (controller/metrics/rollouts.go `calculatePhase`).
fn phase(rollout: &Rollout) -> &'static str {
    let conditions = rollout.status.iter().flat_map(|status| &status.conditions);
    let mut phase = "Progressing";
    for condition in conditions {
        match (condition.type_.as_str(), condition.reason.as_str()) {
            ("InvalidSpec", _) => return "InvalidSpec",
            ("Progressing", "NewReplicaSetAvailable") => phase = "Completed",
            ("Progressing", "RolloutPaused") => phase = "Paused",
            ("Progressing", "ReplicaSetCreateError") => phase = "Error",
            ("Progressing", "ProgressDeadlineExceeded") => phase = "Timeout",
            ("Progressing", "RolloutAborted") => phase = "Abort",
            _ => {}
        }
    }
    phase
}

fn strategy(rollout: &Rollout) -> &'static str {
    match &rollout.spec.strategy {
        Some(strategy) if strategy.blue_green.is_some() => "blueGreen",
        Some(strategy) if strategy.canary.is_some() => "canary",
        _ => "none",
    }
}

fn router(rollout: &Rollout) -> &'static str {
    let strategy = rollout.spec.strategy.as_ref();
    let routing = strategy.and_then(|strategy| strategy.canary.as_ref()?.traffic_routing.as_ref());
    routing.map_or("", router_word)
}

fn router_word(routing: &RolloutTrafficRouting) -> &'static str {
    let words = [
        (routing.ambassador.is_some(), "Ambassador"),
        (routing.alb.is_some(), "ALB"),
        (routing.istio.is_some(), "Istio"),
        (routing.nginx.is_some(), "Nginx"),
        (routing.smi.is_some(), "SMI"),
        (routing.app_mesh.is_some(), "AppMesh"),
        (routing.traefik.is_some(), "Traefik"),
        (routing.apisix.is_some(), "Apisix"),
        (routing.plugins.is_some(), "Plugins"),
    ];
    words.into_iter().find(|(used, _)| *used).map_or("", |(_, word)| word)
}

const RUN_PHASES: [AnalysisPhase; 6] = [
    AnalysisPhase::Pending,
    AnalysisPhase::Error,
    AnalysisPhase::Failed,
    AnalysisPhase::Successful,
    AnalysisPhase::Inconclusive,
    AnalysisPhase::Running,
];

fn expose_runs(page: &mut Page, runs: &[(&Name, &AnalysisRun)]) {
    let phase = |run: &AnalysisRun| run.status.as_ref().map(|status| status.phase).unwrap_or_default();
    let mut info = page.family("analysis_run_info", Shape::Gauge, "Information about analysis run.");
    for (name, run) in runs {
        let text = phase(run).to_string();
        info.sample(&[("namespace", &name.namespace), ("name", &name.name), ("phase", &text)], 1.0);
    }
    let mut family = page.family("analysis_run_phase", Shape::Gauge, "DEPRECATED, use analysis_run_info.");
    for (name, run) in runs {
        for known in RUN_PHASES {
            let text = known.to_string();
            let labels = [("namespace", name.namespace.as_str()), ("name", &name.name), ("phase", &text)];
            family.sample(&labels, f64::from(u8::from(known == phase(run))));
        }
    }
    let mut family =
        page.family("analysis_run_metric_type", Shape::Gauge, "Type of a metric of an analysis run.");
    for (name, run) in runs {
        for metric in run.spec.metrics.iter().flatten() {
            let kind = provider(metric);
            let labels = [
                ("namespace", name.namespace.as_str()),
                ("name", &name.name),
                ("metric", &metric.name),
                ("type", &kind),
            ];
            family.sample(&labels, 1.0);
        }
    }
    expose_results(page, runs);
}

fn expose_results(page: &mut Page, runs: &[(&Name, &AnalysisRun)]) {
    let help = "Phase of a metric of an analysis run.";
    let mut family = page.family("analysis_run_metric_phase", Shape::Gauge, help);
    for (name, run) in runs {
        for result in run.status.iter().flat_map(|status| &status.metric_results) {
            let metric = run.spec.metrics.iter().flatten().find(|metric| metric.name == result.name);
            let kind = metric.map(provider).unwrap_or_default();
            for known in RUN_PHASES {
                let text = known.to_string();
                let labels = [
                    ("namespace", name.namespace.as_str()),
                    ("name", &name.name),
                    ("metric", &result.name),
                    ("type", &kind),
                    ("dry_run", if result.dry_run { "true" } else { "false" }),
                    ("phase", &text),
                ];
                family.sample(&labels, f64::from(u8::from(known == result.phase)));
            }
        }
    }
}

/// The provider of a metric as Argo calls it: the name of its field, with a capital.
fn provider(metric: &Metric) -> String {
    let provider = serde_json::to_value(&metric.provider).unwrap_or_default();
    let field = provider.as_object().and_then(|fields| fields.keys().next().cloned()).unwrap_or_default();
    let mut letters = field.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Phases of the deprecated family; Argo's has no `Failed`.
const EXPERIMENT_PHASES: [AnalysisPhase; 5] = [
    AnalysisPhase::Pending,
    AnalysisPhase::Error,
    AnalysisPhase::Successful,
    AnalysisPhase::Inconclusive,
    AnalysisPhase::Running,
];

fn expose_experiments(page: &mut Page, insight: &Insight) {
    let mut experiments = insight.caches.experiments.all();
    experiments.sort_by(|(a, _), (b, _)| a.cmp(b));
    let read = experiments.iter().filter_map(|(name, kept)| Some((name, kept.value.as_ref().ok()?)));
    let phases = read.map(|(name, experiment)| {
        (name, experiment.status.as_ref().map(|status| status.phase).unwrap_or_default())
    });
    let phases: Vec<_> = phases.collect();
    let mut info = page.family("experiment_info", Shape::Gauge, "Information about Experiment.");
    for (name, phase) in &phases {
        let text = phase.to_string();
        info.sample(&[("namespace", &name.namespace), ("name", &name.name), ("phase", &text)], 1.0);
    }
    let mut family = page.family("experiment_phase", Shape::Gauge, "DEPRECATED, use experiment_info.");
    for (name, phase) in &phases {
        for known in EXPERIMENT_PHASES {
            let text = known.to_string();
            let labels = [("namespace", name.namespace.as_str()), ("name", &name.name), ("phase", &text)];
            family.sample(&labels, f64::from(u8::from(known == *phase)));
        }
    }
}

fn expose_templates(page: &mut Page, insight: &Insight) {
    let caches = &insight.caches;
    let mut templates = caches.templates.all();
    templates.extend(caches.cluster_templates.all());
    templates.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut info =
        page.family("analysis_template_info", Shape::Gauge, "Information about analysis templates.");
    for (name, _) in &templates {
        info.sample(&[("namespace", &name.namespace), ("name", &name.name)], 1.0);
    }
    let help = "Information on metrics in analysis templates.";
    let mut info = page.family("analysis_template_metric_info", Shape::Gauge, help);
    for (name, kept) in &templates {
        for metric in kept.value.iter().flat_map(|spec| spec.metrics.iter().flatten()) {
            let kind = provider(metric);
            let labels = [
                ("namespace", name.namespace.as_str()),
                ("name", &name.name),
                ("type", &kind),
                ("metric", &metric.name),
            ];
            info.sample(&labels, 1.0);
        }
    }
}

fn expose_process(page: &mut Page, insight: &Insight) {
    let version = env!("CARGO_PKG_VERSION");
    let mut info = page.family("argo_rollouts_controller_info", Shape::Gauge, "Running controller version.");
    info.sample(&[("version", version)], 1.0);
    let help = "The build; the labels of Go programs that mean nothing here are empty.";
    let labels =
        [("version", version), ("goversion", ""), ("goarch", std::env::consts::ARCH), ("commit", "")];
    page.family("build_info", Shape::Gauge, help).sample(&labels, 1.0);
    let leads = f64::from(u8::from(insight.leadership.holds()));
    page.single("serin_leader", Shape::Gauge, "1 while this process holds the lease.", leads);
    let depths = [
        ("rollouts", insight.caches.rollout_queue.depth()),
        ("experiments", insight.caches.experiment_queue.depth()),
        ("analysisruns", insight.caches.run_queue.depth()),
    ];
    let mut family = page.family("workqueue_depth", Shape::Gauge, "Objects that wait to be looked at.");
    for (queue, depth) in depths {
        family.sample(&[("name", queue)], count_value(u64::try_from(depth).unwrap_or(u64::MAX)));
    }
    let start = STARTED.as_millisecond();
    let start = start as f64 / 1000.0;
    page.single("process_start_time_seconds", Shape::Gauge, "Start time, seconds since the epoch.", start);
    let Some(memory) = Memory::now() else { return };
    page.single("process_resident_memory_bytes", Shape::Gauge, "Resident memory.", memory.resident);
    let help = "Memory of our own, without files; named after Go's heap for the dashboards that read it.";
    page.single("go_memstats_heap_alloc_bytes", Shape::Gauge, help, memory.own);
}

/// Memory of this process in bytes.
struct Memory {
    resident: f64,
    own: f64,
}

impl Memory {
    /// Linux only (proc(5), `/proc/PID/status`).
    fn now() -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let kilobytes = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field))?;
            line.trim().trim_end_matches(" kB").parse::<f64>().ok()
        };
        Some(Self { resident: kilobytes("VmRSS:")? * 1024.0, own: kilobytes("RssAnon:")? * 1024.0 })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rollout(conditions: serde_json::Value) -> Rollout {
        serde_json::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "r"},
            "spec": {"strategy": {"canary": {}}}, "status": {"conditions": conditions},
        }))
        .unwrap()
    }

    fn condition(kind: &str, reason: &str) -> serde_json::Value {
        let time = "2026-01-01T00:00:00Z";
        json!({"type": kind, "status": "True", "reason": reason, "message": "m",
            "lastUpdateTime": time, "lastTransitionTime": time})
    }

    #[test]
    fn the_phase_of_a_rollout_comes_from_its_conditions() {
        for (conditions, expected) in [
            (json!([]), "Progressing"),
            (json!([condition("Progressing", "NewReplicaSetAvailable")]), "Completed"),
            (json!([condition("Progressing", "RolloutPaused")]), "Paused"),
            (json!([condition("Progressing", "RolloutAborted")]), "Abort"),
            (json!([condition("Progressing", "ProgressDeadlineExceeded")]), "Timeout"),
            (json!([condition("Progressing", "ReplicaSetCreateError")]), "Error"),
            (
                json!([condition("Progressing", "RolloutAborted"), condition("InvalidSpec", "x")]),
                "InvalidSpec",
            ),
        ] {
            assert_eq!(phase(&rollout(conditions.clone())), expected, "{conditions}");
        }
    }

    #[test]
    fn memory_of_this_process_is_told() {
        assert!(Memory::now().is_some_and(|memory| memory.own > 0.0 && memory.resident >= memory.own));
    }
}
