//! Performs the questions of an AnalysisRun that is not stored, until nothing is due any more.

use futures::future::join_all;
use jiff::Timestamp;
use reqwest::{Client, Method};
use serin_analysis::provider::{Answer, Login, Profiles, Request, Response};
use serin_analysis::run::{Asked, RunWorld, conclude, due};
use serin_analysis::secret::Secrets;
use serin_api::AnalysisRun;

use crate::failure::Failure;
use crate::http;

/// Looks at most: each judges ten windows or so, and an hour has no more than these.
const LOOKS: usize = 1000;

/// Asks and concludes until the run is over or waits; only its status changes.
///
/// # Errors
/// No usable TLS.
pub(crate) async fn ask_all(
    run: &mut AnalysisRun,
    secrets: &Secrets,
    prometheus: Option<&str>,
    now: Timestamp,
) -> Result<(), Failure> {
    // Comparisons ask Prometheus only, whose secrets stand in arguments; other profiles are the controller's.
    let profiles = Profiles::new();
    let (careful, trusting) = (http::client(false)?, http::client(true)?);
    for _ in 0..LOOKS {
        let world = RunWorld {
            now,
            run,
            secrets,
            profiles: &profiles,
            weight: None,
            extensions: None,
            jobs: &[],
            default_prometheus: prometheus,
        };
        let asks = due(&world);
        if asks.is_empty() {
            run.status = Some(conclude(&world, &[]).status);
            return Ok(());
        }
        let asked = asks.into_iter().map(|ask| async {
            let client = if ask.request.insecure { &trusting } else { &careful };
            let answer = answer(client, &ask.request).await;
            Asked { ask, answer }
        });
        let asked = join_all(asked).await;
        let before = run.status.clone();
        let status = conclude(
            &RunWorld {
                now,
                run,
                secrets,
                profiles: &profiles,
                weight: None,
                extensions: None,
                jobs: &[],
                default_prometheus: prometheus,
            },
            &asked,
        )
        .status;
        run.status = Some(status);
        if run.status == before {
            return Ok(());
        }
    }
    Ok(())
}

/// Sends one request.
pub(crate) async fn answer(client: &Client, request: &Request) -> Answer {
    if request.login != Login::Complete {
        return Answer::Refused(
            "it wants a login by OAuth2 or SigV4, which only the controller does; make a run in the cluster instead: kubectl \
             serin create analysisrun"
                .to_owned(),
        );
    }
    match tokio::time::timeout(request.timeout, exchange(client, request)).await {
        Ok(Ok(response)) => Answer::Response(response),
        Ok(Err(why)) => Answer::Unreachable(why),
        Err(_) => Answer::Unreachable(format!("no answer within {} s", request.timeout.as_secs_f64())),
    }
}

async fn exchange(client: &Client, request: &Request) -> Result<Response, String> {
    let method = Method::from_bytes(request.method.as_bytes()).unwrap_or(Method::GET);
    let mut sending = client.request(method, &request.url);
    for (name, value) in &request.headers {
        sending = sending.header(name, value);
    }
    if let Some(body) = &request.body {
        sending = sending.body(body.clone());
    }
    let answer = sending.send().await.map_err(http::cause)?;
    let status = answer.status().as_u16();
    Ok(Response { status, body: answer.text().await.map_err(http::cause)? })
}
