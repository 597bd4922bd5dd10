//! Forecasts against the design table (judge 1.12), and as they read.

use serde_json::json;

use super::*;
use crate::paint::Paint;

fn service() -> Service {
    Service {
        requests_per_second: 100.0,
        error_rate: 0.005,
        pods: 10,
        window: 60.0,
        metrics: 4,
        latency_spread: 0.6,
        conversion: None,
    }
}

#[test]
fn the_windows_of_the_design_table_are_foretold() {
    // Measured in the simulation at +1 pp: 80 % are seen after 15, 21, 8 and 7 windows.
    for (share, least, most) in [(0.10, 11.0, 16.0), (0.05, 16.0, 22.0), (0.25, 7.0, 10.0), (0.50, 5.0, 8.0)]
    {
        let windows =
            times(&service(), &Wanted::default(), &Known::default(), share).errors_seen.unwrap() / 60.0;
        assert!((least..=most).contains(&windows), "{share}: {windows}");
    }
}

#[test]
fn a_fault_within_the_indifference_zone_is_never_seen_and_more_traffic_is_faster() {
    let small = Wanted { see_errors: 0.002, see_slowdown: 0.05, ..Wanted::default() };
    let found = times(&service(), &small, &Known::default(), 0.1);
    assert_eq!((found.errors_seen, found.slowdown_seen), (None, None));
    let usual = Wanted::default();
    let idle = Service { requests_per_second: 0.0, ..service() };
    let nothing = times(&idle, &usual, &Known::default(), 0.1);
    assert_eq!((nothing.errors_seen, nothing.errors_shown, nothing.latency_shown), (None, None, None));
    let busy = Service { requests_per_second: 1000.0, ..service() };
    let (slow, fast) =
        (times(&service(), &usual, &Known::default(), 0.1), times(&busy, &usual, &Known::default(), 0.1));
    assert!(fast.errors_shown < slow.errors_shown && fast.latency_shown < slow.latency_shown);
}

#[test]
fn the_stay_at_a_weight_is_the_sum_of_its_pauses() {
    let steps = serde_json::from_value::<Vec<serin_api::CanaryStep>>(json!([
        {"pause": {"duration": "1h"}},
        {"setWeight": 5}, {"pause": {"duration": 30}}, {"pause": {"duration": "10m"}},
        {"setWeight": 0}, {"pause": {}},
        {"setWeight": 25}, {"pause": {}},
        {"setWeight": 50}, {"analysis": {"templates": []}}, {"pause": {"duration": "90"}},
        {"setWeight": 100},
    ]))
    .unwrap();
    let found: Vec<_> =
        stays(&steps).into_iter().map(|stay| (stay.step, stay.weight, stay.seconds, stay.open)).collect();
    assert_eq!(found, [(Some(2), 5, 630.0, false), (Some(7), 25, 0.0, true), (Some(9), 50, 90.0, true)]);
}

#[test]
fn a_forecast_says_what_is_too_short_and_what_cannot_be_tested() {
    let stay = |step, weight, seconds, open| Stay { step, weight, seconds, open };
    let service = Service { requests_per_second: 20.0, conversion: Some(0.03), ..service() };
    let stays = vec![stay(Some(1), 10, 300.0, false), stay(Some(3), 50, 0.0, true)];
    let forecast = Forecast::of(service, Wanted::default(), &Known::default(), stays);
    assert_eq!(forecast.too_short.len(), 2, "{:?}", forecast.too_short);
    assert!(
        forecast.too_short[0]
            .starts_with("step 1 (weight 10 %) pauses for 5m; +1pp more errors are seen after "),
        "{:?}",
        forecast.too_short
    );
    let text = text(&forecast, Paint::PLAIN);
    assert!(text.contains("\n50 %    open    "), "{text}");
    assert_eq!(forecast.untestable.len(), 1, "{text}");
    assert!(text.contains("\nCannot be tested:\n  a business rate within 2%: "), "{text}");
    let crawling = Service { requests_per_second: 0.2, ..forecast.service.clone() };
    let stays = vec![stay(None, 10, 0.0, false)];
    let forecast = Forecast::of(crawling, Wanted::default(), &Known::default(), stays);
    let last = forecast.untestable.last().unwrap();
    assert!(last.starts_with("a business rate within 2%: ") && last.contains("at the best weight"), "{last}");
}

/// Log-normal latencies with a median of 80 ms, a spread of 0.6, and bounds a tenth apart.
fn counted(bound: Option<f64>, noise: Noise) -> Tail {
    use serin_analysis::judge::histogram::Histogram;
    use serin_analysis::judge::normal::upper_tail;

    let bounds: Vec<f64> = (0..60).map(|rung| 0.005 * 1.1_f64.powi(rung)).chain([f64::INFINITY]).collect();
    let mut left = 1.0;
    let count = |bound: &f64| {
        let above = if bound.is_infinite() { 0.0 } else { upper_tail((bound / 0.08).ln() / 0.6) };
        let count = (left - above) * 1e6;
        left = above;
        count
    };
    let counts = bounds.iter().map(count).collect();
    let nearest = |wanted: &f64| bounds.iter().copied().find(|bound| bound >= wanted);
    let bound = bound.as_ref().and_then(nearest);
    Tail { seen: Histogram::new(bounds, counts).unwrap(), quantile: 0.99, bound, noise }
}

#[test]
fn counted_latencies_tell_what_the_curve_tells_that_they_follow() {
    let p99 = 0.08 * (0.6_f64 * 2.3263).exp();
    let known = Known { latency: Some(counted(Some(p99), Noise::default())), ..Known::default() };
    let (usual, service) = (Wanted::default(), service());
    let (curve, found) =
        (times(&service, &usual, &Known::default(), 0.1), times(&service, &usual, &known, 0.1));
    for (curve, found) in
        [(curve.slowdown_seen, found.slowdown_seen), (curve.latency_shown, found.latency_shown)]
    {
        let ratio = found.unwrap() / curve.unwrap();
        assert!((0.7..1.4).contains(&ratio), "{ratio}");
    }
}

#[test]
fn what_the_buckets_cannot_tell_and_what_pods_differ_by_is_never_shown() {
    let blind = Known {
        latency: Some(counted(None, Noise::default())),
        errors: Noise { measured: Some(0.0), tau: 0.01 },
        blind: vec!["latency: p99 has no bucket bound near it".to_owned()],
        ..Known::default()
    };
    let found = times(&service(), &Wanted::default(), &blind, 0.1);
    assert_eq!((found.errors_shown, found.slowdown_seen, found.latency_shown), (None, None, None));
    let stays = vec![Stay { step: None, weight: 10, seconds: 0.0, open: false }];
    let forecast = Forecast::of(service(), Wanted::default(), &blind, stays);
    assert_eq!(forecast.untestable.last().unwrap(), "latency: p99 has no bucket bound near it");
    assert!(forecast.assumed.ends_with("pods differ as measured (rho 0.0000)."), "{}", forecast.assumed);
    let noisy = |rho| Known { errors: Noise { measured: Some(rho), tau: 0.0 }, ..Known::default() };
    let seen = |rho| times(&service(), &Wanted::default(), &noisy(rho), 0.1).errors_seen;
    assert!(seen(0.02) > seen(0.0));
}
