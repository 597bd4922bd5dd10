//! The verbs of the dashboard: what people can do to a Rollout, and which of it makes sense now.

mod abort;
mod promote;
mod restart;
mod retry;
mod set_image;
mod undo;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use serde::Serialize;
use serde_json::{Value, json};
use serin_api::Rollout;
use serin_view::object::{hash_of, revision};
use serin_view::phase::{fully_promoted, standing};

use crate::change::Decision;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// End the pause.
    Promote,
    /// Go over the current step, whatever it waits for.
    Skip,
    /// Go to the end, without steps, pauses and analyses.
    PromoteFull,
    /// Take the update back.
    Abort,
    /// Start an aborted update again.
    Retry,
    /// Replace the pods without a new revision.
    Restart,
    /// Give a container another image.
    SetImage {
        /// Name of the container; `*` for all.
        container: String,
        /// The image.
        image: String,
    },
    /// Put the template of an earlier revision back.
    Undo {
        /// Its number; 0 for the one before.
        revision: i64,
    },
}

impl Verb {
    /// The verb for people.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Skip => "skip the current step of",
            Self::PromoteFull => "fully promote",
            Self::Abort => "abort",
            Self::Retry => "retry",
            Self::Restart => "restart",
            Self::SetImage { .. } => "set the image of",
            Self::Undo { .. } => "undo",
        }
    }

    /// The part of a Rollout that must be patched, in the words of access rules.
    pub fn subresource(&self) -> Option<&'static str> {
        match self {
            Self::Promote | Self::Skip | Self::PromoteFull | Self::Abort | Self::Retry => Some("status"),
            Self::Restart | Self::SetImage { .. } | Self::Undo { .. } => None,
        }
    }

    /// Decides from the Rollout and the ReplicaSets that it owns; `now` is the moment of a restart.
    pub fn decide(&self, rollout: &Rollout, sets: &[&ReplicaSet], now: Timestamp) -> Decision {
        match self {
            Self::Promote => promote::decide(rollout, promote::Reach::Pause),
            Self::Skip => promote::decide(rollout, promote::Reach::Step),
            Self::PromoteFull => promote::decide(rollout, promote::Reach::Full),
            Self::Abort => abort::decide(rollout),
            Self::Retry => retry::decide(rollout),
            Self::Restart => restart::decide(rollout, now),
            Self::SetImage { container, image } => set_image::decide(rollout, container, image),
            Self::Undo { revision } => undo::decide(rollout, sets, *revision),
        }
    }
}

/// Something that a person can do now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// What it does.
    #[serde(skip)]
    pub verb: Verb,
    /// Text of the button.
    pub title: String,
    /// Path below the Rollout's, for a PUT.
    pub path: String,
    /// Body of the PUT.
    pub body: Value,
    /// What will happen; sent back as `expects`, so that nothing else happens.
    pub effect: String,
    /// It cannot be taken back as easily as it is done.
    pub grave: bool,
}

/// What makes sense now, the likeliest first.
pub fn offers(rollout: &Rollout, sets: &[&ReplicaSet], now: Timestamp) -> Vec<Offer> {
    let wanted = [
        (Verb::Promote, "Promote", "promote", json!({}), false),
        (Verb::Skip, "Skip step", "promote", json!({"skip": true}), true),
        (Verb::Retry, "Retry", "retry", json!({}), false),
        (Verb::PromoteFull, "Promote fully", "promote", json!({"full": true}), true),
        (Verb::Abort, "Abort", "abort", json!({}), true),
        (Verb::Restart, "Restart pods", "restart", json!({}), true),
    ];
    let blank = |(verb, title, path, body, grave): (Verb, &str, &str, Value, bool)| Offer {
        verb,
        title: title.to_owned(),
        path: path.to_owned(),
        body,
        effect: String::new(),
        grave,
    };
    let mut offers: Vec<Offer> = Vec::new();
    for offer in wanted.map(blank).into_iter().chain(undos(rollout, sets)) {
        // At a pause both do the same. Before the controller has acted the step is that of an earlier command.
        let skips = offer.verb == Verb::Skip;
        if skips && (!standing(rollout).current || offers.iter().any(|offer| offer.verb == Verb::Promote)) {
            continue;
        }
        if let Decision::Act { effect, .. } = offer.verb.decide(rollout, sets, now) {
            offers.push(Offer { effect, ..offer });
        }
    }
    offers
}

fn undos(rollout: &Rollout, sets: &[&ReplicaSet]) -> Vec<Offer> {
    let moving = rollout.status.as_ref().filter(|status| !fully_promoted(status));
    let stable = moving.and_then(|status| status.stable_rs.as_deref());
    let one = |set: &&ReplicaSet| {
        let revision = revision(*set)?;
        let role = if hash_of(*set).is_some() && hash_of(*set) == stable { " (stable)" } else { "" };
        Some(Offer {
            verb: Verb::Undo { revision },
            title: format!("Back to revision {revision}{role}"),
            path: format!("undo/{revision}"),
            body: json!({}),
            effect: String::new(),
            grave: true,
        })
    };
    sets.iter().filter_map(one).collect()
}

/// The revision that the Rollout is at, for people.
fn this_revision(rollout: &Rollout) -> String {
    revision(rollout).map_or_else(|| "the current revision".to_owned(), |number| format!("revision {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{paused, replica_set, rollout, updating};

    fn titles(rollout: &Rollout) -> Vec<String> {
        let sets = [
            replica_set("bbb", 3, "shop:v2", 1, json!({})),
            replica_set("aaa", 2, "shop:v1", 4, json!({})),
            replica_set("zzz", 1, "shop:v0", 0, json!({})),
        ];
        let offers = offers(rollout, &sets.iter().collect::<Vec<_>>(), Timestamp::UNIX_EPOCH);
        offers.into_iter().map(|offer| offer.title).filter(|title| title != "Restart pods").collect()
    }

    #[test]
    fn only_what_makes_sense_is_offered() {
        let retried = json!({"status": {"abort": false, "abortedAt": "2026-11-24T14:07:12Z"}});
        let back = ["Back to revision 2 (stable)", "Back to revision 1"];
        for (case, rollout, expected) in [
            ("at a pause", updating(1, paused("CanaryPauseStep")), vec!["Promote", "Promote fully", "Abort"]),
            ("at an analysis", updating(2, json!({})), vec!["Skip step", "Promote fully", "Abort"]),
            ("aborted", updating(0, json!({"status": {"abort": true}})), vec!["Retry"]),
            ("just retried", updating(0, retried), vec!["Promote fully", "Abort"]),
            ("last step done", updating(4, json!({})), vec!["Promote fully", "Abort"]),
        ] {
            let expected: Vec<_> = expected.into_iter().chain(back).collect();
            assert_eq!(titles(&rollout), expected, "{case}");
        }
        assert_eq!(titles(&rollout(json!({}))), ["Back to revision 3", "Back to revision 1"]);
        let unseen = rollout(json!({"metadata": {"generation": 8}}));
        assert_eq!(titles(&unseen), ["Back to revision 3", "Back to revision 2", "Back to revision 1"]);
    }

    #[test]
    fn an_offer_says_what_to_send_and_what_will_happen() {
        let rollout = updating(1, paused("CanaryPauseStep"));
        let offers = offers(&rollout, &[], Timestamp::UNIX_EPOCH);
        assert_eq!(
            serde_json::to_value(&offers[0]).unwrap(),
            json!({
                "title": "Promote", "path": "promote", "body": {}, "grave": false,
                "effect": "step 2 of 4 (pause: 5m) ends now, and step 3 of 4 (analysis) begins",
            })
        );
    }
}
