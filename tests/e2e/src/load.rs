//! Steady traffic through the gateway while a test plays, and what became of it.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::process::{Child, Command};

/// A running load generator.
pub struct Load {
    child: Child,
    report: PathBuf,
}

/// Waits until the gateway sends requests for `host` to pods: what it takes to learn of a new route is not Serin's doing.
async fn answered(host: &str) -> Result<()> {
    let host = host.to_owned();
    let answers = tokio::task::spawn_blocking(move || {
        let mut in_a_row = 0;
        for _ in 0..300 {
            in_a_row = if answers(&host).unwrap_or(false) { in_a_row + 1 } else { 0 };
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

fn answers(host: &str) -> std::io::Result<bool> {
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", 8000))?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    write!(socket, "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    socket.read_to_string(&mut text)?;
    Ok(text.starts_with("HTTP/1.1 200"))
}

impl Load {
    /// Starts `rps` requests per second to a host behind the gateway of the testbed, once the gateway serves it.
    ///
    /// # Errors
    /// The gateway does not serve the host, or `SERIN_DEMO_APP` does not name the demo's program: `./dev e2e` builds it.
    pub async fn start(name: &str, host: &str, rps: u32) -> Result<Self> {
        answered(host).await?;
        let program = std::env::var("SERIN_DEMO_APP")
            .context("SERIN_DEMO_APP is not set: run the tests with `./dev e2e`")?;
        let report = std::env::temp_dir().join(format!("serin-e2e-{name}-load.json"));
        let _ = std::fs::remove_file(&report);
        let child = Command::new(program)
            .args(["load", "--url", "http://127.0.0.1:8000/", "--host", host])
            .args(["--rps", &rps.to_string(), "--duration", "600s"])
            .arg("--report-file")
            .arg(&report)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child, report })
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
}
