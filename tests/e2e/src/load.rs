//! Steady traffic through a gateway while a test plays, and what became of it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::process::{Child, Command};

/// Port of the testbed's Traefik.
pub const TRAEFIK: u16 = 8000;

/// Port of the testbed's Istio gateway.
pub const ISTIO: u16 = 8081;

/// Ports on which load generators tell their counters.
static NEXT_PORT: AtomicU16 = AtomicU16::new(18_800);

/// A running load generator.
pub struct Load {
    child: Child,
    report: PathBuf,
    status: u16,
}

/// Where requests go, and how many.
#[derive(Clone, Copy, Debug)]
pub struct Target<'t> {
    /// Name of the report.
    pub name: &'t str,
    /// Port of the gateway on the node.
    pub port: u16,
    /// Host header.
    pub host: &'t str,
    /// `name: value` that each request has, if any.
    pub header: Option<&'t str>,
    /// Requests started each second: four fifths on kept connections, the others on new ones.
    pub rps: u32,
}

/// Waits until the gateway sends requests for `host` to pods: what it takes to learn of a new route is not Serin's doing.
async fn answered(port: u16, host: &str) -> Result<()> {
    let host = host.to_owned();
    let answers = tokio::task::spawn_blocking(move || {
        let mut in_a_row = 0;
        for _ in 0..300 {
            let answer = ask(("127.0.0.1", port), &host, "/", "1.1").unwrap_or_default();
            in_a_row = if answer.starts_with("HTTP/1.1 200") { in_a_row + 1 } else { 0 };
            if in_a_row == 10 {
                return true;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        false
    });
    ensure!(answers.await?, "the gateway did not serve the route within 30 s");
    Ok(())
}

/// The body of a page of a pod.
///
/// # Errors
/// The pod does not answer within 2 s.
pub async fn page(address: &str, port: u16, path: &'static str) -> Result<String> {
    let address = address.to_owned();
    let text = tokio::task::spawn_blocking(move || ask((&address, port), "pod", path, "1.0")).await??;
    Ok(text.split_once("\r\n\r\n").context("an answer without body")?.1.to_owned())
}

/// The whole answer of a gateway to one request of a new user.
///
/// # Errors
/// It does not answer within 2 s.
pub async fn answer(port: u16, host: &str) -> Result<String> {
    let host = host.to_owned();
    Ok(tokio::task::spawn_blocking(move || ask(("127.0.0.1", port), &host, "/", "1.1")).await??)
}

/// The whole answer. HTTP 1.0 has no chunks to put together, and 1.1 is all that some gateways speak.
fn ask(address: (&str, u16), host: &str, path: &str, version: &str) -> std::io::Result<String> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    write!(socket, "GET {path} HTTP/{version}\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    socket.read_to_string(&mut text)?;
    Ok(text)
}

impl Load {
    /// Starts `rps` requests per second to a host behind the Traefik of the testbed, once that serves it.
    ///
    /// # Errors
    /// As [`Load::begin`].
    pub async fn start(name: &str, host: &str, rps: u32) -> Result<Self> {
        Self::begin(Target { name, port: TRAEFIK, host, header: None, rps }).await
    }

    /// Starts requests to a target, once its gateway serves the host.
    ///
    /// # Errors
    /// The gateway does not serve the host, or `SERIN_DEMO_APP` does not name the demo's program: `./dev e2e` builds it.
    pub async fn begin(target: Target<'_>) -> Result<Self> {
        answered(target.port, target.host).await?;
        let program = std::env::var("SERIN_DEMO_APP")
            .context("SERIN_DEMO_APP is not set: run the tests with `./dev e2e`")?;
        let report = std::env::temp_dir().join(format!("serin-e2e-{}-load.json", target.name));
        let _ = std::fs::remove_file(&report);
        let status = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
        let child = Command::new(program)
            .args(["load", "--url", &format!("http://127.0.0.1:{}/", target.port), "--host", target.host])
            .args(["--rps", &target.rps.to_string(), "--duration", "1800s"])
            // A machine that builds beside the tests makes some wait; a request that is lost is never answered.
            .args(["--timeout", "15s"])
            .args(["--header", target.header.unwrap_or_default()])
            .args(["--status", &format!("127.0.0.1:{status}"), "--report-file"])
            .arg(&report)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child, report, status })
    }

    /// The counters now.
    ///
    /// # Errors
    /// The generator does not answer.
    pub async fn now(&self) -> Result<Counts> {
        let port = self.status;
        let text =
            tokio::task::spawn_blocking(move || ask(("127.0.0.1", port), "localhost", "/?last=20", "1.0"))
                .await??;
        let body = text.split_once("\r\n\r\n").context("an answer without body")?.1;
        Counts::read(&serde_json::from_str(body)?)
    }

    /// Ends it and gives its report.
    ///
    /// # Errors
    /// It left no report.
    pub async fn finish(mut self) -> Result<Value> {
        let id = self.child.id().context("the load generator had ended before")?;
        Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        tokio::time::timeout(Duration::from_secs(20), self.child.wait()).await??;
        let text = std::fs::read_to_string(&self.report).context("the load generator left no report")?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Ends it; no request may have failed that was not meant to, and nearly all were sent.
    ///
    /// # Errors
    /// Requests failed: how many, and what the first ones said.
    pub async fn nothing_lost(self) -> Result<()> {
        let report = self.finish().await?;
        let counts = Counts::read(&report)?;
        println!("requests: {}", report["counts"]);
        ensure!(counts.sent > 1000, "{report}");
        ensure!(counts.unsent * 50 <= counts.sent, "the generator fell behind: {}", report["counts"]);
        ensure!(
            counts.failed == 0,
            "requests failed that were not injected: {} {}",
            report["counts"],
            report["firstFailures"]
        );
        Ok(())
    }
}

/// What a load generator has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were sent.
    pub sent: u64,
    /// Of these, that got no good answer and were not marked as injected faults.
    pub failed: u64,
    /// Requests that were due and not sent, for too many were in flight.
    pub unsent: u64,
    /// Answers by version.
    pub versions: BTreeMap<String, u64>,
    /// When the latest request that a version answered was sent.
    pub last_sent: BTreeMap<String, jiff::Timestamp>,
    /// The last seconds with the answers of each version, for people.
    pub seconds: String,
}

impl Counts {
    fn read(report: &Value) -> Result<Self> {
        let counts = &report["counts"];
        let number = |name: &str| counts[name].as_u64().with_context(|| format!("no {name} in {counts}"));
        Ok(Self {
            sent: number("sent")?,
            failed: number("failed")?,
            unsent: number("unsent")?,
            versions: serde_json::from_value(counts["versions"].clone())?,
            last_sent: serde_json::from_value(counts["lastSent"].clone())?,
            seconds: seconds(report),
        })
    }

    /// Answers of one version since `before`, and of all.
    pub fn since(&self, before: &Self, version: &str) -> (u64, u64) {
        let of = |counts: &Self| counts.versions.get(version).copied().unwrap_or(0);
        let all = |counts: &Self| counts.versions.values().sum::<u64>();
        (of(self) - of(before), all(self) - all(before))
    }
}

fn seconds(report: &Value) -> String {
    let seconds = report["seconds"].as_array().into_iter().flatten();
    let seconds: Vec<_> = seconds.map(|second| format!("{} {}", second["at"], second["versions"])).collect();
    seconds[seconds.len().saturating_sub(20)..].join(", ")
}
