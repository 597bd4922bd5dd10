//! Tells the series of canary and stable apart: by the hash of the revision, or for an ingress by the Service.

use std::collections::BTreeMap;
use std::fmt;

use serin_api::{Arms, Preset};

use super::selector::{one_of, plain_label, quoted};

/// How the two revisions stand in the labels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Labels {
    pub(crate) canary: Sign,
    pub(crate) stable: Sign,
    /// The label that holds the pod; `None` when the series know no pods of the two revisions.
    pub(crate) pod: Option<String>,
}

/// Labels that the series of one arm have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sign(Vec<(String, Is)>);

#[derive(Clone, Debug, PartialEq)]
enum Is {
    /// This value; an absent label is an empty one.
    Exactly(String),
    /// `namespace-service-port`, with `@provider` behind it or not.
    PortOf(String),
    /// Any value but an empty one.
    Set,
}

impl Sign {
    pub(crate) fn revision(label: &str, hash: &str) -> Self {
        Self(vec![(label.to_owned(), Is::Exactly(hash.to_owned()))])
    }

    pub(crate) fn of(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|(label, is)| {
            let found = labels.get(label).map_or("", String::as_str);
            match is {
                Is::Exactly(value) => found == value,
                Is::Set => !found.is_empty(),
                Is::PortOf(service) => {
                    let port = found.split('@').next().unwrap_or_default().strip_prefix(service.as_str());
                    port.and_then(|port| port.strip_prefix('-')).is_some_and(|port| !port.contains('-'))
                }
            }
        })
    }

    /// As PromQL selects it.
    fn matchers(&self) -> String {
        let one = |(label, is): &(String, Is)| match is {
            Is::Exactly(value) => format!("{label}={}", quoted(value)),
            Is::Set => format!("{label}!=\"\""),
            Is::PortOf(service) => {
                format!("{label}=~{}", quoted(&format!("{}-[^-@]+(@.+)?", regex::escape(service))))
            }
        };
        self.0.iter().map(one).collect::<Vec<_>>().join(",")
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.matchers())
    }
}

impl Labels {
    /// Told apart by the hash of the pod template in the label `revision`.
    ///
    /// # Errors
    /// A sentence with the field and the remedy; `field` is the path of the comparison's own fields.
    pub(super) fn by_revision(
        field: &str,
        (revision, pod): (Option<&String>, Option<&String>),
        arms: &Arms,
    ) -> Result<Self, String> {
        let label = |name: &str, set: Option<&String>, otherwise: &str| {
            let label = set.map_or(otherwise, String::as_str);
            if plain_label(label) {
                Ok(label.to_owned())
            } else {
                Err(format!(
                    "{field}.{name}: \"{label}\" is no label name of Prometheus; use letters, digits and _"
                ))
            }
        };
        let revision = label("revisionLabel", revision, "rollouts_pod_template_hash")?;
        Ok(Self {
            canary: Sign::revision(&revision, &arms.canary),
            stable: Sign::revision(&revision, &arms.stable),
            pod: Some(label("podLabel", pod, "pod")?),
        })
    }

    /// Told apart by Service, for the metrics of an ingress. Counters of a Service grow in a window by what its revision
    /// served in that window: what an older canary served under the same name is not counted.
    ///
    /// # Errors
    /// When the run does not know the Services.
    pub(super) fn by_service(preset: Preset, arms: &Arms) -> Result<Self, String> {
        let (Some(canary), Some(stable), Some(namespace)) =
            (&arms.canary_service, &arms.stable_service, &arms.namespace)
        else {
            return Err(
                "comparison.preset: an ingress tells revisions apart by their Services; set canaryService and stableService \
                 in the Rollout, or in a run spec.arms.canaryService, stableService and namespace"
                    .to_owned(),
            );
        };
        let port = |service: &str| Is::PortOf(format!("{namespace}-{service}"));
        let (canary, stable) = match preset {
            Preset::IngressNginx => (
                vec![("canary".to_owned(), port(canary))],
                vec![
                    ("canary".to_owned(), Is::Exactly(String::new())),
                    ("service".to_owned(), Is::Exactly(stable.clone())),
                ],
            ),
            _ => (vec![("service".to_owned(), port(canary))], vec![("service".to_owned(), port(stable))]),
        };
        Ok(Self { canary: Sign(canary), stable: Sign(stable), pod: None })
    }

    /// Takes all revisions for stable, where nobody says which one it is. An ingress knows no revisions.
    pub(super) fn whatever_revision(mut self) -> Option<Self> {
        let [(_, is)] = self.stable.0.as_mut_slice() else { return None };
        self.pod.as_ref()?;
        *is = Is::Set;
        Some(self)
    }

    /// A matcher that both arms meet, and as few others as one matcher can tell.
    pub(crate) fn both(&self) -> String {
        match (self.canary.0.as_slice(), self.stable.0.as_slice()) {
            ([(label, Is::Exactly(canary))], [(_, Is::Exactly(stable))]) => one_of(label, &[canary, stable]),
            ([(label, Is::PortOf(canary))], [(other, Is::PortOf(stable))]) if label == other => {
                let services = format!("({}|{})", regex::escape(canary), regex::escape(stable));
                format!("{label}=~{}", quoted(&format!("{services}-[^-@]+(@.+)?")))
            }
            (_, stable) => {
                // ingress-nginx: requests of the canary carry the Service of the main Ingress, which is stable's.
                let named = stable.iter().filter(|(label, _)| label == "service").cloned().collect();
                Self::matcher_of(named)
            }
        }
    }

    fn matcher_of(tests: Vec<(String, Is)>) -> String {
        Sign(tests).matchers()
    }

    /// Matchers of stable alone.
    pub(crate) fn stable_alone(&self) -> String {
        self.stable.matchers()
    }

    /// The pod of a series, or the scraped address that stands for it.
    pub(crate) fn pod_of(&self, labels: &BTreeMap<String, String>) -> Option<String> {
        let label = self.pod.as_ref()?;
        labels.get(label).or_else(|| labels.get("instance")).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arms() -> Arms {
        let name = |name: &str| Some(name.to_owned());
        Arms {
            canary: "c1".into(),
            stable: "s1".into(),
            canary_service: name("shop-canary"),
            stable_service: name("shop"),
            namespace: name("prod"),
        }
    }

    fn side(labels: &Labels, given: &[(&str, &str)]) -> &'static str {
        let given = given.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
        match (labels.canary.of(&given), labels.stable.of(&given)) {
            (true, false) => "canary",
            (false, true) => "stable",
            (false, false) => "neither",
            (true, true) => "both",
        }
    }

    #[test]
    fn row_27_an_older_canary_with_the_same_names_is_neither() {
        let labels = Labels::by_revision("errorRate", (None, None), &arms()).unwrap();
        for (hash, expected) in [("c1", "canary"), ("s1", "stable"), ("c0", "neither"), ("", "neither")] {
            assert_eq!(side(&labels, &[("app", "shop"), ("rollouts_pod_template_hash", hash)]), expected);
        }
        assert_eq!(labels.both(), "rollouts_pod_template_hash=~\"c1|s1\"");
        assert_eq!(labels.stable_alone(), "rollouts_pod_template_hash=\"s1\"");
    }

    #[test]
    fn services_of_traefik_are_told_apart_though_one_begins_like_the_other() {
        let labels = Labels::by_service(Preset::Traefik, &arms()).unwrap();
        for (service, expected) in [
            ("prod-shop-canary-80@kubernetes", "canary"),
            ("prod-shop-80@kubernetescrd", "stable"),
            ("prod-shop-http@kubernetes", "stable"),
            ("dev-shop-80@kubernetes", "neither"),
            ("prod-shop-canary-extra-80@kubernetes", "neither"),
        ] {
            assert_eq!(side(&labels, &[("service", service)]), expected, "{service}");
        }
        assert_eq!(labels.both(), "service=~\"(prod\\\\-shop\\\\-canary|prod\\\\-shop)-[^-@]+(@.+)?\"");
    }

    #[test]
    fn ingress_nginx_names_the_canary_in_a_label_of_its_own() {
        let labels = Labels::by_service(Preset::IngressNginx, &arms()).unwrap();
        for (canary, service, expected) in
            [("prod-shop-canary-80", "shop", "canary"), ("", "shop", "stable"), ("", "basket", "neither")]
        {
            assert_eq!(side(&labels, &[("canary", canary), ("service", service)]), expected);
        }
        assert_eq!(labels.both(), "service=\"shop\"");
        let refusal = Labels::by_service(Preset::Traefik, &Arms { namespace: None, ..arms() }).unwrap_err();
        assert!(refusal.contains("set canaryService and stableService in the Rollout"), "{refusal}");
    }
}
