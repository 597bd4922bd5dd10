//! Renders the templates of messages: Go's template language, by the crate gtmpl, over the objects as JSON.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gtmpl::Value as GoValue;
use serde_json::Value;

/// `message` with every text in it rendered over `data`.
///
/// # Errors
/// The path of the text that cannot be rendered, and why.
pub fn render(message: &Value, data: &Value) -> Result<Value, String> {
    let go = go_value(data);
    walk(message, &go, "")
}

fn walk(message: &Value, data: &GoValue, path: &str) -> Result<Value, String> {
    Ok(match message {
        Value::String(text) => {
            text_of(text, data).map_err(|why| format!("{}: {why}", path.trim_start_matches('.')))?.into()
        }
        Value::Array(values) => {
            let render = |(index, value)| walk(value, data, &format!("{path}[{index}]"));
            values.iter().enumerate().map(render).collect::<Result<Vec<_>, _>>()?.into()
        }
        Value::Object(fields) => {
            let render = |(name, value): (&String, &Value)| {
                Ok((name.clone(), walk(value, data, &format!("{path}.{name}"))?))
            };
            Value::Object(fields.iter().map(render).collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}

fn text_of(template: &str, data: &GoValue) -> Result<String, String> {
    if !template.contains("{{") {
        return Ok(template.to_owned());
    }
    // The crate gives up on some templates; a message must not take the controller with it.
    let render = || gtmpl::template(template, data.clone()).map_err(|error| error.to_string());
    let rendered = catch_unwind(AssertUnwindSafe(render));
    rendered.map_err(|_| "the template cannot be rendered".to_owned())?
}

fn go_value(json: &Value) -> GoValue {
    match json {
        Value::Null => GoValue::Nil,
        Value::Bool(truth) => GoValue::Bool(*truth),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.into(),
            (None, Some(number)) => number.into(),
            (None, None) => GoValue::NoValue,
        },
        Value::String(text) => GoValue::String(text.clone()),
        Value::Array(values) => GoValue::Array(values.iter().map(go_value).collect()),
        Value::Object(fields) => {
            GoValue::Map(fields.iter().map(|(name, value)| (name.clone(), go_value(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn templates_as_people_write_them_are_rendered() {
        let data = json!({
            "rollout": {
                "metadata": {"name": "shop", "namespace": "web", "labels": {"a-b": "c"}},
                "spec": {"template": {"spec": {"containers": [{"image": "x:1"}, {"image": "y:2"}]}}, "replicas": 3},
                "status": {"phase": "Degraded", "message": "\"quoted\""},
            },
            "analysisRuns": [{"status": {"metricResults": [{"name": "err", "message": "3 % > 1 %"}]}}],
            "context": {"url": "https://argo"},
        });
        for (template, expected) in [
            ("plain", "plain"),
            ("Rollout {{.rollout.metadata.name}} is aborted.", "Rollout shop is aborted."),
            ("{{ .rollout.spec.replicas }}", "3"),
            (
                "{{range $index, $c := .rollout.spec.template.spec.containers}}{{if not $index}}{{else}}, {{end}}{{$c.image}}{{end}}",
                "x:1, y:2",
            ),
            ("{{if eq .rollout.status.phase \"Degraded\"}}bad{{else}}good{{end}}", "bad"),
            ("{{with .rollout.metadata}}{{.namespace}}{{end}}", "web"),
            ("{{index .rollout.metadata.labels \"a-b\"}}", "c"),
            ("{{.context.url}}/x", "https://argo/x"),
            (
                "{{range .analysisRuns}}{{range .status.metricResults}}{{.name}}: {{.message}}{{end}}{{end}}",
                "err: 3 % > 1 %",
            ),
        ] {
            let rendered = render(&json!({"message": template}), &data);
            assert_eq!(rendered, Ok(json!({"message": expected})), "{template}");
        }
    }

    #[test]
    fn what_cannot_be_rendered_is_said_with_its_place() {
        let bad = json!({"slack": {"blocks": ["{{ nosuch .x }}"]}});
        let why = render(&bad, &json!({"x": 1})).unwrap_err();
        assert!(why.starts_with("slack.blocks[0]: "), "{why}");
        assert!(render(&json!("{{ if }}"), &json!({})).is_err());
    }
}
