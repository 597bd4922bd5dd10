//! Abort: takes an update back; all traffic goes to stable (compat 5.1).

use serde_json::json;
use serin_api::Rollout;
use serin_view::change::Change;
use serin_view::phase::{fully_promoted, generation_observed};

use super::this_revision;
use crate::change::Decision;

pub(super) fn decide(rollout: &Rollout) -> Decision {
    let status = rollout.status.clone().unwrap_or_default();
    if status.abort {
        return Decision::Already("it is aborted already".to_owned());
    }
    if !generation_observed(rollout) {
        return Decision::Refuse(
            "the controller has not looked at its latest spec yet, and a new revision forgets aborts; try again in a moment".to_owned(),
        );
    }
    if fully_promoted(&status) {
        return Decision::Refuse(format!(
            "{} ({}) is fully promoted, so there is no update to take back; undo goes back to the revision before",
            this_revision(rollout),
            status.current_pod_hash
        ));
    }
    let Some(stable) = status.stable_rs else {
        return Decision::Refuse(
            "it is the first revision, so there is no stable one to go back to".to_owned(),
        );
    };
    let effect = format!(
        "the update to {} is taken back: all traffic goes to stable ({stable})",
        this_revision(rollout)
    );
    Decision::act(Change::status(json!({"abort": true})), effect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{rollout, updating};

    #[test]
    fn an_update_is_taken_back_and_nothing_else_is() {
        let refuse = |text: &str| Decision::Refuse(text.to_owned());
        for (case, rollout, expected) in [
            (
                "in the middle",
                updating(2, json!({})),
                Decision::act(
                    Change::status(json!({"abort": true})),
                    "the update to revision 3 is taken back: all traffic goes to stable (aaa)".to_owned(),
                ),
            ),
            (
                "twice",
                updating(0, json!({"status": {"abort": true}})),
                Decision::Already("it is aborted already".to_owned()),
            ),
            (
                "promoted",
                rollout(json!({})),
                refuse(
                    "revision 2 (aaa) is fully promoted, so there is no update to take back; undo goes back to the revision before",
                ),
            ),
            (
                "first revision",
                updating(0, json!({"status": {"stableRS": null}})),
                refuse("it is the first revision, so there is no stable one to go back to"),
            ),
            (
                "spec not seen",
                rollout(json!({"metadata": {"generation": 8}})),
                refuse(
                    "the controller has not looked at its latest spec yet, and a new revision forgets aborts; try again in a moment",
                ),
            ),
        ] {
            assert_eq!(decide(&rollout), expected, "{case}");
        }
    }
}
