//! Latency, business rate and mean as run state machines: presets, what is asked, verdicts, cut windows, joint evidence.

use serde_json::{Value, json};
use serin_analysis::comparison::{Window, replay};
use serin_analysis::simulation::questions::Compared;
use serin_analysis::simulation::record::Recording;
use serin_analysis::simulation::service::MODERATE;
use serin_api::AnalysisPhase::{Failed, Inconclusive, Running, Successful};

use crate::scraped::{CANARY, NOON, STABLE, Scraped, metric, run};
use crate::stage::{Stage, parameter};

fn latencies(canary: impl Fn(i64) -> f64) -> Scraped {
    Scraped::default()
        .histogram((STABLE, "s1"), NOON - 3600, 30.0, |_| 0.08)
        .histogram((STABLE, "s2"), NOON - 3600, 30.0, |_| 0.08)
        .histogram((STABLE, "s3"), NOON - 3600, 30.0, |_| 0.08)
        .histogram((CANARY, "c1"), NOON - 300, 10.0, canary)
}

fn latency(fields: Value) -> Stage {
    run(json!([metric("latency", fields, json!({"preset": "http", "latency": {}}))]))
}

#[test]
fn a_slower_canary_fails_and_an_equal_one_passes_with_a_preset_alone() {
    let slow = latencies(|_| 0.12);
    let mut stage = latency(json!({}));
    stage.play(3600, |_, ask| slow.answer(ask));
    assert_eq!(stage.status().phase, Failed);
    let result = stage.result("latency");
    assert_eq!(result.failed, 3, "three windows in a row are the fewest that can fail");
    let lines: Vec<&str> = result.message.lines().collect();
    assert_eq!(lines.len(), 3, "one for the shift, p95 and p99: {lines:#?}");
    assert!(
        result.message.contains("latency canary slower in ")
            && result.message.contains("latency p99 canary ")
    );
    assert!(lines[0].ends_with("-> FAIL"), "the strongest first: {lines:#?}");
    assert!(result.measurements[0].value.starts_with("canary p50 0."), "{}", result.measurements[0].value);

    let equal = latencies(|_| 0.08);
    let mut stage = latency(json!({"count": 20}));
    stage.play(3600, |_, ask| equal.answer(ask));
    assert_eq!((stage.status().phase, stage.result("latency").count), (Successful, 20));
}

#[test]
fn one_question_fetches_the_histogram_however_it_is_exposed() {
    let mut stage = latency(json!({}));
    stage.tick(|_| panic!("no window has passed"));
    let asks = stage.pass(75).due();
    let queries: Vec<String> = asks.iter().map(|ask| parameter(&ask.request.url, "query")).collect();
    assert_eq!(
        queries,
        [
            "{__name__=~\"http_request_duration_seconds(_bucket)?\",rollouts_pod_template_hash=\"7cd4b9f6d\"}[2400s:60s]",
            "{__name__=~\"http_request_duration_seconds(_bucket)?\",rollouts_pod_template_hash=~\"6d5f7c9b8|7cd4b9f6d\"}[360s]",
        ]
    );
}

#[test]
fn presets_need_only_their_name() {
    for (preset, errors, histogram) in [
        ("http", "http_requests_total{code=~\"5..\",", "http_request_duration_seconds("),
        (
            "istio",
            "istio_requests_total{reporter=\"destination\",response_code=~\"5..\",",
            "istio_request_duration_milliseconds(",
        ),
        (
            "linkerd",
            "response_total{direction=\"inbound\",classification=\"failure\",",
            "response_latency_ms(",
        ),
        (
            "envoy",
            "envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix!=\"admin\",envoy_response_code_class=\"5\",",
            "envoy_http_downstream_rq_time(",
        ),
        (
            "traefik",
            "traefik_service_requests_total{code=~\"5..\",service=~\"(prod\\\\-shop\\\\-canary|prod\\\\-shop)-[^-@]+(@.+)?\"}",
            "traefik_service_request_duration_seconds(",
        ),
        (
            "ingressNginx",
            "nginx_ingress_controller_requests{status=~\"5..\",service=\"shop\"}",
            "nginx_ingress_controller_request_duration_seconds(",
        ),
    ] {
        let metrics = json!([
            metric("errors", json!({}), json!({"preset": preset, "errorRate": {}})),
            metric("latency", json!({}), json!({"preset": preset, "latency": {}})),
        ]);
        let mut stage = run(metrics);
        stage.tick(|_| panic!("no window has passed"));
        let queries: Vec<String> =
            stage.pass(75).due().iter().map(|ask| parameter(&ask.request.url, "query")).collect();
        assert!(queries.iter().any(|query| query.starts_with(errors)), "{preset}: {queries:#?}");
        assert!(queries.iter().any(|query| query.contains(histogram)), "{preset}: {queries:#?}");
    }
}

#[test]
fn a_business_rate_that_falls_fails_and_one_that_rises_passes() {
    for (canary, phase) in [(0.4, Failed), (0.52, Successful)] {
        let mut scraped = Scraped::default();
        for (revision, pod, rate, rps) in [
            (STABLE, "s1", 0.5, 300.0),
            (STABLE, "s2", 0.5, 300.0),
            (STABLE, "s3", 0.5, 300.0),
            (CANARY, "c1", canary, 300.0),
        ] {
            let labels =
                |name: &str| json!({"__name__": name, "rollouts_pod_template_hash": revision, "pod": pod});
            scraped = scraped.counter(labels("visits_total"), NOON - 3600, |_| rps).counter(
                labels("orders_total"),
                NOON - 3600,
                |_| rps * rate,
            );
        }
        let compare = json!({"businessRate": {"attempts": "visits_total", "successes": "orders_total"}});
        let mut stage = run(json!([metric("orders", json!({"count": 10}), compare)]));
        stage.play(3600, |_, ask| scraped.answer(ask));
        assert_eq!(stage.status().phase, phase, "{}", stage.result("orders").message);
        let message = &stage.result("orders").message;
        assert!(message.contains(" change ") && message.contains(" limit -2% |"), "{message}");
    }
}

#[test]
fn a_mean_that_moves_the_worse_way_fails() {
    for (worse, phase) in [("lower", Failed), ("higher", Successful)] {
        let mut scraped = Scraped::default();
        for (revision, pod, mean) in
            [(STABLE, "s1", 42.0), (STABLE, "s2", 42.0), (STABLE, "s3", 42.0), (CANARY, "c1", 38.0)]
        {
            let labels =
                |name: &str| json!({"__name__": name, "rollouts_pod_template_hash": revision, "pod": pod});
            let wobble = move |second: i64| {
                mean + f64::from(((second / 60 + pod.len() as i64 + i64::from(pod.as_bytes()[1])) % 5) as i32)
                    - 2.0
            };
            scraped = scraped.counter(labels("order_euros_count"), NOON - 3600, |_| 20.0).counter(
                labels("order_euros_sum"),
                NOON - 3600,
                |second| 20.0 * wobble(second),
            );
        }
        let compare =
            json!({"mean": {"sum": "order_euros_sum", "count": "order_euros_count", "worse": worse}});
        let mut stage = run(json!([metric("order", json!({"count": 12}), compare)]));
        stage.play(3600, |_, ask| scraped.answer(ask));
        assert_eq!(stage.status().phase, phase, "{worse}: {}", stage.result("order").message);
    }
}

#[test]
fn row_19_windows_in_which_the_weight_changes_are_left_out() {
    // The canary looks terrible while the weight moves, and is fine before and after.
    let counters = latencies(|second| if (NOON + 300..NOON + 420).contains(&second) { 8.0 } else { 0.08 });
    let mut stage = latency(json!({"count": 20}));
    stage.weight = Some(10);
    stage.play(330, |_, ask| counters.answer(ask));
    stage.weight = Some(50);
    stage.play(1500, |_, ask| counters.answer(ask));
    let result = stage.result("latency");
    assert_eq!((result.failed, result.count), (0, 20));
    assert_eq!(result.measurements.last().unwrap().metadata["cut"], "2 windows in which the weight changed");
}

#[test]
fn too_few_canary_requests_do_not_pass() {
    let counters = latencies(|_| 0.08);
    let compare = json!({"preset": "http", "latency": {"quantiles": []}, "minRequests": 50_000});
    let mut stage = run(json!([metric("latency", json!({"count": 10}), compare)]));
    stage.play(3600, |_, ask| counters.answer(ask));
    assert_eq!(stage.status().phase, Inconclusive);
    let message = &stage.result("latency").message;
    assert!(
        message.contains("(the canary served 6000 of the 50000 requests that minRequests asks for)"),
        "{message}"
    );
}

#[test]
fn verdicts_on_latency_are_recomputed_bit_for_bit_and_stay_small() {
    let counters = latencies(|second| 0.08 + 0.002 * f64::from((second / 60 % 7) as i32));
    let mut stage = latency(json!({}));
    for _ in 0..4 {
        stage.play(900, |_, ask| counters.answer(ask));
        let replayed = replay(&stage.run, "latency").unwrap();
        assert!(replayed.same);
        let measurements = &stage.result("latency").measurements;
        let stored: Vec<&str> = measurements.iter().map(|one| one.message.as_str()).collect();
        let again: Vec<&str> = replayed.looks.iter().map(|look| look.reasons.as_str()).collect();
        assert_eq!(again, stored);
        assert!(matches!(replayed.looks[0].window, Window::Latency(_)));
        let recording = Recording::of_run(&stage.run, MODERATE).unwrap();
        let [part] = recording.parts.as_slice() else { panic!("{recording:?}") };
        assert_eq!((part.compared, part.service.rps, part.service.window), (Compared::Latency, 100.0, 60.0));
        assert!(part.measured && part.service.noise.latency.1 < 0.1, "{part:?}");
    }
    let evidence = serde_json::to_string(stage.result("latency").evidence.as_ref().unwrap()).unwrap();
    assert!(evidence.len() <= 4096, "{} bytes: {evidence}", evidence.len());
}

#[test]
fn several_half_loud_metrics_fail_together_and_the_reason_says_so() {
    // Each metric alone is short of its bar of 100 (five questions); together they pass 20.
    let counters = latencies(|_| 0.105);
    let mut alone_needed =
        run(json!([metric("latency", json!({}), json!({"preset": "http", "latency": {}}))]));
    alone_needed.play(3600, |_, ask| counters.answer(ask));
    assert_eq!(alone_needed.status().phase, Failed);
    let message = &alone_needed.result("latency").message;
    let together = message.starts_with("all metrics together: mean evidence ");
    assert!(together || message.lines().next().unwrap().ends_with("-> FAIL"), "{message}");
}

#[test]
fn without_history_the_first_window_serves_as_the_past_and_is_not_judged() {
    let young = Scraped::default().histogram((STABLE, "s1"), NOON - 10, 90.0, |_| 0.08).histogram(
        (CANARY, "c1"),
        NOON - 10,
        10.0,
        |_| 0.08,
    );
    let mut stage = latency(json!({"count": 5, "inconclusiveLimit": 3}));
    stage.play(400, |_, ask| young.answer(ask));
    let result = stage.result("latency");
    assert_eq!((stage.status().phase, result.count), (Running, 5), "six windows passed, one was learnt from");
    assert!(result.message.is_empty() || !result.message.contains("holds"), "{}", result.message);
    assert!(replay(&stage.run, "latency").unwrap().same);
    assert!(result.measurements[0].message.contains("(assumed)"), "{}", result.measurements[0].message);
}

#[test]
fn comparisons_that_cannot_work_are_refused_with_the_field_and_a_remedy() {
    for (comparison, expected) in [
        (
            json!({}),
            "comparison: it names nothing to compare; set comparison.errorRate, latency, businessRate or mean",
        ),
        (
            json!({"preset": "http", "errorRate": {}, "latency": {}}),
            "comparison: it names several things to compare; give each a metric of its own",
        ),
        (
            json!({"latency": {}}),
            "comparison.latency.histogram: it names no metric; give the counter itself, such as http_requests_total{app=\"shop\"}",
        ),
        (
            json!({"preset": "http", "latency": {"quantiles": ["p200"]}}),
            "comparison.latency.quantiles: \"p200\" is no quantile from p50 up to p100; give one such as p99",
        ),
        (
            json!({"preset": "http", "latency": {"limit": "0.5pp"}}),
            "comparison.latency.limit: \"0.5pp\" is no relative change below 100%; give one such as 15%",
        ),
        (
            json!({"preset": "istio", "mean": {"sum": "a", "count": "b"}}),
            "comparison.preset: presets know errorRate and latency; remove it and name the counters in mean",
        ),
        (
            json!({"businessRate": {"attempts": "a"}}),
            "comparison.businessRate.successes: it names no metric; give the counter itself, such as http_requests_total{app=\"shop\"}",
        ),
        (
            json!({"preset": "http", "latency": {}, "minRequests": -1}),
            "comparison.minRequests: -1 is less than 0",
        ),
        (json!({"preset": "http", "latency": {}, "history": -1}), "comparison.history: -1 is less than 0"),
    ] {
        let mut stage = run(json!([metric("m", json!({}), comparison.clone())]));
        stage.tick(|_| panic!("nothing is asked"));
        let message = stage.status().message.replace("Analysis spec invalid: metrics[0]: ", "");
        assert_eq!(message, expected, "{comparison}");
    }
}
