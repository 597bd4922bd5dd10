//! Retry: starts an aborted update again, from its first step (compat 5.1).

use serde_json::json;
use serin_api::Rollout;
use serin_view::change::Change;
use serin_view::phase::{retried, standing};

use super::this_revision;
use crate::change::Decision;

pub(super) fn decide(rollout: &Rollout) -> Decision {
    let status = rollout.status.clone().unwrap_or_default();
    if retried(&status) {
        return Decision::Already(
            "it was retried a moment ago; the controller has yet to act upon it".to_owned(),
        );
    }
    if !status.abort {
        let phase = standing(rollout).phase;
        return Decision::Refuse(format!(
            "it is not aborted, so there is nothing to start again; it is {phase}"
        ));
    }
    let start = if serin_view::step::steps(rollout).is_empty() { "again" } else { "again at step 1" };
    let effect = format!("the update to {} starts {start}", this_revision(rollout));
    Decision::act(Change::status(json!({"abort": false})), effect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{rollout, updating};

    #[test]
    fn only_an_aborted_update_starts_again() {
        for (rollout, expected) in [
            (
                updating(0, json!({"status": {"abort": true}})),
                Decision::act(
                    Change::status(json!({"abort": false})),
                    "the update to revision 3 starts again at step 1".to_owned(),
                ),
            ),
            (
                updating(0, json!({"status": {"abortedAt": "2026-11-24T14:07:12Z"}})),
                Decision::Already(
                    "it was retried a moment ago; the controller has yet to act upon it".to_owned(),
                ),
            ),
            (
                rollout(json!({})),
                Decision::Refuse(
                    "it is not aborted, so there is nothing to start again; it is Healthy".to_owned(),
                ),
            ),
        ] {
            assert_eq!(decide(&rollout), expected);
        }
    }
}
