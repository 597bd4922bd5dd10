//! Says which requests a header route lets through, as the AWS load balancer controller reads it.

use serde_json::{Value, json};
use serin_core::split::{HeaderRoute, StringMatch};

/// The conditions of a header route: all headers, each with any of its values. Other than exact values there are not.
pub(super) fn conditions(route: &HeaderRoute) -> Option<String> {
    let mut headers: Vec<(&str, Vec<&str>)> = Vec::new();
    for header in &route.matches {
        let StringMatch::Exact(value) = &header.value else { return None };
        match headers.iter_mut().find(|(name, _)| *name == header.name) {
            Some((_, values)) => values.push(value),
            None => headers.push((&header.name, vec![value])),
        }
    }
    let condition = |(name, values): &(&str, Vec<&str>)| json!({"field": "http-header", "httpHeaderConfig": {"httpHeaderName": name, "values": values}});
    let conditions: Vec<_> = headers.iter().map(condition).collect();
    (!conditions.is_empty()).then(|| Value::from(conditions).to_string())
}

#[cfg(test)]
mod tests {
    use serin_core::split::HeaderMatch;

    use super::*;

    #[test]
    fn values_of_one_header_are_alternatives_and_headers_must_all_match() {
        let exact = |name: &str, value: &str| HeaderMatch {
            name: name.to_owned(),
            value: StringMatch::Exact(value.to_owned()),
        };
        let route = |matches| HeaderRoute { name: "staff".to_owned(), matches };
        let expected = r#"[{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"x-a","values":["1","2"]}},{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"x-b","values":["3"]}}]"#;
        let all = route(vec![exact("x-a", "1"), exact("x-b", "3"), exact("x-a", "2")]);
        assert_eq!(conditions(&all).as_deref(), Some(expected));
        let value = StringMatch::Prefix("1".to_owned());
        let prefix = route(vec![HeaderMatch { name: "x-a".to_owned(), value }]);
        assert_eq!((conditions(&prefix), conditions(&route(Vec::new()))), (None, None));
    }
}
