//! Laws of runs, whatever the answers, the gaps between ticks and the spec.

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Value, json};
use serin_analysis::run::{Asked, conclude};
use serin_api::AnalysisPhase::{Error, Failed, Successful};

use crate::stage::{Stage, down, metric, scripted};

fn limits() -> impl Strategy<Value = Value> {
    let limit = || proptest::option::of(0..3i32);
    (proptest::option::of(3..9i32), limit(), limit(), limit(), limit(), any::<bool>()).prop_map(
        |(count, failure, inconclusive, errors, successes, delayed)| {
            let successes = successes.unwrap_or(0);
            let failure = failure.unwrap_or(0).min(count.map_or(3, |count| count - successes));
            let mut fields = json!({
                "interval": "30s", "successCondition": "result[0] < 1", "failureCondition": "result[0] > 2",
                "failureLimit": failure, "consecutiveSuccessLimit": successes, "inconclusiveLimit": inconclusive.unwrap_or(0),
            });
            for (field, value) in [("count", count), ("consecutiveErrorLimit", errors)] {
                if let Some(value) = value {
                    fields[field] = json!(value);
                }
            }
            if delayed {
                fields["initialDelay"] = json!("45s");
            }
            fields
        },
    )
}

/// Seconds until the next tick, and what is answered then.
fn script() -> impl Strategy<Value = Vec<(i64, char)>> {
    proptest::collection::vec(
        (0..90i64, proptest::sample::select("sssfiednx".chars().collect::<Vec<_>>())),
        1..40,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn runs_are_deterministic_quiet_and_never_count_twice(fields in limits(), script in script(), end in 0..60usize) {
        let mut stage = Stage::new(json!({"metrics": [metric("m", fields)]}));
        for (index, (gap, letter)) in script.into_iter().enumerate() {
            stage.pass(gap);
            stage.run.spec.terminate |= index == end;
            let asked: Vec<Asked> = stage.due().into_iter().map(|ask| Asked { answer: scripted(letter), ask }).collect();
            let plan = conclude(&stage.world(), &asked);
            prop_assert_eq!(&plan, &conclude(&stage.world(), &asked), "the same question has the same answer");
            stage.store(&plan);

            let again = conclude(&stage.world(), &asked);
            prop_assert_eq!(&again.status, stage.status(), "answers count once");
            prop_assert!(again.events.is_empty());
            let nothing = conclude(&stage.world(), &[]);
            prop_assert_eq!(&nothing.status, stage.status(), "no news, no change");
            prop_assert_eq!(nothing.wake, plan.wake);
            if !stage.status().phase.completed() {
                prop_assert!(plan.wake.is_some(), "a run that goes on has a next look");
            }
            prop_assert!(stage.status().metric_results.iter().all(|result| result.measurements.len() <= 10));
        }
    }

    #[test]
    fn a_run_that_is_over_never_changes(fields in limits(), script in script()) {
        let mut stage = Stage::new(json!({"metrics": [metric("m", fields)]}));
        let mut over = None;
        for (gap, letter) in script {
            stage.pass(gap).tick(|_| scripted(letter));
            match &over {
                Some(status) => prop_assert_eq!(status, stage.status()),
                None if stage.status().phase.completed() => over = Some(stage.status().clone()),
                None => {}
            }
        }
    }

    #[test]
    fn an_unreachable_provider_alone_decides_nothing(fields in limits(), gaps in proptest::collection::vec(0..90i64, 1..40)) {
        let limited = fields.get("consecutiveErrorLimit").is_some();
        let mut stage = Stage::new(json!({"metrics": [metric("m", fields)]}));
        for gap in gaps {
            stage.pass(gap).tick(|_| down());
            let phase = stage.status().phase;
            prop_assert!(!matches!(phase, Failed | Successful));
            prop_assert!(phase != Error || limited);
        }
        stage.run.spec.terminate = true;
        stage.tick(|_| down());
        let phase = stage.status().phase;
        prop_assert!(!matches!(phase, Failed | Successful) && (phase != Error || limited));
    }

    #[test]
    fn success_rests_on_a_successful_measurement(fields in limits(), script in script()) {
        let mut stage = Stage::new(json!({"metrics": [metric("m", fields)]}));
        for (gap, letter) in script {
            stage.pass(gap).tick(|_| scripted(letter));
        }
        stage.run.spec.terminate = true;
        stage.tick(|_| down());
        if stage.status().phase == Successful {
            prop_assert!(stage.result("m").successful > 0);
        }
    }

    #[test]
    fn a_clock_that_jumps_back_breaks_nothing(jumps in proptest::collection::vec(-300..300i64, 1..30)) {
        let mut stage = Stage::metric(json!({"interval": "30s", "successCondition": "result[0] < 1"}));
        for jump in jumps {
            stage.now += SignedDuration::from_secs(jump);
            stage.tick(|_| scripted('s'));
            let nothing = conclude(&stage.world(), &[]);
            prop_assert_eq!(&nothing.status, stage.status());
        }
    }
}
