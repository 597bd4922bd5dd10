//! Keeps the settings of notifications as the cluster has them: those of the controller's namespace, and with
//! self-service those of every namespace.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, ListParams};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;

use super::settings::{self, Settings};
use crate::watch::api_words;

const CONFIG_MAP: &str = "argo-rollouts-notification-configmap";
const SECRET: &str = "argo-rollouts-notification-secret";
/// Time between two readings of the settings.
const AGAIN: Duration = Duration::from_secs(60);

/// Where settings are read.
#[derive(Clone, Debug)]
pub struct Place {
    /// The namespace of the controller; its settings are for all.
    pub home: String,
    /// Each namespace may have settings of its own.
    pub self_service: bool,
}

/// Settings by namespace.
#[derive(Clone, Debug, Default)]
pub(super) struct Store(Arc<RwLock<BTreeMap<String, Arc<Settings>>>>);

impl Store {
    /// Those that see an event of this namespace; each by itself, as a namespace knows nothing of another's secrets.
    pub(super) fn seeing(&self, namespace: &str) -> Vec<Arc<Settings>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let seeing = all.iter().filter(|(own, _)| own.is_empty() || *own == namespace);
        seeing.map(|(_, settings)| settings.clone()).collect()
    }

    /// Reads the settings for as long as the process runs; returns after the first reading.
    pub(super) async fn follow(&self, client: Client, place: Place) {
        let store = self.clone();
        let mut said = store.refresh(&client, &place, String::new()).await;
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(AGAIN).await;
                said = store.refresh(&client, &place, said).await;
            }
        });
    }

    /// Reads the settings once, and says what is wrong with them unless it was `said` before.
    async fn refresh(&self, client: &Client, place: &Place, said: String) -> String {
        let wrong = match read(client, place).await {
            Ok((found, wrong)) => {
                *self.0.write().unwrap_or_else(PoisonError::into_inner) = found;
                wrong.join("; ")
            }
            // Those that are known stay in force.
            Err(why) => format!("ConfigMap {}/{CONFIG_MAP}: {why}", place.home),
        };
        if !wrong.is_empty() && wrong != said {
            tracing::warn!("{wrong}");
        }
        wrong
    }
}

type Found = (BTreeMap<String, Arc<Settings>>, Vec<String>);

/// All settings: those of the controller under the empty name, which every namespace sees.
async fn read(client: &Client, place: &Place) -> Result<Found, String> {
    let maps: Vec<ConfigMap> = named(client, place, CONFIG_MAP).await?;
    let secrets: Vec<Secret> =
        if maps.is_empty() { Vec::new() } else { named(client, place, SECRET).await? };
    let mut secrets: BTreeMap<String, Secret> = secrets
        .into_iter()
        .map(|secret| (secret.metadata.namespace.clone().unwrap_or_default(), secret))
        .collect();
    let mut found = (BTreeMap::new(), Vec::new());
    for map in maps {
        let namespace = map.metadata.namespace.unwrap_or_default();
        let data = secrets.remove(&namespace).and_then(|secret| secret.data).unwrap_or_default();
        let texts = data.into_iter().filter_map(|(key, bytes)| Some((key, String::from_utf8(bytes.0).ok()?)));
        let (settings, wrong) = settings::read(&map.data.unwrap_or_default(), texts.collect());
        if !wrong.is_empty() {
            found.1.push(format!("ConfigMap {namespace}/{CONFIG_MAP}: {}", wrong.join("; ")));
        }
        let seen_by = if namespace == place.home { String::new() } else { namespace };
        found.0.insert(seen_by, Arc::new(settings));
    }
    Ok(found)
}

/// The objects of this name: in the namespace of the controller, or in all. Roles can name what is listed by name.
async fn named<K>(client: &Client, place: &Place, name: &str) -> Result<Vec<K>, String>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    if place.self_service {
        let chosen = ListParams::default().fields(&format!("metadata.name={name}"));
        let listed = Api::<K>::all(client.clone()).list(&chosen).await;
        return listed.map(|list| list.items).map_err(|error| api_words(&error));
    }
    let found = Api::<K>::namespaced(client.clone(), &place.home).get_opt(name).await;
    found.map(|found| found.into_iter().collect()).map_err(|error| api_words(&error))
}
