//! `pause`: holds a Rollout where it is until somebody promotes.

use kube::ResourceExt;
use serde_json::json;
use serin_api::Rollout;
use serin_view::change::Change;

use crate::change::Decision;
use crate::invocation::Invocation;

/// Decides a pause (compat 5.1).
pub fn decide(rollout: &Rollout, invocation: &Invocation) -> Decision {
    let name = rollout.name_any();
    let resume = invocation.command(&format!("promote {name}"));
    if rollout.spec.paused {
        return Decision::Already(format!(
            "rollout '{name}' is paused already (spec.paused); `{resume}` resumes it"
        ));
    }
    let said = format!("rollout '{name}' paused: it stays where it is until `{resume}`");
    Decision::Act { changes: vec![Change::spec(json!({"paused": true}))], said }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{rollout, updating};

    #[test]
    fn a_rollout_is_paused_once() {
        let web = Invocation { namespace: "web".to_owned(), ..Invocation::default() };
        assert_eq!(
            decide(&updating(2, json!({})), &web),
            Decision::Act {
                changes: vec![Change::spec(json!({"paused": true}))],
                said: "rollout 'shop' paused: it stays where it is until `kubectl serin promote shop -n web`"
                    .to_owned(),
            }
        );
        assert_eq!(
            decide(&rollout(json!({"spec": {"paused": true}})), &web),
            Decision::Already("rollout 'shop' is paused already (spec.paused); `kubectl serin promote shop -n web` resumes it".to_owned())
        );
    }
}
