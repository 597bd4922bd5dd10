//! How long updates take: `status.duration`, and what ends in it.

use serde_json::json;
use serin_api::RolloutDuration;
use serin_core::duration::{Ended, ended};
use serin_testkit::scene::{Scene, base};

use super::stored;

fn kept(scene: &Scene) -> RolloutDuration {
    stored(scene).duration.unwrap_or_default()
}

/// Begin and end in seconds since the scene began, how it ended, seconds that it was held.
fn times(scene: &Scene) -> (Option<i64>, Option<i64>, Option<String>, Option<i64>) {
    let since = |time: Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>| {
        time.map(|time| time.0.as_second() - serin_testkit::scene::BEGINNING.as_second())
    };
    let kept = kept(scene);
    let how = kept.completion_status.clone();
    (since(kept.rollout_started_at), since(kept.finished_at), how, kept.total_manual_pause_duration_seconds)
}

fn how(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// The second revision is at an endless pause, 10 s after the beginning.
fn paused() -> Scene {
    let steps = json!([{"setWeight": 25}, {"pause": {}}]);
    base().steps(steps).wait(10).update("v2").rest()
}

#[test]
fn an_update_that_nobody_measured_from_its_begin_has_no_duration() {
    assert_eq!(stored(&base().wait(10).rest()).duration, None);
}

#[test]
fn the_time_that_people_hold_an_update_is_told_apart() {
    let scene = paused();
    assert_eq!(times(&scene), (Some(10), None, None, None));
    assert!(kept(&scene).manual_pause_started_at.is_some());
    let scene = scene.wait(60).promote().rest();
    assert_eq!(times(&scene), (Some(10), Some(70), how("Promoted"), Some(60)));
    assert_eq!(kept(&scene).manual_pause_started_at, None);
    let later = scene.clone().wait(500).replicas(9).rest();
    assert_eq!(kept(&later), kept(&scene), "scaling is no update");
}

#[test]
fn pauses_by_the_clock_are_no_holding_and_spec_paused_is() {
    let steps = json!([{"setWeight": 25}, {"pause": {"duration": 60}}]);
    let scene = base().steps(steps).wait(10).update("v2").rest().wait(20).paused(true).rest();
    let scene = scene.wait(15).paused(false).rest().wait(60).rest();
    assert_eq!(times(&scene), (Some(10), Some(105), how("Promoted"), Some(15)));
}

#[test]
fn how_an_update_ends() {
    let older = || {
        let steps = json!([{"setWeight": 25}, {"pause": {}}]);
        base().wait(5).update("v2").rest().steps(steps).wait(5)
    };
    let window = json!({"rollbackWindow": {"revisions": 3}});
    for (case, scene, expected) in [
        (
            "promoted in full",
            paused().wait(7).promote_full().rest(),
            (Some(10), Some(17), how("FastPromoted"), Some(7)),
        ),
        ("aborted", paused().wait(5).abort().rest(), (Some(10), Some(15), how("Aborted"), Some(5))),
        (
            "back in the middle",
            paused().wait(5).update("v1").rest(),
            (Some(10), Some(15), how("FastRolledBack"), Some(5)),
        ),
        ("another one in the middle", paused().wait(5).update("v3").rest(), (Some(15), None, None, None)),
        (
            "other steps in the middle",
            paused().wait(5).canary(json!({"steps": [{"pause": {}}]})).rest(),
            (Some(15), None, None, None),
        ),
        ("retried", paused().wait(5).abort().rest().wait(5).retry().rest(), (Some(20), None, None, None)),
        (
            "back from aborted",
            paused().wait(5).abort().rest().wait(5).update("v1").rest(),
            (Some(10), Some(15), how("Aborted"), Some(5)),
        ),
        (
            "an older revision within the window",
            older().spec(window).update("v1").rest(),
            (Some(10), Some(10), how("FastRolledBack"), None),
        ),
        (
            "an older revision by the steps",
            older().update("v1").rest().wait(2).promote().rest(),
            (Some(10), Some(12), how("RolledBack"), Some(2)),
        ),
    ] {
        assert_eq!(times(&scene), expected, "{case}");
    }
}

#[test]
fn what_has_ended_is_told_once() {
    let told = |scene: &Scene| ended(&scene.world.rollout.status.clone().unwrap(), &scene.plan().status);
    let over = |how: &str, seconds: i64, held_seconds: i64| {
        Some(Ended { how: how.to_owned(), seconds, held_seconds })
    };
    let aborted = paused().wait(5).abort();
    assert_eq!(told(&aborted), over("Aborted", 5, 5));
    assert_eq!(told(&aborted.rest()), None);
    assert_eq!(told(&paused().wait(9)), None);
    let superseded = paused().wait(5).update("v3");
    assert_eq!(told(&superseded), over("Superseded", 5, 5));
    assert_eq!(told(&superseded.rest()), None);
    let promoted = paused().wait(60).promote();
    let (scene, plans) = promoted.clone().settle();
    let mut before = promoted.world.rollout.status.clone().unwrap();
    let mut all = Vec::new();
    for plan in plans {
        all.extend(ended(&before, &plan.status));
        before = plan.status;
    }
    assert_eq!((all, told(&scene)), (over("Promoted", 60, 60).into_iter().collect(), None));
}
