//! Arguments of `verify`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Format, duration};
use crate::verify::{Expected, share};

const EXAMPLES: &str = "\
Examples:
  # 200 requests, 10 at a time; no more than 1 % may fail
  kubectl serin verify http http://shop.example.com/healthz
  # with limits of latency, as JSON
  kubectl serin verify http https://shop.example.com/ --requests 1000 --p95 200ms --p99 500ms -o json
  # what a login without a password must answer
  kubectl serin verify http http://shop.example.com/login --method POST --body '{}' \\
    --header 'Content-Type: application/json' --expect-status 400,401

Exit codes:
  0  every limit was kept
  1  a limit was broken
  2  wrong usage";

/// What can be verified.
#[derive(Debug, Subcommand)]
pub enum VerifyVerb {
    /// Send a bounded burst of requests, and hold error rate and latency against limits.
    #[command(after_help = EXAMPLES)]
    Http(Box<HttpArguments>),
}

/// Arguments of `verify http`.
#[derive(Args, Debug)]
pub struct HttpArguments {
    /// Where to: an address that begins with http:// or https://. Redirects are answers too, and are not followed.
    #[arg(value_name = "URL", value_parser = address)]
    pub url: reqwest::Url,
    /// How many requests in all, at most 100000.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "N")]
    pub requests: u32,
    /// How many requests at a time, at most 256.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=256), value_name = "N")]
    pub concurrency: u16,
    /// No request begins after this time, at most 10m.
    #[arg(long, default_value = "30s", value_parser = bounded)]
    pub duration: Duration,
    /// How long one answer may take; a later one is an error. At most 10m.
    #[arg(long, default_value = "10s", value_parser = bounded)]
    pub timeout: Duration,
    /// The method.
    #[arg(short = 'X', long, default_value = "GET")]
    pub method: reqwest::Method,
    /// A header of every request; may be given several times.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub headers: Vec<(reqwest::header::HeaderName, reqwest::header::HeaderValue)>,
    /// The body of every request.
    #[arg(long, value_name = "TEXT")]
    pub body: Option<String>,
    /// Statuses that are no error: 200, 2xx, 200-204, or several with commas.
    #[arg(long, default_value = "2xx", value_name = "STATUS")]
    pub expect_status: Expected,
    /// Largest share of requests that may fail.
    #[arg(long, default_value = "1%", value_name = "SHARE", value_parser = share)]
    pub max_error_rate: f64,
    /// Largest latency of half of the requests.
    #[arg(long, value_name = "DURATION", value_parser = positive)]
    pub p50: Option<Duration>,
    /// Largest latency of 95 % of the requests.
    #[arg(long, value_name = "DURATION", value_parser = positive)]
    pub p95: Option<Duration>,
    /// Largest latency of 99 % of the requests.
    #[arg(long, value_name = "DURATION", value_parser = positive)]
    pub p99: Option<Duration>,
    /// Accept any certificate.
    #[arg(long)]
    pub insecure: bool,
    /// Format; default: text.
    #[arg(short, long)]
    pub output: Option<Format>,
}

fn address(text: &str) -> Result<reqwest::Url, String> {
    let url = text.parse::<reqwest::Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| "expected an address such as http://shop.example.com/healthz".to_owned())
}

fn header(text: &str) -> Result<(reqwest::header::HeaderName, reqwest::header::HeaderValue), String> {
    let wrong = || "expected NAME: VALUE, for example 'Authorization: Bearer abc'".to_owned();
    let (name, value) = text.split_once(':').ok_or_else(wrong)?;
    Ok((name.trim().parse().map_err(|_| wrong())?, value.trim().parse().map_err(|_| wrong())?))
}

fn positive(text: &str) -> Result<Duration, String> {
    duration(text)?.checked_sub(Duration::from_nanos(1)).ok_or("it must be more than 0")?;
    duration(text)
}

fn bounded(text: &str) -> Result<Duration, String> {
    let read = positive(text)?;
    if read > Duration::from_secs(600) { Err("at most 10m".to_owned()) } else { Ok(read) }
}
