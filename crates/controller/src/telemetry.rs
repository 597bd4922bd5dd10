//! Says where logs go: to standard error, one line each, for people or as JSON.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::options::{LogFormat, Options};

/// Parts that speak of every lost connection; our own watch says it once, with the kind.
const QUIET: &str = "kube_runtime=off,kube_client=off,hyper=warn,hyper_util=warn,tower=warn,reqwest=warn";

/// Starts logging.
///
/// # Errors
/// When the level is none.
pub fn begin(options: &Options) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::builder().parse(format!("{QUIET},{}", options.loglevel))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match options.logformat {
        LogFormat::Text => lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).init()
        }
    }
    Ok(())
}
