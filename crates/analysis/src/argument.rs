//! Fills the arguments of a run into its metrics: `{{args.name}}` stands for a value, or for a key of a Secret.

use std::collections::BTreeMap;

use serde_json::Value;
use serin_api::{Argument, Metric};

/// The arguments of a run, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments(BTreeMap<String, Source>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Plain(String),
    /// Name of the Secret and key.
    Secret(String, String),
}

/// Why a metric cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfilled {
    /// An argument is declared and has no value.
    #[error("argument \"{0}\" was not supplied")]
    NotSupplied(String),
    /// A `{{…}}` names nothing that is known.
    #[error("failed to resolve {{{{{0}}}}}")]
    Unknown(String),
    /// With the values filled in, it is no metric any more.
    #[error("metric \"{metric}\" cannot be read with its arguments filled in: {why}")]
    Unreadable {
        /// Name of the metric.
        metric: String,
        /// What the reader said.
        why: String,
    },
}

impl Arguments {
    /// # Errors
    /// [`Unfilled::NotSupplied`] for an argument without value, used or not.
    pub fn of(arguments: &[Argument]) -> Result<Self, Unfilled> {
        let mut known = BTreeMap::new();
        for Argument { name, value, value_from } in arguments {
            let secret = value_from.as_ref().and_then(|from| from.secret_key_ref.as_ref());
            let source = match (value, secret) {
                (Some(value), _) => Source::Plain(value.clone()),
                (None, Some(secret)) => Source::Secret(secret.name.clone(), secret.key.clone()),
                (None, None) => return Err(Unfilled::NotSupplied(name.clone())),
            };
            known.insert(name.clone(), source);
        }
        Ok(Self(known))
    }

    /// The metric with every `{{args.…}}` replaced; `secret` gives the text for a key of a Secret.
    ///
    /// A value is put in as it is, whatever quotes or escapes it holds: it can end neither a text nor a query field.
    ///
    /// # Errors
    /// [`Unfilled`] for a name that is no argument, or when a number field gets something else.
    pub fn fill(
        &self,
        metric: &Metric,
        mut secret: impl FnMut(&str, &str) -> String,
    ) -> Result<Metric, Unfilled> {
        let unreadable = |error: serde_json::Error| Unfilled::Unreadable {
            metric: metric.name.clone(),
            why: error.to_string(),
        };
        let mut tree = serde_json::to_value(metric).map_err(unreadable)?;
        self.walk(&mut tree, &mut secret)?;
        serde_json::from_value(tree).map_err(unreadable)
    }

    /// The keys of Secrets that the metric uses.
    ///
    /// # Errors
    /// As [`Self::fill`].
    pub fn secrets_of(&self, metric: &Metric) -> Result<Vec<(String, String)>, Unfilled> {
        let mut used = Vec::new();
        self.fill(metric, |name, key| {
            used.push((name.to_owned(), key.to_owned()));
            String::new()
        })?;
        used.sort();
        used.dedup();
        Ok(used)
    }

    fn walk(&self, tree: &mut Value, secret: &mut impl FnMut(&str, &str) -> String) -> Result<(), Unfilled> {
        match tree {
            Value::String(text) => {
                if text.contains("{{") {
                    *text = self.text(text, secret)?;
                }
            }
            Value::Array(values) => {
                for value in values {
                    self.walk(value, secret)?;
                }
            }
            Value::Object(fields) => {
                for (name, mut value) in std::mem::take(fields) {
                    self.walk(&mut value, secret)?;
                    fields.insert(self.text(&name, secret)?, value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        Ok(())
    }

    fn text(&self, text: &str, secret: &mut impl FnMut(&str, &str) -> String) -> Result<String, Unfilled> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((tag, after)) = after.split_once("}}") else {
                break;
            };
            filled.push_str(before);
            let tag = tag.trim();
            let source = tag.strip_prefix("args.").and_then(|name| self.0.get(name));
            match source.ok_or_else(|| Unfilled::Unknown(tag.to_owned()))? {
                Source::Plain(value) => filled.push_str(value),
                Source::Secret(name, key) => filled.push_str(&secret(name, key)),
            }
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

/// The keys of Secrets that arguments name, used or not.
pub(crate) fn secrets_named(arguments: &[Argument]) -> Vec<(String, String)> {
    let named = arguments.iter().filter(|argument| argument.value.is_none()).filter_map(|argument| {
        let secret = argument.value_from.as_ref()?.secret_key_ref.as_ref()?;
        Some((secret.name.clone(), secret.key.clone()))
    });
    let mut named: Vec<_> = named.collect();
    named.sort();
    named.dedup();
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn arguments() -> Arguments {
        let arguments: Vec<Argument> = serde_json::from_value(json!([
            {"name": "service", "value": "shop"},
            {"name": "odd", "value": "a\"b\\c\u{7}\n{{args.service}}"},
            {"name": "count", "value": "5"},
            {"name": "token", "valueFrom": {"secretKeyRef": {"name": "prom", "key": "token"}}},
        ]))
        .unwrap();
        Arguments::of(&arguments).unwrap()
    }

    fn metric(fields: Value) -> Metric {
        serde_json::from_value(fields).unwrap()
    }

    #[test]
    fn values_stand_in_for_their_names_wherever_a_text_is() {
        let template = metric(json!({
            "name": "m", "count": "{{args.count}}", "successCondition": "result[0] < {{ args.count }}",
            "provider": {
                "prometheus": {"query": "up{app=\"{{args.service}}\"} {{args.odd}}",
                               "headers": [{"key": "Authorization", "value": "Bearer {{args.token}}"}]},
                "job": {"spec": {"{{args.service}}": ["{{args.service}}", 1, true, null]}}
            }
        }));
        let filled = arguments().fill(&template, |name, key| format!("<{name}/{key}>")).unwrap();
        let expected = metric(json!({
            "name": "m", "count": "5", "successCondition": "result[0] < 5",
            "provider": {
                "prometheus": {"query": "up{app=\"shop\"} a\"b\\c\u{7}\n{{args.service}}",
                               "headers": [{"key": "Authorization", "value": "Bearer <prom/token>"}]},
                "job": {"spec": {"shop": ["shop", 1, true, null]}}
            }
        }));
        assert_eq!(filled, expected);
        assert_eq!(arguments().secrets_of(&template).unwrap(), [("prom".to_owned(), "token".to_owned())]);
    }

    #[test]
    fn what_cannot_be_filled_in_is_said() {
        for (query, expected) in [
            ("{{args.nobody}}", "failed to resolve {{args.nobody}}"),
            ("{{ inputs.service }}", "failed to resolve {{inputs.service}}"),
            ("{{}}", "failed to resolve {{}}"),
        ] {
            let metric = metric(json!({"name": "m", "provider": {"prometheus": {"query": query}}}));
            assert_eq!(arguments().fill(&metric, |_, _| String::new()).unwrap_err().to_string(), expected);
        }
        let unclosed = metric(json!({"name": "m", "provider": {"prometheus": {"query": "a {{ b"}}}));
        assert_eq!(arguments().fill(&unclosed, |_, _| String::new()).unwrap(), unclosed);
        let lacking = serde_json::from_value(json!({"name": "a"})).unwrap();
        assert_eq!(Arguments::of(&[lacking]).unwrap_err().to_string(), "argument \"a\" was not supplied");
    }
}
