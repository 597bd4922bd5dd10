//! Records from tables: what is read, what is refused, and that the service played is the recorded one.

use super::*;
use crate::simulation::questions::Compared;
use crate::simulation::questions::QUANTILES;
use crate::simulation::rollout::{End, Part, Plan};
use crate::simulation::service::{Change, Fleet, NONE, PODS, Service, UNCHANGED, errors};

const TABLE: &str = "\
time,requests,errors,le=0.1,le=0.25,le=0.5,le=1,le=+Inf
10:00,6000,60,3000,5000,5800,5990,6000
10:01,9000,45,4500,7600,8700,8980,9000
10:02,3000,60,1500,2500,2900,2990,3000
";

fn service() -> Service {
    let record = Record::of_table(TABLE, 60.0).unwrap();
    let ladder = record.ladder();
    Service { rps: 0.0, rate: 0.0, pods: PODS, noise: NONE, ladder, window: 60.0, record: Some(record) }
}

fn aborted(change: Change) -> usize {
    let part = Part {
        name: None,
        service: service(),
        change,
        compared: Compared::Both,
        settings: crate::judge::error_rate::Settings { metrics: 4, ..Default::default() },
        slower: 0.15,
        quantiles: QUANTILES.to_vec(),
        measured: true,
    };
    let plan = Plan { parts: vec![part], weight: 0.2, count: 10 };
    (0..40).filter(|seed| plan.play(*seed).unwrap().end == End::Aborted).count()
}

#[test]
fn a_table_is_read_by_its_column_names() {
    let record = Record::of_table(TABLE, 60.0).unwrap();
    assert_eq!((record.windows(), record.has_errors(), record.has_latencies()), (3, true, true));
    let (rps, rate) = record.usual();
    assert!((rps - 100.0).abs() < 1e-9 && (rate - 165.0 / 18000.0).abs() < 1e-9, "{rps} {rate}");
    assert_eq!(record.ladder(), [0.1, 0.25, 0.5, 1.0, f64::INFINITY]);
    let first = record.at(0).unwrap();
    assert_eq!(first.latencies.as_ref().unwrap().counts(), [3000.0, 2000.0, 800.0, 190.0, 10.0]);
    assert!((first.slower_than(0.25) - 1000.0 / 6000.0).abs() < 1e-9);
    assert!((first.slower_than(2.0) - 10.0 / 6000.0).abs() < 1e-9, "beyond the last bound");
    let only = Record::of_table("le=1,le=+Inf\n9,10\n0,0\n9,10", 1.0).unwrap();
    assert_eq!((only.windows(), only.has_errors(), only.usual().0), (2, false, 10.0));
}

#[test]
fn every_window_that_is_played_was_recorded() {
    let service = service();
    let mut fleet = Fleet::new(&service, 3, 3);
    let mut met = [0; 3];
    for _ in 0..200 {
        let all = errors(&fleet.window(UNCHANGED, 0.1));
        let near = [6000.0, 9000.0, 3000.0].iter().position(|load| (all.trials - load).abs() < 600.0);
        let failed = [60.0, 45.0, 60.0][near.unwrap()];
        assert!((all.events - failed).abs() < 45.0, "{all:?} instead of {failed}");
        met[near.unwrap()] += 1;
    }
    assert!(met.iter().all(|times| *times > 30), "{met:?}");
}

#[test]
fn an_unchanged_canary_of_a_record_stays_and_a_worse_or_slower_one_does_not() {
    assert!(aborted(UNCHANGED) <= 2, "5 % of 40");
    assert!(aborted(Change { errors: 0.03, ..UNCHANGED }) >= 38);
    assert!(aborted(Change { slower: 1.8, ..UNCHANGED }) >= 38);
}

#[test]
fn tables_that_cannot_be_are_refused_with_line_and_column() {
    for (table, why) in [
        ("", "it is empty"),
        ("a,b\n1,2", "must name the columns requests and errors"),
        ("requests\n1", "must name the columns requests and errors"),
        ("requests,errors\n10,1", "it has 1 windows with requests, and at least 2 are needed"),
        ("requests,errors\n0,0\n10,1", "it has 1 windows"),
        ("requests,errors\n10,1\n10,11", "line 3: errors 11 are more than requests 10"),
        ("requests,errors\n10,x", "line 2: column 2: 'x' is no count"),
        ("requests,errors\n10", "line 2: column 2: '' is no count"),
        ("requests,errors\nNaN,0", "line 2: column 1: 'NaN' is no count"),
        ("le=1,le=0.5,le=+Inf\n1,2,3", "must ascend and end with le=+Inf"),
        ("le=1,le=2\n1,2", "must ascend and end with le=+Inf"),
        ("le=soon\n1", "column le=soon: give seconds"),
        ("le=1,le=+Inf\n3,2", "line 2: its le= counts must not fall"),
    ] {
        let found = Record::of_table(table, 60.0).unwrap_err();
        assert!(found.contains(why), "{table:?}: {found}");
    }
}
