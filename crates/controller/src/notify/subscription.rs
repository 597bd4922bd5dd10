//! Says who is to be told of an event: by annotations of the object, and by the subscriptions of the ConfigMap.

use std::collections::{BTreeMap, BTreeSet};

use super::about::About;
use super::settings::Settings;

const PREFIX: &str = "notifications.argoproj.io/subscribe.";

/// One message to be sent: which service, and to whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination {
    /// Name of the service.
    pub service: String,
    /// What the service knows as recipient.
    pub recipient: String,
}

/// Name of the trigger of an event: `on-` and the reason in kebab case, as Argo Rollouts names it.
pub fn trigger(reason: &str) -> String {
    let letters: Vec<char> = reason.chars().collect();
    let mut name = String::from("on-");
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|at| letters.get(at));
        let after = letters.get(index + 1);
        // A word begins at a capital after a small letter, and at the last capital of several.
        let begins = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase))
            });
        if begins {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// Everybody who is to be told, once each.
pub(super) fn destinations(settings: &Settings, trigger: &str, about: &About) -> Vec<Destination> {
    let mut found = BTreeSet::new();
    for (key, recipients) in &about.annotations {
        let Some(rest) = key.strip_prefix(PREFIX) else { continue };
        let (wanted, service) = match rest.split_once('.') {
            Some((named, service)) => (named == trigger, service),
            None => (settings.default_triggers_of(rest).iter().any(|default| default == trigger), rest),
        };
        if wanted {
            let recipients = recipients.split(';').map(str::trim);
            found.extend(recipients.map(|recipient| destination(service, recipient)));
        }
    }
    let Some(labels) = &about.labels else { return found.into_iter().collect() };
    for subscription in &settings.subscriptions {
        let triggers = match subscription.triggers.as_slice() {
            [] => &settings.default_triggers,
            triggers => triggers,
        };
        if triggers.iter().any(|named| named == trigger) && selects(&subscription.selector, labels) {
            for recipient in &subscription.recipients {
                let (service, recipient) = recipient.split_once(':').unwrap_or((recipient, ""));
                found.insert(destination(service, recipient));
            }
        }
    }
    found.into_iter().collect()
}

fn destination(service: &str, recipient: &str) -> Destination {
    Destination { service: service.trim().to_owned(), recipient: recipient.trim().to_owned() }
}

/// Whether a label selector chooses the labels. One that cannot be read chooses nothing.
fn selects(selector: &str, labels: &BTreeMap<String, String>) -> bool {
    // Commas between parentheses belong to a set.
    let mut depth = 0_i32;
    let parts = selector.split(|letter| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        letter == ',' && depth == 0
    });
    let parts: Vec<&str> = parts.map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.into_iter().all(|part| one(part, labels))
}

fn one(part: &str, labels: &BTreeMap<String, String>) -> bool {
    let is = |key: &str, value: &str| labels.get(key.trim()).is_some_and(|found| found == value.trim());
    if let Some((head, set)) = part.split_once('(') {
        let set = set.trim_end().trim_end_matches(')');
        return match head.split_whitespace().collect::<Vec<_>>().as_slice() {
            [key, "in"] => set.split(',').any(|value| is(key, value)),
            [key, "notin"] => !set.split(',').any(|value| is(key, value)),
            _ => false,
        };
    }
    if let Some((key, value)) = part.split_once("!=") {
        return !is(key, value);
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return is(key, value);
    }
    match part.strip_prefix('!') {
        Some(key) => !labels.contains_key(key.trim()),
        None => labels.contains_key(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::settings::{Subscription, read};
    use crate::object::Name;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn triggers_are_named_as_argo_rollouts_names_them() {
        for (reason, expected) in [
            ("RolloutStepCompleted", "on-rollout-step-completed"),
            ("AnalysisRunFailed", "on-analysis-run-failed"),
            ("ScalingReplicaSet", "on-scaling-replica-set"),
            ("PatchingALBIngress", "on-patching-alb-ingress"),
            ("Updated VirtualService", "on-updated virtual-service"),
        ] {
            assert_eq!(trigger(reason), expected);
        }
    }

    #[test]
    fn annotations_and_subscriptions_name_who_is_told_once_each() {
        let (mut settings, _) = read(&map(&[("defaultTriggers", "[on-rollout-aborted]")]), BTreeMap::new());
        settings.subscriptions = vec![
            Subscription {
                recipients: vec!["slack:ops".into(), "hook".into()],
                triggers: vec![],
                selector: "team in (shop, web),!quiet".into(),
            },
            Subscription {
                recipients: vec!["slack:all".into()],
                triggers: vec!["on-x".into()],
                selector: String::new(),
            },
        ];
        let annotations = map(&[
            ("notifications.argoproj.io/subscribe.on-rollout-aborted.slack", "ops; dev"),
            ("notifications.argoproj.io/subscribe.teams", "room"),
            ("notifications.argoproj.io/subscribe.on-rollout-completed.slack", "boss"),
            ("other/subscribe.on-rollout-aborted.slack", "nobody"),
        ]);
        let told = |trigger, labels: &[(&str, &str)]| {
            let about = About {
                name: Name::new("default", "shop"),
                annotations: annotations.clone(),
                labels: Some(map(labels)),
                object: serde_json::Value::Null,
                runs: serde_json::Value::Null,
            };
            let all = destinations(&settings, trigger, &about);
            all.into_iter().map(|to| format!("{}:{}", to.service, to.recipient)).collect::<Vec<_>>()
        };
        assert_eq!(
            told("on-rollout-aborted", &[("team", "web")]),
            ["hook:", "slack:dev", "slack:ops", "teams:room"]
        );
        assert_eq!(
            told("on-rollout-aborted", &[("team", "web"), ("quiet", "")]),
            ["slack:dev", "slack:ops", "teams:room"]
        );
        assert_eq!(told("on-rollout-completed", &[]), ["slack:boss"]);
        assert_eq!(told("on-x", &[]), ["slack:all"]);
        let (own, _) = read(
            &map(&[("defaultTriggers", "[on-x]"), ("defaultTriggers.teams", "[on-y]")]),
            BTreeMap::new(),
        );
        assert_eq!(
            (own.default_triggers_of("slack"), own.default_triggers_of("teams")),
            (&["on-x".to_owned()][..], &["on-y".to_owned()][..])
        );
    }

    #[test]
    fn selectors_choose_as_kubernetes_does() {
        let labels = map(&[("a", "1"), ("b", "2")]);
        for (selector, expected) in [
            ("", true),
            ("a=1", true),
            ("a==1,b!=3", true),
            ("a=2", false),
            ("a in (1,2),b", true),
            ("a notin (1)", false),
            ("c notin (1)", true),
            ("!c", true),
            ("!a", false),
            ("a ~ (1)", false),
        ] {
            assert_eq!(selects(selector, &labels), expected, "{selector}");
        }
    }
}
