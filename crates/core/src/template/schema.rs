//! Says which fields Go's types of a pod template and of canary steps have, in their order. The first are data made by
//! `testbed/podfields`, the second made in the same way of the API of Argo Rollouts 1.9.2.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

/// What the value of a field is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int,
    Text,
    Quantity,
    Time,
    Any,
    Pointer(Box<Self>),
    List(Box<Self>),
    Map(Box<Self>),
    Object(String),
}

impl Kind {
    fn parse(text: &str) -> Self {
        if let Some(rest) = text.strip_prefix('*') {
            return Self::Pointer(Box::new(Self::parse(rest)));
        }
        if let Some(rest) = text.strip_prefix("[]") {
            return Self::List(Box::new(Self::parse(rest)));
        }
        if let Some(rest) = text.strip_prefix("map:") {
            return Self::Map(Box::new(Self::parse(rest)));
        }
        match text {
            "bool" => Self::Bool,
            "int" => Self::Int,
            "string" => Self::Text,
            "quantity" => Self::Quantity,
            "time" => Self::Time,
            "any" => Self::Any,
            name => Self::Object(name.to_owned()),
        }
    }
}

/// When Go leaves a field out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Omit {
    Never,
    Empty,
    Zero,
}

/// One field of one type.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) omit: Omit,
}

static TYPES: LazyLock<BTreeMap<String, Vec<Field>>> = LazyLock::new(|| {
    let read =
        |text: &str| -> BTreeMap<String, Vec<[String; 3]>> { serde_json::from_str(text).unwrap_or_default() };
    let mut raw = read(include_str!("fields.json"));
    raw.extend(read(include_str!("steps.json")));
    let field = |[name, kind, omit]: [String; 3]| Field {
        name,
        kind: Kind::parse(&kind),
        omit: match omit.as_str() {
            "empty" => Omit::Empty,
            "zero" => Omit::Zero,
            _ => Omit::Never,
        },
    };
    raw.into_iter().map(|(name, fields)| (name, fields.into_iter().map(field).collect())).collect()
});

/// Name of the type of a pod template.
pub(super) const POD_TEMPLATE: &str = "PodTemplateSpec";

/// Name of the type of one canary step.
pub(super) const STEP: &str = "CanaryStep";

/// The fields of a type; none for a type that is not known.
pub(super) fn fields(type_name: &str) -> &'static [Field] {
    TYPES.get(type_name).map(Vec::as_slice).unwrap_or_default()
}

/// Whether a value counts as absent in Go: null, false, 0, "", an empty list or map.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(set) => !set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_describe_a_pod_template_and_every_type_below_it() {
        assert_eq!((fields(POD_TEMPLATE).len(), fields(STEP).len()), (2, 8));
        for (name, fields) in TYPES.iter() {
            for field in fields {
                let mut kind = &field.kind;
                while let Kind::Pointer(inner) | Kind::List(inner) | Kind::Map(inner) = kind {
                    kind = inner;
                }
                if let Kind::Object(inner) = kind {
                    assert!(TYPES.contains_key(inner), "{name}.{}: {inner}", field.name);
                }
            }
        }
    }
}
