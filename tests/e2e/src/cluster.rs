//! A client of the cluster under test: apply YAML, read JSON, wait until something is so.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, discovery};
use serde_json::Value;

/// How often a wait looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// A client and the namespace that it works in.
#[derive(Clone)]
pub struct Cluster {
    /// The client.
    pub client: Client,
    /// The namespace of the test.
    pub namespace: String,
}

impl Cluster {
    /// Connects by `KUBECONFIG`.
    ///
    /// # Errors
    /// No usable kubeconfig.
    pub async fn connect(namespace: &str) -> Result<Self> {
        let client = Client::try_default().await.context("no cluster: run the tests with `./dev e2e`")?;
        Ok(Self { client, namespace: namespace.to_owned() })
    }

    async fn api(&self, api_version: &str, kind: &str) -> Result<Api<DynamicObject>> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let (resource, capabilities) = discovery::pinned_kind(&self.client, &gvk)
            .await
            .with_context(|| format!("the cluster does not serve {api_version} {kind}"))?;
        Ok(match capabilities.scope {
            discovery::Scope::Cluster => Api::all_with(self.client.clone(), &resource),
            discovery::Scope::Namespaced => {
                Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
            }
        })
    }

    /// Applies every document of `yaml`, as `kubectl apply --server-side` does.
    ///
    /// # Errors
    /// The document that the API server refused, and why.
    pub async fn apply(&self, yaml: &str) -> Result<()> {
        for document in yaml.split("\n---\n").filter(|text| !text.trim().is_empty()) {
            let object: Value = serde_yaml::from_str(document)?;
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let (api_version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
            let api = self.api(api_version, kind).await?;
            let params = PatchParams::apply("e2e").force();
            api.patch(name, &params, &Patch::Apply(&object))
                .await
                .with_context(|| format!("apply {kind} {name}"))?;
        }
        Ok(())
    }

    /// The object as JSON.
    ///
    /// # Errors
    /// It is not there.
    pub async fn get(&self, api_version: &str, kind: &str, name: &str) -> Result<Value> {
        let object = self.api(api_version, kind).await?.get(name).await?;
        Ok(serde_json::to_value(object)?)
    }

    /// All objects of a kind in the namespace, as JSON.
    ///
    /// # Errors
    /// The API server said no.
    pub async fn list(&self, api_version: &str, kind: &str) -> Result<Vec<Value>> {
        let list = self.api(api_version, kind).await?.list(&Default::default()).await?;
        list.items.into_iter().map(|object| Ok(serde_json::to_value(object)?)).collect()
    }

    /// A merge patch, as users and their tools send it.
    ///
    /// # Errors
    /// The API server said no.
    pub async fn merge(&self, api_version: &str, kind: &str, name: &str, patch: Value) -> Result<()> {
        let api = self.api(api_version, kind).await?;
        api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(())
    }

    /// A JSON patch.
    ///
    /// # Errors
    /// The API server said no.
    pub async fn json_patch(&self, api_version: &str, kind: &str, name: &str, patch: Value) -> Result<()> {
        let api = self.api(api_version, kind).await?;
        let patch = Patch::<()>::Json(serde_json::from_value(patch)?);
        api.patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// A merge patch of the status of a Rollout, as the CLI sends it.
    ///
    /// # Errors
    /// The API server said no.
    pub async fn merge_status(&self, name: &str, status: Value) -> Result<()> {
        let api = self.api("argoproj.io/v1alpha1", "Rollout").await?;
        let patch = serde_json::json!({"status": status});
        api.patch_status(name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(())
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// It is not there.
    pub async fn delete(&self, api_version: &str, kind: &str, name: &str) -> Result<()> {
        self.api(api_version, kind).await?.delete(name, &Default::default()).await?;
        Ok(())
    }

    /// The Rollout as JSON.
    ///
    /// # Errors
    /// It is not there.
    pub async fn rollout(&self, name: &str) -> Result<Value> {
        self.get("argoproj.io/v1alpha1", "Rollout", name).await
    }

    /// Waits until the Rollout is as wanted, and returns it.
    ///
    /// # Errors
    /// It was not so within `seconds`; the text names what was waited for and the last status.
    pub async fn until(
        &self,
        rollout: &str,
        what: &str,
        seconds: u64,
        so: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(seconds);
        let mut last = Value::Null;
        while tokio::time::Instant::now() < deadline {
            if let Ok(found) = self.rollout(rollout).await {
                if so(&found) {
                    return Ok(found);
                }
                last = found;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let status = serde_json::to_string_pretty(&last["status"])?;
        bail!("Rollout {rollout} was not {what} within {seconds} s; its status:\n{status}")
    }

    /// Waits until the observed phase of the Rollout is `phase`, as clients judge it.
    ///
    /// # Errors
    /// As [`Self::until`].
    pub async fn until_phase(&self, rollout: &str, phase: &str, seconds: u64) -> Result<Value> {
        self.until(rollout, phase, seconds, |found| observed_phase(found) == phase).await
    }

    /// Waits until `so` holds for an object.
    ///
    /// # Errors
    /// It did not within `seconds`; the text shows the object.
    pub async fn until_object(
        &self,
        (api_version, kind, name): (&str, &str, &str),
        what: &str,
        seconds: u64,
        so: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(seconds);
        let mut last = Value::Null;
        while tokio::time::Instant::now() < deadline {
            if let Ok(found) = self.get(api_version, kind, name).await {
                if so(&found) {
                    return Ok(found);
                }
                last = found;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        bail!("{kind} {name} was not {what} within {seconds} s:\n{}", serde_json::to_string_pretty(&last)?)
    }

    /// Sets the size of a Rollout through its scale subresource, as autoscalers do.
    ///
    /// # Errors
    /// The API server said no.
    pub async fn scale(&self, name: &str, replicas: i64) -> Result<()> {
        let api = self.api("argoproj.io/v1alpha1", "Rollout").await?;
        let patch = Patch::Merge(serde_json::json!({"spec": {"replicas": replicas}}));
        api.patch_scale(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Uids of the pods of the test that are not being deleted.
    ///
    /// # Errors
    /// The API server said no.
    pub async fn pod_uids(&self) -> Result<Vec<String>> {
        let pods = self.list("v1", "Pod").await?;
        let alive = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        let mut uids: Vec<String> =
            alive.map(|pod| pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned()).collect();
        uids.sort();
        Ok(uids)
    }
}

/// The phase that clients show: an unobserved generation, or a resumed pause, is Progressing.
pub fn observed_phase(rollout: &Value) -> &str {
    let status = &rollout["status"];
    let generation = rollout["metadata"]["generation"].as_i64().unwrap_or_default();
    let observed = status["observedGeneration"].as_str().and_then(|text| text.parse::<i64>().ok());
    if observed.is_none_or(|observed| observed < generation) {
        return "Progressing";
    }
    let paused = status["pauseConditions"].as_array().is_some_and(|pauses| !pauses.is_empty());
    if status["controllerPause"].as_bool() == Some(true) && !paused {
        return "Progressing";
    }
    status["phase"].as_str().unwrap_or_default()
}
