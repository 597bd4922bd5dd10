//! The first problem of a spec is said in the words that clients of Argo Rollouts know.

use serde_json::{Value, json};

use super::tests::rollout;
use super::validate;

/// A row of a file: its name, the change of the spec, what is said after `The Rollout "shop" is invalid: `.
type Row = (String, Value, String);

fn rows(file: &str) -> Vec<Row> {
    serde_json::from_str(file).unwrap()
}

#[test]
fn the_first_problem_is_said_in_the_words_that_clients_know() {
    let one = rows(include_str!("../../tests/invalid_spec.json"));
    let two = rows(include_str!("../../tests/first_of_two.json"));
    assert!(one.len() > 100 && two.len() > 50, "the rows are read");
    let mut wrong = Vec::new();
    for (name, change, said) in one.into_iter().chain(two) {
        let rollout = rollout(&json!({"spec": change}).to_string());
        let first = validate(&rollout).first().map(|problem| problem.condition_text());
        if first.as_deref() != Some(said.as_str()) {
            wrong.push(format!("{name}:\n  expected {said}\n  found    {}", first.unwrap_or_default()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_problem_tells_people_what_to_do() {
    for (name, change, _) in rows(include_str!("../../tests/invalid_spec.json")) {
        for problem in validate(&rollout(&json!({"spec": change}).to_string())) {
            let (said, told) = (problem.condition_text(), problem.to_string());
            let more = told.len() > said.len() || told.contains("; ") || told.contains("must");
            assert!(more || told.contains("does not match"), "{name}: {told}");
        }
    }
}
