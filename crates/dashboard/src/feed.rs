//! Decides what a stream sends: what is new, what has changed and what is gone, each once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::info::RolloutInfo;
use crate::table::Place;

/// One message of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// What every client of the API reads, without the `result` around it.
    Result(Value),
    /// What only Serin's own pages read: an event with a name.
    Named(&'static str, Value),
}

/// What a stream of a list has sent.
#[derive(Debug, Default)]
pub struct Feed {
    sent: BTreeMap<Place, Value>,
}

impl Feed {
    /// The message about one Rollout as it is now; `None` when there is nothing new about it.
    pub fn tell(&mut self, place: &Place, now: Option<RolloutInfo>) -> Option<Message> {
        let Some(now) = now else {
            self.sent.remove(place)?;
            let meta = json!({"objectMeta": {"name": place.name, "namespace": place.namespace}});
            return Some(message("Deleted", meta));
        };
        let now = serde_json::to_value(now).ok()?;
        let before = self.sent.insert(place.clone(), now.clone());
        match before {
            Some(before) if before == now => None,
            Some(_) => Some(message("Updated", now)),
            None => Some(message("Added", now)),
        }
    }

    /// The places that the client knows of.
    pub fn known(&self) -> BTreeSet<Place> {
        self.sent.keys().cloned().collect()
    }
}

fn message(kind: &str, info: Value) -> Message {
    Message::Result(json!({"type": kind, "rolloutInfo": info}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_told_once() {
        let place = Place::new("web", "shop");
        let info = |status: &str| Some(RolloutInfo { status: status.to_owned(), ..RolloutInfo::default() });
        let mut feed = Feed::default();
        for (now, expected) in [
            (None, None),
            (info("Paused"), Some("Added")),
            (info("Paused"), None),
            (info("Healthy"), Some("Updated")),
            (None, Some("Deleted")),
            (None, None),
            (info("Healthy"), Some("Added")),
        ] {
            let told = feed.tell(&place, now.clone());
            let kind = told.map(|message| match message {
                Message::Result(value) => value["type"].as_str().unwrap().to_owned(),
                Message::Named(name, _) => panic!("{name}"),
            });
            assert_eq!(kind.as_deref(), expected, "{now:?}");
        }
        assert!(feed.known().contains(&place));
    }
}
