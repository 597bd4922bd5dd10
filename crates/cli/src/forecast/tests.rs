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
        let windows = times(&service(), &Wanted::default(), share).errors_seen.unwrap() / 60.0;
        assert!((least..=most).contains(&windows), "{share}: {windows}");
    }
}

#[test]
fn a_fault_within_the_indifference_zone_is_never_seen_and_more_traffic_is_faster() {
    let small = Wanted { see_errors: 0.002, see_slowdown: 0.05, ..Wanted::default() };
    let found = times(&service(), &small, 0.1);
    assert_eq!((found.errors_seen, found.slowdown_seen), (None, None));
    let usual = Wanted::default();
    let idle = Service { requests_per_second: 0.0, ..service() };
    let nothing = times(&idle, &usual, 0.1);
    assert_eq!((nothing.errors_seen, nothing.errors_shown, nothing.latency_shown), (None, None, None));
    let busy = Service { requests_per_second: 1000.0, ..service() };
    let (slow, fast) = (times(&service(), &usual, 0.1), times(&busy, &usual, 0.1));
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
    let forecast = Forecast::of(service, Wanted::default(), stays);
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
    assert!(text.contains("\nCannot be tested within a day:\n  a business rate within 2%: "), "{text}");
    let crawling = Service { requests_per_second: 0.2, ..forecast.service.clone() };
    let stays = vec![stay(None, 10, 0.0, false)];
    let forecast = Forecast::of(crawling, Wanted::default(), stays);
    let last = forecast.untestable.last().unwrap();
    assert!(last.starts_with("a business rate within 2%: ") && last.contains("at the best weight"), "{last}");
}
