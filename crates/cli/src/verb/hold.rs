//! `hold` and `release`: a brake for every update of a namespace, or of what a selector says, as a ConfigMap.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{DeleteParams, ObjectMeta, PostParams, Preconditions};
use serin_api::label;
use serin_core::brake::Brake;

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::flags::{HoldArguments, ReleaseArguments};
use crate::{print, record};

/// Performs `hold`.
///
/// # Errors
/// A selector that cannot be read, no reason, a hold of that name, or what the API server said.
pub(super) async fn hold(cluster: &Cluster, arguments: &HoldArguments) -> Result<(), Failure> {
    let (by, now) = (record::user(cluster).await, jiff::Timestamp::now());
    let map =
        config_map(arguments, &by, &now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()).map_err(Failure::new)?;
    let object = format!("ConfigMap \"{}\"", arguments.name);
    let made = cluster.api::<ConfigMap>().create(&PostParams::default(), &map).await;
    if let Err(kube::Error::Api(status)) = &made
        && status.code == 409
    {
        let release = cluster.invocation.command(&format!("release {}", arguments.name));
        let text = format!("{object} is there already; `{release}` ends it, --name gives another name");
        return Err(Failure::new(text));
    }
    made.map_err(|error| cluster.failure("create", &object, &error))?;
    let what = if arguments.abort { "taken back" } else { "held" };
    let whose = match &arguments.selector {
        Some(selector) => format!("of Rollouts with {selector} in namespace {}", cluster.namespace()),
        None => format!("in namespace {}", cluster.namespace()),
    };
    let release = cluster.invocation.command(&format!("release {}", arguments.name));
    print::text(&format!(
        "all updates {whose} are {what} from now on; recorded: by {by}, because {}; `{release}` ends it\n",
        arguments.reason.trim()
    ))
}

/// The ConfigMap that holds.
fn config_map(arguments: &HoldArguments, by: &str, at: &str) -> Result<ConfigMap, String> {
    let reason = arguments.reason.trim();
    if reason.is_empty() {
        return Err("--reason is empty; say why, for those who find their updates held".to_owned());
    }
    let action = if arguments.abort { "abort" } else { "hold" };
    let labels = BTreeMap::from([(label::BRAKE.to_owned(), action.to_owned())]);
    let mut data = BTreeMap::from([("by", by), ("at", at), ("reason", reason)]);
    data.extend(arguments.selector.as_deref().map(|selector| ("selector", selector)));
    let data = data.into_iter().map(|(key, text)| (key.to_owned(), text.to_owned())).collect();
    if let Some(brake) = Brake::read(&arguments.name, &labels, &data)
        && (!brake.is_readable() || arguments.selector.as_deref().is_some_and(|text| text.trim().is_empty()))
    {
        let text = arguments.selector.as_deref().unwrap_or_default();
        return Err(format!(
            "the selector \"{text}\" cannot be read; write labels as key=value,other!=value,key,!key,key in (a, b),key notin (a, b)"
        ));
    }
    let metadata =
        ObjectMeta { name: Some(arguments.name.clone()), labels: Some(labels), ..ObjectMeta::default() };
    Ok(ConfigMap { metadata, data: Some(data), ..ConfigMap::default() })
}

/// Performs `release`.
///
/// # Errors
/// There is no such hold, or what the API server said.
pub(super) async fn release(cluster: &Cluster, arguments: &ReleaseArguments) -> Result<(), Failure> {
    let (name, api) = (&arguments.name, cluster.api::<ConfigMap>());
    let object = format!("ConfigMap \"{name}\"");
    let found = api.get_opt(name).await.map_err(|error| cluster.failure("read", &object, &error))?;
    let Some(found) = found.filter(|found| found.labels().contains_key(label::BRAKE)) else {
        let namespace = cluster.namespace();
        return Err(Failure::new(format!(
            "nothing named {name} holds updates in namespace {namespace}; \
             `kubectl get configmaps -l {} -n {namespace}` shows what does",
            label::BRAKE
        )));
    };
    let preconditions = Some(Preconditions { uid: found.metadata.uid.clone(), resource_version: None });
    let params = DeleteParams { preconditions, ..DeleteParams::default() };
    api.delete(name, &params).await.map_err(|error| cluster.failure("delete", &object, &error))?;
    print::text(&format!(
        "{name} is released in namespace {}: updates go on from where they are\n",
        cluster.namespace()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(selector: Option<&str>, reason: &str, abort: bool) -> HoldArguments {
        HoldArguments {
            all: selector.is_none(),
            selector: selector.map(str::to_owned),
            abort,
            reason: reason.to_owned(),
            name: "freeze".to_owned(),
        }
    }

    #[test]
    fn a_hold_records_who_when_and_why_as_the_controller_reads_it() {
        let map =
            config_map(&arguments(Some("team=shop"), " incident 42 ", true), "ann", "2026-11-24T14:10:00Z");
        let map = map.unwrap();
        let brake = Brake::read("freeze", map.labels(), map.data.as_ref().unwrap()).unwrap();
        let expected = ("team=shop", "ann", "2026-11-24T14:10:00Z", "incident 42");
        let read = (&*brake.selector, &*brake.by, &*brake.at, &*brake.reason);
        assert_eq!((read, brake.action), (expected, serin_core::brake::Action::Abort));
    }

    #[test]
    fn what_would_hold_more_than_was_meant_is_refused() {
        for (selector, reason, expected) in [
            (
                Some("team within (a)"),
                "why",
                "the selector \"team within (a)\" cannot be read; write labels as key=value",
            ),
            (Some(" "), "why", "the selector \" \" cannot be read"),
            (None, " ", "--reason is empty"),
        ] {
            let said = config_map(&arguments(selector, reason, false), "ann", "now").unwrap_err();
            assert!(said.contains(expected), "{said}");
        }
    }
}
