//! Translates what an extension answers about a step.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serin_api::go_duration;

/// Longest state, in bytes of JSON: it is kept in the status of the Rollout.
const LONGEST_STATE: usize = 4096;
/// Longest part of an answer that is shown.
const SHOWN: usize = 200;

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Underway: ask again.
    Running,
    /// Over, and good.
    Successful,
    /// Over, and bad: aborts the rollout.
    Failed,
    /// Nothing can be said now: ask again.
    Error,
}

impl Phase {
    /// As statuses and answers name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Successful => "Successful",
            Self::Failed => "Failed",
            Self::Error => "Error",
        }
    }

    /// The phase of a word.
    pub(super) fn of(word: &str) -> Option<Self> {
        [Self::Running, Self::Successful, Self::Failed, Self::Error]
            .into_iter()
            .find(|phase| phase.word() == word)
    }
}

/// What an extension said of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Where it stands.
    pub phase: Phase,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// What it wants to be told again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Value>,
    /// Seconds to the next question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<i64>,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// It answered.
    Reported(Report),
    /// It could not be reached, or its answer cannot be used; the text says why.
    Nothing(String),
}

impl Answer {
    pub(super) fn phase(&self) -> Phase {
        match self {
            Self::Reported(report) => report.phase,
            Self::Nothing(_) => Phase::Error,
        }
    }

    pub(super) fn message(&self) -> &str {
        match self {
            Self::Reported(report) => &report.message,
            Self::Nothing(why) => why,
        }
    }

    pub(super) fn again(&self) -> Option<i64> {
        match self {
            Self::Reported(report) => report.again,
            Self::Nothing(_) => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    phase: Phase,
    #[serde(default)]
    message: String,
    state: Option<Value>,
    requeue_after: Option<String>,
}

/// Reads an answer with its HTTP status. Unknown fields are ignored.
pub fn answer(status: u16, body: &str) -> Answer {
    read(status, body).map_or_else(Answer::Nothing, Answer::Reported)
}

fn read(status: u16, text: &str) -> Result<Report, String> {
    let shown: String = text.trim().chars().take(SHOWN).collect();
    if status != 200 {
        return Err(format!("it answered with status {status}: {shown}"));
    }
    let body: Body = serde_json::from_str(text)
        .map_err(|error| format!("its answer is not of the protocol ({error}): {shown}"))?;
    let state = body.state.filter(|state| !state.is_null());
    if state.as_ref().is_some_and(|state| state.to_string().len() > LONGEST_STATE) {
        return Err(format!("its state is longer than {LONGEST_STATE} bytes"));
    }
    let again = body.requeue_after.as_deref().map(|text| {
        let after = go_duration(text)
            .ok_or_else(|| format!("its requeueAfter \"{text}\" is no duration such as 15s"))?;
        Ok::<_, String>(i64::try_from(after.as_secs()).unwrap_or(i64::MAX).max(1))
    });
    Ok(Report { phase: body.phase, message: body.message, state, again: again.transpose()? })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_read_or_said_to_be_unusable() {
        let full = r#"{"phase":"Running","message":"half","state":{"job":7},"requeueAfter":"1m","more":1}"#;
        let report = Report {
            phase: Phase::Running,
            message: "half".to_owned(),
            state: Some(json!({"job": 7})),
            again: Some(60),
        };
        assert_eq!(answer(200, full), Answer::Reported(report));
        let long = format!(r#"{{"phase":"Running","state":"{}"}}"#, "x".repeat(LONGEST_STATE));
        for (status, body, expected) in [
            (503, "later\n", "it answered with status 503: later"),
            (404, "", "it answered with status 404: "),
            (200, "no", "its answer is not of the protocol (expected ident at line 1 column 2): no"),
            (
                200,
                r#"{"phase":"Done"}"#,
                "its answer is not of the protocol (unknown variant `Done`, expected one of `Running`, `Successful`, \
                 `Failed`, `Error` at line 1 column 15): {\"phase\":\"Done\"}",
            ),
            (
                200,
                r#"{"phase":"Running","requeueAfter":"soon"}"#,
                "its requeueAfter \"soon\" is no duration such as 15s",
            ),
            (200, &long, "its state is longer than 4096 bytes"),
        ] {
            assert_eq!(answer(status, body), Answer::Nothing(expected.to_owned()), "{body}");
        }
    }

    #[test]
    fn it_is_not_asked_more_than_once_a_second() {
        let Answer::Reported(report) = answer(200, r#"{"phase":"Running","requeueAfter":"1ms"}"#) else {
            panic!("not read")
        };
        assert_eq!(report.again, Some(1));
    }
}
