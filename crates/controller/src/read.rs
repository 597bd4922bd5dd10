//! Performs the few reads that no watch serves: Secrets by name, and whether an object is truly gone.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, ListParams};
use kube::{Client, Resource};
use serde_json::Value;
use serin_analysis::provider::profile::{Place, Profile, Profiles};
use serin_analysis::secret::{SecretText, Secrets};
use serin_api::label;
use serin_core::seen::{ObjectKey, Seen};

use crate::caches::kind;
use crate::object::{Kind, Name, Raw, owner_of, rollout_of};
use crate::watch::api_words;

/// Reads single objects, when they are needed; keeps nothing.
#[derive(Clone)]
pub struct Reader {
    client: Client,
    home: String,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl Reader {
    /// Reads with this client; `home` is the namespace of the controller.
    pub fn new(client: Client, home: String) -> Self {
        Self { client, home }
    }

    /// Reads the profiles `needed` by a run in `namespace`.
    pub async fn profiles(&self, namespace: &str, needed: Vec<(Place, String)>) -> Profiles {
        let mut found = Profiles::new();
        for (place, name) in needed {
            let profile = match place {
                Place::Process => Seen::Fresh(of_process(&name, |variable| std::env::var(variable).ok())),
                Place::Run => self.profile(namespace, &name).await,
                Place::Home => self.profile(&self.home, &name).await,
            };
            found.insert((place, name), profile);
        }
        found
    }

    async fn profile(&self, namespace: &str, name: &str) -> Seen<Profile> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        match api.get_opt(name).await {
            Ok(Some(secret)) => Seen::Fresh(texts(&secret)),
            Ok(None) => Seen::Absent,
            Err(error) => Seen::Failed(api_words(&error)),
        }
    }

    /// What keeps the pods of a Job from starting: an image that cannot be pulled. An API server that does not answer
    /// says nothing; the next look asks again.
    pub async fn trouble(&self, namespace: &str, job: &str) -> Option<String> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let params = ListParams::default().labels(&format!("job-name={job}")).limit(50);
        api.list(&params).await.ok()?.items.iter().find_map(trouble_of)
    }

    /// Reads the keys `needed`, as name and key, of Secrets in `namespace`.
    pub async fn secrets(&self, namespace: &str, needed: &[(String, String)]) -> Secrets {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let names: BTreeSet<_> = needed.iter().map(|(name, _)| name).collect();
        let mut found = BTreeMap::new();
        for name in names {
            found.insert(name, api.get_opt(name).await);
        }
        let text = |(name, key): &(String, String)| match found.get(name) {
            Some(Ok(secret)) => text_of(secret.as_ref(), key),
            Some(Err(error)) => Seen::Failed(format!("Secret {name} cannot be read: {}", api_words(error))),
            None => Seen::Absent,
        };
        needed.iter().map(|entry| (entry.clone(), text(entry))).collect()
    }

    /// Whether the Rollout is not there, or on its way out, by the word of the API server itself: a cache that selects
    /// by label does not show one whose label was changed.
    ///
    /// # Errors
    /// What the API server said, or why it could not be asked.
    pub async fn gone(&self, rollout: &Name) -> Result<bool, String> {
        let api: Api<Raw> =
            Api::namespaced_with(self.client.clone(), &rollout.namespace, &kind::rollout().resource());
        let found = api.get_opt(&rollout.name).await.map_err(|error| api_words(&error))?;
        Ok(found.is_none_or(|found| found.meta().deletion_timestamp.is_some()))
    }

    /// A Rollout as it is, whatever is in it; `None` when it is not there.
    ///
    /// # Errors
    /// What the API server said, or why it could not be asked.
    pub async fn raw(&self, rollout: &Name) -> Result<Option<Value>, String> {
        let api: Api<Raw> =
            Api::namespaced_with(self.client.clone(), &rollout.namespace, &kind::rollout().resource());
        let found = api.get_opt(&rollout.name).await.map_err(|error| api_words(&error))?;
        Ok(found.map(|found| found.json))
    }

    /// The pods that a ReplicaSet of this uid and hash controls, as they are now.
    pub async fn pods(&self, namespace: &str, set: &str, hash: &str) -> Seen<Vec<serin_core::pod::Pod>> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let selector = ListParams::default().labels(&format!("{}={hash}", label::POD_TEMPLATE_HASH));
        match api.list(&selector).await {
            Ok(list) => Seen::Fresh(list.items.into_iter().filter_map(|pod| pod_of(pod, set)).collect()),
            Err(error) => Seen::Failed(api_words(&error)),
        }
    }

    /// Whether the name of a ReplicaSet that exists already belongs to somebody else than the Rollout with this uid. One
    /// of its own with this hash is only not in the cache yet; one without the hash no watch ever shows.
    ///
    /// # Errors
    /// What the API server said, or why it could not be asked.
    pub async fn taken(&self, set: &ObjectKey, rollout: &str, hash: &str) -> Result<bool, String> {
        let resource = Kind::of_key(set).resource();
        let api: Api<Raw> = Api::namespaced_with(self.client.clone(), &set.namespace, &resource);
        let found = api.get_opt(&set.name).await.map_err(|error| api_words(&error))?;
        Ok(found.is_some_and(|found| {
            let own = rollout_of(found.meta()).is_some_and(|owner| owner.uid == rollout);
            let labels = found.meta().labels.as_ref();
            let known = labels.and_then(|labels| labels.get(label::POD_TEMPLATE_HASH));
            !own || known.map(String::as_str) != Some(hash)
        }))
    }

    /// Whether an object that exists already is not controlled by the one with this uid.
    ///
    /// # Errors
    /// What the API server said, or why it could not be asked.
    pub async fn strange(&self, object: &ObjectKey, owner: &str) -> Result<bool, String> {
        let resource = Kind::of_key(object).resource();
        let api: Api<Raw> = Api::namespaced_with(self.client.clone(), &object.namespace, &resource);
        let found = api.get_opt(&object.name).await.map_err(|error| api_words(&error))?;
        Ok(found.is_some_and(|found| owner_of(found.meta()).is_none_or(|known| known.uid != owner)))
    }
}

/// What a decision reads of a pod, when this ReplicaSet controls it.
fn pod_of(pod: Pod, set: &str) -> Option<serin_core::pod::Pod> {
    let owners = pod.metadata.owner_references.iter().flatten();
    owners.into_iter().find(|owner| owner.controller == Some(true) && owner.uid == set)?;
    let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.find(|condition| condition.type_ == "Ready" && condition.status == "True");
    Some(serin_core::pod::Pod {
        ready: ready.is_some(),
        ready_since: ready.and_then(|condition| Some(condition.last_transition_time.as_ref()?.0)),
        resource_version: pod.metadata.resource_version,
        deleting: pod.metadata.deletion_timestamp.is_some(),
        ended: matches!(
            pod.status.as_ref().and_then(|status| status.phase.as_deref()),
            Some("Succeeded" | "Failed")
        ),
        created: pod.metadata.creation_timestamp.map(|time| time.0).unwrap_or_default(),
        name: pod.metadata.name.unwrap_or_default(),
        uid: pod.metadata.uid.unwrap_or_default(),
        labels: pod.metadata.labels.unwrap_or_default(),
        annotations: pod.metadata.annotations.unwrap_or_default(),
    })
}

/// Reasons for which the kubelet waits and that do not mend themselves.
const LASTING: &[&str] = &["ErrImagePull", "ImagePullBackOff", "InvalidImageName"];

fn trouble_of(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let containers = [&status.init_container_statuses, &status.container_statuses];
    containers.into_iter().flatten().flatten().find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref().filter(|reason| LASTING.contains(reason))?;
        let told = waiting.message.as_deref().unwrap_or_default();
        Some(format!("container {} cannot start: {reason} {told}", container.name).trim_end().to_owned())
    })
}

/// The keys of a Secret that are text.
fn texts(secret: &Secret) -> Profile {
    let data = secret.data.iter().flatten();
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(SecretText::new);
    data.filter_map(|(key, bytes)| Some((key.clone(), text(&bytes.0)?))).collect()
}

/// What the environment says for a profile, under the keys that a Secret would have.
fn of_process(name: &str, variable: impl Fn(&str) -> Option<String>) -> Profile {
    let variables: &[(&str, &str)] = match name {
        "datadog" => &[("api-key", "DD_API_KEY"), ("app-key", "DD_APP_KEY"), ("address", "DD_ADDRESS")],
        "aws" => &[
            ("region", "AWS_DEFAULT_REGION"),
            ("region", "AWS_REGION"),
            ("endpoint", "AWS_ENDPOINT_URL"),
            ("endpoint", "AWS_ENDPOINT_URL_CLOUDWATCH"),
        ],
        _ => &[],
    };
    // Of two variables for one key the later one wins.
    let set = variables.iter().filter_map(|(key, name)| Some((*key, variable(name)?)));
    set.map(|(key, text)| (key.to_owned(), SecretText::new(text))).collect()
}

fn text_of(secret: Option<&Secret>, key: &str) -> Seen<SecretText> {
    let bytes = secret.and_then(|secret| secret.data.as_ref()?.get(key));
    match bytes.map(|bytes| std::str::from_utf8(&bytes.0)) {
        Some(Ok(text)) => Seen::Fresh(SecretText::new(text)),
        Some(Err(_)) => Seen::Failed(format!("key {key} is not text")),
        None => Seen::Absent,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    #[test]
    fn profiles_of_the_environment_have_the_keys_of_a_secret() {
        let given = |name: &str| match name {
            "AWS_REGION" => Some("eu-west-1".to_owned()),
            "AWS_DEFAULT_REGION" => Some("us-east-1".to_owned()),
            "DD_API_KEY" => Some("k".to_owned()),
            _ => None,
        };
        let shown = |name| {
            let profile = of_process(name, given);
            profile.into_iter().map(|(key, text)| format!("{key}={}", text.expose())).collect::<Vec<_>>()
        };
        assert_eq!(shown("aws"), ["region=eu-west-1"]);
        assert_eq!(shown("datadog"), ["api-key=k"]);
        assert!(shown("other").is_empty());
    }

    #[test]
    fn an_image_that_cannot_be_pulled_is_told_and_other_waits_are_not() {
        let pod = |reason: &str| {
            let waiting = serde_json::json!({"name": "c", "ready": false, "restartCount": 0, "image": "i", "imageID": "",
                "state": {"waiting": {"reason": reason, "message": "no such image"}}});
            let pod = serde_json::json!({"status": {"containerStatuses": [waiting]}});
            trouble_of(&serde_json::from_value(pod).unwrap())
        };
        let expected = "container c cannot start: ImagePullBackOff no such image";
        assert_eq!(pod("ImagePullBackOff").as_deref(), Some(expected));
        assert_eq!(pod("ContainerCreating"), None);
        assert_eq!(trouble_of(&Pod::default()), None);
    }

    #[test]
    fn missing_and_unreadable_are_different() {
        let data = [("a".to_owned(), ByteString(b"x".to_vec())), ("b".to_owned(), ByteString(vec![0xff]))];
        let secret = Secret { data: Some(data.into()), ..Secret::default() };
        assert!(matches!(text_of(Some(&secret), "a"), Seen::Fresh(text) if text.expose() == "x"));
        assert!(matches!(text_of(Some(&secret), "b"), Seen::Failed(_)));
        assert!(matches!(text_of(Some(&secret), "c"), Seen::Absent));
        assert!(matches!(text_of(None, "a"), Seen::Absent));
    }
}
