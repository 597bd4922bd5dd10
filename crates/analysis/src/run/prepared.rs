//! Reads the spec of a run: arguments filled in, limits, conditions and comparisons understood, secrets found.

use serin_api::{AnalysisRun, AnalysisRunSpec, Metric};
use serin_core::seen::Seen;

use crate::argument::{Arguments, Unfilled};
use crate::comparison::Plan;
use crate::limit::Limits;
use crate::provider::{self, Place, Problem, Profiles, Provider, Surroundings};
use crate::secret::{HIDDEN, SecretText, Secrets, redact};
use crate::validate::{self, Invalid, Measured};

/// Stands for a secret while the spec is checked, as in Argo Rollouts.
const PLACEHOLDER: &str = "temp-for-secret";

/// Measurements that are kept of a metric, unless the run says otherwise.
const KEPT: usize = 10;

/// One metric of a run, ready to be measured.
pub(super) struct Prepared<'w> {
    pub(super) name: String,
    pub(super) limits: Limits,
    pub(super) measured: Measured,
    pub(super) dry_run: bool,
    pub(super) kept: usize,
    /// The metric with its secrets, or why they are not known.
    real: Result<Metric, String>,
    /// The metric with its secrets hidden.
    shown: Metric,
    secrets: Vec<SecretText>,
    pub(super) around: Surroundings<'w>,
}

impl Prepared<'_> {
    /// The provider to ask, or the reason why nobody can be asked now.
    pub(super) fn provider(&self) -> Result<Box<dyn Provider + '_>, Unaskable> {
        provider::of(&self.real()?.provider, self.around).map_err(Unaskable::of)
    }

    /// The metric with its secrets.
    pub(super) fn real(&self) -> Result<&Metric, Unaskable> {
        self.real.as_ref().map_err(|missing| Unaskable::Secret(missing.clone()))
    }

    /// A Job measures it.
    pub(super) fn by_job(&self) -> bool {
        self.shown.provider.job.is_some()
    }

    /// The provider as it may be shown: its secrets are hidden.
    pub(super) fn shown(&self) -> Option<Box<dyn Provider + '_>> {
        provider::of(&self.shown.provider, self.around).ok()
    }

    /// `text` without the secrets of the metric.
    pub(super) fn redact(&self, text: &str) -> String {
        redact(text, &self.secrets)
    }

    pub(super) fn comparison(&self) -> Option<&Plan> {
        match &self.measured {
            Measured::Comparison(plan) => Some(plan),
            Measured::Query { .. } => None,
        }
    }
}

/// Why a metric cannot be asked for now.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Unaskable {
    /// A secret that it needs is not known; it may come.
    Secret(String),
    /// It asks for something that cannot be asked.
    Problem(Problem),
}

impl Unaskable {
    pub(super) fn of(problem: Problem) -> Self {
        match problem {
            Problem::Missing(what) => Self::Secret(what),
            problem => Self::Problem(problem),
        }
    }
}

/// Why a run cannot be measured at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unmeasurable {
    #[error("Unable to resolve metric arguments: {0}")]
    Arguments(#[from] Unfilled),
    #[error("Analysis spec invalid: {0}")]
    Invalid(#[from] Invalid),
}

/// Reads the metrics of a run.
pub(super) fn prepare<'w>(
    spec: &AnalysisRunSpec,
    secrets: &Secrets,
    around: Surroundings<'w>,
) -> Result<Vec<Prepared<'w>>, Unmeasurable> {
    let metrics = spec.metrics.as_deref().unwrap_or_default();
    let arguments = Arguments::of(spec.args.as_deref().unwrap_or_default())?;
    let placeholder = |metric| arguments.fill(metric, |_, _| PLACEHOLDER.to_owned());
    let checked: Vec<Metric> = metrics.iter().map(placeholder).collect::<Result<_, _>>()?;
    for (index, metric) in metrics.iter().enumerate() {
        validate::shows_no_secret(metric, &arguments).map_err(|why| Invalid::Metric { index, why })?;
    }
    let read = validate::read(&checked, spec.arms.as_ref(), around)?;
    let names: Vec<&str> = checked.iter().map(|metric| metric.name.as_str()).collect();
    let dry_run: Vec<&str> = spec.dry_run.iter().flatten().map(|rule| rule.metric_name.as_str()).collect();
    let dry_run = validate::matching("dryRun", &dry_run, &names)?;
    let kept = retention(spec, &names)?;
    let mut prepared = Vec::new();
    let rules = names.into_iter().zip(dry_run).zip(kept);
    for ((metric, (limits, measured)), ((name, dry_run), kept)) in metrics.iter().zip(read).zip(rules) {
        let found = find(&arguments.secrets_of(metric)?, secrets);
        let shown = arguments.fill(metric, |_, _| HIDDEN.to_owned())?;
        let (real, texts) = match found {
            Ok(texts) if texts.is_empty() => (Ok(shown.clone()), Vec::new()),
            Ok(texts) => (Ok(arguments.fill(metric, |name, key| text_of(secrets, name, key))?), texts),
            Err(missing) => (Err(missing), Vec::new()),
        };
        let argument_secrets = !texts.is_empty();
        let named = provider::profile::needed(&real.as_ref().unwrap_or(&shown).provider);
        let mut secrets = texts;
        secrets.extend(provider::profile::secret_texts(around.profiles, &named));
        secrets.extend(provider::extension::secret_texts(around.extensions));
        prepared.push(Prepared {
            name: name.to_owned(),
            limits,
            measured: reread(measured, real.as_ref().ok(), argument_secrets),
            dry_run: dry_run.is_some(),
            kept,
            real,
            shown,
            secrets,
            around,
        });
    }
    Ok(prepared)
}

/// Conditions may hold secrets too: with them they are read again.
fn reread(measured: Measured, real: Option<&Metric>, secret: bool) -> Measured {
    match (measured, real) {
        (Measured::Query { success, failure }, Some(real)) if secret => {
            validate::conditions(real).unwrap_or(Measured::Query { success, failure })
        }
        (measured, _) => measured,
    }
}

fn retention(spec: &AnalysisRunSpec, names: &[&str]) -> Result<Vec<usize>, Invalid> {
    let rules = spec.measurement_retention.as_deref().unwrap_or_default();
    let patterns: Vec<&str> = rules.iter().map(|rule| rule.metric_name.as_str()).collect();
    let matched = validate::matching("measurementRetention", &patterns, names)?;
    let kept = |rule: Option<usize>| {
        let limit = rule.and_then(|rule| rules.get(rule)).map(|rule| rule.limit);
        limit.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0).unwrap_or(KEPT)
    };
    Ok(matched.into_iter().map(kept).collect())
}

fn find(keys: &[(String, String)], secrets: &Secrets) -> Result<Vec<SecretText>, String> {
    keys.iter()
        .map(|(name, key)| match secrets.get(&(name.clone(), key.clone())) {
            Some(Seen::Fresh(text) | Seen::Stale(text)) => Ok(text.clone()),
            Some(Seen::Absent) => Err(format!("key '{key}' does not exist in secret '{name}'")),
            Some(Seen::Failed(why)) => Err(format!("secret '{name}' cannot be read: {why}")),
            None => Err(format!("secret '{name}' was not read yet")),
        })
        .collect()
}

fn text_of(secrets: &Secrets, name: &str, key: &str) -> String {
    let known = secrets.get(&(name.to_owned(), key.to_owned())).and_then(Seen::last_known);
    known.map(|text| text.expose().to_owned()).unwrap_or_default()
}

/// The profiles of the providers of a run, as far as its arguments can be filled in.
pub(super) fn profiles(spec: &AnalysisRunSpec) -> Vec<(Place, String)> {
    let Ok(arguments) = Arguments::of(spec.args.as_deref().unwrap_or_default()) else {
        return Vec::new();
    };
    let filled = |metric: &Metric| arguments.fill(metric, |_, _| PLACEHOLDER.to_owned()).ok();
    let metrics = spec.metrics.iter().flatten().filter_map(filled);
    let mut needed: Vec<_> = metrics.flat_map(|metric| provider::profile::needed(&metric.provider)).collect();
    needed.sort();
    needed.dedup();
    needed
}

/// The comparison called `metric` in a run.
pub(crate) fn comparison(run: &AnalysisRun, metric: &str) -> Result<Option<Plan>, String> {
    // A replay asks nobody: any address will do.
    let around = Surroundings {
        default_prometheus: Some("http://prometheus"),
        profiles: &Profiles::new(),
        extensions: None,
    };
    let prepared = prepare(&run.spec, &Secrets::new(), around).map_err(|wrong| wrong.to_string())?;
    Ok(prepared.into_iter().find(|prepared| prepared.name == metric).and_then(|prepared| {
        match prepared.measured {
            Measured::Comparison(plan) => Some(*plan),
            Measured::Query { .. } => None,
        }
    }))
}
