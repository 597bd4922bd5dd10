//! Keeps what is configured of extensions: the ConfigMap of the controller, read again every minute.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Client;
use kube::api::Api;
use serde::Deserialize;
use serin_analysis::provider::{Endpoint, Extensions};
use serin_analysis::secret::SecretText;

use crate::watch::api_words;

/// The ConfigMap, as Argo Rollouts names it, and our key in it.
const CONFIG_MAP: &str = "argo-rollouts-config";
const KEY: &str = "extensions";
/// Keys of Argo Rollouts for Go programs, which cannot be loaded.
const FOREIGN: &[&str] = &["metricProviderPlugins", "stepPlugins", "trafficRouterPlugins"];
/// Time between two readings.
const AGAIN: Duration = Duration::from_secs(60);
/// Time for an answer, unless the extension has another one.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The extensions that are configured now.
#[derive(Clone, Debug, Default)]
pub struct Configured(Arc<RwLock<Option<Arc<Extensions>>>>);

impl Configured {
    /// Those of the last reading; `None` before the first one that was answered.
    pub fn now(&self) -> Option<Arc<Extensions>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// These, for tests of what asks them.
    #[cfg(test)]
    pub(crate) fn of(extensions: Extensions) -> Self {
        Self(Arc::new(RwLock::new(Some(Arc::new(extensions)))))
    }

    /// Reads them in `namespace` for as long as the process runs; returns after the first reading.
    pub async fn follow(&self, client: Client, namespace: String) {
        let mut said = self.read(&client, &namespace, String::new()).await;
        let kept = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(AGAIN).await;
                said = kept.read(&client, &namespace, said).await;
            }
        });
    }

    /// Reads them once, and says what is wrong with them unless it was `said` before. What cannot be read leaves those
    /// that are known in force.
    async fn read(&self, client: &Client, namespace: &str, said: String) -> String {
        let (found, wrong) = match read(client, namespace).await {
            Ok((found, wrong)) => (Some(found), wrong),
            Err(why) => (None, why),
        };
        if let Some(found) = found {
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(found));
        }
        if !wrong.is_empty() && wrong != said {
            tracing::warn!("ConfigMap {namespace}/{CONFIG_MAP}: {wrong}");
        }
        wrong
    }
}

async fn read(client: &Client, namespace: &str) -> Result<(Extensions, String), String> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let Some(map) = maps.get_opt(CONFIG_MAP).await.map_err(|error| api_words(&error))? else {
        return Ok((Extensions::new(), String::new()));
    };
    let data = map.data.unwrap_or_default();
    let entries = entries(&data)?;
    let mut wrong: Vec<String> = foreign(&data).into_iter().collect();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let mut found = Extensions::new();
    for entry in entries {
        match headers(&secrets, &entry).await {
            Ok(headers) => {
                found.insert(entry.name.clone(), entry.endpoint(headers));
            }
            Err(why) => wrong.push(format!("extension \"{}\": {why}", entry.name)),
        }
    }
    Ok((found, wrong.join("; ")))
}

/// One extension as it is configured.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    name: String,
    url: String,
    timeout: Option<String>,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    headers_from: Vec<HeadersFrom>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HeadersFrom {
    secret_ref: SecretName,
}

#[derive(Debug, Deserialize)]
struct SecretName {
    name: String,
}

impl Entry {
    fn endpoint(self, headers: Vec<(String, SecretText)>) -> Endpoint {
        let timeout = self.timeout.as_deref().and_then(serin_api::go_duration);
        Endpoint { url: self.url, headers, timeout: timeout.unwrap_or(TIMEOUT), insecure: self.insecure }
    }

    fn check(&self) -> Result<(), String> {
        let refuse = |what: &str| Err(format!("{KEY}: extension \"{}\": {what}", self.name));
        if self.name.is_empty() {
            return refuse("it has no name");
        }
        if !self.url.starts_with("http://") && !self.url.starts_with("https://") {
            return refuse("url begins neither with http:// nor with https://");
        }
        match self.timeout.as_deref().map(serin_api::go_duration) {
            Some(None) => refuse("timeout is no duration such as 10s"),
            Some(Some(_)) | None => Ok(()),
        }
    }
}

fn entries(data: &BTreeMap<String, String>) -> Result<Vec<Entry>, String> {
    let Some(text) = data.get(KEY) else { return Ok(Vec::new()) };
    let entries: Vec<Entry> =
        serde_yaml::from_str(text).map_err(|error| format!("{KEY} cannot be read: {error}"))?;
    for (index, entry) in entries.iter().enumerate() {
        entry.check()?;
        if entries.iter().take(index).any(|earlier| earlier.name == entry.name) {
            return Err(format!("{KEY}: extension \"{}\" is there twice", entry.name));
        }
    }
    Ok(entries)
}

fn foreign(data: &BTreeMap<String, String>) -> Option<String> {
    let named: Vec<&str> = FOREIGN.iter().copied().filter(|key| data.contains_key(*key)).collect();
    (!named.is_empty()).then(|| {
        let named = named.join(" and ");
        format!(
            "{named} name Go programs that cannot be loaded; see docs/extensions.md for what to do instead"
        )
    })
}

async fn headers(secrets: &Api<Secret>, entry: &Entry) -> Result<Vec<(String, SecretText)>, String> {
    let mut headers = Vec::new();
    for from in &entry.headers_from {
        let name = &from.secret_ref.name;
        let secret = secrets.get_opt(name).await.map_err(|error| api_words(&error))?;
        let secret = secret.ok_or_else(|| format!("Secret {name} does not exist"))?;
        for (key, bytes) in secret.data.unwrap_or_default() {
            let text = String::from_utf8(bytes.0).map_err(|_| format!("Secret {name}: {key} is not text"))?;
            headers.push((key, SecretText::new(text.trim())));
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(key: &str, text: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(key.to_owned(), text.to_owned())])
    }

    #[test]
    fn extensions_are_read_from_the_config_map() {
        let text = "- name: acme/guard\n  url: http://guard:9000\n  timeout: 3s\n  headersFrom: [{secretRef: {name: guard}}]\n\
                    - {name: acme/other, url: \"https://o\", insecure: true}\n";
        let found = entries(&data(KEY, text)).unwrap();
        let endpoints: Vec<Endpoint> = found.into_iter().map(|entry| entry.endpoint(Vec::new())).collect();
        assert_eq!(endpoints[0].url, "http://guard:9000");
        assert_eq!((endpoints[0].timeout.as_secs(), endpoints[0].insecure), (3, false));
        assert_eq!((endpoints[1].timeout.as_secs(), endpoints[1].insecure), (10, true));
        assert!(entries(&BTreeMap::new()).unwrap().is_empty());
    }

    #[test]
    fn what_cannot_work_is_said_with_the_extension_and_the_field() {
        for (text, expected) in [
            (
                "- {name: a, url: guard}",
                "extensions: extension \"a\": url begins neither with http:// nor with https://",
            ),
            ("- {name: '', url: 'http://g'}", "extensions: extension \"\": it has no name"),
            (
                "- {name: a, url: 'http://g', timeout: soon}",
                "extensions: extension \"a\": timeout is no duration such as 10s",
            ),
            (
                "[{name: a, url: 'http://g'}, {name: a, url: 'http://h'}]",
                "extensions: extension \"a\" is there twice",
            ),
        ] {
            assert_eq!(entries(&data(KEY, text)).unwrap_err(), expected, "{text}");
        }
        let unknown = entries(&data(KEY, "- {name: a, url: 'http://g', location: x}")).unwrap_err();
        assert!(unknown.contains("unknown field `location`"), "{unknown}");
    }

    #[test]
    fn go_programs_of_argo_rollouts_are_named() {
        let said = foreign(&data("metricProviderPlugins", "- name: a/b")).unwrap();
        assert!(said.starts_with("metricProviderPlugins name Go programs"), "{said}");
        assert_eq!(foreign(&data(KEY, "")), None);
    }
}
