//! Decides which elements of a list a filter `[?(@.code==500)]` takes.

use std::cmp::Ordering;

use serde_json::Value;

use super::reader::Reader;
use super::{Step, walk};

/// A comparison of two sides, or the question whether the left one exists.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Filter {
    left: Side,
    right: Option<(&'static str, Side)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Side {
    /// Steps from the element.
    Path(Vec<Step>),
    Literal(Value),
}

const SIGNS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];

impl Filter {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, String> {
        reader.blanks();
        let left = Side::read(reader)?;
        reader.blanks();
        let sign = SIGNS.into_iter().find(|sign| reader.accept(sign));
        reader.blanks();
        let right = sign.map(|sign| Ok::<_, String>((sign, Side::read(reader)?))).transpose()?;
        reader.blanks();
        Ok(Self { left, right })
    }

    pub(super) fn holds(&self, element: &Value) -> bool {
        let Some(left) = self.left.value(element) else {
            return false;
        };
        let Some((sign, right)) = &self.right else {
            return true;
        };
        let Some(right) = right.value(element) else {
            return false;
        };
        let order = order(&left, &right);
        match *sign {
            "==" => order == Some(Ordering::Equal),
            "!=" => order != Some(Ordering::Equal),
            "<" => order == Some(Ordering::Less),
            ">" => order == Some(Ordering::Greater),
            "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

impl Side {
    fn read(reader: &mut Reader) -> Result<Self, String> {
        if let Some(text) = reader.quoted()? {
            return Ok(Self::Literal(Value::String(text)));
        }
        if reader.rest.starts_with(['@', '.', '$']) {
            return Ok(Self::Path(reader.steps()?));
        }
        let end =
            reader.rest.find(|character: char| " )=!<>".contains(character)).unwrap_or(reader.rest.len());
        let (word, rest) = reader.rest.split_at_checked(end).unwrap_or_default();
        let literal =
            serde_json::from_str(word).map_err(|_| format!("{word:?} is neither a value nor a path"))?;
        reader.rest = rest;
        Ok(Self::Literal(literal))
    }

    fn value(&self, element: &Value) -> Option<Value> {
        match self {
            Self::Literal(value) => Some(value.clone()),
            Self::Path(steps) => walk(steps, vec![element]).ok()?.first().map(|found| (*found).clone()),
        }
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => (left == right).then_some(Ordering::Equal),
    }
}
