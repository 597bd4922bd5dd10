//! Restart: replaces the pods of a Rollout one after the other, without a new revision (compat 5.1).

use jiff::Timestamp;
use serde_json::json;
use serin_api::Rollout;
use serin_view::change::{Change, refusal};

use crate::change::Decision;

pub(super) fn decide(rollout: &Rollout, now: Timestamp) -> Decision {
    // The field has no room for fractions of a second in other clients.
    let at = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let fields = json!({"restartAt": at.to_string()});
    if let Some(problem) = refusal(rollout, &json!({"spec": fields})) {
        return Decision::Refuse(format!("its controller would refuse the spec: {problem}"));
    }
    let effect = "all pods are replaced one after the other; the pod template stays as it is".to_owned();
    Decision::act(Change::spec(fields), effect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::rollout;

    #[test]
    fn a_restart_is_asked_for_by_its_moment_or_refused_by_the_name_of_the_field() {
        let now = "2026-11-24T14:10:00.5Z".parse().unwrap();
        let act = |rollout: &Rollout| decide(rollout, now);
        let expected = Decision::act(
            Change::spec(json!({"restartAt": "2026-11-24T14:10:00Z"})),
            "all pods are replaced one after the other; the pod template stays as it is".to_owned(),
        );
        match act(&rollout(json!({}))) {
            Decision::Refuse(why) => {
                let start = "its controller would refuse the spec: spec.restartAt: ";
                assert!(why.starts_with(start), "as long as Serin does not support it: {why}");
            }
            decision => assert_eq!(decision, expected),
        }
        assert_eq!(act(&rollout(json!({"spec": {"restartAt": "2026-11-24T10:00:00Z"}}))), expected);
    }
}
