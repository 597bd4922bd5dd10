//! `verify http`: sends a bounded burst of requests and ends with a code that a pipeline can act upon.

use crate::failure::{BAD, Failure};
use crate::flags::{HttpArguments, VerifyVerb};
use crate::paint::Paint;
use crate::verify::{Burst, Limits, report, send, text};
use crate::{http, print};

/// Performs the verb.
///
/// # Errors
/// A broken limit, with exit code 1.
pub(crate) async fn run(verb: &VerifyVerb, paint: Paint) -> Result<(), Failure> {
    let VerifyVerb::Http(arguments) = verb;
    let client = http::client(arguments.insecure)?;
    let burst = burst(arguments);
    let limits = Limits {
        error_rate: arguments.max_error_rate,
        p50: arguments.p50,
        p95: arguments.p95,
        p99: arguments.p99,
    };
    let (answers, took) = send(&client, &burst).await;
    let report = report(&burst, &arguments.expect_status, &limits, &answers, took);
    match arguments.output {
        Some(_) => print::json(&report)?,
        None => print::text(&text(&report, paint))?,
    }
    if report.passed { Ok(()) } else { Err(Failure::with_code(BAD, "")) }
}

fn burst(arguments: &HttpArguments) -> Burst {
    Burst {
        url: arguments.url.clone(),
        method: arguments.method.clone(),
        headers: arguments.headers.iter().cloned().collect(),
        body: arguments.body.clone(),
        requests: usize::try_from(arguments.requests).unwrap_or(usize::MAX),
        concurrency: usize::from(arguments.concurrency),
        duration: arguments.duration,
        timeout: arguments.timeout,
    }
}
