//! Reads objects as the API server sends them: any JSON is accepted, so that one odd object stops no watch.

use std::borrow::Cow;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use kube::core::{ApiResource, DynamicResourceScope, GroupVersionKind};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serin_core::seen::ObjectKey;

/// Namespace and name of an object; the namespace of cluster-scoped ones is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Namespace, empty for cluster-scoped kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Name {
    /// A name from its parts.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// The name of an object.
    pub fn of(meta: &ObjectMeta) -> Self {
        Self::new(meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
    }

    /// The name in a key.
    pub fn of_key(key: &ObjectKey) -> Self {
        Self::new(&key.namespace, &key.name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// An object as it came, without its `managedFields`: they are as large as the rest, and nobody here reads them.
#[derive(Clone, Debug)]
pub struct Raw {
    meta: ObjectMeta,
    /// The whole object.
    pub json: Value,
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut json = Value::deserialize(deserializer)?;
        if let Some(metadata) = json.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        let metadata = json.get("metadata").cloned().unwrap_or_default();
        Ok(Self { meta: serde_json::from_value(metadata).unwrap_or_default(), json })
    }
}

impl Resource for Raw {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

/// Group, version and kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// API group, empty for the core group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Kind in CamelCase.
    pub kind: String,
}

impl Kind {
    /// A kind from its parts.
    pub fn new(group: &str, version: &str, kind: &str) -> Self {
        Self { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
    }

    /// The kind in a key.
    pub fn of_key(key: &ObjectKey) -> Self {
        Self::new(&key.group, &key.version, &key.kind)
    }

    /// The key of an object of this kind.
    pub fn key(&self, name: &Name) -> ObjectKey {
        ObjectKey::new(&self.group, &self.version, &self.kind, &name.namespace, &name.name)
    }

    /// Where its objects are served.
    pub fn resource(&self) -> ApiResource {
        ApiResource::from_gvk(&GroupVersionKind::gvk(&self.group, &self.version, &self.kind))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.group.is_empty() { "" } else { "." };
        write!(f, "{}{dot}{}/{}", self.kind, self.group, self.version)
    }
}

/// The owner that controls the object, when it is a Rollout.
pub fn rollout_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    controller_of(meta, "Rollout")
}

/// The owner that controls the object, when it is of this kind of our API group.
pub fn controller_of<'m>(meta: &'m ObjectMeta, kind: &str) -> Option<&'m OwnerReference> {
    owner_of(meta).filter(|owner| owner.kind == kind)
}

/// The owner that controls the object, when it is of our API group.
pub fn owner_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    let owners = meta.owner_references.as_ref()?;
    owners
        .iter()
        .find(|owner| owner.controller == Some(true) && owner.api_version.starts_with("argoproj.io/"))
}

/// Whether an object of version `seen` is at least as new as one of version `written`.
///
/// Resource versions of one kind are decimal numbers that grow (KEP-5504, Kubernetes 1.35); those that are not numbers
/// can only be told to be the same.
pub fn reached(seen: &str, written: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if number(seen) && number(written) {
        let (seen, written) = (seen.trim_start_matches('0'), written.trim_start_matches('0'));
        return (seen.len(), seen) >= (written.len(), written);
    }
    seen == written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers_of_any_length_or_not_at_all() {
        for (seen, written, expected) in [
            ("9", "10", false),
            ("10", "9", true),
            ("10", "10", true),
            ("340282366920938463463374607431768211457", "340282366920938463463374607431768211456", true),
            ("a", "a", true),
            ("b", "a", false),
            ("", "1", false),
        ] {
            assert_eq!(reached(seen, written), expected, "{seen} after {written}");
        }
    }

    #[test]
    fn an_object_of_any_shape_is_read_and_loses_only_its_managed_fields() {
        let raw: Raw = serde_json::from_str(
            r#"{"metadata":{"name":"a","namespace":"n","managedFields":[{"manager":"m"}]},"spec":7}"#,
        )
        .unwrap();
        assert_eq!(Name::of(raw.meta()), Name::new("n", "a"));
        assert_eq!(raw.json, serde_json::json!({"metadata": {"name": "a", "namespace": "n"}, "spec": 7}));
        let odd: Raw = serde_json::from_str(r#"{"metadata":{"name":1}}"#).unwrap();
        assert_eq!(Name::of(odd.meta()), Name::default());
    }
}
