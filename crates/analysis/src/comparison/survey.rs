//! Asks what stable is like now, outside of any rollout: for plans, and to see whether its buckets can tell what is compared.

use jiff::Timestamp;
use serin_api::{Arms, Metric};

use super::question::Asking;
use super::{Past, Plan};
use crate::judge::error_rate::Settings;
use crate::judge::histogram::Histogram;
use crate::judge::tally::Tally;
use crate::limit::Limits;
use crate::provider::prometheus::Prometheus;
use crate::provider::{Reply, Request, Response};

/// The question what stable is like, for the comparison of one metric.
pub struct Survey<'m> {
    metric: &'m Metric,
    plan: Plan,
    /// The window that a rollout would begin with.
    next: i64,
}

/// What stable is like.
#[derive(Clone, Debug, PartialEq)]
pub struct Surveyed {
    /// Requests and, for rates, events among them.
    pub tally: Tally,
    /// Seconds in which these came.
    pub seconds: f64,
    /// Intra-cluster correlation, and the standard deviation of lasting differences between pods; `None` when too few pods
    /// were seen. Of latencies, those of the last quantile.
    pub noise: Option<(f64, f64)>,
    /// Latencies and the quantiles that are compared, for a comparison of latencies.
    pub latency: Option<(Histogram, Vec<Quantile>)>,
}

/// A quantile that is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile {
    /// 0.99 for p99.
    pub quantile: f64,
    /// The bucket bound that stands for it; `None` when there is none near.
    pub bound: Option<f64>,
}

impl<'m> Survey<'m> {
    /// `metric` with its arguments filled in; `None` when it compares nothing. Without `arms` all revisions together are taken
    /// for stable. `windows`: of how many windows before `now`.
    ///
    /// # Errors
    /// A sentence with the field and the remedy.
    pub fn of(
        metric: &'m Metric,
        arms: Option<&Arms>,
        windows: u32,
        now: Timestamp,
    ) -> Result<Option<Self>, String> {
        let Some(comparison) = &metric.comparison else { return Ok(None) };
        let limits = Limits::of(metric)?;
        let unknown = Arms { canary: "canary".to_owned(), stable: "stable".to_owned(), ..Arms::default() };
        let given = arms.unwrap_or(&unknown);
        let mut plan = Plan::of(metric, comparison, &limits, Some(given), super::questions(comparison))?;
        if arms.is_none() {
            plan.labels = plan
                .labels
                .whatever_revision()
                .ok_or("comparison.preset: an ingress tells stable by its Service; name the Rollout")?;
        }
        plan.history = i64::from(windows);
        let next = now.as_second().saturating_sub(plan.delay).div_euclid(plan.seconds);
        Ok(Some(Self { metric, plan, next }))
    }

    /// What the comparison is set to.
    pub fn settings(&self) -> Settings {
        self.plan.settings
    }

    /// The quantiles that are compared.
    pub fn quantiles(&self) -> Vec<f64> {
        self.quantiles_with(&Past::default()).into_iter().map(|quantile| quantile.quantile).collect()
    }

    /// Length of a window in seconds.
    pub fn window(&self) -> f64 {
        self.plan.seconds as f64
    }

    /// The unit of latencies, for people: `s`, `ms` or nothing.
    pub fn unit(&self) -> &'static str {
        self.plan.unit
    }

    /// What to send; `default` is the address of Prometheus for metrics that name none.
    ///
    /// # Errors
    /// A sentence about an address or a login that cannot work.
    pub fn requests(&self, default: Option<&str>) -> Result<Vec<Request>, String> {
        let provider = self.metric.provider.prometheus.as_ref().ok_or("only Prometheus can be compared")?;
        let prometheus = Prometheus::new(provider, default).map_err(|problem| problem.to_string())?;
        let (queries, at) = self.plan.history(self.next);
        Ok(queries.iter().map(|(_, query)| prometheus.instant(query, at)).collect())
    }

    /// Reads the answers, in the order of [`requests`](Self::requests); `None` when there were no requests of stable.
    ///
    /// # Errors
    /// What came instead of samples.
    pub fn read(&self, responses: &[Response]) -> Result<Option<Surveyed>, String> {
        let mut answers = Vec::new();
        for response in responses {
            let (answered, _) = self.plan.read(response).map_err(|reply| said(&reply))?;
            answers.push(answered);
        }
        let past = self.plan.past(&answers);
        let Some(tally) = past.tally() else { return Ok(None) };
        let last = self.plan.asking.len().saturating_sub(1);
        Ok(Some(Surveyed {
            tally,
            seconds: f64::from(past.windows()) * self.window(),
            noise: past.noise(last),
            latency: past.histogram().map(|seen| (seen.clone(), self.quantiles_with(&past))),
        }))
    }

    fn quantiles_with(&self, past: &Past) -> Vec<Quantile> {
        let one = |(place, asking): (usize, &Asking)| match asking {
            Asking::Tail(quantile) => Some(Quantile { quantile: *quantile, bound: past.bound(place) }),
            _ => None,
        };
        self.plan.asking.iter().enumerate().filter_map(one).collect()
    }
}

fn said(reply: &Reply) -> String {
    match reply {
        Reply::Malformed(why) | Reply::Down(why) => why.clone(),
        _ => "the answer has no samples".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: i64 = 1_700_000_040;

    fn metric(comparison: Value) -> Metric {
        let fields = json!({"name": "m", "interval": "60s", "comparison": comparison,
                            "provider": {"prometheus": {"address": "http://prometheus"}}});
        serde_json::from_value(fields).unwrap()
    }

    fn answer(series: Value) -> Response {
        let body = json!({"status": "success", "data": {"resultType": "matrix", "result": series}});
        Response { status: 200, body: body.to_string() }
    }

    fn growing(labels: Value, by: f64) -> Value {
        let values: Vec<Value> =
            (0..5).map(|step| json!([NOW - 240 + 60 * step, (by * step as f64).to_string()])).collect();
        json!({"metric": labels, "values": values})
    }

    #[test]
    fn stable_is_counted_over_the_windows_with_requests() {
        let metric = metric(json!({"errorRate": {"requests": "r{app=\"shop\"}"}}));
        let arms = Arms { canary: "c1".into(), stable: "s1".into(), ..Arms::default() };
        let now = Timestamp::from_second(NOW + 20).unwrap();
        let survey = Survey::of(&metric, Some(&arms), 10, now).unwrap().unwrap();
        let asked: Vec<String> =
            survey.requests(None).unwrap().into_iter().map(|request| request.url).collect();
        assert!(
            asked[0].contains("s1") && asked[0].contains("600s%3A60s") && !asked[0].contains("c1"),
            "{asked:?}"
        );
        let pods = |by| {
            let pod =
                |pod: usize| growing(json!({"rollouts_pod_template_hash": "s1", "pod": pod.to_string()}), by);
            answer((0..3).map(pod).collect())
        };
        let found = survey.read(&[pods(100.0), pods(2.0)]).unwrap().unwrap();
        assert_eq!((found.tally, found.seconds), (Tally::new(24.0, 1200.0), 240.0));
        assert!(found.noise.is_some() && found.latency.is_none());
        assert_eq!(survey.read(&[answer(json!([])), answer(json!([]))]), Ok(None));
        let refused = Response { status: 400, body: "{}".to_owned() };
        assert!(survey.read(&[refused]).is_err());
    }

    #[test]
    fn without_arms_all_revisions_are_taken_and_an_ingress_is_refused() {
        let metric = metric(json!({"preset": "http", "latency": {}}));
        let now = Timestamp::from_second(NOW + 20).unwrap();
        let survey = Survey::of(&metric, None, 10, now).unwrap().unwrap();
        let bucket = |le: &str, by| {
            growing(json!({"__name__": "b", "rollouts_pod_template_hash": "x", "pod": "p", "le": le}), by)
        };
        let found = survey
            .read(&[answer(json!([bucket("0.1", 900.0), bucket("0.2", 990.0), bucket("+Inf", 1000.0)]))])
            .unwrap()
            .unwrap();
        let (seen, quantiles) = found.latency.unwrap();
        assert_eq!((seen.total(), found.tally.trials), (4000.0, 4000.0));
        assert_eq!(quantiles[1], Quantile { quantile: 0.99, bound: Some(0.2) });
        let ingress = super::tests::metric(json!({"preset": "ingressNginx", "latency": {}}));
        assert!(Survey::of(&ingress, None, 10, now).is_err());
        let other = Metric { comparison: None, ..metric.clone() };
        assert!(Survey::of(&other, None, 10, now).unwrap().is_none());
    }
}
