//! Performs HTTP requests to services and metrics APIs; the API server has its own client.

use std::error::Error;
use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;

use crate::failure::Failure;

/// How services see this program.
const AGENT: &str = concat!("kubectl-serin/", env!("CARGO_PKG_VERSION"));

/// A client that follows no redirects: the answer to the address that was given is the one that counts.
///
/// # Errors
/// When the system's certificates cannot be used, and they are needed.
pub(crate) fn client(insecure: bool) -> Result<Client, Failure> {
    let builder = Client::builder()
        .user_agent(AGENT)
        .redirect(Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .danger_accept_invalid_certs(insecure);
    let builder = if insecure { builder.tls_certs_only([]) } else { builder };
    builder.build().map_err(|why| {
        Failure::new(format!(
            "cannot use the certificates of this system: {}; install them (ca-certificates), or give --insecure",
            cause(why)
        ))
    })
}

/// The innermost reason of an error, without the address, which may hold a secret.
pub(crate) fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut inner: &dyn Error = &error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
