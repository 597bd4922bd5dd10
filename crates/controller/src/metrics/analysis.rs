//! Says phases, metrics and templates of analyses.

use serin_analysis::validate;
use serin_api::{AnalysisPhase, AnalysisRun, Metric};

use super::is_in;
use crate::caches::Caches;
use crate::exposition::{Page, Shape};
use crate::object::Name;

const PHASES: [AnalysisPhase; 6] = [
    AnalysisPhase::Pending,
    AnalysisPhase::Error,
    AnalysisPhase::Failed,
    AnalysisPhase::Successful,
    AnalysisPhase::Inconclusive,
    AnalysisPhase::Running,
];

/// The families of AnalysisRuns and of templates.
pub(super) fn expose(page: &mut Page, caches: &Caches) {
    let mut runs = caches.runs.all();
    runs.sort_by(|(a, _), (b, _)| a.cmp(b));
    let read = runs.iter().filter_map(|(name, kept)| Some((name, kept.value.as_ref().ok()?)));
    let runs: Vec<_> = read.collect();
    expose_phases(page, &runs);
    expose_types(page, &runs);
    expose_results(page, &runs);
    expose_templates(page, caches);
}

fn expose_phases(page: &mut Page, runs: &[(&Name, &AnalysisRun)]) {
    let phase = |run: &AnalysisRun| run.status.as_ref().map(|status| status.phase).unwrap_or_default();
    let mut info = page.family("analysis_run_info", Shape::Gauge, "Information about analysis run.");
    for (name, run) in runs {
        let text = phase(run).to_string();
        info.sample(&[("namespace", &name.namespace), ("name", &name.name), ("phase", &text)], 1.0);
    }
    let mut family = page.family("analysis_run_phase", Shape::Gauge, "DEPRECATED, use analysis_run_info.");
    for (name, run) in runs {
        for known in PHASES {
            let text = known.to_string();
            let labels = [("namespace", name.namespace.as_str()), ("name", &name.name), ("phase", &text)];
            family.sample(&labels, is_in(phase(run), known));
        }
    }
}

fn expose_types(page: &mut Page, runs: &[(&Name, &AnalysisRun)]) {
    let help = "Type of a metric of an analysis run.";
    let mut family = page.family("analysis_run_metric_type", Shape::Gauge, help);
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
}

/// Every metric of the spec has its series, those that are not measured yet too: they are pending.
fn expose_results(page: &mut Page, runs: &[(&Name, &AnalysisRun)]) {
    let help = "Phase of a metric of an analysis run.";
    let mut family = page.family("analysis_run_metric_phase", Shape::Gauge, help);
    for (name, run) in runs {
        let dry = dry_runs(run);
        for (metric, dry) in run.spec.metrics.iter().flatten().zip(dry) {
            let mut results = run.status.iter().flat_map(|status| &status.metric_results);
            let result = results.find(|result| result.name == metric.name);
            let phase = result.map(|result| result.phase).unwrap_or_default();
            let kind = provider(metric);
            for known in PHASES {
                let text = known.to_string();
                let labels = [
                    ("namespace", name.namespace.as_str()),
                    ("name", &name.name),
                    ("metric", &metric.name),
                    ("type", &kind),
                    ("dry_run", if dry { "true" } else { "false" }),
                    ("phase", &text),
                ];
                family.sample(&labels, is_in(phase, known));
            }
        }
    }
}

/// Which metrics of a run are tried without consequence; none when the rules cannot be read, which the run itself says.
fn dry_runs(run: &AnalysisRun) -> Vec<bool> {
    let rules: Vec<&str> = run.spec.dry_run.iter().flatten().map(|rule| rule.metric_name.as_str()).collect();
    let names: Vec<&str> = run.spec.metrics.iter().flatten().map(|metric| metric.name.as_str()).collect();
    match validate::matching("dryRun", &rules, &names) {
        Ok(matched) => matched.iter().map(Option::is_some).collect(),
        Err(_) => vec![false; names.len()],
    }
}

fn expose_templates(page: &mut Page, caches: &Caches) {
    let mut templates = caches.templates.all();
    templates.extend(caches.cluster_templates.all());
    templates.sort_by(|(a, _), (b, _)| a.cmp(b));
    let help = "Information about analysis templates.";
    let mut info = page.family("analysis_template_info", Shape::Gauge, help);
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

/// The provider of a metric as Argo calls it: the name of its field with a capital, but for two.
fn provider(metric: &Metric) -> String {
    let provider = serde_json::to_value(&metric.provider).unwrap_or_default();
    let field = provider.as_object().and_then(|fields| fields.keys().next().cloned()).unwrap_or_default();
    match field.as_str() {
        "skywalking" => field,
        "plugin" => "RPCPlugin".to_owned(),
        _ => {
            let mut letters = field.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
        }
    }
}
