//! `restart`: replaces the pods of a Rollout one after the other, without a new revision.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use serde_json::json;
use serin_api::Rollout;
use serin_view::change::{Change, refusal};

use crate::change::Decision;
use crate::moment::{coming, span};

/// Decides a restart of all pods that are older than `now` plus `delay` (compat 5.1).
pub fn decide(rollout: &Rollout, now: Timestamp, delay: std::time::Duration) -> Decision {
    let name = rollout.name_any();
    let delay = SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX);
    let Some(at) = now.checked_add(delay).ok().and_then(|at| Timestamp::from_second(at.as_second()).ok())
    else {
        return Decision::Refuse("the moment is too far away; give a shorter --in".to_owned());
    };
    let fields = json!({"restartAt": at.to_string()});
    if let Some(problem) = refusal(rollout, &json!({"spec": fields})) {
        return Decision::Refuse(format!("its controller would refuse the spec: {problem}"));
    }
    let when =
        if delay.is_zero() { span(0) } else { format!("{} ({})", span(delay.as_secs()), coming(at, now)) };
    let said = format!("rollout '{name}' restarts in {when}");
    Decision::Act { changes: vec![Change::spec(fields)], said }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{now, rollout};
    use std::time::Duration;

    #[test]
    fn a_restart_is_asked_for_by_its_moment() {
        assert_eq!(
            decide(&rollout(json!({})), now(), Duration::from_secs(90)),
            Decision::Act {
                changes: vec![Change::spec(json!({"restartAt": "2026-11-24T14:11:30Z"}))],
                said: "rollout 'shop' restarts in 1m30s (14:11:30 UTC, in 1m30s)".to_owned(),
            }
        );
        let restarting = rollout(json!({"spec": {"restartAt": "2026-11-24T10:00:00Z"}}));
        assert_eq!(
            decide(&restarting, now(), Duration::ZERO),
            Decision::Act {
                changes: vec![Change::spec(json!({"restartAt": "2026-11-24T14:10:00Z"}))],
                said: "rollout 'shop' restarts in 0s".to_owned(),
            }
        );
        assert!(matches!(decide(&rollout(json!({})), now(), Duration::MAX), Decision::Refuse(_)));
    }
}
