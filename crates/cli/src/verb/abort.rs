//! `abort`: takes an update back; all traffic goes to stable.

use kube::ResourceExt;
use serde_json::json;
use serin_api::Rollout;
use serin_view::change::Change;
use serin_view::phase::{fully_promoted, generation_observed};

use super::promote::revision;
use crate::change::Decision;
use crate::invocation::Invocation;

/// Decides an abort (compat 5.1).
pub fn decide(rollout: &Rollout, invocation: &Invocation) -> Decision {
    let name = rollout.name_any();
    let status = rollout.status.clone().unwrap_or_default();
    if status.abort {
        let since = status.aborted_at.map(|at| format!(", since {}", at.0)).unwrap_or_default();
        return Decision::Already(format!("rollout '{name}' is aborted already{since}"));
    }
    if !generation_observed(rollout) {
        return Decision::Refuse(format!(
            "the controller has not looked at its latest spec yet, and a new revision forgets aborts; `{}` shows when it has",
            invocation.command(&format!("status {name} --watch=false"))
        ));
    }
    if fully_promoted(&status) {
        return Decision::Refuse(format!(
            "revision {} ({}) is fully promoted, so there is no update to take back; `{}` goes back to the revision before",
            revision(rollout),
            status.current_pod_hash,
            invocation.command(&format!("undo {name}"))
        ));
    }
    if status.stable_rs.is_none() {
        return Decision::Refuse(
            "it is the first revision, so there is no stable one to go back to".to_owned(),
        );
    }
    let said = format!(
        "rollout '{name}' aborted: all traffic goes back to stable ({})",
        status.stable_rs.unwrap_or_default()
    );
    Decision::Act { changes: vec![Change::status(json!({"abort": true}))], said }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{rollout, updating};

    #[test]
    fn an_update_is_taken_back_and_nothing_else_is() {
        let web = Invocation { namespace: "web".to_owned(), ..Invocation::default() };
        for (case, rollout, expected) in [
            (
                "in the middle",
                updating(2, json!({})),
                Decision::Act {
                    changes: vec![Change::status(json!({"abort": true}))],
                    said: "rollout 'shop' aborted: all traffic goes back to stable (aaa)".to_owned(),
                },
            ),
            (
                "twice",
                updating(0, json!({"status": {"abort": true, "abortedAt": "2026-11-24T14:07:12Z"}})),
                Decision::Already("rollout 'shop' is aborted already, since 2026-11-24T14:07:12Z".to_owned()),
            ),
            (
                "promoted",
                rollout(json!({})),
                Decision::Refuse("revision 2 (aaa) is fully promoted, so there is no update to take back; `kubectl serin undo shop -n web` goes back to the revision before".to_owned()),
            ),
            (
                "first revision",
                updating(0, json!({"status": {"stableRS": null}})),
                Decision::Refuse("it is the first revision, so there is no stable one to go back to".to_owned()),
            ),
            (
                "spec not seen",
                rollout(json!({"metadata": {"generation": 8}})),
                Decision::Refuse("the controller has not looked at its latest spec yet, and a new revision forgets aborts; `kubectl serin status shop --watch=false -n web` shows when it has".to_owned()),
            ),
        ] {
            assert_eq!(decide(&rollout, &web), expected, "{case}");
        }
    }
}
