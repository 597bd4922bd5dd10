//! Says under which plural a kind is served: asked of the API server, guessed until it answers.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use kube::Client;
use kube::core::{ApiResource, GroupVersionKind};

use crate::object::Kind;

/// The plurals that the API server has told.
#[derive(Debug, Default)]
pub struct Resources(RwLock<HashMap<Kind, ApiResource>>);

impl Resources {
    /// Where objects of this kind are served.
    pub fn of(&self, kind: &Kind) -> ApiResource {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(kind).cloned();
        known.unwrap_or_else(|| kind.resource())
    }

    /// Asks the API server; routing objects may be of any kind, and a guess may be wrong for theirs. Gives whether such
    /// objects are in namespaces, as is taken of a kind that is not served.
    pub async fn learn(&self, client: &Client, kind: &Kind) -> bool {
        let list = match kind.group.as_str() {
            "" => client.list_core_api_resources(&kind.version).await,
            group => client.list_api_group_resources(&format!("{group}/{}", kind.version)).await,
        };
        let resources = list.map(|list| list.resources).unwrap_or_default();
        let served = resources.iter().find(|served| served.kind == kind.kind && !served.name.contains('/'));
        if let Some(served) = served {
            let gvk = GroupVersionKind::gvk(&kind.group, &kind.version, &kind.kind);
            let resource = ApiResource::from_gvk_with_plural(&gvk, &served.name);
            self.0.write().unwrap_or_else(PoisonError::into_inner).insert(kind.clone(), resource);
        }
        served.is_none_or(|served| served.namespaced)
    }
}
