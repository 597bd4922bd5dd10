//! Translates a metric into one HTTP request, and the answer into samples. The socket belongs to the shell.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serin_api::Metric;

/// An HTTP request for the shell to send. Its `Debug` shows neither headers nor body, which may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// GET, POST or PUT.
    pub method: &'static str,
    /// Absolute address with query string.
    pub url: String,
    /// Headers, in the order of sending.
    pub headers: Vec<(String, String)>,
    /// Body, complete.
    pub body: Option<String>,
    /// Time for the whole exchange; after it the answer is [`Answer::Unreachable`].
    pub timeout: Duration,
    /// Do not check the certificate.
    pub insecure: bool,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method).finish_non_exhaustive()
    }
}

/// What came of a request. Only the shell saw the socket, so only the shell says `Unreachable`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The provider answered, with whatever status.
    Response(Response),
    /// No answer: name not found, refused, reset, timed out, certificate not trusted. The text says which.
    Unreachable(String),
}

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Body as text.
    pub body: String,
}

/// What an answer means. Four kinds of "no value", because they lead to different ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The provider measured.
    Samples(Sampled),
    /// The provider answered that there is nothing.
    NoData,
    /// The provider refused the question, or its answer cannot be read; asking again will not help.
    Malformed(String),
    /// The provider is down, overloaded or being started (5xx, 429): the same as unreachable.
    Down(String),
    /// The provider needs to be asked again later for the result of this question.
    Again,
}

/// What a provider measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// `result` of the conditions.
    pub result: Samples,
    /// Additions to the metadata of the measurement, for example warnings.
    pub notes: BTreeMap<String, String>,
}

/// The value called `result` in conditions.
#[derive(Clone, Debug, PartialEq)]
pub enum Samples {
    /// One number; NaN and infinities are numbers.
    Number(f64),
    /// Numbers in the order of the provider.
    Numbers(Vec<f64>),
    /// Any JSON.
    Json(serde_json::Value),
}

/// Why a metric cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A field is set to something that cannot work.
    #[error("{field}: {why}; {remedy}")]
    Field {
        /// Path below the metric.
        field: String,
        /// What is wrong.
        why: String,
        /// What to do.
        remedy: String,
    },
}

/// One kind of source of measurements.
///
/// # Laws
/// Both calls are pure: the same arguments give the same result, and neither reads a clock.
pub trait Provider {
    /// The request that measures `metric` now.
    ///
    /// # Errors
    /// [`Problem`] when the metric asks for something that this provider cannot do.
    fn request(&self, metric: &Metric, now: Timestamp) -> Result<Request, Problem>;

    /// What `response` says about `metric`.
    fn reply(&self, metric: &Metric, response: &Response) -> Reply;
}
