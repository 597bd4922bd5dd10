//! Measures the traffic of a service by its Prometheus: requests a second, and the share of them that fails.

use std::time::Duration;

use serde_json::Value;

use crate::failure::Failure;
use crate::http;

/// A counter of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counter {
    /// Address of Prometheus.
    pub(crate) prometheus: String,
    /// The counter: a name, or a selector.
    pub(crate) requests: String,
    /// Matchers of failed requests.
    pub(crate) errors: String,
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests a second, and the share that fails, over the last `over`.
///
/// # Errors
/// A Prometheus that cannot be asked, or has no such counter.
pub(crate) async fn measure(counter: &Counter, over: Duration) -> Result<(f64, f64), Failure> {
    let Counter { prometheus, requests, errors } = counter;
    let range = format!("{}s", over.as_secs().max(1));
    let all = one(prometheus, &format!("sum(rate({requests}[{range}]))")).await?;
    let Some(all) = all.filter(|all| *all > 0.0) else {
        return Err(Failure::new(format!(
            "Prometheus {prometheus} has no requests of {requests} in the last {range}: the name is wrong, or there was no traffic; give --rps instead"
        )));
    };
    let failed = one(prometheus, &format!("sum(rate({}[{range}]))", narrowed(requests, errors))).await?;
    Ok((all, (failed.unwrap_or(0.0) / all).clamp(0.0, 1.0)))
}

/// A selector with further matchers.
fn narrowed(selector: &str, matchers: &str) -> String {
    match selector.trim().strip_suffix('}') {
        Some(open) if open.trim_end().ends_with(['{', ',']) => format!("{open}{matchers}}}"),
        Some(open) => format!("{open},{matchers}}}"),
        None => format!("{}{{{matchers}}}", selector.trim()),
    }
}

async fn one(prometheus: &str, query: &str) -> Result<Option<f64>, Failure> {
    let failed = |why: String| Failure::new(format!("cannot ask Prometheus {prometheus} for {query}: {why}"));
    let url = format!("{}/api/v1/query", prometheus.trim_end_matches('/'));
    let url =
        reqwest::Url::parse_with_params(&url, [("query", query)]).map_err(|why| failed(why.to_string()))?;
    let exchange = async {
        let answer = http::client(false)?.get(url).send().await.map_err(|why| failed(http::cause(why)))?;
        let status = answer.status();
        let body = answer.text().await.map_err(|why| failed(http::cause(why)))?;
        let read: Value = serde_json::from_str(&body)
            .map_err(|_| failed(format!("it answers {status} with something that is no JSON")))?;
        if let Some(error) = read.get("error").and_then(Value::as_str) {
            return Err(failed(error.to_owned()));
        }
        Ok(number(&read))
    };
    match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(failed(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

/// The one number of an instant query.
fn number(answer: &Value) -> Option<f64> {
    answer
        .pointer("/data/result/0/value/1")?
        .as_str()?
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_selector_is_narrowed_whatever_it_has_already() {
        for (selector, expected) in [
            ("http_requests_total", "http_requests_total{code=~\"5..\"}"),
            ("http_requests_total{}", "http_requests_total{code=~\"5..\"}"),
            (" a{b=\"c\"} ", "a{b=\"c\",code=~\"5..\"}"),
            ("a{b=\"c\",}", "a{b=\"c\",code=~\"5..\"}"),
        ] {
            assert_eq!(narrowed(selector, "code=~\"5..\""), expected);
        }
    }

    #[test]
    fn an_empty_answer_and_nan_are_no_number() {
        let answer = |result| number(&json!({"data": {"result": result}}));
        assert_eq!(answer(json!([{"value": [1, "2.5"]}])), Some(2.5));
        assert_eq!(answer(json!([])), None);
        assert_eq!(answer(json!([{"value": [1, "NaN"]}])), None);
    }
}
