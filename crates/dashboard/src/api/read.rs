//! Answers what is asked once.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::Known;
use crate::app::{App, scope};
use crate::failure::{Failure, Kind};
use crate::info::RolloutInfo;
use crate::table::Place;

/// `GET version`.
pub(super) async fn version() -> Json<Value> {
    Json(json!({"rolloutsVersion": env!("CARGO_PKG_VERSION")}))
}

/// `GET session`: who one is and what can be done. Serin's own.
pub(super) async fn session(State(app): State<Arc<App>>, caller: Known) -> Json<Value> {
    let user = caller.known.as_ref().map(|(user, _)| user.name.clone());
    let auth = if app.access.by_token() { "token" } else { "none" };
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"), "auth": auth, "user": user, "actions": app.access.actions(),
        "server": app.cluster.as_ref().map(|cluster| cluster.server()),
    }))
}

/// `GET namespace`: the namespaces that have Rollouts which the caller may see.
pub(super) async fn namespaces(State(app): State<Arc<App>>, caller: Known) -> Result<Json<Value>, Failure> {
    app.ready().await?;
    let mut available = Vec::new();
    for namespace in app.cache.namespaces() {
        match app.access.see(&caller, &namespace).await {
            Err(failure) if failure.kind == Kind::Forbidden => {}
            other => {
                other?;
                available.push(namespace);
            }
        }
    }
    Ok(Json(json!({"namespace": app.home, "availableNamespaces": available})))
}

/// `GET rollouts/{namespace}/info`; the namespace `*` stands for all that the caller may see.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Known,
    Path(namespace): Path<String>,
) -> Result<Json<Value>, Failure> {
    app.ready().await?;
    if let Some(namespace) = scope(&namespace) {
        app.access.see(&caller, namespace).await?;
    }
    let mut rollouts = Vec::new();
    for place in app.cache.places(scope(&namespace)) {
        rollouts.extend(app.row(&caller, &place).await?);
    }
    Ok(Json(json!({"rollouts": rollouts})))
}

/// `GET rollouts/{namespace}/{name}/info`.
pub(super) async fn one(
    State(app): State<Arc<App>>,
    caller: Known,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Json<RolloutInfo>, Failure> {
    app.ready().await?;
    let place = Place::new(&namespace, &name);
    match app.whole(&caller, &place).await? {
        Some((info, _)) => Ok(Json(info)),
        None => Err(missing(&place)),
    }
}

/// There is no such Rollout.
pub(super) fn missing(place: &Place) -> Failure {
    Failure::new(Kind::NotFound, format!("{place} does not exist"))
}
