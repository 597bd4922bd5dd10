//! Steady traffic through the gateway while a test plays, and what became of it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::process::{Child, Command};

/// A running load generator.
pub struct Load {
    child: Child,
    report: PathBuf,
}

impl Load {
    /// Starts `rps` requests per second to a host behind the gateway of the testbed.
    ///
    /// # Errors
    /// `SERIN_DEMO_APP` does not name the demo's program: `just e2e` builds it.
    pub fn start(name: &str, host: &str, rps: u32) -> Result<Self> {
        let program = std::env::var("SERIN_DEMO_APP")
            .context("SERIN_DEMO_APP is not set: run the tests with `just e2e`")?;
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
