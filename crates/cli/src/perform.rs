//! Performs what a verb has decided, as long as the Rollout is the one that it decided about.

use std::future::Future;

use serin_api::Rollout;
use serin_view::change::Change;

use crate::change::Decision;
use crate::cluster::{Cluster, Rejected};
use crate::failure::{FAILED, Failure};
use crate::print;

/// How often a Rollout that changes all the time is read again.
const ATTEMPTS: usize = 5;

/// Decides and performs for every name; one that fails does not keep the others from theirs.
///
/// # Errors
/// The failures of all names in one.
pub(crate) async fn each<'n, F>(names: &[&'n str], mut one: impl FnMut(&'n str) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let mut failures = Vec::new();
    for name in names {
        if let Err(failure) = one(name).await {
            failures.push(failure.message);
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(Failure::with_code(FAILED, failures.join("\nerror: "))) }
}

/// Reads, decides, changes and says so. When the Rollout changes in between it is read again, and the same decision
/// is performed; another decision is not.
///
/// Gives whether anything was changed.
///
/// # Errors
/// The refusal of the verb, or of the cluster.
pub(crate) async fn on_rollout(
    cluster: &Cluster,
    name: &str,
    verb: &str,
    decide: impl Fn(&Rollout) -> Decision,
) -> Result<bool, Failure> {
    let title = cluster.title(name);
    let mut promised: Option<String> = None;
    for _ in 0..ATTEMPTS {
        let rollout = cluster.rollout(name).await?;
        let decision = decide(&rollout);
        if promised.as_ref().is_some_and(|promised| !says(&decision, promised)) {
            return Err(Failure::new(format!(
                "cannot {verb} {title}: it moved on at the same moment; look again and repeat the command"
            )));
        }
        match decision {
            Decision::Refuse(why) => return Err(Failure::new(format!("cannot {verb} {title}: {why}"))),
            Decision::Already(line) => return print::line(&line).map(|()| false),
            Decision::Act { changes, said } => match send(cluster, name, &changes).await {
                Ok(()) => return print::line(&said).map(|()| true),
                Err(Rejected::Failed(failure)) => return Err(failure),
                Err(Rejected::Stale) => promised = Some(said),
            },
        }
    }
    Err(Failure::new(format!("cannot {verb} {title}: it changes all the time; try again in a moment")))
}

fn says(decision: &Decision, promised: &str) -> bool {
    matches!(decision, Decision::Act { said, .. } if said == promised)
}

async fn send(cluster: &Cluster, name: &str, changes: &[Change]) -> Result<(), Rejected> {
    for change in changes {
        cluster.change(name, change).await?;
    }
    Ok(())
}
