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

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::flags::{Cli, Verb};

    /// A server that fails every fifth request.
    async fn server() -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for number in 0_u32.. {
                let Ok((mut socket, _)) = listener.accept().await else { return };
                let status = if number % 5 == 0 { "503 Busy" } else { "200 OK" };
                let _ = socket.read(&mut [0; 4096]).await;
                let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        format!("http://{address}/")
    }

    #[tokio::test]
    async fn a_broken_limit_is_the_exit_code_of_a_bad_end() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = server().await;
        for (limits, expected) in [
            ("--max-error-rate 20%", Ok(())),
            ("--max-error-rate 19%", Err(BAD)),
            ("--max-error-rate 100% --p99 1m", Ok(())),
            ("--max-error-rate 100% --p99 1ns", Err(BAD)),
            ("--expect-status 2xx,503 --max-error-rate 0", Ok(())),
        ] {
            let line = format!("serin verify http {url} --requests 20 --concurrency 1 {limits} -o json");
            let Verb::Verify(verb) = Cli::try_parse_from(line.split(' ')).unwrap().verb else {
                panic!("{line}");
            };
            let ended = run(&verb, Paint::PLAIN).await;
            assert_eq!(ended.map_err(|failure| failure.code), expected, "{limits}");
        }
    }
}
