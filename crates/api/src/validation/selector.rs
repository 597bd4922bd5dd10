//! What is wrong with the expressions of a label selector.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use serde_json::Value;

use super::Problem;

/// Operators have or have no values, and there are four of them.
pub(super) fn expressions(selector: &LabelSelector, problems: &mut Vec<Problem>) {
    for (index, expression) in selector.match_expressions.iter().flatten().enumerate() {
        let given = expression.values.as_ref().is_some_and(|values| !values.is_empty());
        let remedy = match (expression.operator.as_str(), given) {
            ("In" | "NotIn", true) | ("Exists" | "DoesNotExist", false) => continue,
            ("In" | "NotIn", false) => "give at least one value",
            ("Exists" | "DoesNotExist", true) => "this operator takes no values; remove them",
            _ => "supported operators: \"In\", \"NotIn\", \"Exists\", \"DoesNotExist\"",
        };
        problems.push(Problem::invalid(
            format!("spec.selector.matchExpressions[{index}]"),
            expression,
            format!("invalid label selector; {remedy}"),
        ));
    }
}

/// Whether the selector finds pods of these labels. An expression that cannot be read is said by [`expressions`].
pub(super) fn finds(selector: &LabelSelector, labels: Option<&Value>) -> bool {
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
    let equal = selector.match_labels.iter().flatten().all(|(key, value)| label(key) == Some(value));
    equal
        && selector.match_expressions.iter().flatten().all(|expression| {
            let found = label(&expression.key);
            let listed =
                found.is_some_and(|found| expression.values.iter().flatten().any(|value| value == found));
            match expression.operator.as_str() {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => found.is_some(),
                "DoesNotExist" => found.is_none(),
                _ => true,
            }
        })
}
