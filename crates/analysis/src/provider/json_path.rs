//! Finds a value in JSON by a path in the notation of Kubernetes: `{$.items[0].name}`, `{.a['b.c']}`, `{..x}`,
//! `{.rows[?(@.code==500)].n}`.

use serde_json::Value;

mod filter;
mod reader;

use filter::Filter;

/// A path that was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct JsonPath(Vec<Step>);

/// One step from values to values.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    Index(i64),
    Slice { from: Option<i64>, to: Option<i64>, by: i64 },
    Each,
    Deep,
    Union(Vec<Step>),
    Filter(Filter),
}

impl JsonPath {
    /// # Errors
    /// A sentence with the place that cannot be read.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
        reader::path(inner).map(Self)
    }

    /// The first value that the path leads to.
    ///
    /// # Errors
    /// A sentence that says where the path ends.
    pub(super) fn first(&self, json: &Value) -> Result<Value, String> {
        let found = walk(&self.0, vec![json])?;
        found
            .first()
            .map(|found| (*found).clone())
            .ok_or_else(|| "result of web metric produced no value".to_owned())
    }
}

fn walk<'j>(steps: &[Step], from: Vec<&'j Value>) -> Result<Vec<&'j Value>, String> {
    steps.iter().try_fold(from, |values, step| step.apply(&values))
}

impl Step {
    fn apply<'j>(&self, values: &[&'j Value]) -> Result<Vec<&'j Value>, String> {
        match self {
            Self::Field(name) => {
                let found: Vec<_> = values.iter().filter_map(|value| value.get(name.as_str())).collect();
                if found.is_empty() { Err(format!("{name} is not found")) } else { Ok(found) }
            }
            Self::Index(position) => values.iter().map(|value| at(value, *position)).collect(),
            Self::Slice { from, to, by } => {
                Ok(values.iter().flat_map(|value| slice(value, *from, *to, *by)).collect())
            }
            Self::Each => Ok(values.iter().flat_map(|value| children(value)).collect()),
            Self::Deep => Ok(values.iter().flat_map(|value| descendants(value)).collect()),
            Self::Union(steps) => {
                let parts = steps.iter().map(|step| step.apply(values)).collect::<Result<Vec<_>, _>>()?;
                Ok(parts.into_iter().flatten().collect())
            }
            Self::Filter(filter) => {
                let elements = values.iter().flat_map(|value| children(value));
                Ok(elements.filter(|element| filter.holds(element)).collect())
            }
        }
    }
}

fn at(value: &Value, position: i64) -> Result<&Value, String> {
    let list = value.as_array().ok_or_else(|| format!("{} is not array or slice", kind(value)))?;
    let index = if position < 0 {
        usize::try_from(position.unsigned_abs()).ok().and_then(|back| list.len().checked_sub(back))
    } else {
        usize::try_from(position).ok()
    };
    let missing = || format!("array index out of bounds: index {position}, length {}", list.len());
    index.and_then(|index| list.get(index)).ok_or_else(missing)
}

fn slice(value: &Value, from: Option<i64>, to: Option<i64>, by: i64) -> Vec<&Value> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
    let end = |position: i64| {
        let position = if position < 0 { position.saturating_add(length) } else { position };
        usize::try_from(position.clamp(0, length)).unwrap_or(0)
    };
    let (from, to) = (from.map_or(0, end), to.map_or(list.len(), end));
    let by = usize::try_from(by).unwrap_or(1).max(1);
    list.get(from..to.max(from)).unwrap_or_default().iter().step_by(by).collect()
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

/// The value and everything below it, from the top.
fn descendants(value: &Value) -> Vec<&Value> {
    let mut found = Vec::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        found.push(value);
        open.extend(children(value).into_iter().rev());
    }
    found
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body() -> Value {
        json!({
            "data": {"ok": true, "rate": 0.5, "a.b": "dotted", "none": null},
            "rows": [{"code": 200, "n": 90, "tag": "x"}, {"code": 500, "n": 10, "tag": "y"}, {"n": 1}],
            "deep": {"er": {"n": 7}},
        })
    }

    #[test]
    fn paths_lead_to_the_first_value() {
        for (path, expected) in [
            ("{$}", body()),
            ("{}", body()),
            ("{$.data.ok}", json!(true)),
            ("$.data.ok", json!(true)),
            ("{.data.rate}", json!(0.5)),
            ("{.data['a.b']}", json!("dotted")),
            ("{.data[\"a.b\"]}", json!("dotted")),
            ("{.data.a\\.b}", json!("dotted")),
            ("{.data.none}", json!(null)),
            ("{.rows[0].n}", json!(90)),
            ("{.rows[-1].n}", json!(1)),
            ("{.rows[*].n}", json!(90)),
            ("{.rows[1:].n}", json!(10)),
            ("{.rows[-2:-1].n}", json!(10)),
            ("{.rows[0:3:2].n}", json!(90)),
            ("{.rows[2,0].n}", json!(1)),
            ("{.data['rate','ok']}", json!(0.5)),
            ("{.rows[?(@.code==500)].n}", json!(10)),
            ("{.rows[?(@.code == 500)].n}", json!(10)),
            ("{.rows[?(@.code!=200)].n}", json!(10)),
            ("{.rows[?(@.n<50)].n}", json!(10)),
            ("{.rows[?(@.n>=90)].tag}", json!("x")),
            ("{.rows[?(@.tag==\"y\")].code}", json!(500)),
            ("{.rows[?(@.tag=='y')].code}", json!(500)),
            ("{.rows[?(@.tag)].n}", json!(90)),
            ("{..er.n}", json!(7)),
            ("{$..code}", json!(200)),
            ("{.deep.*.n}", json!(7)),
            (" { .data.ok } ", json!(true)),
        ] {
            let found = JsonPath::parse(path).unwrap_or_else(|why| panic!("{path}: {why}")).first(&body());
            assert_eq!(found, Ok(expected), "{path}");
        }
    }

    #[test]
    fn paths_that_lead_nowhere_say_where_they_end() {
        for (path, expected) in [
            ("{.data.missing}", "missing is not found"),
            ("{.rows[7]}", "array index out of bounds: index 7, length 3"),
            ("{.rows[-4]}", "array index out of bounds: index -4, length 3"),
            ("{.data[0]}", "an object is not array or slice"),
            ("{.rows[?(@.code==404)]}", "result of web metric produced no value"),
        ] {
            assert_eq!(JsonPath::parse(path).unwrap().first(&body()), Err(expected.to_owned()), "{path}");
        }
    }

    #[test]
    fn paths_that_cannot_be_read_are_refused() {
        for path in [
            "{.a[}",
            "{.a[x]}",
            "{.a['b]}",
            "{.a b}",
            "{.a[?(@.b}",
            "{.a[?(@.b ~ 1)]}",
            "{a}{b}",
            "{.a[1:2:0]}",
            "{range .a[*]}{end}",
        ] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
