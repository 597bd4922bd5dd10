//! The controller under test, as a process of its own: started, killed and started again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::process::{Child, Command};

/// Ports of controllers under test; each takes two.
static NEXT_PORT: AtomicU16 = AtomicU16::new(18_090);

/// A running controller that serves one namespace. Killed when dropped.
pub struct Controller {
    namespace: String,
    binary: PathBuf,
    log: PathBuf,
    child: Option<Child>,
    metrics_port: u16,
    health_port: u16,
}

impl Controller {
    /// Starts the controller for one namespace, with the lease in that namespace.
    ///
    /// # Errors
    /// The binary is not there: `./dev e2e` builds it.
    pub async fn start(namespace: &str) -> Result<Self> {
        Self::start_program(namespace, target_binary("serin-controller")).await
    }

    /// Starts another program that takes the same flags in the place of the controller: that of Argo Rollouts.
    ///
    /// # Errors
    /// The program is not there.
    pub async fn start_program(namespace: &str, binary: PathBuf) -> Result<Self> {
        let metrics_port = NEXT_PORT.fetch_add(2, Ordering::Relaxed);
        let name = binary.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let suffix = if name == "serin-controller" { String::new() } else { format!("-{name}") };
        let mut controller = Self {
            namespace: namespace.to_owned(),
            binary,
            log: std::env::temp_dir().join(format!("serin-e2e-{namespace}{suffix}.log")),
            child: None,
            metrics_port,
            health_port: metrics_port + 1,
        };
        let _ = std::fs::remove_file(&controller.log);
        controller.resume().await?;
        Ok(controller)
    }

    /// Where it tells its metrics.
    pub fn metrics(&self) -> String {
        format!("http://127.0.0.1:{}/metrics", self.metrics_port)
    }

    /// Starts the process (again).
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn resume(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let child = Command::new(&self.binary)
            .args(["--namespaced", "--namespace", &self.namespace])
            .args(["--metricsport", &self.metrics_port.to_string()])
            .args(["--healthzPort", &self.health_port.to_string()])
            .env("POD_NAMESPACE", &self.namespace)
            .env("RUST_LOG", "info,serin_controller=debug")
            .stdout(log.try_clone()?)
            .stderr(log)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", self.binary.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Ends the process as a crash would: SIGKILL.
    ///
    /// # Errors
    /// It had ended already.
    pub async fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the controller does not run")?;
        child.kill().await?;
        Ok(())
    }

    /// Asks the process to end, as the kubelet does: SIGTERM, and waits until it has ended.
    ///
    /// # Errors
    /// It had ended already, or did not end within the grace period of a pod.
    pub async fn stop(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the controller does not run")?;
        let id = child.id().context("the controller had ended by itself")?;
        Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        tokio::time::timeout(Duration::from_secs(30), child.wait())
            .await
            .with_context(|| format!("{} did not end within 30 s of SIGTERM", self.binary.display()))??;
        Ok(())
    }

    /// The last lines of its log.
    pub fn log_tail(&self, lines: usize) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

/// A binary of the workspace: of `SERIN_BIN` when set, else of the build that this test is of, wherever its target folder
/// is: the test itself lies in `deps` below it.
pub fn target_binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().ok();
    let built = own.as_deref().and_then(Path::parent).and_then(Path::parent).map(Path::to_owned);
    let folder = std::env::var_os("SERIN_BIN").map(PathBuf::from).or(built);
    folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/debug")).join(name)
}
