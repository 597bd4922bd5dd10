//! Performs writes. It is the only module that writes to the cluster, and it cannot send a patch without a precondition.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{
    Api, DeleteParams, DynamicObject, EvictParams, Patch, PatchParams, PostParams, Preconditions,
    PropagationPolicy,
};
use kube::core::Status;
use kube::{Client, Resource};
use serde_json::Value;
use serin_core::seen::ObjectKey;
use serin_core::write::{Effect, Write};

use crate::difference::StatusPatch;
use crate::failure::Failure;
use crate::lease::Leadership;
use crate::mark::Reach;
use crate::object::{Kind, Name, Raw};
use crate::resource::Resources;
use crate::tally::Tally;

/// Field manager and event source: the name that Argo's controller has, because ignore rules of GitOps tools name it.
pub const MANAGER: &str = "rollouts-controller";

/// A write without an answer for this long is given up; whether it was done shows in the next observation.
const ANSWER: Duration = Duration::from_secs(30);

/// Where the status of a kind is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusPlace {
    /// The status subresource.
    Subresource,
    /// The object itself: AnalysisRun has no status subresource.
    Object,
}

/// Sends writes to the API server, and counts them.
#[derive(Clone)]
pub struct Performer {
    client: Client,
    resources: Arc<Resources>,
    leadership: Leadership,
    tally: Arc<Tally>,
}

impl std::fmt::Debug for Performer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Performer").finish_non_exhaustive()
    }
}

impl Performer {
    /// Writes with `client` while `leadership` holds.
    pub fn new(client: Client, resources: Arc<Resources>, leadership: Leadership, tally: Arc<Tally>) -> Self {
        Self { client, resources, leadership, tally }
    }

    /// Does one write of a plan, and tells what a cache must show before somebody acts on it.
    ///
    /// # Errors
    /// [`Failure`], whose class says what to do. Nothing is tried twice here.
    pub async fn write(&self, write: &Write) -> Result<Option<Reach>, Failure> {
        let object = &write.object;
        self.allowed(object)?;
        let done = self.send(object, &write.effect).await;
        self.tally.wrote(object, effect_word(&write.effect), done.as_ref().err());
        done
    }

    async fn send(&self, object: &ObjectKey, effect: &Effect) -> Result<Option<Reach>, Failure> {
        let api: Api<Raw> = self.api(&Kind::of_key(object), &object.namespace);
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let written = match effect {
            Effect::Create(content) => {
                let content: DynamicObject = readable(object, content.clone())?;
                let api: Api<DynamicObject> = self.api(&Kind::of_key(object), &object.namespace);
                let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
                let created = answered(object, api.create(&params, &content)).await?;
                return Ok(created.metadata.resource_version.map(Reach::Version));
            }
            Effect::Apply(content) => {
                let params = PatchParams::apply(MANAGER).force();
                answered(object, api.patch(&object.name, &params, &Patch::Apply(content))).await?
            }
            Effect::JsonPatch(operations) => {
                let patch = guarded(object, operations)?;
                answered(object, api.patch(&object.name, &params, &patch)).await?
            }
            Effect::Delete { uid } => return self.delete(&api, object, uid).await,
            Effect::Evict { uid, resource_version } => {
                let (uid, resource_version) = (Some(uid.clone()), resource_version.clone());
                let seen = Preconditions { uid, resource_version };
                return self.evict(object, seen).await.map(|()| None);
            }
        };
        Ok(written.meta().resource_version.clone().map(Reach::Version))
    }

    async fn delete(&self, api: &Api<Raw>, object: &ObjectKey, uid: &str) -> Result<Option<Reach>, Failure> {
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        match answered(object, api.delete(&object.name, &params)).await {
            Ok(_) => Ok(Some(Reach::Gone(uid.to_owned()))),
            Err(Failure::Answered { status, .. }) if status.code == 404 => {
                Ok(Some(Reach::Gone(uid.to_owned())))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Evictions go the way of every disruption: the API server asks the budgets.
    async fn evict(&self, object: &ObjectKey, seen: Preconditions) -> Result<(), Failure> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &object.namespace);
        let params = EvictParams {
            delete_options: Some(DeleteParams { preconditions: Some(seen), ..DeleteParams::default() }),
            ..EvictParams::default()
        };
        match answered(object, api.evict(&object.name, &params)).await {
            Err(Failure::Answered { status, .. }) if status.code == 404 => Ok(()),
            Err(Failure::Answered { object, status }) if status.code == 429 => {
                Err(Failure::Withheld { object, status })
            }
            evicted => evicted.map(drop),
        }
    }

    /// Stores a status. Returns the version that the object has then.
    ///
    /// # Errors
    /// [`Failure`]; of class Stale when somebody wrote the object meanwhile.
    pub async fn status(
        &self,
        object: &ObjectKey,
        place: StatusPlace,
        patch: &StatusPatch,
    ) -> Result<String, Failure> {
        self.allowed(object)?;
        let api: Api<Raw> = self.api(&Kind::of_key(object), &object.namespace);
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(patch.body());
        let stored = match place {
            StatusPlace::Subresource => {
                answered(object, api.patch_status(&object.name, &params, &patch)).await
            }
            StatusPlace::Object => answered(object, api.patch(&object.name, &params, &patch)).await,
        };
        self.tally.wrote(object, "status", stored.as_ref().err());
        Ok(stored?.meta().resource_version.clone().unwrap_or_default())
    }

    /// Creates an event.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn publish(&self, event: &Event) -> Result<(), Failure> {
        let (api, object) = self.event_api(event);
        let created = answered(&object, api.create(&PostParams::default(), event)).await;
        self.tally.wrote(&object, "create", created.as_ref().err());
        created.map(drop)
    }

    /// Counts an event that happened again: `count`, the time it was last seen, and its newest words.
    ///
    /// # Errors
    /// [`Failure`]; of class Stale when the API server has forgotten the event.
    pub async fn publish_again(&self, event: &Event) -> Result<(), Failure> {
        let (api, object) = self.event_api(event);
        let again = serde_json::json!({
            "count": event.count, "lastTimestamp": event.last_timestamp, "message": event.message,
        });
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let counted = answered(&object, api.patch(&object.name, &params, &Patch::Merge(&again))).await;
        self.tally.wrote(&object, "count", counted.as_ref().err());
        counted.map(drop)
    }

    fn event_api(&self, event: &Event) -> (Api<Event>, ObjectKey) {
        let name = Name::of(&event.metadata);
        let api = Api::namespaced(self.client.clone(), &name.namespace);
        (api, Kind::new("", "v1", "Event").key(&name))
    }

    /// Reads the lease, `None` when there is none.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn read_lease(&self, namespace: &str, name: &str) -> Result<Option<Lease>, Failure> {
        let api: Api<Lease> = Api::namespaced(self.client.clone(), namespace);
        answered_within(LEASE_ANSWER, &lease_key(namespace, name), api.get_opt(name)).await
    }

    /// Writes the lease: creates it, or replaces the version that it carries.
    ///
    /// # Errors
    /// [`Failure`]; of class Stale when somebody else wrote it first.
    pub async fn write_lease(&self, namespace: &str, lease: &Lease) -> Result<(), Failure> {
        let api: Api<Lease> = Api::namespaced(self.client.clone(), namespace);
        let name = lease.metadata.name.clone().unwrap_or_default();
        let (object, params) = (lease_key(namespace, &name), PostParams::default());
        let written = match &lease.metadata.resource_version {
            Some(_) => answered_within(LEASE_ANSWER, &object, api.replace(&name, &params, lease)).await,
            None => answered_within(LEASE_ANSWER, &object, api.create(&params, lease)).await,
        };
        written.map(drop)
    }

    fn api<K>(&self, kind: &Kind, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = kube::core::ApiResource, Scope = kube::core::DynamicResourceScope>,
    {
        let resource = self.resources.of(kind);
        match namespace {
            "" => Api::all_with(self.client.clone(), &resource),
            namespace => Api::namespaced_with(self.client.clone(), namespace, &resource),
        }
    }

    fn allowed(&self, object: &ObjectKey) -> Result<(), Box<Failure>> {
        if self.leadership.holds() {
            return Ok(());
        }
        Err(Box::new(Failure::NotLeading { object: object.clone() }))
    }
}

/// A lease that does not answer within this time is asked again: its deadline is only twice as long.
const LEASE_ANSWER: Duration = Duration::from_secs(5);

fn lease_key(namespace: &str, name: &str) -> ObjectKey {
    ObjectKey::new("coordination.k8s.io", "v1", "Lease", namespace, name)
}

async fn answered<T>(
    object: &ObjectKey,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, Failure> {
    answered_within(ANSWER, object, request).await
}

async fn answered_within<T>(
    after: Duration,
    object: &ObjectKey,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(after, request).await {
        Ok(answer) => answer.map_err(|error| Failure::of(object, error)),
        Err(_) => Err(Failure::Silent { object: object.clone(), after }),
    }
}

/// A JSON patch that has at least one precondition.
fn guarded(object: &ObjectKey, operations: &[Value]) -> Result<Patch<()>, Box<Failure>> {
    if !operations.iter().any(|operation| operation["op"] == "test") {
        return Err(Box::new(Failure::Unguarded { object: object.clone() }));
    }
    Ok(Patch::Json(readable(object, Value::Array(operations.to_vec()))?))
}

fn readable<T: serde::de::DeserializeOwned>(object: &ObjectKey, content: Value) -> Result<T, Box<Failure>> {
    let unsendable = |source| Box::new(Failure::Unsendable { object: object.clone(), source });
    serde_json::from_value(content).map_err(unsendable)
}

fn effect_word(effect: &Effect) -> &'static str {
    match effect {
        Effect::Create(_) => "create",
        Effect::Apply(_) => "apply",
        Effect::JsonPatch(_) => "patch",
        Effect::Delete { .. } => "delete",
        Effect::Evict { .. } => "evict",
    }
}

/// The answer of the API server as a word, for metric labels.
pub fn status_word(failure: Option<&Failure>) -> String {
    match failure {
        None => "200".to_owned(),
        Some(Failure::Answered { status, .. } | Failure::Withheld { status, .. }) => code(status),
        Some(_) => "none".to_owned(),
    }
}

fn code(status: &Status) -> String {
    status.code.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::failure::Class;

    #[test]
    fn a_json_patch_without_a_test_is_not_sent() {
        let object = ObjectKey::new("apps", "v1", "ReplicaSet", "n", "a");
        let change = json!({"op": "replace", "path": "/spec/replicas", "value": 2});
        let test = json!({"op": "test", "path": "/spec/replicas", "value": 1});
        assert_eq!(guarded(&object, std::slice::from_ref(&change)).unwrap_err().class(), Class::Broken);
        assert!(guarded(&object, &[test, change]).is_ok());
        assert_eq!(guarded(&object, &[json!({"op": "test"})]).unwrap_err().class(), Class::Broken);
    }
}
