//! Counts writes by the audit log of the API server: a figure without noise.

use std::io::{BufRead, BufReader, Seek, SeekFrom};

use anyhow::{Context, Result};
use serde_json::Value;

/// A place in the audit log from which on writes are counted.
pub struct Audit {
    path: String,
    from: u64,
}

impl Audit {
    /// From now on.
    ///
    /// # Errors
    /// `SERIN_AUDIT_LOG` does not name a readable file.
    pub fn begin() -> Result<Self> {
        let path = std::env::var("SERIN_AUDIT_LOG")
            .context("SERIN_AUDIT_LOG is not set: run the tests with `just e2e`")?;
        let from = std::fs::metadata(&path).with_context(|| path.clone())?.len();
        Ok(Self { path, from })
    }

    /// Writes to Rollouts, ReplicaSets, Services, routes, AnalysisRuns and Events of a namespace since the beginning, each
    /// as `verb resource/name`. Those of the lease do not count, and neither do those of other controllers.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn writes(&self, namespace: &str) -> Result<Vec<String>> {
        let mut file = std::fs::File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.from))?;
        let mut writes = Vec::new();
        for line in BufReader::new(file).lines() {
            let Ok(entry) = serde_json::from_str::<Value>(&line?) else { continue };
            let reference = &entry["objectRef"];
            let agent = entry["userAgent"].as_str().unwrap_or_default();
            if reference["namespace"] != namespace
                || reference["resource"] == "leases"
                || agent.starts_with("kube")
            {
                continue;
            }
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            writes.push(format!(
                "{} {}/{}",
                text(&entry["verb"]),
                text(&reference["resource"]),
                text(&reference["name"])
            ));
        }
        Ok(writes)
    }
}
