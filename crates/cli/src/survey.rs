//! Asks Prometheus what stable is like now, for one comparison.

use jiff::Timestamp;
use serin_analysis::comparison::{Survey, Surveyed};
use serin_analysis::judge::error_rate::Settings;
use serin_analysis::provider::Answer;
use serin_api::{Arms, Metric};

use crate::asking::answer;
use crate::failure::Failure;
use crate::http;

/// What stable is like, and what the comparison is set to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) stable: Surveyed,
    pub(crate) settings: Settings,
    /// Length of a window in seconds.
    pub(crate) window: f64,
    /// The unit of latencies.
    pub(crate) unit: &'static str,
}

/// Asks over the last `windows` windows. `metric` has its arguments filled in; `prometheus` takes the place of its address.
/// `None` when there were no requests, or too few latencies. The inner error says why nothing is known.
///
/// # Errors
/// No usable TLS.
pub(crate) async fn ask(
    metric: &Metric,
    arms: Option<&Arms>,
    windows: u32,
    prometheus: Option<&str>,
) -> Result<Result<Option<Found>, String>, Failure> {
    let mut metric = metric.clone();
    if let (Some(address), Some(provider)) = (prometheus, &mut metric.provider.prometheus) {
        provider.address = Some(address.to_owned());
    }
    let begun = Survey::of(&metric, arms, windows, Timestamp::now())
        .and_then(|survey| survey.ok_or_else(|| "it compares nothing".to_owned()))
        .and_then(|survey| Ok((survey.requests(prometheus)?, survey)));
    let (requests, survey) = match begun {
        Ok(begun) => begun,
        Err(why) => return Ok(Err(why)),
    };
    let mut responses = Vec::new();
    for request in requests {
        let client = http::client(request.insecure)?;
        match answer(&client, &request).await {
            Answer::Response(response) => responses.push(response),
            Answer::Unreachable(why) | Answer::Refused(why) => {
                return Ok(Err(format!("Prometheus cannot be asked: {why}")));
            }
        }
    }
    let found = survey.read(&responses).map(|stable| {
        stable.map(|stable| Found {
            stable,
            settings: survey.settings(),
            window: survey.window(),
            unit: survey.unit(),
        })
    });
    Ok(found)
}
