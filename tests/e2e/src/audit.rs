//! Counts writes by the audit log of the API server: a figure without noise.

use std::io::{BufRead, BufReader, Seek, SeekFrom};

use anyhow::{Context, Result};
use serde_json::Value;

/// One write, as the API server saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it came, in RFC 3339.
    pub time: String,
    /// The program that wrote, as it calls itself: `serin-controller/0.1.0`.
    pub agent: String,
    /// `verb resource/name`, and `/subresource` after it when that was written.
    pub what: String,
    /// The answer, as an HTTP status.
    pub status: i64,
}

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
            .context("SERIN_AUDIT_LOG is not set: run the tests with `./dev e2e`")?;
        let from = std::fs::metadata(&path).with_context(|| path.clone())?.len();
        Ok(Self { path, from })
    }

    /// Writes to Rollouts, ReplicaSets, Services, routes, AnalysisRuns and Events of a namespace since the beginning, each
    /// as in [`Entry::what`]. Those of the lease do not count, and neither do those of other controllers.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn writes(&self, namespace: &str) -> Result<Vec<String>> {
        let counted = |entry: &Entry| !entry.what.contains(" leases/") && !entry.agent.starts_with("kube");
        Ok(self.entries(namespace)?.into_iter().filter(counted).map(|entry| entry.what).collect())
    }

    /// Every write in a namespace since the beginning, of everybody.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn entries(&self, namespace: &str) -> Result<Vec<Entry>> {
        let mut file = std::fs::File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.from))?;
        let mut entries = Vec::new();
        for line in BufReader::new(file).lines() {
            let Ok(entry) = serde_json::from_str::<Value>(&line?) else { continue };
            if entry["objectRef"]["namespace"] == namespace {
                entries.push(read(&entry));
            }
        }
        Ok(entries)
    }
}

fn read(entry: &Value) -> Entry {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let reference = &entry["objectRef"];
    let subresource = reference["subresource"].as_str().map(|name| format!("/{name}")).unwrap_or_default();
    let (resource, name) = (text(&reference["resource"]), text(&reference["name"]));
    Entry {
        time: text(&entry["requestReceivedTimestamp"]),
        agent: text(&entry["userAgent"]),
        what: format!("{} {resource}/{name}{subresource}", text(&entry["verb"])),
        status: entry["responseStatus"]["code"].as_i64().unwrap_or_default(),
    }
}
