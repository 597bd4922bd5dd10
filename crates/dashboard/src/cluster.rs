//! Performs requests to the cluster: reads, questions about people, and changes in the name of whoever asks for them.

use std::path::PathBuf;

use anyhow::Context;
use axum::http::{HeaderValue, header};
use futures::future::BoxFuture;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::core::Selector;
use kube::{Client, Config};
use serin_api::{Rollout, label};
use serin_view::change::{Body, Change, Target};

use crate::access::{Caller, Deed, Reviewer, User};
use crate::failure::{Failure, Kind, root};
use crate::table::Place;

/// Field manager of what the dashboard writes.
const MANAGER: &str = "serin-dashboard";

/// A cluster, as the dashboard itself may use it.
#[derive(Clone)]
pub struct Cluster {
    config: Config,
    client: Client,
}

/// How a patch ended when it did not succeed.
pub enum Rejected {
    /// The object is another than the one that was read.
    Stale,
    /// It cannot be done.
    Failed(Failure),
}

impl Cluster {
    /// Reads the configuration: the named kubeconfig and context, else what kubectl would use, else the service account
    /// of the pod.
    ///
    /// # Errors
    /// A configuration that cannot be used.
    pub async fn connect(kubeconfig: Option<PathBuf>, context: Option<String>) -> anyhow::Result<Self> {
        let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
        let config = match kubeconfig {
            Some(path) => {
                let kubeconfig = Kubeconfig::read_from(&path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                Config::from_custom_kubeconfig(kubeconfig, &options)
                    .await
                    .with_context(|| format!("cannot use {}", path.display()))?
            }
            None if options.context.is_some() => Config::from_kubeconfig(&options)
                .await
                .context("cannot use the kubeconfig; --kubeconfig names another")?,
            None => Config::infer().await.context("no cluster: give --kubeconfig, or set KUBECONFIG")?,
        };
        let client = Client::try_from(config.clone()).context("cannot make a client for the cluster")?;
        Ok(Self { config, client })
    }

    /// The client of the dashboard itself.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The namespace of the configuration.
    pub fn namespace(&self) -> &str {
        &self.config.default_namespace
    }

    /// The address of the API server.
    pub fn server(&self) -> String {
        self.config.cluster_url.to_string()
    }

    /// The cluster in the name of a caller: with their own token, so that the API server itself checks their rights and
    /// names them in its audit log. The dashboard needs no right to impersonate anybody.
    ///
    /// # Errors
    /// A token that is no header value.
    pub fn as_caller(&self, caller: &Caller) -> Result<Client, Failure> {
        let Some((user, token)) = &caller.known else { return Ok(self.client.clone()) };
        let unusable =
            |why: String| Failure::new(Kind::Unauthenticated, format!("cannot act as {}: {why}", user.name));
        let mut value =
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(|why| unusable(why.to_string()))?;
        value.set_sensitive(true);
        let mut config = self.config.clone();
        config.auth_info = AuthInfo::default();
        config.headers.push((header::AUTHORIZATION, value));
        Client::try_from(config).map_err(|why| unusable(root(&why)))
    }
}

/// One Rollout and the ReplicaSets that it owns, as they are now.
///
/// # Errors
/// When they cannot be read.
pub async fn read(client: &Client, place: &Place) -> Result<(Rollout, Vec<ReplicaSet>), Failure> {
    let rollouts: Api<Rollout> = Api::namespaced(client.clone(), &place.namespace);
    let rollout = rollouts
        .get(&place.name)
        .await
        .map_err(|error| Failure::of_cluster(&format!("read {place}"), &error))?;
    let sets: Api<ReplicaSet> = Api::namespaced(client.clone(), &place.namespace);
    let list = sets.list(&ListParams::default().labels(&selector(&rollout))).await;
    let mut sets =
        list.map_err(|error| Failure::of_cluster(&format!("list the ReplicaSets of {place}"), &error))?.items;
    let owns = |set: &ReplicaSet| {
        set.metadata
            .owner_references
            .iter()
            .flatten()
            .any(|owner| Some(&owner.uid) == rollout.metadata.uid.as_ref())
    };
    sets.retain(owns);
    Ok((rollout, sets))
}

/// Sends one patch.
///
/// # Errors
/// [`Rejected::Stale`] when the Rollout has changed since it was read.
pub async fn send(client: &Client, place: &Place, change: &Change) -> Result<Rollout, Rejected> {
    let api: Api<Rollout> = Api::namespaced(client.clone(), &place.namespace);
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let (patch, tested) = match &change.body {
        Body::Merge(body) => (Patch::Merge(body), false),
        Body::Json(operations) => match serde_json::from_value(operations.clone()) {
            Ok(operations) => (Patch::Json(operations), true),
            Err(why) => {
                return Err(Rejected::Failed(Failure::new(
                    Kind::Invalid,
                    format!("cannot write the patch: {why}"),
                )));
            }
        },
    };
    let answer = match change.target {
        Target::Object => api.patch(&place.name, &params, &patch).await,
        Target::Status => api.patch_status(&place.name, &params, &patch).await,
    };
    match answer {
        Ok(rollout) => Ok(rollout),
        Err(kube::Error::Api(status)) if status.is_conflict() || (tested && is_failed_test(&status)) => {
            Err(Rejected::Stale)
        }
        Err(error) => Err(Rejected::Failed(Failure::of_cluster(&format!("patch {place}"), &error))),
    }
}

/// A `test` of a JSON patch that did not hold; the API server has no reason of its own for it.
fn is_failed_test(status: &kube::core::Status) -> bool {
    status.is_invalid() && status.details.as_ref().is_none_or(|details| details.causes.is_empty())
}

/// Selector of the ReplicaSets and pods of a Rollout; they carry the hash whatever the selector is.
pub fn selector(rollout: &Rollout) -> String {
    let own = rollout.spec.selector.clone().unwrap_or_default();
    let own = Selector::try_from(own).map(|selector| selector.to_string()).unwrap_or_default();
    if own.is_empty() {
        label::POD_TEMPLATE_HASH.to_owned()
    } else {
        format!("{own},{}", label::POD_TEMPLATE_HASH)
    }
}

impl Reviewer for Cluster {
    fn user<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Option<User>, Failure>> {
        Box::pin(async move {
            let spec = TokenReviewSpec { token: token.to_owned(), ..TokenReviewSpec::default() };
            let question = TokenReview { spec, ..TokenReview::default() };
            let answer =
                Api::<TokenReview>::all(self.client.clone()).create(&PostParams::default(), &question).await;
            let answer = answer
                .map_err(|error| unable("ask the cluster about a token (create tokenreviews)", &error))?;
            let status = answer.status.filter(|status| status.authenticated == Some(true));
            Ok(status.and_then(|status| status.user).and_then(user))
        })
    }

    fn may<'a>(&'a self, user: &'a User, deed: &'a Deed) -> BoxFuture<'a, Result<bool, Failure>> {
        Box::pin(async move {
            let question =
                SubjectAccessReview { spec: question(user, deed), ..SubjectAccessReview::default() };
            let answer = Api::<SubjectAccessReview>::all(self.client.clone())
                .create(&PostParams::default(), &question)
                .await;
            let answer = answer.map_err(|error| {
                unable("ask the cluster about the rights of a user (create subjectaccessreviews)", &error)
            })?;
            Ok(answer.status.is_some_and(|status| status.allowed && status.denied != Some(true)))
        })
    }
}

/// The dashboard itself is not allowed to ask, or cannot: not the caller's fault.
fn unable(what: &str, error: &kube::Error) -> Failure {
    let failure = Failure::of_cluster(what, error);
    tracing::warn!("{}", failure.message);
    Failure { kind: Kind::Unavailable, ..failure }
}

fn user(told: UserInfo) -> Option<User> {
    let extra = told.extra.unwrap_or_default().into_iter().collect();
    let (uid, groups) = (told.uid.unwrap_or_default(), told.groups.unwrap_or_default());
    Some(User { name: told.username.filter(|name| !name.is_empty())?, uid, groups, extra })
}

fn question(user: &User, deed: &Deed) -> SubjectAccessReviewSpec {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    SubjectAccessReviewSpec {
        user: Some(user.name.clone()),
        uid: text(&user.uid),
        groups: Some(user.groups.clone()),
        extra: Some(user.extra.iter().cloned().collect()),
        resource_attributes: Some(ResourceAttributes {
            verb: text(deed.verb),
            group: text(deed.group),
            resource: text(deed.resource),
            subresource: deed.subresource.map(str::to_owned),
            namespace: text(&deed.namespace),
            name: text(&deed.name),
            ..ResourceAttributes::default()
        }),
        ..SubjectAccessReviewSpec::default()
    }
}
