//! Says what a person can do now, as commands to be typed.

use kube::ResourceExt;
use serin_api::label;
use serin_view::step;

use super::Action;
use super::situation::Situation;
use crate::invocation::Invocation;
use crate::observed::Observed;

/// The actions that make sense in a situation, the likeliest first.
pub(super) fn of(seen: &Observed, situation: &Situation<'_>, invocation: &Invocation) -> Vec<Action> {
    let all = Actions { name: seen.rollout.name_any(), namespace: seen.namespace().to_owned(), invocation };
    let skip = || all.serin("promote", " --skip-current-step", "skip this step, whatever it waits for");
    let full = || all.serin("promote", " --full", "skip all remaining steps, pauses and analyses");
    let abort = || all.serin("abort", "", "take the update back: all traffic to stable");
    let promote = |effect: &str| all.serin("promote", "", effect);
    let undo = |effect: &str| all.serin("undo", "", effect);
    match situation {
        Situation::Unclaimed | Situation::Unobserved => {
            vec![all.plain("kubectl get leases -A", "see which controller leads; start one if none does")]
        }
        Situation::DryRun { .. } => vec![all.plain(
            &format!("kubectl annotate rollout {} -n {} {}-", all.name, all.namespace, label::DRY_RUN),
            "end the dry run: the rollout goes on in earnest",
        )],
        Situation::Invalid { .. } => vec![all.edit("correct the spec")],
        Situation::Aborted { .. } => vec![
            all.serin("retry", "", "start this revision again at step 1"),
            undo("give it up: the template of stable becomes the spec, and the rollout Healthy"),
        ],
        Situation::Stuck { .. } => {
            vec![all.serin("get rollout", "", "see every pod"), abort(), all.edit("correct the spec")]
        }
        Situation::Braked { brake } => vec![
            Action {
                command: invocation.command(&format!("release {}", brake.name)),
                effect: "let every update that it holds go on".to_owned(),
            },
            abort(),
        ],
        Situation::HeldByHand => vec![promote("go on"), abort()],
        Situation::Inconclusive { run, .. } => {
            let of_step = run.is_some_and(|run| crate::run::role(run).starts_with("step"));
            let effect = if of_step { "judge it good: go on to the next step" } else { "measure again" };
            vec![promote(effect), abort()]
        }
        Situation::Pause { until: Some(_), .. } => {
            vec![promote("go on now, without waiting for the end of the pause"), full(), abort()]
        }
        Situation::Pause { .. } => vec![promote("go on"), full(), abort()],
        Situation::Healthy => vec![undo("go back to the revision before")],
        Situation::Settling | Situation::First => vec![all.serin("get rollout", "", "see every pod")],
        Situation::Retrying | Situation::Resuming | Situation::FullPromotion | Situation::Finishing => {
            vec![abort()]
        }
        Situation::Watched => vec![abort(), full(), all.serin("pause", "", "hold it here")],
        Situation::Unanswered { .. } | Situation::AtStep => {
            let mut actions = vec![abort(), all.serin("pause", "", "hold it here")];
            if step::current(&seen.rollout).is_some() {
                actions.insert(0, skip());
            }
            actions
        }
    }
}

struct Actions<'i> {
    name: String,
    namespace: String,
    invocation: &'i Invocation,
}

impl Actions<'_> {
    fn serin(&self, verb: &str, flags: &str, effect: &str) -> Action {
        Action {
            command: self.invocation.command(&format!("{verb} {}{flags}", self.name)),
            effect: effect.to_owned(),
        }
    }

    fn edit(&self, effect: &str) -> Action {
        self.plain(&format!("kubectl edit rollout {} -n {}", self.name, self.namespace), effect)
    }

    fn plain(&self, command: &str, effect: &str) -> Action {
        Action { command: command.to_owned(), effect: effect.to_owned() }
    }
}
