//! Brakes: every update of a namespace, or of what a selector says, is held or taken back.

use serde_json::{Value, json};
use serin_api::{AnalysisPhase, label};
use serin_core::brake::{Action, Brake};
use serin_core::world::World;
use serin_testkit::scene::{Scene, base, fresh};

use crate::{condition, phase, pods, reasons, stored, told, verdict, waits_for, weight};

fn brake(action: &str, selector: &str) -> Brake {
    let labels = [(label::BRAKE.to_owned(), action.to_owned())].into();
    let data =
        [("selector", selector), ("by", "ann"), ("at", "2026-01-01T00:00:00Z"), ("reason", "incident 42")];
    let data = data.map(|(key, text)| (key.to_owned(), text.to_owned())).into();
    Brake::read("freeze", &labels, &data).unwrap_or_else(|| panic!("it has its label"))
}

fn braked(scene: Scene, action: &str) -> Scene {
    scene.edit(|world| world.brakes = vec![brake(action, "")])
}

fn released(scene: Scene) -> Scene {
    scene.edit(|world: &mut World| world.brakes.clear())
}

const SENTENCE: &str = "set by ann at 2026-01-01T00:00:00Z: incident 42";

/// A canary of 25 % behind a router, in a timed pause.
fn underway() -> Scene {
    let steps = json!([{"setWeight": 25}, {"pause": {"duration": 60}}, {"setWeight": 50}, {"pause": {}}]);
    base().routed().steps(steps).update("v2").rest()
}

fn shown(scene: &Scene) -> i32 {
    stored(scene).canary.weights.map_or(0, |weights| weights.canary.weight)
}

#[test]
fn a_hold_stops_an_update_where_it_is_and_says_who_and_why() {
    let (scene, plans) = braked(underway(), "hold").settle();
    let said = format!("ConfigMap freeze holds updates, {SENTENCE}");
    assert_eq!(told(&plans[0], "BrakeSet"), Some(said.clone()));
    assert_eq!(reasons(&plans).iter().filter(|reason| *reason == "BrakeSet").count(), 1, "told once");
    let scene = scene.wait(7200).rest();
    assert_eq!((stored(&scene).current_step_index, shown(&scene)), (Some(1), 25));
    assert_eq!(phase(&stored(&scene)), format!("Paused|{said}"));
    assert!(waits_for(&scene.plan(), &said), "{:?}", stored(&scene).gates);
    assert_eq!(
        stored(&scene).brake.map(|brake| (brake.by, brake.reason)),
        Some(("ann".into(), "incident 42".into()))
    );
    let (scene, plans) = released(scene).settle();
    assert!(told(&plans[0], "BrakeReleased").is_some(), "{:?}", reasons(&plans));
    assert_eq!((stored(&scene).current_step_index, stored(&scene).brake), (Some(3), None));
}

#[test]
fn nothing_goes_past_a_hold() {
    for (name, scene) in [
        ("a promotion", braked(underway(), "hold").rest().promote()),
        ("a full promotion", braked(underway(), "hold").rest().promote_full()),
        (
            "a full promotion without a router",
            braked(base().steps(json!([{"pause": {}}])).update("v2").rest(), "hold").rest().promote_full(),
        ),
        ("an update that begins later", braked(base(), "hold").rest().update("v2")),
        ("and one behind a router", braked(base().routed(), "hold").rest().update("v2")),
        ("blue-green", braked(base().blue_green(json!({})).rest(), "hold").rest().update("v2")),
    ] {
        let scene = scene.rest().wait(7200).rest();
        let status = stored(&scene);
        assert_eq!(status.stable_rs.as_deref(), Some("v1"), "{name}");
        assert!(phase(&status).starts_with("Paused|ConfigMap freeze holds"), "{name}: {}", phase(&status));
        assert_eq!(pods(&scene, ["v1"]), [4], "{name}");
        let free = released(scene).rest();
        let full = name.contains("full");
        assert!(!full || stored(&free).stable_rs.as_deref() != Some("v1"), "{name}: it is done afterwards");
    }
    let first = braked(fresh(), "hold").rest().wait(999).rest();
    assert_eq!(first.world.replica_sets.iter().map(|set| set.pods.spec).sum::<i32>(), 0, "a first revision");
    assert_eq!(phase(&stored(&released(first).rest())), "Healthy|");
}

#[test]
fn rollouts_without_an_update_live_on() {
    for action in ["hold", "abort"] {
        let scene = braked(base().routed(), action).rest();
        assert_eq!(phase(&stored(&scene)), "Healthy|", "{action}");
        assert_eq!(pods(&scene.replicas(9).rest(), ["v1"]), [9], "{action}: an autoscaler is heard");
    }
}

#[test]
fn the_way_back_is_open_under_a_hold() {
    let scene = braked(underway(), "hold").rest().abort().rest();
    assert_eq!((shown(&scene), pods(&scene.clone().wait(31).rest(), ["v2"])), (0, [0]), "an abort");
    assert!(phase(&stored(&scene)).starts_with("Degraded|RolloutAborted"));
    let undone = braked(underway(), "hold").rest().update("v1").rest();
    assert_eq!((shown(&undone), phase(&stored(&undone)).as_str()), (0, "Healthy|"), "an undo");
    let analysed = json!({"analysis": {"templates": [{"templateName": "errors"}]}});
    let scene =
        base().template("errors").routed().canary(analysed).steps(json!([{"setWeight": 25}, {"pause": {}}]));
    let failing = verdict(braked(scene.update("v2").rest(), "hold").rest(), AnalysisPhase::Failed, "errors");
    assert_eq!(weight(&failing.plan()), Some(0), "a failed analysis");
}

#[test]
fn an_abort_takes_every_update_back_and_the_next_ones_too() {
    let scene = braked(underway(), "abort");
    assert_eq!(weight(&scene.plan()), Some(0), "at once");
    let scene = scene.rest();
    let said = format!("Rollout aborted update to revision 2: ConfigMap freeze aborts updates, {SENTENCE}");
    assert_eq!(condition(&stored(&scene), "Progressing"), Some(format!("False|RolloutAborted|{said}")));
    for (name, again) in [
        ("a retry", scene.clone().retry()),
        ("a full promotion", scene.clone().promote_full()),
        ("another revision", scene.clone().update("v3")),
    ] {
        let again = again.rest().wait(999).rest();
        assert!(stored(&again).abort && shown(&again) == 0, "{name}");
        assert!(!stored(&again).promote_full, "{name}");
    }
    let after = released(scene).rest();
    assert!(stored(&after).abort, "what was taken back stays so until somebody retries");
    assert_eq!(stored(&after.retry().rest()).current_step_index, Some(1));
    let first = braked(fresh(), "abort").rest();
    assert!(
        phase(&stored(&first)).starts_with("Paused|ConfigMap freeze aborts"),
        "{}",
        phase(&stored(&first))
    );
}

#[test]
fn the_deadline_does_not_run_under_a_hold_nor_right_after_it() {
    let fields = json!({"progressDeadlineAbort": true, "progressDeadlineSeconds": 60});
    let scene = base().routed().steps(json!([{"setWeight": 25}])).spec(fields).slow().update("v2").rest();
    let scene = braked(scene, "hold").rest().wait(3600).rest();
    assert!(phase(&stored(&scene)).starts_with("Paused|"), "{}", phase(&stored(&scene)));
    assert!(!stored(&released(scene).rest()).abort);
}

#[test]
fn a_restart_waits_for_the_release() {
    let scene = base().wait(120).spec(json!({"restartAt": "2026-01-01T00:01:00Z"})).listed();
    let plan = braked(scene.clone(), "hold").plan();
    assert!(
        plan.writes.iter().all(|write| write.object.kind != "Pod") && waits_for(&plan, "the end of a brake")
    );
    assert!(scene.plan().writes.iter().any(|write| write.object.kind == "Pod"));
}

#[test]
fn a_selector_says_which_rollouts_are_meant() {
    let labels = [("team".to_owned(), "shop".to_owned()), ("tier".to_owned(), "web".to_owned())].into();
    for (selector, selects) in [
        ("", true),
        ("team=shop", true),
        ("team==shop , tier=web", true),
        ("team=other", false),
        ("team!=shop", false),
        ("zone!=eu", true),
        ("team", true),
        ("zone", false),
        ("!zone", true),
        ("!team", false),
        ("team=shop,tier=db", false),
        ("team in (a, b)", false),
        ("team in (a, shop)", true),
        ("tier=web,team in (a,shop),!zone", true),
        ("team notin (a, b)", true),
        ("team notin (shop)", false),
        ("zone notin (eu)", true),
        ("zone in (eu)", false),
        ("team within (shop)", true),
        ("team in (shop", true),
    ] {
        assert_eq!(brake("hold", selector).selects(&labels), selects, "{selector}");
    }
}

#[test]
fn an_abort_goes_before_a_hold_and_words_that_are_not_known_hold() {
    let both = underway().edit(|world| world.brakes = vec![brake("hold", ""), brake("abort", "")]);
    assert_eq!(weight(&both.plan()), Some(0));
    assert_eq!(brake("abrot", "").action, Action::Hold);
    let other = underway().edit(|world| world.brakes = vec![brake("hold", "team=other")]);
    assert_eq!(stored(&other.wait(61).rest()).current_step_index, Some(3), "it is not meant");
    let unreadable =
        underway().edit(|world| world.brakes = vec![brake("abort", "team within (shop)")]).plan();
    assert!(!unreadable.status.abort, "nobody knows whom it means: nothing is taken back");
    assert!(waits_for(&unreadable, "its selector 'team within (shop)' cannot be read, so it holds all"));
    let value: Value = serde_json::to_value(brake("hold", "a=b")).unwrap();
    assert_eq!(serde_json::from_value::<Brake>(value).unwrap(), brake("hold", "a=b"), "it can be replayed");
}
