//! What an object says about itself in its metadata: which revision it belongs to, who owns it, when it was made.

use jiff::Timestamp;
use kube::{Resource, ResourceExt};
use serin_api::label;

/// The hash that an object carries as a label.
pub fn hash_of<K: ResourceExt>(object: &K) -> Option<&str> {
    object.labels().get(label::POD_TEMPLATE_HASH).map(String::as_str)
}

/// The number of the revision that an object carries as an annotation.
pub fn revision<K: ResourceExt>(object: &K) -> Option<i64> {
    object.annotations().get(label::REVISION)?.parse().ok()
}

/// One of its owners has this UID; an owner without one owns nothing.
pub fn owned_by<K: Resource>(object: &K, uid: Option<&str>) -> bool {
    let owners = object.meta().owner_references.as_deref().unwrap_or_default();
    uid.is_some() && owners.iter().any(|owner| Some(owner.uid.as_str()) == uid)
}

/// When it was created.
pub fn created<K: ResourceExt>(object: &K) -> Option<Timestamp> {
    object.creation_timestamp().map(|time| time.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{pod, replica_set};
    use serde_json::json;

    #[test]
    fn metadata_tells_revision_hash_and_owner() {
        let set = replica_set("aaa", 9, "shop:v1", 4, json!({}));
        assert_eq!((hash_of(&set), revision(&set)), (Some("aaa"), Some(9)));
        let unnumbered = json!({"metadata": {"annotations": {"rollout.argoproj.io/revision": "nine"}}});
        assert_eq!(revision(&replica_set("aaa", 9, "shop:v1", 4, unnumbered)), None);
        let pod = pod("aaa", "1", json!({}));
        for (uid, expected) in [(Some("uid-aaa"), true), (Some("uid-bbb"), false), (None, false)] {
            assert_eq!(owned_by(&pod, uid), expected, "{uid:?}");
        }
    }
}
