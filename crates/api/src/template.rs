//! A pod template as the user wrote it: raw JSON, so that no field of a newer Kubernetes is ever lost.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// A pod template, kept as the raw JSON that the API server sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawTemplate(Value);

impl RawTemplate {
    /// Wraps the JSON of a PodTemplateSpec.
    pub fn new(value: Value) -> Self {
        Self(value)
    }

    /// The JSON of the PodTemplateSpec.
    pub fn value(&self) -> &Value {
        &self.0
    }
}

impl JsonSchema for RawTemplate {
    fn schema_name() -> Cow<'static, str> {
        "PodTemplate".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        crate::schema::any_object(generator)
    }
}
