//! Says what goes over the wire: one request, what came of it, and what that means for the metric.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serin_api::AnalysisPhase;

use super::aws::Signing;
use super::oauth2::Grant;

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
    /// What the shell adds before it sends: it alone can fetch tokens and knows the keys of the machine.
    pub login: Login,
}

/// A login that takes an exchange of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Login {
    /// The request is complete.
    #[default]
    Complete,
    /// `Authorization: Bearer` with a token that this grant gives.
    Oauth2(Grant),
    /// Signed for AWS, version 4.
    Aws(Signing),
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
    /// The request could not be made: whoever gives tokens refused to. The text says why.
    Refused(String),
}

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Body as text.
    pub body: String,
}

/// What an answer means. Three kinds of "no value", because they lead to different ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The provider measured.
    Samples(Sampled),
    /// The provider has judged by itself; conditions have no say.
    Judged(Judged),
    /// The provider works on it: ask again after `after`, with `notes` as [`Look::underway`].
    Underway {
        /// Additions to the metadata of the measurement.
        notes: BTreeMap<String, String>,
        /// When to ask again.
        after: Duration,
    },
    /// The provider answered that there is nothing: `result` is nil in conditions.
    NoData,
    /// The provider refused the question, or its answer cannot be read; asking again will not help.
    Malformed(String),
    /// The provider is down, overloaded or starting (5xx, 408, 429): the same as unreachable.
    Down(String),
}

/// A judgement that a provider made.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Successful, Failed, Inconclusive or Error.
    pub phase: AnalysisPhase,
    /// The value to show.
    pub value: String,
    /// Why, for people; may be empty.
    pub message: String,
    /// Additions to the metadata of the measurement.
    pub notes: BTreeMap<String, String>,
}

/// The circumstances of one look at a provider.
#[derive(Clone, Copy, Debug)]
pub struct Look<'l> {
    /// When it is asked.
    pub at: Timestamp,
    /// Metadata of the measurement that is underway; empty for a new one.
    pub underway: &'l BTreeMap<String, String>,
}

/// What a provider measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// `result` of the conditions.
    pub result: Samples,
    /// The value of the measurement where it is written in another way than [`Samples::printed`].
    pub shown: Option<String>,
    /// Additions to the metadata of the measurement, for example warnings.
    pub notes: BTreeMap<String, String>,
}

impl Sampled {
    /// Nothing but a result.
    pub(crate) fn plain(result: Samples) -> Self {
        Self { result, shown: None, notes: BTreeMap::new() }
    }
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
    /// A text that is no JSON.
    Text(String),
}

impl Samples {
    /// The value of the measurement as users of Argo Rollouts know it: `0.5`, `[1,2]`, JSON.
    pub fn printed(&self) -> String {
        match self {
            Self::Number(number) => print_number(*number),
            Self::Numbers(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(|number| print_number(*number)).collect();
                format!("[{}]", numbers.join(","))
            }
            Self::Json(json) => json.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// A number as Go prints it without exponent: the shortest text that reads back as the same number.
pub(super) fn print_number(number: f64) -> String {
    if number == f64::INFINITY {
        "+Inf".to_owned()
    } else if number == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        number.to_string()
    }
}

/// The text at a place of an answer, by JSON pointer.
pub(super) fn text_at<'j>(body: &'j serde_json::Value, pointer: &str) -> Option<&'j str> {
    body.pointer(pointer)?.as_str()
}

/// What an HTTP status alone says: `None` when the body is to be read.
pub(super) fn of_status(response: &Response) -> Option<Reply> {
    match response.status {
        200..=299 => None,
        408 | 425 | 429 | 500.. => Some(Reply::Down(told(response))),
        _ => Some(Reply::Malformed(told(response))),
    }
}

fn told(response: &Response) -> String {
    match excerpt(&response.body).as_str() {
        "" => format!("HTTP {}", response.status),
        excerpt => format!("HTTP {}: {excerpt}", response.status),
    }
}

/// The beginning of a foreign text in one line.
pub(crate) fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    shortened(line, 200)
}

/// `text`, cut after so many characters.
pub(crate) fn shortened(mut text: String, characters: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(characters) {
        text.truncate(end);
        text.push('…');
    }
    text
}
