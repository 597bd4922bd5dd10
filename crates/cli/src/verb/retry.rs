//! `retry`: starts an aborted update again, from its first step.

use kube::ResourceExt;
use serde_json::json;
use serin_api::Rollout;
use serin_view::change::Change;
use serin_view::phase::retried;

use super::promote::revision;
use crate::change::Decision;

/// Decides a retry (compat 5.1).
pub fn decide(rollout: &Rollout) -> Decision {
    let name = rollout.name_any();
    let status = rollout.status.clone().unwrap_or_default();
    if retried(&status) {
        return Decision::Already(format!(
            "rollout '{name}' was retried a moment ago; the controller has yet to act upon it"
        ));
    }
    if !status.abort {
        let phase = serin_view::phase::standing(rollout);
        return Decision::Refuse(format!(
            "it is not aborted, so there is nothing to start again; it is {phase}"
        ));
    }
    let said = format!(
        "rollout '{name}' retried: the update to revision {} starts again at step 1",
        revision(rollout)
    );
    Decision::Act { changes: vec![Change::status(json!({"abort": false}))], said }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{rollout, updating};

    #[test]
    fn only_an_aborted_update_starts_again() {
        for (case, rollout, expected) in [
            (
                "aborted",
                updating(0, json!({"status": {"abort": true}})),
                Decision::Act {
                    changes: vec![Change::status(json!({"abort": false}))],
                    said: "rollout 'shop' retried: the update to revision 3 starts again at step 1"
                        .to_owned(),
                },
            ),
            (
                "twice",
                updating(0, json!({"status": {"abortedAt": "2026-11-24T14:07:12Z"}})),
                Decision::Already(
                    "rollout 'shop' was retried a moment ago; the controller has yet to act upon it"
                        .to_owned(),
                ),
            ),
            (
                "healthy",
                rollout(json!({})),
                Decision::Refuse(
                    "it is not aborted, so there is nothing to start again; it is Healthy".to_owned(),
                ),
            ),
        ] {
            assert_eq!(decide(&rollout), expected, "{case}");
        }
    }
}
