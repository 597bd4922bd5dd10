//! Runs the dashboard: reads the command line and serves.

use std::process::ExitCode;

use clap::Parser;
use serin_dashboard::flags::Flags;

#[tokio::main]
async fn main() -> ExitCode {
    // Only the first caller installs a provider; there is no other.
    let _ = rustls::crypto::ring::default_provider().install_default();
    serin_dashboard::serve::log(true);
    match serin_dashboard::serve::run(Flags::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
