//! Performs requests to the cluster that kubeconfig and flags name, and says where that is when they fail.

use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::core::{DeserializeGuard, NamespaceResourceScope};
use kube::{Client, ResourceExt};
use serde::de::DeserializeOwned;
use serin_api::{Experiment, Rollout};
use serin_view::change::{Body, Change, Target};

use crate::connection;
use crate::failure::{Attempt, Failure, Place, kinds_unknown, of_client, similar};
use crate::flags::Connection;
use crate::invocation::Invocation;

/// Field manager of what this client writes.
pub(crate) const MANAGER: &str = "kubectl-serin";

/// A kind of object that verbs are about.
pub(crate) trait Kind:
    kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
    + Clone
    + DeserializeOwned
    + std::fmt::Debug
    + Send
    + Sync
    + 'static
{
    /// The word for one.
    const SINGULAR: &'static str;
    /// The word for several.
    const PLURAL: &'static str;
}

impl Kind for Rollout {
    const SINGULAR: &'static str = "rollout";
    const PLURAL: &'static str = "rollouts";
}

impl Kind for Experiment {
    const SINGULAR: &'static str = "experiment";
    const PLURAL: &'static str = "experiments";
}

/// A cluster and a namespace in it.
pub(crate) struct Cluster {
    client: Client,
    namespace: String,
    place: Place,
    /// The flags that reached it.
    pub(crate) invocation: Invocation,
}

/// How a patch ended when it did not succeed.
pub(crate) enum Rejected {
    /// The object is another than the one that was read.
    Stale,
    /// It cannot be done.
    Failed(Failure),
}

impl Cluster {
    /// Reads the configuration; the first request tells whether the cluster can be reached.
    ///
    /// # Errors
    /// A kubeconfig that cannot be used, by file and context.
    pub(crate) async fn connect(flags: &Connection) -> Result<Self, Failure> {
        let (config, place) = connection::configuration(flags).await?;
        let namespace = flags.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config)
            .map_err(|why| Failure::new(format!("cannot use {place}: {}", crate::failure::root(&why))))?;
        let invocation = Invocation {
            namespace: namespace.clone(),
            context: flags.context.clone(),
            kubeconfig: flags.kubeconfig.as_ref().map(|path| path.display().to_string()),
        };
        Ok(Self { client, namespace, place, invocation })
    }

    /// The same cluster, in another namespace.
    pub(crate) fn of(&self, namespace: &str) -> Self {
        Self {
            client: self.client.clone(),
            namespace: namespace.to_owned(),
            place: self.place.clone(),
            invocation: Invocation { namespace: namespace.to_owned(), ..self.invocation.clone() },
        }
    }

    /// The client.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The namespace in use.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// An API in the namespace in use.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// A Rollout for people: `rollout "shop" in namespace "web"`.
    pub(crate) fn title(&self, name: &str) -> String {
        self.title_of::<Rollout>(name)
    }

    /// A Rollout or an Experiment for people.
    pub(crate) fn title_of<K: Kind>(&self, name: &str) -> String {
        format!("{} \"{name}\" in namespace \"{}\"", K::SINGULAR, self.namespace)
    }

    /// Translates an error about a Rollout.
    pub(crate) fn failure(&self, verb: &str, object: &str, error: &kube::Error) -> Failure {
        of_client(&self.place, Attempt { verb, object }, error)
    }

    /// One Rollout.
    ///
    /// # Errors
    /// When it is not there the failure lists similar names, and other namespaces that have it.
    pub(crate) async fn rollout(&self, name: &str) -> Result<Rollout, Failure> {
        self.named(name).await
    }

    /// One Rollout or Experiment.
    ///
    /// # Errors
    /// When it is not there the failure lists similar names, and other namespaces that have it.
    pub(crate) async fn named<K: Kind>(&self, name: &str) -> Result<K, Failure> {
        match self.api::<K>().get(name).await {
            Ok(object) => Ok(object),
            Err(kube::Error::Api(status)) if status.is_not_found() && !kinds_unknown(&status) => {
                Err(self.not_found::<K>(name).await)
            }
            Err(error) => Err(self.failure("read", &self.title_of::<K>(name), &error)),
        }
    }

    async fn not_found<K: Kind>(&self, name: &str) -> Failure {
        let missing = format!("{} does not exist", self.title_of::<K>(name));
        let here = self.api::<DeserializeGuard<K>>().list(&ListParams::default()).await;
        let here: Vec<_> =
            here.map(|list| list.items.iter().map(ResourceExt::name_any).collect()).unwrap_or_default();
        let near = similar(name, here.iter().map(String::as_str));
        if !near.is_empty() {
            return Failure::new(format!("{missing}; there is {}", near.join(", ")));
        }
        let all: Api<DeserializeGuard<K>> = Api::all(self.client.clone());
        let elsewhere = all.list(&ListParams::default().fields(&format!("metadata.name={name}"))).await;
        let elsewhere: Vec<_> =
            elsewhere.into_iter().flatten().filter_map(|found| found.namespace()).collect();
        Failure::new(match (elsewhere.first(), here.is_empty()) {
            (Some(_), _) => format!("{missing}; there is one in namespace {} (-n)", elsewhere.join(", ")),
            (None, true) => format!("{missing}, nor any other; -n chooses another namespace"),
            (None, false) => {
                format!("{missing}; there is {}", here.iter().take(5).cloned().collect::<Vec<_>>().join(", "))
            }
        })
    }

    /// An API of all objects of the namespace in use or of the cluster, however odd one of them is.
    pub(crate) fn listing<K: Kind>(&self, everywhere: bool) -> Api<DeserializeGuard<K>> {
        if everywhere { Api::all(self.client.clone()) } else { self.api() }
    }

    /// All Rollouts, or all Experiments, of the namespace or of the cluster. One that cannot be read becomes a note.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub(crate) async fn list<K: Kind>(&self, everywhere: bool) -> Result<(Vec<K>, Vec<String>), Failure> {
        let plural = K::PLURAL;
        let object = if everywhere {
            format!("{plural} of all namespaces")
        } else {
            format!("{plural} in namespace \"{}\"", self.namespace)
        };
        let list = self.listing::<K>(everywhere).list(&ListParams::default()).await;
        let list = list.map_err(|error| self.failure("list", &object, &error))?;
        Ok(readable(list.items))
    }

    /// Sends one patch.
    ///
    /// # Errors
    /// [`Rejected::Stale`] when the Rollout has changed since it was read.
    pub(crate) async fn change(&self, name: &str, change: &Change) -> Result<(), Rejected> {
        let api = self.api::<Rollout>();
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let (patch, tested) = match &change.body {
            Body::Merge(body) => (Patch::Merge(body), false),
            Body::Json(operations) => match serde_json::from_value(operations.clone()) {
                Ok(operations) => (Patch::Json(operations), true),
                Err(why) => {
                    return Err(Rejected::Failed(Failure::new(format!("cannot write the patch: {why}"))));
                }
            },
        };
        let answer = match change.target {
            Target::Object => api.patch(name, &params, &patch).await,
            Target::Status => api.patch_status(name, &params, &patch).await,
        };
        match answer {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_conflict() || (tested && is_failed_test(&status)) => {
                Err(Rejected::Stale)
            }
            Err(error) => Err(Rejected::Failed(self.failure("patch", &self.title(name), &error))),
        }
    }
}

/// A `test` of a JSON patch that did not hold; the API server has no reason of its own for it.
fn is_failed_test(status: &kube::core::Status) -> bool {
    status.is_invalid() && status.details.as_ref().is_none_or(|details| details.causes.is_empty())
}

/// Separates objects that can be read from notes about those that cannot: one malformed object hides no other.
pub(crate) fn readable<K: kube::Resource>(objects: Vec<DeserializeGuard<K>>) -> (Vec<K>, Vec<String>)
where
    K::DynamicType: Default,
{
    let mut notes = Vec::new();
    let mut read = Vec::new();
    for object in objects {
        match object.0 {
            Ok(object) => read.push(object),
            Err(bad) => {
                let kind = K::kind(&K::DynamicType::default()).into_owned();
                let name = bad.metadata.name.unwrap_or_default();
                notes.push(format!("{kind} {name} is not shown, it cannot be read: {}", bad.error));
            }
        }
    }
    (read, notes)
}
