//! What the history of stable says, from values at every minute.

use super::*;
use crate::comparison::arm::Sign;
use crate::comparison::packed::{Packer, Unpacker};

fn labels(pod: Option<&str>) -> Labels {
    Labels {
        canary: Sign::revision("rev", "c"),
        stable: Sign::revision("rev", "s"),
        pod: pod.map(str::to_owned),
    }
}

fn series(revision: &str, pod: &str, le: Option<&str>, samples: Vec<(f64, f64)>) -> Series {
    let mut labels =
        BTreeMap::from([("rev".to_owned(), revision.to_owned()), ("pod".to_owned(), pod.to_owned())]);
    labels.extend(le.map(|le| ("le".to_owned(), le.to_owned())));
    Series { labels, samples }
}

/// A counter at every minute that grows by what `per_minute` says.
fn counter(minutes: i64, per_minute: impl Fn(i64) -> f64) -> Vec<(f64, f64)> {
    let mut value = 0.0;
    (0..=minutes)
        .map(|minute| {
            if minute > 0 {
                value += per_minute(minute);
            }
            (minute as f64 * 60.0, value)
        })
        .collect()
}

fn rates(bad: impl Fn(usize, i64) -> f64, pod: Option<&str>) -> Past {
    let pods = ["a", "b", "c", "d"];
    let trials: Vec<Series> = pods.iter().map(|pod| series("s", pod, None, counter(40, |_| 600.0))).collect();
    let events: Vec<Series> = pods
        .iter()
        .enumerate()
        .map(|(place, pod)| series("s", pod, None, counter(40, |minute| bad(place, minute))))
        .collect();
    of_counters(&trials, &events, &labels(pod), Asking::ErrorRate, 60)
}

#[test]
fn calm_pods_have_no_correlation_and_wild_ones_have() {
    let usual = Settings::default();
    let calm = rates(|place, minute| f64::from(((place as i64 + minute) % 3) as i32) + 2.0, Some("pod"));
    let settings = calm.settings(usual, 0);
    assert_eq!((settings.rho, settings.history.unwrap().requests), (Some(0.0), 4.0 * 40.0 * 600.0));
    let wild = rates(|place, minute| if (place as i64 + minute) % 4 == 0 { 30.0 } else { 1.0 }, Some("pod"));
    assert!(wild.settings(usual, 0).rho.unwrap() > 0.01);
    let uneven = rates(|place, _| if place == 0 { 12.0 } else { 1.0 }, Some("pod"));
    assert!(uneven.settings(usual, 0).tau > 0.005);
}

#[test]
fn row_28_without_a_pod_label_noise_is_assumed() {
    let wild = rates(|place, minute| if (place as i64 + minute) % 4 == 0 { 30.0 } else { 1.0 }, None);
    assert_eq!(wild.settings(Settings::default(), 0).rho, None);
    assert!(wild.settings(Settings::default(), 0).history.is_some(), "the level is known all the same");
}

#[test]
fn rows_11_and_14_restarts_count_from_zero_and_gaps_are_left_out() {
    let mut broken = counter(10, |_| 600.0);
    broken.remove(5);
    let restarted: Vec<(f64, f64)> = counter(10, |_| 600.0)
        .into_iter()
        .map(|(at, value)| (at, if at >= 360.0 { value - 3000.0 } else { value }))
        .collect();
    for (samples, requests) in [(broken, 8.0 * 600.0), (restarted, 10.0 * 600.0)] {
        let past =
            of_counters(&[series("s", "a", None, samples)], &[], &labels(Some("pod")), Asking::ErrorRate, 60);
        assert_eq!(past.tally.unwrap().trials, requests);
    }
}

#[test]
fn the_canary_is_no_part_of_the_past() {
    let canary = series("c", "x", None, counter(10, |_| 600.0));
    let past = of_counters(&[canary], &[], &labels(Some("pod")), Asking::ErrorRate, 60);
    assert_eq!((past.windows, past.tally), (0, None));
}

#[test]
fn the_spread_of_a_value_is_measured_between_pods_or_between_windows() {
    for pods in [4, 1] {
        let names = ["a", "b", "c", "d"];
        let used = names.iter().take(pods);
        let counts: Vec<Series> =
            used.clone().map(|pod| series("s", pod, None, counter(40, |_| 100.0))).collect();
        let sums: Vec<Series> = used
            .enumerate()
            .map(|(place, pod)| {
                let mean = move |minute: i64| if (minute + place as i64) % 2 == 0 { 41.0 } else { 43.0 };
                series("s", pod, None, counter(40, move |minute| 100.0 * mean(minute)))
            })
            .collect();
        let past = of_counters(
            &counts,
            &sums,
            &labels(Some("pod")),
            Asking::Mean(crate::judge::mean::Worse::Lower),
            60,
        );
        let spread = past.spread().unwrap();
        assert!((spread.mean - 42.0).abs() < 0.1 && spread.variance > 50.0, "{pods}: {spread:?}");
    }
}

fn histograms(minutes: i64) -> Histograms {
    let mut all = Vec::new();
    for (place, pod) in ["a", "b", "c"].into_iter().enumerate() {
        for (le, share) in [("0.1", 0.5), ("0.5", 0.97), ("1", 0.99), ("+Inf", 1.0)] {
            let per_minute = move |minute: i64| {
                let more: f64 = if (minute + place as i64) % 3 == 0 { 1.0 } else { 0.0 };
                600.0 * share - if le == "0.5" { 4.0 * more } else { 0.0 }
            };
            all.push(series("s", pod, Some(le), counter(minutes, per_minute)));
        }
    }
    Histograms { series: all, native: Vec::new() }
}

#[test]
fn latencies_get_a_ladder_bounds_and_noise_of_their_own() {
    let asking = [Asking::Shift, Asking::Tail(0.95), Asking::Tail(0.99), Asking::Tail(0.5)];
    let past = of_histograms(&histograms(40), &labels(Some("pod")), &asking, 60).unwrap();
    assert_eq!(past.histogram().unwrap().bounds(), [0.1, 0.5, 1.0, f64::INFINITY]);
    assert_eq!([0, 1, 2, 3].map(|place| past.bound(place)), [None, Some(0.5), Some(1.0), Some(0.1)]);
    assert!(past.settings(Settings::default(), 0).rho.is_some());
    assert!(past.settings(Settings::default(), 1).rho.is_some());
    let mut packer = Packer::default();
    past.pack(&mut packer);
    let stored = Past::unpack(&mut Unpacker::of(&packer.text()).unwrap()).unwrap();
    assert_eq!(stored, past);
    let short = of_histograms(&histograms(0), &labels(Some("pod")), &asking, 60).unwrap();
    assert!(short.lacks_ladder(&asking));
}
