//! Translates a Split to and from what an extension is told and says: any traffic that a program of the user splits.
//!
//! The object of this router is no object of the cluster: the shell asks the extension for it (`traffic/read`) and sends
//! what is rendered (`traffic/apply`), both by the protocol of docs/extensions.md. Its spec is the split as the extension
//! was told it last and has it in force, or is about to; its status says which of the two.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use serin_core::seen::ObjectKey;
use serin_core::split::{Backends, Effective, HeaderRoute, MirrorRoute, Split, Weight};
use serin_core::write::{Effect, Write};

use crate::capability::{Capabilities, Headers, Mirrors};
use crate::fork::Share;
use crate::reading::{Found, Reading};
use crate::refusal::Refusal;
use crate::router::{Objects, Router, Sight};

/// Group of the objects that are no objects of the cluster.
const GROUP: &str = "extension.serin.dev";

/// Endpoints behind the Services of a split that did not change are followed after this time, as in most proxies; an
/// extension says itself when weights are in force.
const PROPAGATION_SECONDS: i64 = 5;

/// The traffic that one extension splits.
#[derive(Clone, Debug)]
pub struct Extension {
    key: ObjectKey,
    total: Weight,
}

/// The name of the extension whose split an object stands for; `None` for objects of the cluster.
pub fn named(key: &ObjectKey) -> Option<&str> {
    (key.group == GROUP).then_some(key.name.as_str())
}

/// The object that stands for what an extension answered to `traffic/read`.
///
/// # Errors
/// Why the answer cannot be used, for people.
pub fn object(status: u16, body: &str) -> Result<Value, String> {
    let shown: String = body.trim().chars().take(200).collect();
    if status != 200 {
        return Err(format!("it answered with status {status}: {shown}"));
    }
    let read: Read = serde_json::from_str(body)
        .map_err(|error| format!("its answer is not of the protocol ({error}): {shown}"))?;
    Ok(json!({"spec": read.split, "status": {"applied": read.applied}}))
}

/// The split that a write of this router tells the extension.
pub fn told(write: &Write) -> Option<&Value> {
    let Effect::JsonPatch(operations) = &write.effect else { return None };
    operations.first()?.get("value")
}

/// What an extension answers to `traffic/read`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    #[serde(default)]
    split: Option<Told>,
    #[serde(default = "yes")]
    applied: bool,
}

fn yes() -> bool {
    true
}

/// A split in the words of the protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    total: u32,
    canary: Side,
    stable: Side,
    #[serde(default)]
    additional: Vec<Side>,
    #[serde(default)]
    header_routes: Vec<Header>,
    #[serde(default)]
    mirror_routes: Vec<Mirror>,
}

/// Where a share of the requests goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Side {
    service: String,
    #[serde(default)]
    pod_template_hash: String,
    weight: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    name: String,
    #[serde(default, rename = "match")]
    matches: Value,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Mirror {
    name: String,
    #[serde(default, rename = "match")]
    matches: Value,
    percentage: u32,
}

impl Told {
    fn of(backends: &Backends, want: &Split) -> Self {
        let side = |service: &str, hash: &str, weight: Weight| Side {
            service: service.to_owned(),
            pod_template_hash: hash.to_owned(),
            weight: weight.0,
        };
        let header = |route: &HeaderRoute| Header {
            name: route.name.clone(),
            matches: serde_json::to_value(&route.matches).unwrap_or_default(),
        };
        let mirror = |route: &MirrorRoute| Mirror {
            name: route.name.clone(),
            matches: serde_json::to_value(&route.matches).unwrap_or_default(),
            percentage: route.percentage,
        };
        let rank = |name: &str| backends.managed_routes.iter().position(|managed| managed == name);
        let mut header_routes: Vec<_> = want.headers.iter().map(header).collect();
        header_routes.sort_by_key(|route| rank(&route.name));
        let mut mirror_routes: Vec<_> = want.mirrors.iter().map(mirror).collect();
        mirror_routes.sort_by_key(|route| rank(&route.name));
        let additional = want.additional.iter();
        Self {
            total: want.total.0,
            canary: side(&backends.canary_service, &backends.canary_hash, want.canary),
            stable: side(&backends.stable_service, &backends.stable_hash, want.stable()),
            additional: additional.map(|to| side(&to.service, &to.hash, to.weight)).collect(),
            header_routes,
            mirror_routes,
        }
    }

    fn found(&self, backends: &Backends, lags: bool) -> Found {
        // The two Services have changed places since it was told (`pingPong`).
        let changed = self.canary.service == backends.stable_service
            && self.stable.service == backends.canary_service
            && self.canary.service != self.stable.service;
        let (canary, stable) =
            if changed { (&self.stable, &self.canary) } else { (&self.canary, &self.stable) };
        let others = self.additional.iter().fold(0, |sum: u32, side| sum.saturating_add(side.weight));
        let names = |sum: Vec<&String>| sum.into_iter().cloned().collect();
        Found {
            shares: vec![Share { canary: canary.weight, stable: stable.weight, others }],
            additional: self
                .additional
                .iter()
                .map(|side| (side.service.clone(), Weight(side.weight)))
                .collect(),
            headers: names(self.header_routes.iter().map(|route| &route.name).collect()),
            mirrors: names(self.mirror_routes.iter().map(|route| &route.name).collect()),
            lags,
            ..Found::default()
        }
    }
}

impl Extension {
    /// The router of `trafficRouting.plugins[name]` of a Rollout in `namespace`; weights sum to `total`.
    pub fn new(name: &str, namespace: &str, total: Weight) -> Self {
        Self { key: ObjectKey::new(GROUP, "v1", "Extension", namespace, name), total }
    }

    /// The split that the extension has; `None` when it was never told one.
    fn split(object: &Value) -> Result<Option<Told>, serde_json::Error> {
        Option::deserialize(object.get("spec").unwrap_or(&Value::Null))
    }

    fn find(object: &Value, backends: &Backends) -> Found {
        let applied = object.pointer("/status/applied").and_then(Value::as_bool) == Some(true);
        match Self::split(object) {
            Ok(Some(split)) => split.found(backends, !applied),
            // Nobody told it to send anything to a canary.
            Ok(None) => {
                let shares = vec![Share { canary: 0, stable: 1, others: 0 }];
                Found { shares, lags: true, ..Found::default() }
            }
            Err(error) => {
                Found { unclear: Some(format!("its split cannot be read: {error}")), ..Found::default() }
            }
        }
    }
}

impl Router for Extension {
    fn name(&self) -> String {
        format!("extension \"{}\"", self.key.name)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            headers: Headers::Any,
            mirrors: Mirrors::Any,
            max_weight: true,
            additional: true,
            affinity: false,
            role_change: true,
            confirms: true,
            propagation_seconds: PROPAGATION_SECONDS,
        }
    }

    fn needs(&self) -> Vec<ObjectKey> {
        vec![self.key.clone()]
    }

    fn further(&self, _: &Objects) -> Vec<ObjectKey> {
        Vec::new()
    }

    fn refusal(&self, _: &Backends, _: &Objects) -> Option<Refusal> {
        None
    }

    fn effective(&self, backends: &Backends, seen: &Objects) -> Effective {
        let mut reading = Reading::of(self.total);
        reading.look(&self.key, &Sight::of(seen, &self.key), |object| Self::find(object, backends));
        reading.effective()
    }

    fn render(&self, backends: &Backends, want: &Split, seen: &Objects) -> Vec<Write> {
        let Sight::Fresh(object) = Sight::of(seen, &self.key) else { return Vec::new() };
        let told = Told::of(backends, want);
        if Self::split(object).is_ok_and(|known| known.as_ref() == Some(&told)) {
            return Vec::new();
        }
        let patch = vec![json!({"op": "add", "path": "/spec", "value": told})];
        vec![Write { object: self.key.clone(), effect: Effect::JsonPatch(patch) }]
    }

    fn release(&self, backends: &Backends, seen: &Objects) -> Vec<Write> {
        let Sight::Fresh(object) = Sight::of(seen, &self.key) else { return Vec::new() };
        match Self::split(object) {
            Ok(None) => Vec::new(),
            _ => self.render(backends, &Split::all_stable(self.total), seen),
        }
    }
}
