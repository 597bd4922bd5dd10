//! Evaluates the functions that look at each element of a list: `all`, `filter`, `reduce` and their like.

use std::cmp::Ordering;
use std::fmt;

use expr::Value;

use super::Fault;
use super::evaluate::{Evaluator, Scope};
use super::operator;
use super::tree::Node;
use super::weighed::{Doubt, Weighed, doubt};

/// A function with a predicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Predicate {
    All,
    Any,
    None,
    One,
    Count,
    Sum,
    Filter,
    Map,
    Find,
    FindIndex,
    FindLast,
    FindLastIndex,
    GroupBy,
    SortBy,
    Reduce,
}

const NAMES: [(&str, Predicate); 15] = [
    ("all", Predicate::All),
    ("any", Predicate::Any),
    ("none", Predicate::None),
    ("one", Predicate::One),
    ("count", Predicate::Count),
    ("sum", Predicate::Sum),
    ("filter", Predicate::Filter),
    ("map", Predicate::Map),
    ("find", Predicate::Find),
    ("findIndex", Predicate::FindIndex),
    ("findLast", Predicate::FindLast),
    ("findLastIndex", Predicate::FindLastIndex),
    ("groupBy", Predicate::GroupBy),
    ("sortBy", Predicate::SortBy),
    ("reduce", Predicate::Reduce),
];

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, predicate)| predicate == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

impl Predicate {
    pub(super) fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, predicate)| *predicate)
    }

    pub(super) fn may_lack_body(self) -> bool {
        matches!(self, Self::Count | Self::Sum)
    }
}

/// One element with what the predicate said of it.
struct Seen {
    element: Value,
    said: Weighed,
}

impl Seen {
    fn truth(&self, predicate: Predicate) -> Result<bool, Fault> {
        match self.said.value {
            Value::Bool(truth) => Ok(truth),
            ref other => {
                Err(Fault::Value(format!("predicate of {predicate} returned {other}, not true or false")))
            }
        }
    }
}

impl Evaluator<'_> {
    pub(super) fn each(
        &self,
        predicate: Predicate,
        nodes: &[Node],
        body: Option<&Node>,
        scope: &Scope,
    ) -> Result<Weighed, Fault> {
        let mut arguments =
            nodes.iter().map(|node| self.eval(node, scope)).collect::<Result<Vec<_>, _>>()?.into_iter();
        let list = arguments.next().unwrap_or(Weighed::sure(Value::Nil));
        let Value::Array(elements) = list.value else {
            return Err(Fault::Value(format!("cannot use {} as a list in {predicate}", list.value)));
        };
        let vacuous = (elements.is_empty() && self.nothing_came()).then_some(Doubt::NoData);
        let before = list.doubt.or(vacuous);
        if predicate == Predicate::Reduce {
            return Ok(self.reduce(elements, arguments.next(), body, scope)?.doubting(before));
        }
        let mut seen = Vec::with_capacity(elements.len());
        for (index, element) in elements.into_iter().enumerate() {
            let said = match body {
                Some(body) => self.eval(body, &scope.element(&element, index))?,
                None => Weighed::sure(element.clone()),
            };
            let seen_now = Seen { element, said };
            let decided = decides(predicate, &seen_now)?;
            seen.push(seen_now);
            if decided {
                break;
            }
        }
        let order = arguments.next().map(|order| order.value);
        Ok(settle(predicate, seen, order)?.doubting(before))
    }

    fn reduce(
        &self,
        elements: Vec<Value>,
        initial: Option<Weighed>,
        body: Option<&Node>,
        scope: &Scope,
    ) -> Result<Weighed, Fault> {
        let mut elements = elements.into_iter().enumerate();
        let mut total = match initial {
            Some(initial) => initial,
            None => match elements.next() {
                Some((_, first)) => Weighed::sure(first),
                None => {
                    return Err(Fault::Value("reduce of an empty list needs an initial value".to_owned()));
                }
            },
        };
        let Some(body) = body else {
            return Ok(total);
        };
        for (index, element) in elements {
            let inner = scope.element(&element, index);
            total = self.eval(body, &inner.with("#acc", &total))?;
        }
        Ok(total)
    }
}

/// The rest of the list cannot change the answer; only a certain answer ends the search.
fn decides(predicate: Predicate, seen: &Seen) -> Result<bool, Fault> {
    Ok(match predicate {
        Predicate::All => !seen.truth(predicate)? && seen.said.doubt.is_none(),
        Predicate::Any | Predicate::None | Predicate::Find | Predicate::FindIndex => {
            seen.truth(predicate)? && seen.said.doubt.is_none()
        }
        _ => false,
    })
}

fn settle(predicate: Predicate, seen: Vec<Seen>, order: Option<Value>) -> Result<Weighed, Fault> {
    let last = seen.last().map(|seen| decides(predicate, seen)).transpose()?.unwrap_or(false);
    // A certain counter-example outweighs every doubt before it.
    let doubted = if last { None } else { doubt(seen.iter().map(|seen| &seen.said)) };
    let value = match predicate {
        Predicate::Map => Value::Array(seen.into_iter().map(|seen| seen.said.value).collect()),
        Predicate::Sum => sum(seen)?,
        Predicate::GroupBy => group(seen)?,
        Predicate::SortBy => sort(seen, order)?,
        _ => searched(predicate, seen)?,
    };
    Ok(Weighed { value, doubt: doubted })
}

fn searched(predicate: Predicate, seen: Vec<Seen>) -> Result<Value, Fault> {
    let total = seen.len();
    let mut found = Vec::new();
    for (index, seen) in seen.into_iter().enumerate() {
        if seen.truth(predicate)? {
            found.push((index, seen.element));
        }
    }
    let position =
        |found: Option<&(usize, Value)>| found.map_or(Value::Integer(-1), |(index, _)| Value::from(*index));
    Ok(match predicate {
        Predicate::All => Value::Bool(found.len() == total),
        Predicate::Any => Value::Bool(!found.is_empty()),
        Predicate::None => Value::Bool(found.is_empty()),
        Predicate::One => Value::Bool(found.len() == 1),
        Predicate::Count => Value::from(found.len()),
        Predicate::Find => found.into_iter().next().map_or(Value::Nil, |(_, element)| element),
        Predicate::FindLast => found.pop().map_or(Value::Nil, |(_, element)| element),
        Predicate::FindIndex => position(found.first()),
        Predicate::FindLastIndex => position(found.last()),
        _ => Value::Array(found.into_iter().map(|(_, element)| element).collect()),
    })
}

fn sum(seen: Vec<Seen>) -> Result<Value, Fault> {
    seen.into_iter().try_fold(Value::Integer(0), |total, seen| operator::binary("+", total, seen.said.value))
}

fn group(seen: Vec<Seen>) -> Result<Value, Fault> {
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for Seen { element, said } in seen {
        if matches!(said.value, Value::Array(_) | Value::Map(_) | Value::KeyedMap(_)) {
            return Err(Fault::Value(format!("cannot group by {}", said.value)));
        }
        match groups.iter_mut().find(|(key, _)| *key == said.value) {
            Some((_, members)) => members.push(element),
            None => groups.push((said.value, vec![element])),
        }
    }
    Ok(Value::KeyedMap(groups.into_iter().map(|(key, members)| (key, Value::Array(members))).collect()))
}

fn sort(mut seen: Vec<Seen>, order: Option<Value>) -> Result<Value, Fault> {
    let descending = match order.as_ref() {
        None => false,
        Some(Value::String(order)) if order == "asc" => false,
        Some(Value::String(order)) if order == "desc" => true,
        Some(other) => return Err(Fault::Value(format!("unknown order {other}, use asc or desc"))),
    };
    let mut incomparable = None;
    seen.sort_by(|left, right| {
        let ordering = compare(&left.said.value, &right.said.value).unwrap_or_else(|fault| {
            incomparable = Some(fault);
            Ordering::Equal
        });
        if descending { ordering.reverse() } else { ordering }
    });
    match incomparable {
        Some(fault) => Err(fault),
        None => Ok(Value::Array(seen.into_iter().map(|seen| seen.element).collect())),
    }
}

fn compare(left: &Value, right: &Value) -> Result<Ordering, Fault> {
    let order = match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Integer(left), Value::Integer(right)) => Some(left.cmp(right)),
        _ => match (operator::number(left), operator::number(right)) {
            (Some(left), Some(right)) => left.partial_cmp(&right),
            _ => None,
        },
    };
    order.ok_or_else(|| Fault::Value(format!("cannot sort {left} and {right}")))
}
