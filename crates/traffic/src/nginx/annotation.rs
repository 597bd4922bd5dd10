//! Translates a Split to and from the annotations of a canary Ingress.

use std::collections::BTreeMap;

use serde_json::Value;
use serin_api::NginxTrafficRouting;
use serin_core::seen::ObjectKey;
use serin_core::split::{HeaderRoute, Split, StringMatch, Weight};

use crate::expression;
use crate::fork::Share;
use crate::object;
use crate::patch::Patch;
use crate::reading::Found;

const PREFIX: &str = "nginx.ingress.kubernetes.io";
const CLASS: &str = "kubernetes.io/ingress.class";
/// Annotation of a canary Ingress: the managed route whose header its annotations ask for.
const HEADER_ROUTE: &str = "serin.dev/header-route";
const HEADER: [&str; 3] = ["canary-by-header", "canary-by-header-value", "canary-by-header-pattern"];

/// What is written to canary Ingresses beside their rules.
#[derive(Clone, Debug)]
pub(super) struct Annotations {
    prefix: String,
    given: BTreeMap<String, String>,
    total: Option<Weight>,
}

impl Annotations {
    pub(super) fn new(spec: &NginxTrafficRouting, total: Option<Weight>) -> Self {
        let prefix = spec.annotation_prefix.as_deref().filter(|prefix| !prefix.is_empty());
        let prefix = prefix.unwrap_or(PREFIX).to_owned();
        let prefixed = |key: &String| match key.starts_with(&format!("{prefix}/")) {
            true => key.clone(),
            false => format!("{prefix}/{key}"),
        };
        let additional = spec.additional_ingress_annotations.iter().flatten();
        let verbatim = spec.canary_ingress_annotations.iter().flatten();
        let given = additional
            .map(|(key, value)| (prefixed(key), value.clone()))
            .chain(verbatim.map(|(key, value)| (key.clone(), value.clone())))
            .collect();
        Self { prefix, given, total }
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    /// No weight on the canary.
    pub(super) fn nothing(total: Weight) -> Share {
        Share { canary: 0, stable: total.0, others: 0 }
    }

    /// All annotations of the canary Ingress of `stable`.
    pub(super) fn wanted(&self, stable: Option<&Value>, want: &Split) -> BTreeMap<String, String> {
        let mut wanted = BTreeMap::new();
        if let Some(class) = stable.and_then(|stable| object::annotation(stable, CLASS)) {
            wanted.insert(CLASS.to_owned(), class.to_owned());
        }
        wanted.extend(self.given.clone());
        wanted.insert(self.key("canary"), "true".to_owned());
        wanted.insert(self.key("canary-weight"), want.canary.to_string());
        if let Some(total) = self.total {
            wanted.insert(self.key("canary-weight-total"), total.to_string());
        }
        if let Some(asked) = asked(want) {
            HEADER.iter().for_each(|name| drop(wanted.remove(&self.key(name))));
            wanted.extend(self.header(asked));
        }
        wanted
    }

    fn header(&self, (route, name, value): Asked) -> [(String, String); 3] {
        let (how, value) = match value {
            StringMatch::Exact(text) => ("canary-by-header-value", text.clone()),
            StringMatch::Regex(text) => ("canary-by-header-pattern", text.clone()),
            StringMatch::Prefix(text) => ("canary-by-header-pattern", expression::prefix(text)),
        };
        [
            (HEADER_ROUTE.to_owned(), route.name.clone()),
            (self.key("canary-by-header"), name.to_owned()),
            (self.key(how), value),
        ]
    }

    /// Makes the annotations of `object` those that are wanted; others stay.
    pub(super) fn render(&self, patch: &mut Patch, object: &Value, stable: Option<&Value>, want: &Split) {
        let wanted = self.wanted(stable, want);
        patch.put_entries(object, "/metadata/annotations", &wanted);
        let ours = object::annotation(object, HEADER_ROUTE).is_some() || asked(want).is_some();
        let header = HEADER.iter().map(|name| self.key(name)).chain([HEADER_ROUTE.to_owned()]);
        let mut old: Vec<_> = header.filter(|_| ours).collect();
        old.push(self.key("canary-weight-total"));
        for key in old.iter().filter(|key| !wanted.contains_key(*key)) {
            if let Some(value) = object::annotation(object, key) {
                patch.drop_entry(object, "/metadata/annotations", key, value);
            }
        }
    }

    /// The weight that the annotations say.
    pub(super) fn read(&self, object: &Value, key: &ObjectKey) -> Found {
        let mut found = Found::default();
        let say = |name: &str| object::annotation(object, &self.key(name));
        found.lags = say("canary") != Some("true");
        let weight = say("canary-weight").map_or(Ok(0), str::parse);
        let total = say("canary-weight-total").map_or(Ok(100), str::parse);
        match (weight, total) {
            (Ok(weight), Ok(total)) => {
                let stable = u32::saturating_sub(total, weight);
                found.shares.push(Share { canary: weight, stable, others: 0 });
            }
            _ => {
                found.unclear =
                    Some(format!("annotation {} of {key} is no number", self.key("canary-weight")))
            }
        }
        let route = object::annotation(object, HEADER_ROUTE);
        found.headers.extend(route.map(str::to_owned));
        found
    }
}

type Asked<'w> = (&'w HeaderRoute, &'w str, &'w StringMatch);

/// The one header of the one header route; more than that ingress-nginx cannot do.
fn asked(want: &Split) -> Option<Asked<'_>> {
    let [route] = want.headers.as_slice() else { return None };
    let [header] = route.matches.as_slice() else { return None };
    Some((route, &header.name, &header.value))
}
