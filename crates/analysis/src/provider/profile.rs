//! Finds the credentials that a provider takes from a Secret or from the environment of the controller.

use std::collections::BTreeMap;

use serin_api::provider::MetricProvider;
use serin_core::seen::Seen;

use super::{Problem, aws, datadog, influxdb, new_relic, wavefront};
use crate::secret::SecretText;

/// Where a profile lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A Secret in the namespace of the run.
    Run,
    /// A Secret in the namespace of the controller.
    Home,
    /// The environment of the controller process; the keys are those that a Secret would have.
    Process,
}

/// The texts of one profile, by key.
pub type Profile = BTreeMap<String, SecretText>;

/// What is known of the profiles that [`needed`] named. `Absent` says that there is none of the name.
pub type Profiles = BTreeMap<(Place, String), Seen<Profile>>;

/// Keys whose texts are no secrets: people look for them in messages.
const PLAIN: &[&str] =
    &["address", "region", "endpoint", "org", "account-id", "base-url-rest", "base-url-nerdgraph"];

/// The profiles that a metric needs, best first where one of several will do.
pub fn needed(metric: &MetricProvider) -> Vec<(Place, String)> {
    let mut named = Vec::new();
    named.extend(metric.datadog.iter().flat_map(datadog::profiles));
    named.extend(metric.new_relic.iter().map(new_relic::profile));
    named.extend(metric.influxdb.iter().map(influxdb::profile));
    named.extend(metric.wavefront.iter().map(|_| wavefront::profile()));
    named.extend(metric.cloud_watch.iter().map(|_| aws::profile()));
    named
}

/// The texts of `profiles` that must not be shown.
pub(crate) fn secret_texts(profiles: &Profiles, named: &[(Place, String)]) -> Vec<SecretText> {
    let known = named.iter().filter_map(|name| profiles.get(name)?.last_known());
    let secret = known.flatten().filter(|(key, _)| !PLAIN.contains(&key.as_str()));
    secret.map(|(_, text)| text.clone()).collect()
}

/// The profile of a name.
pub(super) fn find<'p>(profiles: &'p Profiles, named: &(Place, String)) -> Result<&'p Profile, Problem> {
    let what = shown(named);
    match profiles.get(named) {
        Some(Seen::Fresh(profile) | Seen::Stale(profile)) => Ok(profile),
        Some(Seen::Absent) => Err(Problem::Missing(format!("{what} does not exist"))),
        Some(Seen::Failed(why)) => Err(Problem::Missing(format!("{what} cannot be read: {why}"))),
        None => Err(Problem::Missing(format!("{what} was not read yet"))),
    }
}

/// A text of a profile that must be there.
pub(super) fn text<'p>(profile: &'p Profile, named: &(Place, String), key: &str) -> Result<&'p str, Problem> {
    optional(profile, key)
        .ok_or_else(|| Problem::Missing(format!("key '{key}' does not exist in {}", shown(named))))
}

/// A text of a profile, when it is there.
pub(super) fn optional<'p>(profile: &'p Profile, key: &str) -> Option<&'p str> {
    profile.get(key).map(|text| text.expose().trim()).filter(|text| !text.is_empty())
}

fn shown((place, name): &(Place, String)) -> String {
    match place {
        Place::Run => format!("secret '{name}'"),
        Place::Home => format!("secret '{name}' in the controller's namespace"),
        Place::Process => format!("the controller's environment for {name}"),
    }
}
