//! What a run knows of its comparisons: that it fits into the status, comes back bit for bit, and outlives an upgrade.

use serde_json::{Value, json};
use serin_analysis::comparison::replay;
use serin_api::AnalysisPhase::{Error, Running};
use serin_api::AnalysisRun;

use crate::scraped::{CANARY, NOON, STABLE, Scraped, metric, run};
use crate::stage::Stage;

/// Errors, latencies, a business rate and a mean: six questions.
fn four() -> Stage {
    run(json!([
        metric("errors", json!({}), json!({"errorRate": {"requests": "visits_total"}})),
        metric("latency", json!({}), json!({"preset": "http", "latency": {}})),
        metric(
            "orders",
            json!({}),
            json!({"businessRate": {"attempts": "visits_total", "successes": "orders_total"}})
        ),
        metric("euros", json!({}), json!({"mean": {"sum": "euros_sum", "count": "orders_total"}})),
    ]))
}

/// Pods whose numbers have no round value, on a ladder of as many bounds.
fn pods(stable: usize, canary: usize, bounds: usize) -> Scraped {
    let ladder: Vec<f64> =
        (1..bounds).map(|rung| 0.0073 * 1.17_f64.powi(rung as i32)).chain([f64::INFINITY]).collect();
    let mut scraped = Scraped::default();
    let all = (0..stable).map(|pod| (STABLE, pod)).chain((0..canary).map(|pod| (CANARY, pod)));
    for (revision, number) in all {
        let pod = format!("{revision}-{number}");
        let own = 1.0 + number as f64 / 97.0;
        let swing = move |second: i64| own * (1.0 + 0.3 * f64::from((second / 60 % 7) as i32));
        let labels =
            |name: &str| json!({"__name__": name, "rollouts_pod_template_hash": revision, "pod": pod});
        for (name, rate) in [("orders_total", 15.37), ("euros_sum", 411.93)] {
            scraped = scraped.counter(labels(name), NOON - 3600, |second| rate * swing(second));
        }
        for (code, rate) in [("200", 30.71), ("500", 0.083)] {
            let mut labels = labels("visits_total");
            labels["code"] = json!(code);
            scraped = scraped.counter(labels, NOON - 3600, |second| rate * swing(second));
        }
        let median = |second: i64| 0.08 + 0.002 * f64::from((second / 60 % 7) as i32);
        scraped = scraped.buckets(&ladder, (revision, &pod), NOON - 3600, 31.3 * own, median);
    }
    scraped
}

fn sizes(run: &AnalysisRun) -> Vec<usize> {
    let results = &run.status.as_ref().unwrap().metric_results;
    let size = |evidence: &Value| serde_json::to_string(evidence).unwrap().len();
    results.iter().map(|result| size(result.evidence.as_ref().expect("evidence"))).collect()
}

#[test]
fn four_comparisons_of_many_pods_and_buckets_stay_within_four_kib_and_are_replayed() {
    // With three pods of stable or more its history tells the noise; with one, the windows of the rollout have to.
    for (stable, canary, bounds, minutes) in [(40, 4, 40, 12), (3, 1, 80, 12), (1, 1, 40, 25)] {
        let scraped = pods(stable, canary, bounds);
        let mut stage = four();
        stage.play(minutes * 60, |_, ask| scraped.answer(ask));
        let sizes = sizes(&stage.run);
        let case = format!("{stable} + {canary} pods, {bounds} buckets: {sizes:?}");
        assert!(sizes.iter().sum::<usize>() <= 4096, "{case}");
        assert_eq!(stage.status().phase, Running, "{case}: {}", stage.status().message);
        for result in &stage.status().metric_results {
            let served = result.evidence.as_ref().unwrap()["served"].as_i64();
            assert!(served.is_some_and(|served| served > 0), "the plan of the Rollout reads it: {case}");
            assert_eq!(result.measurements.len(), 10, "{case}");
            assert!(replay(&stage.run, &result.name).unwrap().same, "{} of {case}", result.name);
        }
    }
}

/// So many comparisons of errors.
fn many(count: usize) -> Stage {
    let one = |number: usize| {
        metric(&format!("errors-{number}"), json!({}), json!({"errorRate": {"requests": "visits_total"}}))
    };
    run((0..count).map(one).collect())
}

#[test]
fn when_evidence_has_no_room_the_replay_goes_first_and_verdicts_never() {
    let scraped = pods(1, 1, 3);
    let mut stage = many(12);
    stage.play(25 * 60, |_, ask| scraped.answer(ask));
    assert!(sizes(&stage.run).iter().sum::<usize>() <= 4096, "{:?}", sizes(&stage.run));
    let told = |name: &str| replay(&stage.run, name).map(|replayed| replayed.same);
    let replays: Vec<_> = (0..12).map(|number| told(&format!("errors-{number}"))).collect();
    let kept = replays.iter().filter(|replayed| **replayed == Ok(true)).count();
    assert!((1..12).contains(&kept), "no more goes than must: {replays:?}");
    let gone = replays.iter().position(Result::is_err).unwrap();
    let why = replays[gone].as_ref().unwrap_err().to_string();
    assert!(why.contains("(4096 bytes), so that where a replay of \"errors-"), "{why}");
    let result = stage.result(&format!("errors-{gone}"));
    assert_eq!(result.count, stage.result("errors-0").count, "every window is judged all the same");
    let note = &result.measurements.last().unwrap().metadata["replay"];
    assert_eq!(note, "not kept: the comparisons of the run need more than 4096 bytes");
}

#[test]
fn more_comparisons_than_there_is_room_for_are_refused_before_they_begin() {
    let scraped = pods(1, 1, 3);
    let mut stage = many(13);
    stage.play(300, |_, ask| scraped.answer(ask));
    assert_eq!(stage.status().phase, Error);
    let expected = "Analysis spec invalid: metrics: the evidence of 13 comparisons takes up to 4420 bytes of the status, 4096 \
                    are there: ask for fewer quantiles, or give some of them a template, and so a run, of their own";
    assert_eq!(stage.status().message, expected);

    let mut begun = many(12);
    begun.play(300, |_, ask| scraped.answer(ask));
    begun.run.spec.metrics = many(13).run.spec.metrics;
    begun.play(300, |_, ask| scraped.answer(ask));
    assert_eq!(begun.status().phase, Running, "a run that an earlier version began goes on");
}

/// A run whose evidence the first encoding wrote: a JSON object with a name or a list for every number.
fn old() -> AnalysisRun {
    serde_json::from_str(include_str!("evidence/run-of-the-first-encoding.json")).unwrap()
}

/// The same service, which goes on.
fn as_then() -> Scraped {
    let median = |second: i64| 0.08 + 0.002 * f64::from((second / 60 % 7) as i32);
    let mut scraped = Scraped::default();
    for (revision, pod) in [(STABLE, "s1"), (STABLE, "s2"), (STABLE, "s3"), (CANARY, "c1")] {
        let (rps, median): (f64, &dyn Fn(i64) -> f64) =
            if revision == CANARY { (10.0, &median) } else { (30.0, &|_| 0.08) };
        scraped = scraped.histogram((revision, pod), NOON - 3600, rps, median);
        let labels =
            |name: &str| json!({"__name__": name, "rollouts_pod_template_hash": revision, "pod": pod});
        for (name, per_second) in [("visits_total", 30.7), ("orders_total", 15.3), ("euros_sum", 411.9)] {
            scraped = scraped.counter(labels(name), NOON - 3600, |second| {
                per_second + f64::from((second % 7) as i32) / 9.0
            });
        }
    }
    scraped
}

/// A canary of bursts beside a single pod of stable, without any history: what the noise is must be assumed.
fn bursts() -> (Stage, Scraped) {
    let comparison = json!({"errorRate": {"requests": "http_requests_total"}, "history": 0});
    let steady = |second: i64| second as f64 * 10.0;
    let mut scraped = Scraped::default();
    for (revision, burst) in [(STABLE, false), (CANARY, true)] {
        let labels = |code: &str| json!({"__name__": "http_requests_total", "code": code, "rollouts_pod_template_hash": revision, "pod": revision});
        let failing = move |second: i64| match (second / 60) % 3 {
            1 if burst => 1.2,
            _ if burst => 0.3,
            _ => 0.05,
        };
        scraped = scraped.counter(labels("200"), NOON - 3600, |_| steady(1));
        scraped = scraped.counter(labels("500"), NOON - 3600, failing);
    }
    (run(json!([metric("errors", json!({}), comparison)])), scraped)
}

#[test]
fn evidence_that_began_when_assumed_noise_was_believed_ends_by_that_rule() {
    let (mut now, scraped) = bursts();
    now.play(330, |_, ask| scraped.answer(ask));
    let said = &now.result("errors").measurements.last().unwrap().message;
    assert!(said.contains("the windows differ too much to tell"), "{said}");
    assert_eq!(now.status().phase, Running);
    assert!(replay(&now.run, "errors").unwrap().same);

    // The same after two windows, as a version stored it that did not know the rule.
    let (mut then, scraped) = bursts();
    let begun = include_str!("evidence/run-of-believed-noise.json");
    then.run = serde_json::from_str(begun).unwrap();
    assert!(replay(&then.run, "errors").unwrap().same);
    then.now = then.now.checked_add(jiff::SignedDuration::from_secs(150)).unwrap();
    then.play(180, |_, ask| scraped.answer(ask));
    assert_eq!(then.status().phase, serin_api::AnalysisPhase::Failed, "{}", then.status().message);
    assert!(replay(&then.run, "errors").unwrap().same, "and is replayed as it was said");
}

#[test]
fn a_run_that_an_earlier_version_began_goes_on_with_all_it_knew() {
    let mut stage = four();
    stage.run = old();
    for name in ["errors", "latency", "orders", "euros"] {
        assert!(stage.result(name).evidence.as_ref().unwrap().get("packed").is_none());
        let before = replay(&stage.run, name).unwrap();
        assert!(before.same, "{name} is replayed from the old encoding");
    }
    let looked = stage.result("errors").count;
    let judged =
        |stage: &Stage| replay(&stage.run, "errors").unwrap().looks.last().unwrap().questions[0].canary;
    let before = judged(&stage);
    stage.now = stage.run.status.as_ref().unwrap().metric_results[0]
        .measurements
        .last()
        .unwrap()
        .finished_at
        .as_ref()
        .unwrap()
        .0;
    let scraped = as_then();
    stage.play(300, |_, ask| scraped.answer(ask));
    assert_eq!(stage.events, Vec::<String>::new(), "nothing was edited");
    assert!(stage.result("errors").count > looked);
    assert!(judged(&stage).trials > before.trials, "the requests of the earlier windows are in the sum");
    for name in ["errors", "latency", "orders", "euros"] {
        assert!(stage.result(name).evidence.as_ref().unwrap().get("packed").is_some());
        assert!(replay(&stage.run, name).unwrap().same, "{name} goes on bit for bit");
    }
}
