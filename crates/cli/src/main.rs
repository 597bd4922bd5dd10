//! Runs `kubectl serin`: reads the command line, performs the verb, and ends with its code.

use std::process::ExitCode;

use clap::Parser;
use serin_cli::flags::Cli;
use serin_cli::verb;

#[tokio::main]
async fn main() -> ExitCode {
    // Only the first caller installs a provider; there is no other.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match verb::run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                eprintln!("error: {}", failure.message);
            }
            ExitCode::from(failure.code)
        }
    }
}
