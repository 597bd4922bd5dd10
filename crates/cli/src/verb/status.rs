//! `status`: prints the phase of a Rollout as it changes, and ends with a code that a pipeline can act upon.

use std::time::Duration;

use futures::{StreamExt, pin_mut};
use kube::runtime::{WatchStreamExt, watcher};
use serin_api::Rollout;
use serin_view::phase::{Phase, Standing, standing};
use tokio::time::timeout;

use crate::cluster::Cluster;
use crate::failure::{BAD, Failure, TIMED_OUT, UNFINISHED, root};
use crate::flags::StatusArguments;
use crate::moment::span;
use crate::print;

/// Performs the verb.
///
/// # Errors
/// Degraded, a time that is over, and without watching a phase that is not the last.
pub(crate) async fn run(cluster: &Cluster, arguments: &StatusArguments) -> Result<(), Failure> {
    let name = arguments.names.one().map_err(Failure::new)?;
    let rollout = cluster.rollout(name).await?;
    let mut reader = Reader { json: arguments.output.is_some(), last: None, gate: None };
    let ended = reader.hear(&rollout)?;
    if !arguments.watch {
        return ended.unwrap_or_else(|| Err(Failure::with_code(UNFINISHED, "")));
    }
    if let Some(end) = ended {
        return end;
    }
    let watching = follow(cluster, name, &mut reader);
    if arguments.timeout.is_zero() {
        return watching.await;
    }
    match timeout(arguments.timeout, watching).await {
        Ok(end) => end,
        Err(_) => {
            Err(reader.timed_out(arguments.timeout, &cluster.invocation.command(&format!("explain {name}"))))
        }
    }
}

async fn follow(cluster: &Cluster, name: &str, reader: &mut Reader) -> Result<(), Failure> {
    let changes = watcher::watch_object(cluster.api::<Rollout>(), name).default_backoff();
    pin_mut!(changes);
    let mut broken = false;
    while let Some(change) = changes.next().await {
        match change {
            Ok(Some(rollout)) => {
                broken = false;
                if let Some(end) = reader.hear(&rollout)? {
                    return end;
                }
            }
            Ok(None) => return Err(Failure::new(format!("{} was deleted", cluster.title(name)))),
            Err(why) if !broken => {
                broken = true;
                eprintln!("note: the watch broke off ({}); trying again", root(&why));
            }
            Err(_) => {}
        }
    }
    Err(Failure::new(format!("the watch of {} ended", cluster.title(name))))
}

/// What was printed last, so that nothing is printed twice.
struct Reader {
    json: bool,
    last: Option<Standing>,
    gate: Option<String>,
}

impl Reader {
    /// Prints a phase that is new; `Some` when it is one that lasts.
    fn hear(&mut self, rollout: &Rollout) -> Result<Option<Result<(), Failure>>, Failure> {
        let standing = standing(rollout);
        if self.last.as_ref() != Some(&standing) {
            if self.json { print::json_line(&standing)? } else { print::line(&standing.to_string())? }
        }
        let end = end(&standing);
        let gates = rollout.status.as_ref().and_then(|status| status.gates.as_ref());
        self.gate = gates.and_then(|gates| gates.first()).map(|gate| gate.waits_for.clone());
        self.last = Some(standing);
        Ok(end)
    }

    fn timed_out(&self, after: Duration, explain: &str) -> Failure {
        let after = span(i64::try_from(after.as_secs()).unwrap_or(i64::MAX));
        let last = self.last.as_ref().map(ToString::to_string).unwrap_or_default();
        let gate = self.gate.as_ref().map(|gate| format!(", and waits for {gate}")).unwrap_or_default();
        Failure::with_code(
            TIMED_OUT,
            format!(
                "Rollout status watch exceeded timeout of {after}; it is still {last}{gate}; `{explain}` says more"
            ),
        )
    }
}

/// How the command ends with a phase that lasts.
fn end(standing: &Standing) -> Option<Result<(), Failure>> {
    match standing.phase {
        Phase::Healthy => Some(Ok(())),
        Phase::Degraded => {
            let message = format!("The rollout is in a degraded state with message: {}", standing.message);
            Some(Err(Failure::with_code(BAD, message)))
        }
        Phase::Progressing | Phase::Paused => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::rollout;
    use serde_json::json;

    #[test]
    fn only_healthy_and_degraded_end_the_wait() {
        let ends = |status| end(&standing(&rollout(json!({"status": status}))));
        assert_eq!(ends(json!({})), Some(Ok(())));
        assert_eq!(
            ends(json!({"phase": "Degraded", "message": "RolloutAborted: no good"})),
            Some(Err(Failure {
                code: 1,
                message: "The rollout is in a degraded state with message: RolloutAborted: no good"
                    .to_owned(),
            }))
        );
        assert_eq!(ends(json!({"phase": "Paused"})), None);
        assert_eq!(ends(json!({"phase": "Progressing"})), None);
    }

    #[test]
    fn a_timeout_says_how_far_it_came() {
        let last =
            Some(standing(&rollout(json!({"status": {"phase": "Paused", "message": "CanaryPauseStep"}}))));
        let reader = Reader { json: false, last, gate: Some("the pause step".to_owned()) };
        let failure = reader.timed_out(Duration::from_secs(90), "kubectl serin explain shop");
        assert_eq!(failure.code, TIMED_OUT);
        let expected = "Rollout status watch exceeded timeout of 1m30s; it is still Paused - CanaryPauseStep, and waits for the pause step; `kubectl serin explain shop` says more";
        assert_eq!(failure.message, expected);
    }
}
