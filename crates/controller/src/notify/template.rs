//! Renders the templates of messages: Go's template language, by the crate gtmpl, over the objects as JSON.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gtmpl::{Context, Template, Value as GoValue};
use serde_json::Value;

use super::function::FUNCTIONS;

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
    let render = || {
        let mut parsed = Template::default();
        parsed.add_funcs(&FUNCTIONS);
        parsed.parse(template).map_err(|error| error.to_string())?;
        parsed.render(&Context::from(data.clone())).map_err(|error| error.to_string())
    };
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
    fn functions_of_sprig_do_as_there() {
        let data = json!({"name": "shop", "list": ["a", "b"], "none": null, "n": 3, "on": true, "map": {"k": "v", "n": 1}});
        for (template, expected) in [
            ("{{.name | upper}}{{lower \"A\"}}{{toUpper \"b\"}}{{toLower \"C\"}}", "SHOPaBc"),
            ("{{trim \" x \"}}{{trimPrefix \"v\" \"v1\"}}{{trimSuffix \"-x\" \"a-x\"}}", "x1a"),
            ("{{.name | replace \"s\" \"c\"}}", "chop"),
            (
                "{{contains \"ho\" .name}} {{hasPrefix \"h\" .name}} {{hasSuffix \"p\" .name}}",
                "true false true",
            ),
            ("{{trunc 2 .name}} {{trunc -2 .name}}", "sh op"),
            ("{{quote \"a\\\"b\"}}{{squote .name}}", "\"a\\\"b\"'shop'"),
            ("{{indent 2 \"a\\nb\"}}|{{nindent 1 \"a\"}}", "  a\n  b|\n a"),
            ("{{toJson .list}} {{.n | toString}} {{b64enc .name}}", "[\"a\",\"b\"] 3 c2hvcA=="),
            (
                "{{join \"+\" .list}} {{first .list}} {{last .list}} {{join \"-\" (splitList \".\" \"a.b\")}}",
                "a+b a b a-b",
            ),
            (
                "{{default \"x\" .none}} {{default \"x\" .missing}} {{default \"x\" .name}} {{.missing | default \"y\"}}",
                "x x shop y",
            ),
            ("{{empty .none}} {{empty .list}} {{coalesce .none \"\" .name}}", "true false shop"),
            ("{{ternary \"yes\" \"no\" .on}} {{.none | ternary \"yes\" \"no\"}}", "yes no"),
            ("{{hasKey .map \"k\"}} {{hasKey .map \"x\"}}", "true false"),
            ("{{add .n 1 1}} {{sub .n 1}}", "5 2"),
        ] {
            assert_eq!(render(&json!(template), &data), Ok(json!(expected)), "{template}");
        }
        for (template, expected) in [
            ("{{replace \"a\" \"b\"}}", "argument 3 is missing"),
            ("{{trunc \"x\" .name}}", "'x' is no whole number"),
            ("{{join \",\" .name}}", "'shop' is no list"),
            ("{{add 9223372036854775807 1}}", "the number is too large"),
        ] {
            let why = render(&json!(template), &data).unwrap_err();
            assert!(why.contains(expected), "{template}: {why}");
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
