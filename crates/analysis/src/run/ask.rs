//! Puts the questions that are due into requests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serin_api::MetricResult;

use super::prepared::{Prepared, Unaskable};
use super::schedule;
use super::{Ask, Part, underway};
use crate::comparison::{Evidence, Plan};
use crate::provider::Look;
use crate::provider::prometheus::Prometheus;

/// The questions of a metric that are due.
///
/// # Errors
/// [`Unaskable`] when one is due and cannot be asked.
pub(super) fn of(
    prepared: &Prepared,
    result: Option<&MetricResult>,
    began: Timestamp,
    now: Timestamp,
) -> Result<Vec<Ask>, Unaskable> {
    let plan = prepared.comparison();
    let due = schedule::next(&prepared.limits, plan, result, began);
    if due.is_none_or(|due| due > now) {
        return Ok(Vec::new());
    }
    if prepared.by_job() {
        return Ok(Vec::new());
    }
    let provider = prepared.provider()?;
    let ask = |part, request| Ask {
        metric: prepared.name.clone(),
        part,
        at: now,
        provider: provider.place(),
        request,
    };
    let Some(plan) = plan else {
        let request = provider.request(&look(result, now)).map_err(Unaskable::of)?;
        return Ok(vec![ask(Part::Query, request)]);
    };
    let prometheus = prepared.prometheus()?;
    let ids = windows(prepared, plan, result, began, now);
    let mut asks = Vec::new();
    if let Some(first) = ids.first().filter(|_| lacks_past(prepared, plan, result, began)) {
        let (queries, at) = plan.history(*first);
        asks.extend(queries.iter().map(|(of, query)| ask(Part::History(*of), prometheus.instant(query, at))));
    }
    for id in ids {
        let (queries, end) = plan.queries(id);
        asks.extend(
            queries.iter().map(|(of, query)| ask(Part::Window(id, *of), prometheus.instant(query, end))),
        );
    }
    Ok(asks)
}

/// Stable before the first window is asked for once, together with that window.
fn lacks_past(prepared: &Prepared, plan: &Plan, result: Option<&MetricResult>, began: Timestamp) -> bool {
    let begun = schedule::begun(&prepared.limits, began);
    let (evidence, _) = Evidence::of(result.and_then(|result| result.evidence.as_ref()), plan, begun);
    evidence.past.is_none()
}

fn look(result: Option<&MetricResult>, at: Timestamp) -> Look<'_> {
    static NOTHING: BTreeMap<String, String> = BTreeMap::new();
    Look { at, underway: underway::of(result).map_or(&NOTHING, |begun| &begun.metadata) }
}

/// At least one window even when an edit made `count` smaller than what was judged: the next one ends the comparison.
fn windows(
    prepared: &Prepared,
    plan: &Plan,
    result: Option<&MetricResult>,
    began: Timestamp,
    now: Timestamp,
) -> Vec<i64> {
    let begun = schedule::begun(&prepared.limits, began);
    let (evidence, _) = Evidence::of(result.and_then(|result| result.evidence.as_ref()), plan, begun);
    let left = prepared
        .limits
        .count
        .map_or(usize::MAX, |count| usize::try_from(evidence.remaining(count)).unwrap_or(0).max(1));
    plan.pending(plan.at_or_after(evidence.until), now.as_second()).take(left).collect()
}

/// Why the metric cannot be asked for now, if it cannot.
pub(super) fn problem(
    prepared: &Prepared,
    result: Option<&MetricResult>,
    now: Timestamp,
) -> Option<Unaskable> {
    let provider = match prepared.provider() {
        Ok(provider) => provider,
        Err(unaskable) => return Some(unaskable),
    };
    match prepared.comparison() {
        Some(_) => None,
        None => provider.request(&look(result, now)).err().map(Unaskable::of),
    }
}

/// What the metadata of a metric result shows of its questions, secrets hidden.
pub(super) fn shown(prepared: &Prepared) -> BTreeMap<String, String> {
    match prepared.comparison() {
        Some(plan) => plan.shown(),
        None => prepared.shown().map(|provider| provider.shown()).unwrap_or_default(),
    }
}

impl Prepared<'_> {
    /// The Prometheus of a comparison, for queries that are not the metric's own.
    fn prometheus(&self) -> Result<Prometheus<'_>, Unaskable> {
        let metric = self.real()?.provider.prometheus.as_ref();
        let metric = metric.ok_or(Unaskable::Problem(crate::provider::Problem::NoProvider))?;
        Prometheus::new(metric, self.around.default_prometheus).map_err(Unaskable::of)
    }
}
