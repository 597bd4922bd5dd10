//! The controller process: reads its options, runs, and says by its exit code how it ended.

use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Parser;
use serin_controller::options::Options;
use serin_controller::run::{Ended, run};
use serin_controller::{metrics, telemetry};

fn main() -> anyhow::Result<ExitCode> {
    metrics::started();
    let options = Options::parse();
    telemetry::begin(&options).with_context(|| format!("--loglevel '{}'", options.loglevel))?;
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow!("another TLS provider is installed already"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(run(options));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    Ok(match ended? {
        Ended::Asked => ExitCode::SUCCESS,
        Ended::LostLease => ExitCode::FAILURE,
    })
}
