//! Records on a Rollout, and as an event, who overruled its steps, when and why.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serin_api::Rollout;
use serin_view::change::{Body, Change, Target};

use crate::change::Decision;
use crate::cluster::{Cluster, MANAGER};

/// Annotation of a Rollout that holds the last [`Overrule`] as JSON.
pub const OVERRIDE: &str = "serin.dev/override";

/// What somebody did against the course of the steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrule {
    /// The user as the API server knows them.
    pub by: String,
    /// When.
    pub at: String,
    /// What: `promote --full`.
    pub what: String,
    /// Why, in their words.
    pub reason: String,
    /// The revision that it was about.
    #[serde(default)]
    pub revision: String,
}

impl Overrule {
    /// The decision with its record: written first, so that nothing is overruled without one.
    pub fn with(&self, rollout: &Rollout, decision: Decision) -> Decision {
        let Decision::Act { mut changes, said } = decision else { return decision };
        let record = Self { revision: revision(rollout), ..self.clone() };
        let text = serde_json::to_string(&record).unwrap_or_default();
        let body = Body::Merge(json!({"metadata": {"annotations": {OVERRIDE: text}}}));
        changes.insert(0, Change { target: Target::Object, body });
        Decision::Act { changes, said: format!("{said}; recorded: by {}, because {}", self.by, self.reason) }
    }

    fn event(&self, rollout: &Rollout, now: jiff::Timestamp) -> Event {
        let meta = &rollout.metadata;
        let name = meta.name.clone().unwrap_or_default();
        let message =
            format!("{} of revision {} by {}: {}", self.what, revision(rollout), self.by, self.reason);
        Event {
            metadata: ObjectMeta {
                generate_name: Some(format!("{name}.")),
                namespace: meta.namespace.clone(),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some("argoproj.io/v1alpha1".to_owned()),
                kind: Some("Rollout".to_owned()),
                name: Some(name),
                namespace: meta.namespace.clone(),
                uid: meta.uid.clone(),
                ..ObjectReference::default()
            },
            reason: Some("RolloutOverridden".to_owned()),
            message: Some(message),
            type_: Some("Warning".to_owned()),
            source: Some(EventSource { component: Some(MANAGER.to_owned()), host: None }),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            count: Some(1),
            ..Event::default()
        }
    }
}

fn revision(rollout: &Rollout) -> String {
    serin_view::object::revision(rollout).map_or_else(|| "?".to_owned(), |number| number.to_string())
}

/// Who is asking, as the API server knows them.
pub(crate) async fn user(cluster: &Cluster) -> String {
    let api: Api<SelfSubjectReview> = Api::all(cluster.client());
    let review = api.create(&PostParams::default(), &SelfSubjectReview::default()).await;
    let name = review.ok().and_then(|review| review.status?.user_info?.username);
    name.unwrap_or_else(|| "a user whom the API server does not name".to_owned())
}

/// Sends the event; a user who may not is told so, and the record on the Rollout stays.
pub(crate) async fn announce(cluster: &Cluster, name: &str, overrule: &Overrule) {
    let sent = async {
        let rollout = cluster.rollout(name).await?;
        let event = overrule.event(&rollout, jiff::Timestamp::now());
        let made = cluster.api::<Event>().create(&PostParams::default(), &event).await;
        made.map_err(|error| cluster.failure("create", "an event about it", &error))
    };
    if let Err(failure) = sent.await {
        eprintln!("note: the override is recorded in annotation {OVERRIDE}; {}", failure.message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::updating;
    use serde_json::Value;

    fn overrule() -> Overrule {
        Overrule {
            by: "ann".to_owned(),
            at: "2026-11-24T14:10:00Z".to_owned(),
            what: "promote --full".to_owned(),
            reason: "hotfix for the outage".to_owned(),
            revision: String::new(),
        }
    }

    #[test]
    fn a_record_comes_before_what_it_is_about_and_nothing_is_recorded_for_nothing() {
        let rollout = updating(1, json!({}));
        let status = Change::status(json!({"promoteFull": true}));
        let act = Decision::Act { changes: vec![status.clone()], said: "done".to_owned() };
        let Decision::Act { changes, said } = overrule().with(&rollout, act) else { panic!() };
        assert_eq!(said, "done; recorded: by ann, because hotfix for the outage");
        assert_eq!((changes.len(), &changes[1]), (2, &status));
        let Body::Merge(body) = &changes[0].body else { panic!() };
        let text = body.pointer("/metadata/annotations/serin.dev~1override").and_then(Value::as_str).unwrap();
        let read: Overrule = serde_json::from_str(text).unwrap();
        assert_eq!(read, Overrule { revision: "3".to_owned(), ..overrule() });
        for idle in [Decision::Already("so".to_owned()), Decision::Refuse("no".to_owned())] {
            assert_eq!(overrule().with(&rollout, idle.clone()), idle);
        }
    }

    #[test]
    fn the_event_says_what_who_and_why() {
        let event = overrule().event(&updating(1, json!({})), "2026-11-24T14:10:00Z".parse().unwrap());
        assert_eq!(event.message.unwrap(), "promote --full of revision 3 by ann: hotfix for the outage");
        assert_eq!(event.involved_object.uid.as_deref(), Some("uid-shop"));
    }
}
