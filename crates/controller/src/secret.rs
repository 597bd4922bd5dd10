//! Performs the reading of Secrets that a run needs: by name, when they are needed, kept nowhere.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::Api;
use serin_analysis::secret::{SecretText, Secrets};
use serin_core::seen::Seen;

use crate::watch::api_words;

/// Reads the keys `needed`, as name and key, of Secrets in `namespace`.
pub async fn read(client: &Client, namespace: &str, needed: &[(String, String)]) -> Secrets {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let names: BTreeSet<_> = needed.iter().map(|(name, _)| name).collect();
    let mut found = BTreeMap::new();
    for name in names {
        found.insert(name, api.get_opt(name).await);
    }
    let text = |(name, key): &(String, String)| match found.get(name) {
        Some(Ok(secret)) => text_of(secret.as_ref(), key),
        Some(Err(error)) => Seen::Failed(format!("Secret {name} cannot be read: {}", api_words(error))),
        None => Seen::Absent,
    };
    needed.iter().map(|entry| (entry.clone(), text(entry))).collect()
}

fn text_of(secret: Option<&Secret>, key: &str) -> Seen<SecretText> {
    let bytes = secret.and_then(|secret| secret.data.as_ref()?.get(key));
    match bytes.map(|bytes| std::str::from_utf8(&bytes.0)) {
        Some(Ok(text)) => Seen::Fresh(SecretText::new(text)),
        Some(Err(_)) => Seen::Failed(format!("key {key} is not text")),
        None => Seen::Absent,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    #[test]
    fn missing_and_unreadable_are_different() {
        let data = [("a".to_owned(), ByteString(b"x".to_vec())), ("b".to_owned(), ByteString(vec![0xff]))];
        let secret = Secret { data: Some(data.into()), ..Secret::default() };
        assert!(matches!(text_of(Some(&secret), "a"), Seen::Fresh(text) if text.expose() == "x"));
        assert!(matches!(text_of(Some(&secret), "b"), Seen::Failed(_)));
        assert!(matches!(text_of(Some(&secret), "c"), Seen::Absent));
        assert!(matches!(text_of(None, "a"), Seen::Absent));
    }
}
