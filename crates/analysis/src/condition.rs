//! Decides what a measured result means by the user's conditions: the language of Argo Rollouts, without its traps.
//!
//! Expressions, functions and results are those of expr-lang 1.17 as Argo Rollouts sets it up. Two things differ: a
//! comparison with NaN decides nothing and is never a success, and `isNil` and `default` test their own argument.

use std::panic::{AssertUnwindSafe, catch_unwind};

use expr::Value;
use jiff::Timestamp;
use serin_api::AnalysisPhase;

mod evaluate;
mod function;
mod operator;
mod predicate;
mod syntax;
mod term;
mod token;
mod tree;
mod weighed;

use crate::provider::Samples;
use evaluate::{Evaluator, Scope};
use tree::Node;
pub use weighed::Doubt;

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error("{0}")]
    Syntax(String),
    /// It cannot be evaluated over this result.
    #[error("{0}")]
    Value(String),
}

/// A condition that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    code: String,
    node: Node,
}

/// What the conditions say of one result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// Successful, Failed, Inconclusive or Error.
    pub phase: AnalysisPhase,
    /// Why, when it is not plain.
    pub message: String,
}

/// What one condition says.
struct Said {
    truth: bool,
    doubt: Option<Doubt>,
    /// It said itself what no data mean.
    minded: bool,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// [`Fault::Syntax`] with the column, also for names and functions that do not exist.
    pub fn parse(code: &str) -> Result<Self, Fault> {
        Ok(Self { code: code.to_owned(), node: syntax::parse(code)? })
    }

    fn said(&self, result: &Value, now: Timestamp) -> Result<Said, Fault> {
        let evaluator = Evaluator::new(result, now);
        let weighed = evaluator.eval(&self.node, &Scope::outermost())?;
        match weighed.value {
            Value::Bool(truth) => {
                Ok(Said { truth, doubt: weighed.doubt, minded: evaluator.minded_no_data() })
            }
            other => Err(Fault::Value(format!("expected bool, but got {}", operator::brief(&other)))),
        }
    }
}

/// What two optional conditions say of `result`; `None` is "the provider returned nothing", nil in conditions.
pub fn judge(
    success: Option<&Condition>,
    failure: Option<&Condition>,
    result: Option<&Samples>,
    now: Timestamp,
) -> Opinion {
    let value = value_of(result);
    let say = |kind: &str, condition: Option<&Condition>| {
        let told = condition.map(|condition| {
            condition.said(&value, now).map_err(|fault| misfit(kind, condition, &value, &fault))
        });
        told.transpose()
    };
    let (failure, success) = match (say("failureCondition", failure), say("successCondition", success)) {
        (Ok(failure), Ok(success)) => (failure, success),
        (Err(message), _) | (_, Err(message)) => return Opinion { phase: AnalysisPhase::Error, message },
    };
    match (success, failure) {
        (None, None) => without_conditions(result, &value),
        (Some(success), None) if !success.truth => plain(AnalysisPhase::Failed),
        (_, Some(failure)) if failure.truth => plain(AnalysisPhase::Failed),
        (Some(success), Some(_)) if !success.truth => plain(AnalysisPhase::Inconclusive),
        (success, failure) => favourable(success.as_ref(), failure.as_ref(), &value),
    }
}

/// The moment that an expression such as `now() - duration("5m")` means.
///
/// # Errors
/// [`Fault`] when it cannot be read, or is not a moment.
pub fn moment(code: &str, now: Timestamp) -> Result<Timestamp, Fault> {
    let node = syntax::parse(code)?;
    let value = Evaluator::new(&Value::Nil, now).eval(&node, &Scope::outermost())?.value;
    let moment = value.as_datetime().map(|moment| Timestamp::from_millisecond(moment.timestamp_millis()));
    moment.and_then(Result::ok).ok_or_else(|| Fault::Value(format!("it is {}", operator::brief(&value))))
}

fn value_of(result: Option<&Samples>) -> Value {
    match result {
        None => Value::Nil,
        Some(Samples::Number(number)) => Value::Float(*number),
        Some(Samples::Numbers(numbers)) => {
            Value::Array(numbers.iter().map(|number| Value::Float(*number)).collect())
        }
        Some(Samples::Json(json)) => weighed::of_json(json),
        Some(Samples::Text(text)) => Value::String(text.clone()),
    }
}

fn plain(phase: AnalysisPhase) -> Opinion {
    Opinion { phase, message: String::new() }
}

fn undecided(doubt: Doubt) -> Opinion {
    let message = match doubt {
        Doubt::NotANumber => {
            "the result is NaN, which decides nothing: say with isNaN() what it means, or change the query"
        }
        Doubt::NoData => {
            "the provider returned no data, which decides nothing: say with len() or isNil() what that means, or change \
             the query"
        }
    };
    Opinion { phase: AnalysisPhase::Inconclusive, message: message.to_owned() }
}

/// Success, unless it rests on NaN or on nothing. A success condition that is certain outweighs a doubtful failure
/// condition.
fn favourable(success: Option<&Said>, failure: Option<&Said>, value: &Value) -> Opinion {
    let doubt = success.or(failure).and_then(|said| said.doubt);
    let minded = [success, failure].into_iter().flatten().any(|said| said.minded);
    match doubt {
        Some(doubt) => undecided(doubt),
        None if nothing(value) && !minded => undecided(Doubt::NoData),
        None => plain(AnalysisPhase::Successful),
    }
}

/// Whatever came is a success, except numbers that are none.
fn without_conditions(result: Option<&Samples>, value: &Value) -> Opinion {
    match result {
        Some(Samples::Json(_) | Samples::Text(_)) => plain(AnalysisPhase::Successful),
        _ if nothing(value) => undecided(Doubt::NoData),
        _ if weighed::holds_nan(value) => undecided(Doubt::NotANumber),
        _ => plain(AnalysisPhase::Successful),
    }
}

/// Nil, or a list without elements.
fn nothing(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::Array(values) => values.is_empty(),
        _ => false,
    }
}

fn misfit(kind: &str, condition: &Condition, value: &Value, fault: &Fault) -> String {
    let reason = if nothing(value) {
        "metric result is nil or empty: no data returned from the metric provider".to_owned()
    } else {
        fault.to_string()
    };
    format!("could not evaluate {kind} \"{}\": {reason}", condition.code)
}

/// Calls the library; a panic in it (there are expressions that it does not foresee) is a fault like others.
fn guarded(call: impl FnOnce() -> expr::Result<Value>) -> Result<Value, Fault> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Fault::Value(error.to_string())),
        Err(_) => Err(Fault::Value("the expression library gave up".to_owned())),
    }
}
