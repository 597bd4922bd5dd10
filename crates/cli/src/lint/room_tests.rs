//! Comparisons that are too many for the status of one run are named before a rollout meets them.

use serde_json::{Value, json};

use super::{Templates, check, check_together};

fn template(name: &str, comparisons: usize) -> Value {
    let metrics: Vec<_> = (0..comparisons)
        .map(|number| {
            json!({
                "name": format!("{name}-{number}"), "interval": "1m", "provider": {"prometheus": {}},
                "comparison": {"errorRate": {"requests": "http_requests_total"}},
            })
        })
        .collect();
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": name},
        "spec": {"metrics": metrics},
    })
}

/// What is found in a template of so many comparisons.
fn alone(comparisons: usize) -> Vec<String> {
    let found = check(&template("errors", comparisons)).unwrap();
    found.into_iter().map(|finding| finding.message).collect()
}

#[test]
fn a_template_with_more_comparisons_than_a_run_has_room_for_is_a_problem() {
    assert_eq!(alone(12), [""; 0]);
    let expected = "spec.metrics: the evidence of 13 comparisons takes up to 4420 bytes of the status, 4096 are there: ask for \
                    fewer quantiles, or give some of them a template, and so a run, of their own";
    assert_eq!(alone(13), [expected]);
}

#[test]
fn templates_that_fit_alone_but_not_in_one_run_are_a_problem_of_the_rollout() {
    let rollout = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "shop"},
        "spec": {"strategy": {"canary": {"analysis": {
            "templates": [{"templateName": "one"}, {"templateName": "other"}],
        }}}},
    });
    for (other, expected) in [(5, None), (6, Some("the evidence of 13 comparisons takes up to 4420 bytes"))] {
        let files = [template("one", 7), template("other", other)];
        let found = check_together(&rollout, &Templates::of(&files));
        let told: Vec<_> = found.iter().map(|finding| finding.message.as_str()).collect();
        let start = expected.map(|what| format!("spec.strategy.canary.analysis: metrics: {what}"));
        assert_eq!(told.len(), usize::from(start.is_some()), "{told:?}");
        assert!(start.is_none_or(|start| told[0].starts_with(&start)), "{told:?}");
    }
}
