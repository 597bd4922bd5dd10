//! A receiver of notifications: a small HTTP server that keeps what it is sent.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::process::{Child, Command};

/// A running receiver; it ends with this value.
pub struct Receiver {
    port: u16,
    _process: Child,
}

impl Receiver {
    /// Listens on `port` of every address of the machine.
    ///
    /// # Errors
    /// Python is not there.
    pub fn start(port: u16) -> Result<Self> {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/receiver.py");
        let mut command = Command::new("python3");
        command.args([program, &port.to_string()]).stdin(Stdio::null()).kill_on_drop(true);
        Ok(Self { port, _process: command.spawn().context("start the receiver")? })
    }

    /// The messages that have come, each with `path`, `token` and `body`, as soon as there are `count`.
    ///
    /// # Errors
    /// Fewer have come within half a minute.
    pub async fn messages(&self, count: usize) -> Result<Vec<Value>> {
        let mut found = Vec::new();
        for _ in 0..150 {
            found = serde_json::from_str(&get(&format!("http://127.0.0.1:{}/", self.port)).await?)?;
            if found.len() >= count {
                return Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::bail!("{count} messages were awaited, and these came: {found:?}")
    }
}

/// What an address on loopback answers; it has some seconds to begin to listen.
///
/// # Errors
/// It does not answer, or with an error.
pub async fn get(url: &str) -> Result<String> {
    let patient = ["-sSf", "--retry", "10", "--retry-delay", "1", "--retry-connrefused"];
    let asked = Command::new("curl").args(patient).arg(url).output().await?;
    ensure!(asked.status.success(), "{url}: {}", String::from_utf8_lossy(&asked.stderr));
    Ok(String::from_utf8(asked.stdout)?)
}
